import os
import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.memory import Memory
from lightwork.protocols import Record
from lightwork.stores import FileStore, SqliteStore, open_store
from lightwork.testing.stores import key_of, plain

RECORD = Record(b"s", [b"l" * 100_000, b"tail"], b"{}")


@pytest.fixture
def location(tmp_path: Path) -> Path:
    return tmp_path / "new" / "cache"


@pytest.fixture
def store(location: Path) -> Iterator[FileStore]:
    store = FileStore(location)
    yield store
    store.close()


def _files(location: Path, part: str = "entries") -> list[Path]:
    return sorted(path for path in (location / "lightwork-1" / part).rglob("*") if path.is_file())


def test_asking_makes_nothing(location: Path, store: FileStore) -> None:
    """Neither making a store nor reading, listing, clearing and trimming it creates a file."""
    assert store.get(key_of(1)) is None
    assert list(store.scan()) == []
    assert (store.clear(), store.trim(max_items=0), store.drop([key_of(1)])) == (0, 0, 0)
    assert not location.parent.exists()


def test_a_record_is_one_file_in_two_levels(location: Path, store: FileStore) -> None:
    """A record takes one inode whatever it holds, and no temporary file stays."""
    for number in range(3):
        store.put(key_of(number, function=7), RECORD)
    found = _files(location)
    assert len(found) == 3
    assert {len(path.relative_to(location / "lightwork-1" / "entries").parts) for path in found} == {3}
    assert _files(location, "tmp") == []


@pytest.mark.parametrize("position", [0, 9, 17, 25, 40, 80, 170, -1])
def test_a_changed_byte_is_a_miss(location: Path, store: FileStore, position: int) -> None:
    """Every byte of a file is verified at every hit."""
    store.put(key_of(1), RECORD)
    (path,) = _files(location)
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    assert store.get(key_of(1)) is None


@pytest.mark.parametrize("length", [0, 10, 50, 1000, 100_100])
def test_a_file_that_is_not_all_there_is_a_miss(location: Path, store: FileStore, length: int) -> None:
    """What another client shows late, or has cut short, is no result; the next put mends it."""
    store.put(key_of(1), RECORD)
    (path,) = _files(location)
    os.truncate(path, length)
    assert store.get(key_of(1)) is None
    store.put(key_of(1), RECORD)
    assert plain(store.get(key_of(1))) == plain(RECORD)


def test_a_file_under_another_key_is_a_miss(location: Path, store: FileStore) -> None:
    """A file answers for its own key alone."""
    store.put(key_of(1), RECORD)
    (path,) = _files(location)
    shutil.copy(path, path.with_name(key_of(2).hex()[18:]))
    assert store.get(key_of(2)) is None


def test_a_hit_writes_nothing(location: Path) -> None:
    """The time of access waits for the next put or the end; further hits within a minute change nothing."""
    store = FileStore(location, clock=iter(range(1000, 9000, 10)).__next__)
    store.put(key_of(1), RECORD)
    (path,) = _files(location)
    store.get(key_of(1))
    assert path.stat().st_mtime == 1000
    store.close()
    after = path.stat().st_mtime
    assert after > 1000
    store.get(key_of(1))
    store.close()
    assert path.stat().st_mtime == after


def test_a_deleted_folder_comes_back(location: Path, store: FileStore) -> None:
    """Whoever removes the whole cache finds it empty, and working."""
    store.put(key_of(1), RECORD)
    shutil.rmtree(location)
    assert store.get(key_of(1)) is None
    store.put(key_of(2), RECORD)
    assert plain(store.get(key_of(2))) == plain(RECORD)


def test_what_a_killed_writer_left_is_swept_after_a_day(location: Path, store: FileStore) -> None:
    """Nobody can ask whether a writer on another host lives: its file is left alone for a day."""
    store.put(key_of(1), RECORD)
    young, old = (location / "lightwork-1" / "tmp" / name for name in ("host-1", "host-2"))
    for path in (young, old):
        path.touch()
    os.utime(old, (0, 0))
    FileStore(location).put(key_of(2), RECORD)
    assert _files(location, "tmp") == [young]


def test_foreign_files_are_left_alone(location: Path, store: FileStore) -> None:
    """A file that is no record is neither listed nor removed."""
    store.put(key_of(1), RECORD)
    foreign = [
        location / "lightwork-1" / "entries" / "README",
        _files(location)[0].with_name(".nfs00001"),
    ]
    for path in foreign:
        path.touch()
    assert [entry.key for entry in store.scan()] == [key_of(1)]
    assert store.clear() == 1
    assert all(path.exists() for path in foreign)


def test_an_error_tells_its_number(location: Path, store: FileStore) -> None:
    """A location below a file cannot be made: an OSError with a number, and reading is a miss."""
    location.parent.mkdir()
    location.touch()
    with pytest.raises(StoreUnavailable, match="cannot be written") as caught:
        store.put(key_of(1), RECORD)
    assert caught.value.errno
    assert store.get(key_of(1)) is None


def test_a_network_disk_gets_files(location: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is chosen by the file system, and `Memory` works on either."""
    assert isinstance(open_store(location / "local"), SqliteStore)
    monkeypatch.setattr("lightwork.stores.opening.is_local", lambda path: False)
    store = open_store(location)
    assert isinstance(store, FileStore)
    assert pickle.loads(pickle.dumps(store)) is store
    calls: list[int] = []

    def double(x: int) -> int:
        calls.append(x)
        return 2 * x

    for _ in range(2):
        assert Memory(location).cache(double, version=1, track="none")(21) == 42
    assert calls == [21]
    assert len(_files(location)) == 1
