"""The hot tier: small results in the memory of the process."""

import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork.errors import InvalidOption
from lightwork.memory import Memory
from lightwork.memory.hot import TIERS, HotTier
from lightwork.protocols import Record
from lightwork.stores import TransientStore
from lightwork.testing.stores import key_of


class Counting(TransientStore):
    """A store that counts how often it is read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get(self, key: bytes) -> Record | None:
        self.reads += 1
        return super().get(key)


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Counting:
    return Counting()


def small(n: int) -> list[int]:
    return [n]


def array(n: int) -> Any:
    return np.arange(n)


def test_hits_do_not_ask_the_store(store: Counting) -> None:
    """Of many hits within a second one reads the store."""
    cached = Memory(store=store, hot_bytes="1MB").cache(small)
    cached(1)
    before = store.reads
    assert [cached(1) for _ in range(20)] == [[1]] * 20
    assert store.reads <= before + 3  # at most one a second; a slow machine may take two
    assert cached.stats().hits == 20


@pytest.mark.parametrize("function", [small, array])
def test_no_object_is_handed_out_twice(store: Counting, function: Any) -> None:
    """What a caller does to a result no other caller sees."""
    cached = Memory(store=store, hot_bytes=1 << 20).cache(function)
    cached(3)
    first, second = cached(3), cached(3)
    assert first is not second
    first[0] = 7
    second[0] = 8
    assert cached(3)[0] not in (7, 8)


def test_it_is_off_unless_asked_for(store: Counting) -> None:
    """Without the option each hit reads the store."""
    cached = Memory(store=store).cache(small)
    cached(1)
    before = store.reads
    cached(1), cached(1)
    assert store.reads == before + 2


def test_a_record_is_read_again_after_a_second(store: Counting) -> None:
    """What others removed is given for a second at most."""
    watch = Watch()
    tier = HotTier(store.get, 1 << 20, clock=watch)
    store.put(key_of(1), Record(b"a", (), b""))
    assert tier.get(key_of(1)) == Record(b"a", [], b"")
    store.put(key_of(1), Record(b"b", (), b""))
    watch.now += 0.999
    assert tier.get(key_of(1)) == Record(b"a", [], b"")
    watch.now += 0.001
    assert tier.get(key_of(1)) == Record(b"b", [], b"")
    store.drop([key_of(1)])
    watch.now += 1.0
    assert tier.get(key_of(1)) is None
    assert tier.nbytes == 0


def test_bytes_are_bounded(store: Counting) -> None:
    """However many records are read, no more bytes are held than asked for, and large ones never."""
    tier = HotTier(store.get, 100_000)
    for number in range(300):
        store.put(key_of(number), Record(bytes(500), [bytes(500)], b"{}"))
        tier.get(key_of(number))
        assert 0 < tier.nbytes <= 100_000
    store.put(key_of(0), Record(bytes(70_000), (), b"{}"))
    tier.forget(None)
    tier.get(key_of(0))
    assert tier.nbytes == 0


def test_what_is_forgotten_while_it_is_read_is_not_held(store: Counting) -> None:
    """A removal between the store's answer and its keeping counts."""

    def read(key: bytes) -> Record | None:
        tier.forget(key)
        return Record(b"stale", (), b"")

    tier = HotTier(read, 1 << 20)
    tier.get(key_of(1))
    assert tier.nbytes == 0


@pytest.fixture
def two(tmp_path: Path) -> tuple[Memory, Memory]:
    """Two memories of one folder; the second one has another store object."""
    return Memory(tmp_path, hot_bytes="1MB"), Memory(tmp_path, trust_folder=True)


_REMOVALS = {
    "Memory.clear": lambda memory: memory.clear(warn=False),
    "CachedFunction.clear": lambda memory: memory.cache(small).clear(),
    "forget": lambda memory: memory.cache(small).forget(1),
    "reduce_size": lambda memory: memory.reduce_size(items_limit=0),
    "MemorizedResult.clear": lambda memory: memory.cache(small).call_and_shelve(1).clear(),
}


@pytest.mark.parametrize("name", _REMOVALS)
@pytest.mark.parametrize("place", [0, 1])
def test_removals_of_this_process_hold_at_once(two: tuple[Memory, Memory], name: str, place: int) -> None:
    """Whichever memory of a folder removes a result, the next call is a miss."""
    cached = two[0].cache(small)
    cached(1), cached(1)
    misses = cached.stats().misses
    _REMOVALS[name](two[place])
    cached(1)
    assert cached.stats().misses == misses + 1


def test_a_result_that_is_computed_anew_replaces_the_old(two: tuple[Memory, Memory]) -> None:
    """After ``.call`` hits give its result."""
    answers = iter(range(10))

    def ask() -> int:
        return next(answers)

    hot = two[0].cache(ask, track="none", version=1)
    other = two[1].cache(ask, track="none", version=1)
    assert [hot(), hot()] == [0, 0]
    assert hot.call()[0] == 1
    assert hot() == 1
    assert other.call()[0] == 2
    assert hot() == 2


def test_ttl_and_validation_are_asked_at_each_hit(store: Counting) -> None:
    """A held result is as old as it is."""
    valid = True
    cached = Memory(store=store, hot_bytes="1MB").cache(
        small, cache_validation_callback=lambda metadata: valid, ttl="1h"
    )
    cached(1), cached(1)
    valid = False
    cached(1)
    assert cached.stats().misses == 2
    brief = Memory(store=store, hot_bytes="1MB").cache(small, version=2, ttl=1e-6)
    brief(1), brief(1)
    assert brief.stats().misses == 2


def test_another_version_is_another_key(store: Counting) -> None:
    """Hot results of one version do not answer for another."""
    memory = Memory(store=store, hot_bytes="1MB")
    for version in (1, 2):
        cached = memory.cache(small, version=version)
        cached(1), cached(1)
        assert cached.stats().misses == 1


def test_a_forked_child_begins_with_none(tmp_path: Path) -> None:
    """A child reads the store itself, and a lock that was held at the fork does not stop it."""
    memory = Memory(tmp_path, hot_bytes="1MB")
    cached = memory.cache(small)
    cached(1), cached(1)
    assert memory.store is not None
    tier = TIERS.of(memory.store, 1 << 20)
    assert tier.nbytes > 0
    pid = os.fork()
    if pid == 0:
        fine = tier.nbytes == 0 and cached(1) == [1] and tier.nbytes > 0
        os._exit(0 if fine else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert cached(1) == [1]


def test_it_travels(tmp_path: Path) -> None:
    """Copies of a memory have the option too."""
    memory = pickle.loads(pickle.dumps(Memory(tmp_path, hot_bytes="2KB")))
    assert memory.hot_bytes == 2048
    assert pickle.loads(pickle.dumps(memory.cache(abs)))(-1) == 1


@pytest.mark.parametrize("size", ["much", -1, 1.5j])
def test_what_is_no_size_is_refused(size: Any) -> None:
    """By name."""
    with pytest.raises(InvalidOption, match="hot_bytes="):
        Memory(hot_bytes=size)


def test_threads_share_a_tier(tmp_path: Path) -> None:
    """Hits, misses and removals from several threads: every value is right and the bound holds."""
    memory = Memory(tmp_path, hot_bytes=20_000)
    cached = memory.cache(small)
    wrong: list[object] = []

    def work(seed: int) -> None:
        for number in range(200):
            n = (number * 7 + seed) % 40
            if cached(n) != [n]:
                wrong.append(n)
            if number % 50 == 49:
                cached.forget(n)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory.store is not None
    assert wrong == []
    assert TIERS.of(memory.store, 20_000).nbytes <= 20_000
