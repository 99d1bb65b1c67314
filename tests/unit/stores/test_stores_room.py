import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.protocols import Limits, Record
from lightwork.stores import FileStore, SqliteStore
from lightwork.testing.stores import key_of

MIB = 1 << 20
SMALL = Record(b"s" * 200, (), b"{}")


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=[SqliteStore, FileStore])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[SqliteStore | FileStore]:
    store = request.param(tmp_path / "cache", clock=clock)
    yield store
    store.close()


def _keys(store: SqliteStore | FileStore) -> set[bytes]:
    return {entry.key for entry in store.scan()}


def _on_disk(folder: Path) -> int:
    """Bytes of all files below a folder, those with two names once."""
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.stat(os.path.join(path, name))
            except FileNotFoundError:  # removed meanwhile
                continue
            found[status.st_ino] = status.st_size
    return sum(found.values())


@pytest.mark.parametrize("most", [1, 3, 100])
def test_the_number_of_records_never_exceeds_the_limit(store: SqliteStore | FileStore, most: int) -> None:
    """A put makes room before it writes; the newest record is always there."""
    for number in range(3 * most + 3):
        store.put_within(key_of(number), SMALL, seconds=0.0, limits=Limits(max_items=most))
        assert len(_keys(store)) <= most
        assert store.get(key_of(number)) is not None


def test_the_bytes_on_disk_never_exceed_the_limit(tmp_path: Path, store: SqliteStore | FileStore) -> None:
    """Rows, blobs, files, the database and its journal together, at any moment."""
    limit = 8 * MIB
    for number in range(40):
        size = (100, 70_000, MIB + 5)[number % 3]
        record = Record(b"s", [number.to_bytes(4, "big") * (size // 4)], b"{}")
        store.put_within(key_of(number), record, seconds=0.1, limits=Limits(max_bytes=limit))
        assert _on_disk(tmp_path) <= limit
    assert _on_disk(tmp_path) > limit // 2


def test_what_is_expensive_per_byte_stays(store: SqliteStore | FileStore) -> None:
    """An hour of computing outlives the cheap results that come after it, as does what is used."""
    limits = Limits(max_items=50)
    store.put_within(key_of(0), SMALL, seconds=3600.0, limits=limits)
    for number in range(1, 300):
        store.put_within(key_of(number), SMALL, seconds=0.01, limits=limits)
        store.get(key_of(1))
    assert {key_of(0), key_of(1)} <= _keys(store)
    assert key_of(2) not in _keys(store)


def test_what_was_not_used_for_long_goes(store: SqliteStore | FileStore, clock: Clock) -> None:
    """`max_age` counts from the last use."""
    for number in range(3):
        store.put(key_of(number), SMALL)
    clock.now += 1000
    store.get(key_of(1))
    store.put_within(key_of(9), SMALL, seconds=0.0, limits=Limits(max_age=500.0))
    assert _keys(store) == {key_of(1), key_of(9)}


def test_a_record_larger_than_the_limit_is_refused(store: SqliteStore | FileStore) -> None:
    """It is not kept, and nothing is removed for it in vain."""
    limits = Limits(max_bytes=4 * MIB)
    store.put_within(key_of(1), SMALL, seconds=0.0, limits=limits)
    with pytest.raises(StoreUnavailable, match="raise the limit"):
        store.put_within(key_of(2), Record(b"s", [bytes(5 * MIB)], b""), seconds=0.0, limits=limits)
    assert _keys(store) == {key_of(1)}


_DIES = """
import os, sys
from lightwork.protocols import Limits, Record
from lightwork.stores import SqliteStore
from lightwork.stores.sqlite.blobs import BlobFolder
BlobFolder.write = lambda *_: os._exit(9)
SqliteStore(sys.argv[1]).put_within(
    bytes(32), Record(b"s", [bytes(3 << 20)], b""), seconds=0.0, limits=Limits(max_bytes=5 << 20)
)
"""


@pytest.mark.slow
def test_a_promise_ends_with_its_process(tmp_path: Path) -> None:
    """What a killed writer had reserved is free for the others."""
    done = subprocess.run([sys.executable, "-c", _DIES, str(tmp_path)], check=False)
    assert done.returncode == 9
    store = SqliteStore(tmp_path)
    record = Record(b"s", [b"1" * (3 * MIB)], b"")
    store.put_within(key_of(1), record, seconds=0.0, limits=Limits(max_bytes=5 * MIB))
    assert _keys(store) == {key_of(1)}
    store.close()


_WRITES = """
import os, sys
from lightwork.protocols import Limits, Record
from lightwork.stores import SqliteStore
folder, first, limit, entry = sys.argv[1], *map(int, sys.argv[2:])
def on_disk():
    found = {}
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.stat(os.path.join(path, name))
            except FileNotFoundError:
                continue
            found[status.st_ino] = status.st_size
    return sum(found.values())
store = SqliteStore(folder)
most = 0
for number in range(10 * limit // entry // 4):
    key = (first * 100_000 + number).to_bytes(32, "big")
    record = Record(b"s", [os.urandom(entry)], b"{}")
    store.put_within(key, record, seconds=0.1, limits=Limits(max_bytes=limit))
    most = max(most, on_disk())
print(most)
"""


@pytest.mark.slow
@pytest.mark.parametrize("entry", [60_000, 2 * MIB])
def test_four_writers_keep_one_limit(tmp_path: Path, entry: int) -> None:
    """Four processes write ten times the limit; at no moment there is more than that and one entry."""
    limit = 24 * MIB
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITES, str(tmp_path), str(first), str(limit), str(entry)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for first in range(4)
    ]
    most = [int(writer.communicate()[0]) for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4
    assert limit // 2 < max(most) <= limit + entry
