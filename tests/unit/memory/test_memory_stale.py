"""``stale=``: results that have expired are returned while they are computed anew."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import CacheWarning, InvalidOption
from lightwork.memory import Memory
from lightwork.memory.facts import read_facts, write_facts
from lightwork.protocols import Store
from lightwork.stores import TransientStore


def written(store: Store | None, *, ago: float) -> None:
    """Let all results have been written `ago` seconds before now."""
    assert store is not None
    for entry in list(store.scan()):
        record = store.get(entry.key)
        assert record is not None
        facts = {**read_facts(record.facts), "time": time.time() - ago}
        store.put(entry.key, record._replace(facts=write_facts(facts)))


class Clockwork:
    """A function that counts its calls, and waits before all but the first until it is told to go on."""

    def __init__(self) -> None:
        self.calls = 0
        self.error: Exception | None = None
        self.started, self.go_on = threading.Event(), threading.Event()

    def __call__(self, x: Any) -> int:
        self.calls += 1
        if self.calls > 1:
            self.started.set()
            assert self.go_on.wait(20)
        if self.error is not None:
            raise self.error
        return self.calls


@pytest.fixture(params=["sqlite", "transient"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return Memory(tmp_path) if request.param == "sqlite" else Memory(store=TransientStore())


def cached(memory: Memory, work: Clockwork, **options: Any) -> Any:
    def function(x: Any) -> int:
        return work(x)

    return memory.cache(function, track="none", **{"ttl": 60, "stale": 30, **options})


def refreshed() -> None:
    """Wait until no refresh runs."""
    for thread in threading.enumerate():
        if thread.name.startswith("lightwork refreshes"):
            thread.join(20)


def test_an_expired_result_is_returned_at_once(memory: Memory) -> None:
    """However many ask, one thread computes it; then all get the new one."""
    work = Clockwork()
    function = cached(memory, work)
    assert function(1) == 1
    written(memory.store, ago=70)
    assert [function(1) for _ in range(5)] == [1] * 5
    assert work.started.wait(20)
    found = function.explain(1)
    assert found.is_hit
    assert "has expired: written 1 minute ago, ttl 1 minute; a call returns it" in found.reason
    work.go_on.set()
    refreshed()
    assert function(1) == 2
    assert work.calls == 2
    assert function.stats()[:2] == (6, 2)


@pytest.mark.parametrize("ago", [91, -5])
def test_what_expired_long_ago_is_computed(memory: Memory, ago: float) -> None:
    """So is what comes from the future."""
    work = Clockwork()
    work.go_on.set()
    function = cached(memory, work)
    function(1)
    written(memory.store, ago=ago)
    assert function(1) == 2


def test_what_the_callback_refuses_is_computed(memory: Memory) -> None:
    """It has been asked before any result is returned."""
    work = Clockwork()
    work.go_on.set()
    function = cached(memory, work, cache_validation_callback=lambda metadata: False)
    function(1)
    written(memory.store, ago=70)
    assert function(1) == 2


def test_shelving_and_asking_mean_fresh_results(memory: Memory) -> None:
    """A reference may be kept for long."""
    work = Clockwork()
    work.go_on.set()
    function = cached(memory, work)
    function(1)
    written(memory.store, ago=70)
    assert not function.check_call_in_cache(1)
    assert function.call_and_shelve(1).get() == 2


def test_an_error_is_a_warning(memory: Memory) -> None:
    """The old result goes on being returned."""
    work = Clockwork()
    function = cached(memory, work)
    function(1)
    written(memory.store, ago=70)
    work.error = ConnectionError("no network")
    work.go_on.set()

    def ask() -> Any:
        value = function(1)
        refreshed()
        return value

    with pytest.warns(CacheWarning, match=r"could not be computed anew \(ConnectionError: no network\)"):
        assert ask() == 1
    assert function(1) == 1
    refreshed()


def test_arguments_that_change_meanwhile_are_noticed(memory: Memory) -> None:
    """The result belongs to neither state, and is not kept."""
    work = Clockwork()
    function = cached(memory, work)
    values = [1]
    function(values)
    written(memory.store, ago=70)
    assert function(values) == 1
    assert work.started.wait(20)
    values.append(2)
    work.go_on.set()
    refreshed()
    assert not function.check_call_in_cache([1])
    assert not function.check_call_in_cache([1, 2])


def test_few_threads_at_once(memory: Memory) -> None:
    """What expires beyond that is returned, and computed anew by a later call."""
    work = Clockwork()
    work.calls = -20
    function = cached(memory, work)
    for number in range(10):
        function(number)
    written(memory.store, ago=70)
    work.calls = 1
    for number in range(10):
        function(number)
    threads = [t for t in threading.enumerate() if t.name.startswith("lightwork refreshes")]
    assert 0 < len(threads) <= 4
    work.go_on.set()
    refreshed()


def test_it_needs_a_ttl(tmp_path: Path) -> None:
    """Of its own, or that of the memory."""
    for ttl in (None, float("inf")):
        with pytest.raises(InvalidOption, match="stale='1h' needs ttl="):
            Memory(tmp_path).cache(abs, stale="1h", ttl=ttl)
    Memory(tmp_path, ttl=60).cache(abs, stale="1h")
    with pytest.raises(InvalidOption, match="stale=-1 is not a positive span"):
        Memory(tmp_path).cache(abs, ttl=60, stale=-1)


@pytest.mark.slow
def test_a_process_that_ends_waits(tmp_path: Path) -> None:
    """The new result is there for the next one."""
    (tmp_path / "work.py").write_text(
        "import sys, time, lightwork\n"
        "@lightwork.Memory(sys.argv[1]).cache(ttl=0.001, stale=3600)\n"
        "def work(x):\n    time.sleep(float(sys.argv[2]))\n    return sys.argv[2]\n"
        "print(work(1))\n"
    )
    answers = [
        subprocess.run(
            [sys.executable, "work.py", "cache", wait],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for wait in ("0", "0.2", "0")
    ]
    assert answers == ["0", "0", "0.2"]


async def until(claim: Callable[[], bool]) -> None:
    while not claim():
        await asyncio.sleep(0.001)


def test_tasks_compute_anew(memory: Memory) -> None:
    """An async function does it in the loop of its caller; errors are warnings there too."""

    async def main() -> None:
        calls, go_on, fails = [0], asyncio.Event(), [False]

        async def work(x: int) -> int:
            calls[0] += 1
            if calls[0] > 1:
                await go_on.wait()
            if fails[0]:
                raise ConnectionError("no network")
            return calls[0]

        function = memory.cache(work, track="none", ttl=60, stale=30)
        assert await function(1) == 1
        written(memory.store, ago=70)
        assert [await function(1) for _ in range(5)] == [1] * 5
        await until(lambda: calls[0] == 2)
        go_on.set()
        await until(lambda: function.check_call_in_cache(1))
        assert await function(1) == 2
        written(memory.store, ago=70)
        fails[0] = True

        async def ask() -> Any:
            value = await function(1)
            await until(lambda: calls[0] == 3)
            await until(lambda: len(asyncio.all_tasks()) == 1)
            return value

        with pytest.warns(CacheWarning, match="no network"):
            assert await ask() == 2
        assert await function(1) == 2

    asyncio.run(main())
