import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lightwork.protocols import IsRemote, Record, SupportsLease, SupportsLimits, SupportsNotes, SupportsPrefix
from lightwork.stores import ObjectStore, SqliteStore, TieredStore, TransientStore
from lightwork.testing.stores import key_of, plain

pytest.importorskip("obstore", reason="object stores are reached through obstore")

MIB = 1 << 20
KEY = key_of(1)
LARGE = Record(b"s", [b"l" * MIB, b"tail"], b"{}")
OTHER = Record(b"t", [b"m" * MIB], b"{}")


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def store(tmp_path: Path, shared: Path, clock: Clock) -> Iterator[TieredStore]:
    store = _tiered(tmp_path / "near", shared, clock)
    yield store
    store.close()


def _tiered(near: Path, shared: Path, clock: Clock, *, near_bytes: int | None = None) -> TieredStore:
    far = ObjectStore(f"file://{shared}")
    return TieredStore(SqliteStore(near), far, fresh=10.0, near_bytes=near_bytes, clock=clock)


def _blobs(shared: Path) -> list[Path]:
    return [path for path in (shared / "lightwork-1" / "blobs").rglob("*") if path.is_file()]


def test_a_copy_saves_the_way(tmp_path: Path, store: TieredStore, shared: Path, clock: Clock) -> None:
    """What was put, or read once, is not fetched again; the far store is asked for its version alone."""
    other = _tiered(tmp_path / "other", shared, clock)
    store.put(KEY, LARGE)
    assert plain(other.get(KEY)) == plain(LARGE)
    for path in _blobs(shared):
        path.unlink()
    clock.time = 100.0
    assert plain(store.get(KEY)) == plain(LARGE)
    assert plain(other.get(KEY)) == plain(LARGE)
    assert ObjectStore(f"file://{shared}").get(KEY) is None


def test_a_fresh_copy_is_given_without_asking(store: TieredStore, shared: Path, clock: Clock) -> None:
    """For so long, and no longer, what another host removed or replaced is given still."""
    store.put(KEY, LARGE)
    assert store.get(KEY) is not None
    ObjectStore(f"file://{shared}").put(KEY, OTHER)
    clock.time = 9.9
    assert plain(store.get(KEY)) == plain(LARGE)
    clock.time = 10.0
    assert plain(store.get(KEY)) == plain(OTHER)
    ObjectStore(f"file://{shared}").drop([KEY])
    clock.time = 19.9
    assert plain(store.get(KEY)) == plain(OTHER)
    clock.time = 20.0
    assert store.get(KEY) is None
    assert store.near.get(KEY) is None


def test_what_this_process_removes_or_replaces_is_seen_at_once(store: TieredStore) -> None:
    """However fresh the copy is."""
    store.put(KEY, LARGE)
    store.get(KEY)
    store.put(KEY, OTHER)
    assert plain(store.get(KEY)) == plain(OTHER)
    assert store.drop([KEY]) == 1
    assert store.get(KEY) is None
    for _ in range(2):
        store.put(KEY, LARGE)
        store.get(KEY)
        assert store.clear() == 1
        assert store.get(KEY) is None
        assert list(store.near.scan()) == []


def test_a_record_that_was_removed_and_put_again_is_another_one(
    tmp_path: Path, store: TieredStore, shared: Path, clock: Clock
) -> None:
    """A copy of the first one is not taken for the second, even if they are the same but for their time."""
    store.put(KEY, LARGE)
    store.get(KEY)
    clock.time = 100.0
    far = ObjectStore(f"file://{shared}")
    far.put(KEY, LARGE)
    assert far.version(KEY) != (store.near.get(KEY) or LARGE).facts[:32]
    assert plain(store.get(KEY)) == plain(LARGE)
    assert far.version(KEY) == (store.near.get(KEY) or LARGE).facts[:32]


def test_a_copy_is_not_trusted_when_nobody_can_be_asked(
    store: TieredStore, shared: Path, clock: Clock
) -> None:
    """Fresh ones are given; the others are computed anew."""
    store.put(KEY, LARGE)
    assert store.get(KEY) is not None
    far = shared / "lightwork-1"
    far.chmod(0o777)  # no longer trusted
    store.far = ObjectStore(f"file://{shared}")
    assert store.get(KEY) is not None
    clock.time = 10.0
    assert store.get(KEY) is None
    far.chmod(0o700)
    assert store.get(KEY) is not None


def test_copies_keep_to_their_room(tmp_path: Path, shared: Path, clock: Clock) -> None:
    """`near_bytes` holds for what was put and what was fetched; the far store has it all."""
    store = _tiered(tmp_path / "near", shared, clock, near_bytes=3 * MIB)
    far = ObjectStore(f"file://{shared}")
    for number in range(6):
        (store if number % 2 else far).put(key_of(number), Record(b"s", [os.urandom(MIB)], b""))
        assert store.get(key_of(number)) is not None
        assert sum(entry.nbytes for entry in store.near.scan()) <= 3 * MIB
    assert len(list(store.scan())) == 6
    store.put(key_of(9), Record(b"s", [bytes(4 * MIB)], b""))
    assert store.get(key_of(9)) is not None


def test_without_room_near_by_all_works(tmp_path: Path, shared: Path, clock: Clock) -> None:
    """A near folder that cannot be written costs time alone."""
    (tmp_path / "near").touch()
    store = _tiered(tmp_path / "near", shared, clock)
    store.put(KEY, LARGE)
    assert plain(store.get(KEY)) == plain(LARGE)
    assert store.drop([KEY]) == 1


def test_a_removed_near_folder_costs_time_alone(tmp_path: Path, store: TieredStore) -> None:
    """It is a copy."""
    store.put(KEY, LARGE)
    store.close()
    shutil.rmtree(tmp_path / "near")
    assert plain(store.get(KEY)) == plain(LARGE)


def test_it_can_what_the_far_store_can(store: TieredStore, tmp_path: Path) -> None:
    """Leases and notes are the far store's, limits nobody's."""
    for ability in (IsRemote, SupportsLease, SupportsNotes, SupportsPrefix):
        assert isinstance(store, ability)
    assert not isinstance(store, SupportsLimits)
    far: object = TransientStore()
    assert not isinstance(far, SupportsLease)
