"""What a cache tells of itself: figures, entries, plans, verification."""

import gc
import os
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork.errors import CacheWarning, StoreUnavailable
from lightwork.memory import Memory
from lightwork.memory.counts import Counts, Ledger
from lightwork.protocols import Record
from lightwork.stores import SqliteStore, TransientStore


def double(x: int) -> int:
    return 2 * x


def ramp(count: int) -> Any:
    return np.arange(count, dtype=float)


def slow(x: int) -> int:
    deadline = time.perf_counter() + 0.01
    while time.perf_counter() < deadline:
        pass
    return x


@pytest.fixture(params=["sqlite", "transient"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    """Any store answers; one that keeps no counters too."""
    return Memory(tmp_path) if request.param == "sqlite" else Memory(store=TransientStore())


def test_stats_tell_what_was_saved_and_spent(memory: Memory) -> None:
    """A hit saves what the call took when it was computed; keys, reading and keeping cost time."""
    cached = memory.cache(slow)
    for x in (1, 1, 1, 2):
        cached(x)
    stats = cached.stats()
    assert (stats.hits, stats.misses) == (2, 2)
    assert stats.seconds >= 0.02
    assert 0.02 <= stats.saved <= stats.seconds * 2
    assert min(stats.hashing, stats.loading, stats.storing) > 0
    assert "2 hits, 2 misses (new)" in str(stats)


def test_bytes_of_hits_are_counted(memory: Memory) -> None:
    """Skeleton and arrays."""
    cached = memory.cache(ramp)
    cached(10_000)
    assert cached.stats().loaded == 0
    cached(10_000)
    assert 80_000 <= cached.stats().loaded <= 81_000


def test_misses_are_told_by_cause(memory: Memory) -> None:
    """Never kept, refused by the callback, or asked for."""
    accepts = [True]
    cached = memory.cache(double, cache_validation_callback=lambda metadata: accepts[0])
    cached(1)
    cached(1)
    accepts[0] = False
    cached(1)
    cached.call(1)
    assert dict(cached.stats().causes) == {"new": 1, "invalid": 1, "unreadable": 0, "asked for": 1}
    assert cached.stats()[:2] == (1, 3)
    assert str(cached.stats()).startswith("1 hit, 3 misses (1 new, 1 invalid, 1 asked for); ")


@pytest.mark.filterwarnings("ignore:results are returned")
def test_what_was_not_kept_is_told_apart_from_what_is_new(tmp_path: Path) -> None:
    """Each miss has a cause; a result that was not kept is told besides."""
    cached = Memory(tmp_path).cache(double)
    cached(1)
    assert str(cached.stats()).startswith("0 hits, 1 miss (new); ")
    small = Memory(tmp_path / "small", max_bytes=1).cache(double)
    small(1)
    assert str(small.stats()).startswith("0 hits, 1 miss (new), 1 result not kept; ")


def test_a_verification_is_told_in_words(memory: Memory) -> None:
    """What was damaged is told if anything was."""
    memory.cache(double)(1)
    assert re.fullmatch(r"1 result is whole \([\d,]+ bytes\)", str(memory.verify()))


def test_an_unreadable_result_is_a_cause(tmp_path: Path) -> None:
    """One that cannot be built any more is told apart from one that was never there."""
    store = TransientStore()
    cached = Memory(store=store).cache(double)
    cached(1)
    (entry,) = store.scan()
    store.put(entry.key, Record(b"no pickle", (), b"{}"))
    assert cached(1) == 2
    assert cached.stats().causes["unreadable"] == 1


def test_memory_stats_sum_up_all_functions_also_those_that_are_gone(memory: Memory) -> None:
    """`eval` makes a cached function for one call; its figures stay."""
    kept = memory.cache(double)
    kept(1)
    memory.eval(ramp, 10)
    memory.eval(ramp, 10)
    gc.collect()
    stats = memory.stats()
    assert stats.calls[:2] == (1, 2)
    assert {name.rpartition(":")[2]: found[:2] for name, found in stats.functions.items()} == {
        "double": (0, 1),
        "ramp": (1, 1),
    }
    assert stats.records == 2
    assert stats.nbytes > 0
    assert 0 <= stats.mappings <= stats.most_mappings
    assert str(stats).startswith("2 results, ")


def test_without_a_location_there_is_nothing_to_tell() -> None:
    """The questions have answers all the same."""
    memory = Memory(None)
    assert memory.stats().records == 0
    assert memory.entries() == []
    assert memory.verify() == (0, 0, ())
    assert [call.is_kept for call in memory.plan(double, [1, 2]).calls] == [False, False]
    assert memory.plan(double, [1]).seconds is None


def test_entries_tell_function_call_size_age_and_cost(tmp_path: Path) -> None:
    """Each kept result is listed once, and listing it does not count as use."""
    memory = Memory(tmp_path)
    memory.cache(slow)(3)
    memory.cache(ramp)(300_000)
    found = {entry.call: entry for entry in memory.entries()}
    assert set(found) == {"slow(3)", "ramp(300000)"}
    entry = found["slow(3)"]
    assert entry.function.endswith(":slow")
    assert entry.seconds >= 0.01
    assert 0 <= entry.age <= 60
    assert entry.unused <= entry.age + 1
    assert found["ramp(300000)"].nbytes > 2_400_000
    assert str(entry).startswith("slow(3): ")
    memory.clear(warn=False)
    assert memory.entries() == []


def test_facts_tell_what_is_kept_beside_a_value(tmp_path: Path) -> None:
    """Of the call, of its code, and nothing of results that are not there. Nothing counts as used."""
    memory = Memory(tmp_path)
    memory.cache(double, ttl="1h")(3)
    (entry,) = memory.entries()
    facts = memory.facts(entry.key)
    assert (facts["call"], facts["ttl"], set(facts["args"])) == ("double(3)", 3600.0, {"x"})
    assert facts["duration"] == pytest.approx(entry.seconds)
    assert any(name.endswith(":double") for name in facts["parts"]["parts"])
    assert memory.facts(bytes(32)) == {}
    assert Memory(None).facts(entry.key) == {}
    assert memory.cache(double).store is memory.store


def test_a_plan_tells_what_would_be_computed_and_how_long_it_took(memory: Memory) -> None:
    """Calls that are kept, or the same as an earlier one, cost nothing; new ones what calls usually take."""
    cached = memory.cache(slow)
    cached(1)
    before = cached.stats()
    plan = memory.plan(cached, [1, (2,), {"x": 2}, 3])
    assert [call.is_kept for call in plan.calls] == [True, False, True, False]
    assert [call.call for call in plan.missing] == ["slow(2)", "slow(3)"]
    assert cached.stats() == before
    if isinstance(memory.store, SqliteStore):
        assert 0.02 <= (plan.seconds or 0) <= 2
    assert "2 of 4 calls would be computed" in str(plan)
    assert memory.plan(slow, [1]).seconds == 0


def test_a_plan_knows_what_a_call_took_with_other_code(tmp_path: Path) -> None:
    """After a change every result is computed again: in the time that it took before."""
    memory = Memory(tmp_path)
    memory.cache(slow, version=1)(1)
    memory.cache(slow, version=1)(2)
    (first,) = [entry for entry in memory.entries() if entry.call == "slow(1)"]
    plan = memory.cache(slow, version=2).plan([1])
    assert [call.is_kept for call in plan.calls] == [False]
    assert plan.seconds == pytest.approx(first.seconds)


class Scale:
    """A class with a cached method, for plans."""

    def __init__(self, factor: int) -> None:
        self.factor = factor


def test_a_plan_of_a_method_knows_its_object(tmp_path: Path) -> None:
    """The object is the first argument."""
    memory = Memory(tmp_path)

    class Times(Scale):
        @memory.cache
        def of(self, x: int) -> int:
            return self.factor * x

    Times(2).of(3)
    assert [call.is_kept for call in memory.plan(Times(2).of, [3, 4]).calls] == [True, False]
    assert not Times(5).of.plan([3]).calls[0].is_kept


def test_verify_finds_and_removes_a_damaged_blob(tmp_path: Path) -> None:
    """A bit that flipped in a mapped file is found by reading all of it, and by nothing else."""
    memory = Memory(tmp_path)
    cached = memory.cache(ramp)
    cached(300_000)
    cached(10)
    assert memory.verify()[::2] == (2, ())
    (blob,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size == 2_400_000)
    content = bytearray(blob.read_bytes())
    content[1000] ^= 1
    blob.write_bytes(content)
    assert not cached.explain(300_000).is_hit
    assert "damaged" in cached.explain(300_000).reason
    found = memory.verify()
    assert (found.records, [entry.call for entry in found.damaged]) == (1, ["ramp(300000)"])
    assert "removed ramp(300000)" in str(found)
    assert not cached.check_call_in_cache(300_000)
    assert cached(300_000)[125] == 125.0
    assert memory.verify()[::2] == (2, ())


def test_verify_finds_a_damaged_row(tmp_path: Path) -> None:
    """Small results lie in the database and have a check of their own."""
    store = TransientStore()

    class Damaged(TransientStore):
        def verified(self, key: bytes) -> Record | None:
            return None

    damaged = Damaged()
    cached = Memory(store=damaged).cache(double)
    cached(1)
    assert len(Memory(store=damaged).verify().damaged) == 1
    assert Memory(store=store).verify().damaged == ()
    assert not cached.check_call_in_cache(1)


def test_a_cache_that_costs_more_than_it_saves_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After many hits of a function that is faster than its cache; the calls go on."""
    monkeypatch.setattr("lightwork.memory.counts._LEAST_LOSS", -1e9)
    cached = Memory(store=TransientStore()).cache(double)

    def call_often() -> None:
        for _ in range(2100):
            assert cached(4) == 8

    with pytest.warns(CacheWarning, match="costs more than it saves") as caught:
        call_often()
    assert len(caught) == 1
    assert os.path.basename(caught[0].filename) == "test_memory_answers.py"


def test_a_loss_has_to_be_large() -> None:
    """A few microseconds too much, or seconds that paid, are no reason to warn."""
    counts = Counts()
    counts.hashing, counts.loading, counts.storing = 3.0, 3.0, 3.0
    assert counts.is_loss
    counts.saved = 5.0
    assert not counts.is_loss


def test_counts_of_functions_that_come_and_go_are_kept() -> None:
    """Summed up by name, whether their owners live or not."""

    class Owner:
        pass

    ledger = Ledger()
    facts = b'{"duration":0.5,"time":1}'
    for _ in range(3):
        owner = Owner()
        ledger.open(owner, "m:f").hit(0.0, 1.0, 3.0, Record(b"12", [b"345"], facts))
    ledger.open(owner, "m:unused")
    (counts,) = ledger.by_function().values()
    stats = counts.stats()
    assert (stats.hits, stats.saved, stats.hashing, stats.loading, stats.loaded) == (3, 1.5, 3.0, 6.0, 15)


def test_facts_of_other_stores_are_read_as_they_are() -> None:
    """Whatever the order of their parts, and if there are none."""
    counts = Counts()
    counts.hit(0.0, 0.0, 0.0, Record(b"", (), b'{"time": 1, "duration": 0.25}'))
    counts.hit(0.0, 0.0, 0.0, Record(b"", (), b"{}"))
    assert counts.saved == 0.25


class _Busy(TransientStore):
    """A store that others write to all the time."""

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        raise StoreUnavailable(16, "database is locked")


def test_a_busy_store_is_counted() -> None:
    """A result that found no turn to be kept is returned and counted, without a word."""
    memory = Memory(store=_Busy())
    cached = memory.cache(double)
    assert [cached(1), cached(1)] == [2, 2]
    assert cached.stats().unkept == 2
    assert memory.stats().calls.unkept == 2
    assert "2 results not kept" in str(cached.stats())
