"""Records in Azure's and Google's storage: the exam, and what else a store asks of a server."""

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.protocols import Record, Store
from lightwork.stores import ObjectStore, SqliteStore, TieredStore
from lightwork.stores.objects.link import PIECE, Link
from lightwork.testing.stores import StoreSuite, key_of
from tests.clouds.servers import AzureServer, TranslatedServer

NUMBERS = itertools.count()
MIB = 1 << 20
LARGE = Record(b"s", [b"l" * MIB, b"tail", b"m" * (2 * MIB)], b"{}")


@pytest.fixture
def far(cloud: AzureServer | TranslatedServer) -> Iterator[ObjectStore]:
    store = ObjectStore(cloud.url(f"contract/{next(NUMBERS)}"), **cloud.options)
    yield store
    store.close()


@pytest.fixture
def link(cloud: AzureServer | TranslatedServer) -> Link:
    return Link(cloud.url(f"link/{next(NUMBERS)}"), **cloud.options)


class TestCloudStore(StoreSuite):
    """The store passes the exam."""

    @pytest.fixture
    def store(self, far: ObjectStore) -> Store:
        return far


class TestTieredCloudStore(StoreSuite):
    """So it does with local copies, each of which is asked for."""

    @pytest.fixture
    def store(self, far: ObjectStore, tmp_path: Path) -> Iterator[Store]:
        store = TieredStore(SqliteStore(tmp_path), far, fresh=0.0)
        yield store
        store.close()


def test_others_read_what_was_written(cloud: AzureServer | TranslatedServer) -> None:
    """Under the name that the documentation gives; at Azure's it is Microsoft's own client that asks."""
    Link(cloud.url("with space/ä%41"), **cloud.options).put("x/y", b"content")
    assert cloud.content("with space/äA/x/y") == b"content"


def test_large_objects_travel_in_blocks(link: Link) -> None:
    """They come back whole, and one that has another length than is said is nothing."""
    content = bytes(range(251)) * ((3 * PIECE) // 251)
    link.put("x", content)
    found = link.read("x", len(content))
    assert found is not None
    assert bytes(found) == content
    assert link.read("x", len(content) + 1) is None
    assert link.read("y", len(content)) is None


def test_of_many_who_create_one_object_one_succeeds(link: Link) -> None:
    """All that leases ask of a store."""
    barrier = threading.Barrier(8)

    def create(number: int) -> bool:
        barrier.wait()
        return link.create("x", b"%d" % number)

    created = link.map(create, range(8))
    assert sum(created) == 1
    assert link.get("x") == b"%d" % created.index(True)


def test_of_many_who_write_one_large_blob_all_succeed(link: Link) -> None:
    """As if one had come after the other, though the blocks of one upload end those of the others."""
    contents = [bytes([number]) * (2 * PIECE) for number in range(3)]
    barrier = threading.Barrier(len(contents))

    def write(content: bytes) -> None:
        barrier.wait()
        link.put("x", content)

    link.map(write, contents)
    found = link.read("x", 2 * PIECE)
    assert found is not None
    assert bytes(found) in contents


_WRITER = """
import sys
from lightwork.stores.objects.link import Link
Link(sys.argv[1], config={}, client_options={}).put("x", bytes(512 << 20))
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_nothing(cloud: AzureServer | TranslatedServer) -> None:
    """Half of a large object is not there, and does not keep the next one who writes it."""
    prefix = f"killed/{next(NUMBERS)}"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, cloud.url(prefix)], env={**os.environ, **cloud.environment}
    )
    while not cloud.pending(f"{prefix}/x"):
        assert writer.poll() is None
    writer.kill()
    writer.wait()
    link = Link(cloud.url(prefix), **cloud.options)
    assert link.get("x") is None
    assert list(link.pages("")) == []
    link.put("x", b"1" * (2 * PIECE))
    assert link.get("x") == b"1" * (2 * PIECE)


@pytest.mark.slow
def test_many_objects_are_listed_and_removed(link: Link) -> None:
    """More than fit in an answer, or in a request, each once; removing what is gone is no error."""
    names = [f"a/{number}" for number in range(1100)]
    link.map(lambda name: link.put(name, b""), names)
    assert sorted(found.name for page in link.pages("a") for found in page) == sorted(names)
    link.delete(["a/none", *names, "a/nothing"])
    assert list(link.pages("a")) == []


def test_a_container_that_is_not_there_is_named(cloud: AzureServer | TranslatedServer) -> None:
    """Reading finds nothing, writing says why."""
    scheme = cloud.url("").partition("://")[0]
    store = ObjectStore(f"{scheme}://no-such-place/x", **cloud.options)
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match="no such bucket"):
        store.put(key_of(1), LARGE)
