import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.protocols import Record
from lightwork.stores import ObjectStore
from lightwork.stores.objects import link as links
from lightwork.stores.objects.link import Link
from lightwork.testing.stores import key_of, plain
from tests.s3_server import S3Server

pytest.importorskip("obstore", reason="object stores are reached through obstore")

MIB = 1 << 20
LARGE = Record(b"s", [b"l" * MIB, b"tail", b"m" * (2 * MIB)], b"{}")


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "new" / "cache"


@pytest.fixture
def store(location: Path) -> Iterator[ObjectStore]:
    store = ObjectStore(f"file://{location}")
    yield store
    store.close()


def _files(location: Path, part: str) -> list[Path]:
    return sorted(path for path in (location / "lightwork-1" / part).rglob("*") if path.is_file())


def test_asking_makes_nothing(location: Path, store: ObjectStore) -> None:
    """Neither making a store nor reading, listing and clearing it creates anything."""
    assert store.get(key_of(1)) is None
    assert list(store.scan()) == []
    assert list(store.scan(key_of(1))) == []
    assert (store.clear(), store.drop([key_of(1)]), store.totals()) == (0, 0, (0, 0))
    assert store.noted(key_of(1)) is None
    store.close()
    assert not location.parent.exists()


@pytest.mark.parametrize("part", ["records", "blobs"])
@pytest.mark.parametrize("position", [0, 9, 17, 30, 90, -1])
def test_a_changed_byte_is_a_miss_that_heals(
    location: Path, store: ObjectStore, part: str, position: int
) -> None:
    """Every byte is verified at every hit, and the next put mends what was damaged."""
    store.put(key_of(1), LARGE)
    path = _files(location, part)[0]
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    assert store.get(key_of(1)) is None
    store.put(key_of(1), LARGE)
    assert plain(store.get(key_of(1))) == plain(LARGE)


def test_a_missing_or_short_blob_is_a_miss(location: Path, store: ObjectStore) -> None:
    """A rule of the bucket may remove any object at any time."""
    store.put(key_of(1), LARGE)
    first, second = _files(location, "blobs")
    os.truncate(first, 1000)
    assert store.get(key_of(1)) is None
    store.put(key_of(1), LARGE)
    second.unlink()
    assert store.get(key_of(1)) is None
    store.put(key_of(1), LARGE)
    assert plain(store.get(key_of(1))) == plain(LARGE)


def test_an_object_under_another_key_is_a_miss(location: Path, store: ObjectStore) -> None:
    """A record answers for its own key alone."""
    store.put(key_of(1), LARGE)
    (path,) = _files(location, "records")
    path.with_name(key_of(2).hex()[16:]).write_bytes(path.read_bytes())
    assert store.get(key_of(2)) is None


def test_what_is_replaced_or_removed_leaves_nothing(location: Path, store: ObjectStore) -> None:
    """Blobs go with their record, those of a writer that was killed with the next removal."""
    store.put(key_of(1), LARGE)
    store.put(key_of(1), LARGE._replace(buffers=[b"m" * (2 * MIB)]))
    assert len(_files(location, "blobs")) == 1
    store.put(key_of(1), Record(b"s", (), b""))
    assert _files(location, "blobs") == []
    store.put(key_of(1), LARGE)
    left = _files(location, "blobs")[0].with_name("00" * 32)
    left.touch()
    assert store.drop([key_of(1)]) == 1
    assert _files(location, "blobs") == []
    store.put(key_of(1), LARGE)
    store.put(key_of(2, function=2), LARGE)
    _files(location, "records")[0].unlink()  # as if its writer had been killed before
    assert store.clear(bytes(8)) == 0
    assert store.clear() == 1
    assert _files(location, "blobs") == []


def test_foreign_objects_are_left_alone(location: Path, store: ObjectStore) -> None:
    """What is no record of ours is neither listed nor removed."""
    store.put(key_of(1), LARGE)
    foreign = _files(location, "records")[0].with_name("README")
    foreign.touch()
    assert [entry.key for entry in store.scan()] == [key_of(1)]
    assert store.clear() == 1
    assert foreign.exists()


def test_a_folder_of_somebody_else_is_not_used(location: Path, store: ObjectStore) -> None:
    """To read a result is to run what it says: a shared folder that everybody may write to is refused."""
    store.put(key_of(1), LARGE)
    (location / "lightwork-1").chmod(0o777)
    other = ObjectStore(f"file://{location}")
    assert other.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match="everybody"):
        other.put(key_of(1), LARGE)
    assert ObjectStore(f"file://{location}", trusted=True).get(key_of(1)) is not None


def test_large_objects_travel_in_pieces(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come back whole, and one that has another length than is said is nothing."""
    monkeypatch.setattr(links, "PIECE", 5 * MIB)
    content = bytes(range(251)) * ((23 * MIB) // 251)
    link = Link(server.url("pieces"), **server.options)
    link.put("x", content)
    found = link.read("x", len(content))
    assert found is not None
    assert not memoryview(found).readonly
    assert bytes(found) == content
    assert link.read("x", len(content) + 1) is None
    assert link.read("y", len(content)) is None


def test_of_many_who_create_one_object_one_succeeds(server: S3Server) -> None:
    """All that leases ask of a store."""
    link = Link(server.url("create"), **server.options)
    barrier, created = threading.Barrier(8), []

    def create(number: int) -> None:
        barrier.wait()
        if link.create("x", b"%d" % number):
            created.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [link.get("x")] == [b"%d" % number for number in created]


def test_many_objects_are_listed_and_removed(server: S3Server) -> None:
    """More than a server lists in one answer, each once; removing what is gone is no error."""
    link = Link(server.url("many"), **server.options)
    link.map(lambda number: link.put(f"a/{number}", b""), range(1100))
    names = [found.name for page in link.pages("a") for found in page]
    assert sorted(names) == sorted(f"a/{number}" for number in range(1100))
    link.delete([*names, "a/none"])
    assert list(link.pages("a")) == []


def test_a_bucket_that_is_not_there_is_named(server: S3Server) -> None:
    """Reading finds nothing, writing says why."""
    store = ObjectStore("s3://no-such-bucket/x", **server.options)
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable, match="no such bucket"):
        store.put(key_of(1), LARGE)


def test_a_server_that_is_gone_is_asked_once_in_a_while() -> None:
    """After the tries of the first request nothing waits for it; when it is back it is used again."""
    pytest.importorskip("moto", reason="the server that speaks the protocol of S3 is moto's")
    server, time = S3Server(), [0.0]
    server.start()
    link = Link(server.url("gone"), **server.options, clock=lambda: time[0])
    link.put("x", b"1")
    server.kill()
    with pytest.raises(StoreUnavailable, match="cannot be reached"):
        link.get("x")
    server.start()
    for request in (lambda: link.get("x"), lambda: link.put("x", b""), lambda: list(link.pages("x"))):
        with pytest.raises(StoreUnavailable, match="cannot be reached"):
            request()
    time[0] = 1.0
    link.put("x", b"2")
    assert link.get("x") == b"2"
    server.kill()


def test_a_stopped_server_costs_no_more_than_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that accepts and never answers is given up after the time that `client_options` say."""
    pytest.importorskip("moto", reason="the server that speaks the protocol of S3 is moto's")
    server = S3Server()
    server.start()
    options = server.options
    options["client_options"] |= {"timeout": "100ms"}
    store = ObjectStore(server.url("stopped"), **options)
    store.put(key_of(1), LARGE)
    server.signal(signal.SIGSTOP)
    assert store.get(key_of(1)) is None
    with pytest.raises(StoreUnavailable):
        store.put(key_of(1), LARGE)
    server.kill()


def test_an_interrupt_does_not_wait_for_the_server() -> None:
    """A request that is under way ends by itself, in a thread; the caller goes on at once."""
    pytest.importorskip("moto", reason="the server that speaks the protocol of S3 is moto's")
    server = S3Server()
    server.start()
    store = ObjectStore(server.url("interrupted"), **server.options)
    assert store.get(key_of(1)) is None
    server.signal(signal.SIGSTOP)
    requests: list[Callable[[], object]] = [
        lambda: store.get(key_of(1)),
        lambda: store.put(key_of(1), LARGE),
    ]
    for request in requests:
        begun = time.monotonic()
        threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
        with pytest.raises(KeyboardInterrupt):
            request()
        assert time.monotonic() - begun < 10.0  # its own time is 30 s
    server.signal(signal.SIGCONT)
    store.put(key_of(1), LARGE)
    assert plain(store.get(key_of(1))) == plain(LARGE)
    server.kill()


def test_a_forked_child_of_a_user_is_told(store: ObjectStore) -> None:
    """The threads of obstore do not survive a fork: a child would wait for ever. It computes instead."""
    store.put(key_of(1), LARGE)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # without the refusal it would wait for ever
        try:
            found = store.get(key_of(1))
            assert store.lease(key_of(1))
            store.release(key_of(1), failed=True)
            store.put(key_of(1), LARGE)
        except StoreUnavailable as exc:
            os.write(write, f"{found} {exc.strerror}".encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    answer = os.read(read, 1000).decode()
    os.close(read)
    os.close(write)
    assert answer.startswith("None this process was forked")
    assert "spawn" in answer


def test_a_pickled_store_is_the_same(location: Path) -> None:
    """A process opens each place once; the options travel."""
    store = ObjectStore(
        "s3://bucket/x", config={"region": "here"}, client_options={"allow_http": True}, beat=1
    )
    again = pickle.loads(pickle.dumps(store))
    assert pickle.loads(pickle.dumps(again)) is again
    assert again.__reduce__() == store.__reduce__()
