"""Records in Azure's blobs, against Azurite."""

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
from lightwork.testing.stores import StoreSuite, key_of, plain
from tests.clouds.servers import AzureServer

NUMBERS = itertools.count()
MIB = 1 << 20
LARGE = Record(b"s", [b"l" * MIB, b"tail", b"m" * (2 * MIB)], b"{}")


@pytest.fixture
def far(azure: AzureServer) -> Iterator[ObjectStore]:
    store = ObjectStore(azure.url(f"contract/{next(NUMBERS)}"), **azure.options)
    yield store
    store.close()


@pytest.fixture
def link(azure: AzureServer) -> Link:
    return Link(azure.url(f"link/{next(NUMBERS)}"), **azure.options)


class TestAzureStore(StoreSuite):
    """The store passes the exam."""

    @pytest.fixture
    def store(self, far: ObjectStore) -> Store:
        return far


class TestTieredAzureStore(StoreSuite):
    """So it does with local copies, each of which is asked for."""

    @pytest.fixture
    def store(self, far: ObjectStore, tmp_path: Path) -> Iterator[Store]:
        store = TieredStore(SqliteStore(tmp_path), far, fresh=0.0)
        yield store
        store.close()


def test_others_read_what_was_written(azure: AzureServer) -> None:
    """Microsoft's own client finds an object under the name that the documentation gives."""
    Link(azure.url("with space/ä%41"), **azure.options).put("x/y", b"content")
    assert azure.content("with space/äA/x/y") == b"content"


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
def test_a_killed_writer_leaves_nothing(azure: AzureServer) -> None:
    """Half of a large object is not there, and does not keep the next one who writes it."""
    prefix = f"killed/{next(NUMBERS)}"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, azure.url(prefix)], env={**os.environ, **azure.environment}
    )
    while not azure.pending(f"{prefix}/x"):
        assert writer.poll() is None
    writer.kill()
    writer.wait()
    link = Link(azure.url(prefix), **azure.options)
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


def test_a_container_that_is_not_there_is_named(azure: AzureServer) -> None:
    """Reading finds nothing, writing says why."""
    store = ObjectStore("az://no-such-container/x", **azure.options)
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match="no such bucket"):
        store.put(key_of(1), LARGE)


def test_a_shared_access_signature_is_enough(azure: AzureServer) -> None:
    """To read, write, list and remove; one that allows less says so, and is shown to nobody."""
    url = azure.url(f"signature/{next(NUMBERS)}")
    all_of_it = ObjectStore(url, **azure.as_somebody(sas_key=azure.signature("rwdl")))
    all_of_it.put(key_of(1), LARGE)
    signature = azure.signature("r")
    reader = ObjectStore(url, **azure.as_somebody(sas_key=signature))
    assert plain(reader.get(key_of(1))) == plain(LARGE)
    with pytest.raises(StoreUnavailable, match="AuthorizationPermissionMismatch") as caught:
        reader.put(key_of(2), LARGE)
    assert "sig=" not in str(caught.value)
    assert all_of_it.clear() == 1


def test_a_wrong_key_is_told(azure: AzureServer) -> None:
    """Reading finds nothing, writing says why."""
    store = ObjectStore(azure.url("x"), **azure.as_somebody(account_key="d3Jvbmc="))
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match="AuthorizationFailure"):
        store.put(key_of(1), LARGE)
