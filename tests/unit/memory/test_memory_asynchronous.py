"""Cached async functions: awaited, computed once, and no loop is held up."""

import asyncio
import contextlib
import functools
import itertools
import pickle
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork.errors import CacheWarning, InvalidOption
from lightwork.memory import Memory
from lightwork.protocols import Entry, Record
from lightwork.stores import TransientStore

MODULE_MEMORY = Memory(store=TransientStore())


@MODULE_MEMORY.cache
async def by_name(x: int) -> int:
    """One more."""
    await asyncio.sleep(0)
    return x + 1


class Client:
    def __init__(self, host: str) -> None:
        self.host = host
        self.calls: list[int] = []

    def __getstate__(self) -> dict[str, object]:
        return {"host": self.host, "calls": []}

    @MODULE_MEMORY.cache
    async def fetch(self, x: int) -> str:
        self.calls.append(x)
        return f"{self.host}/{x}"

    async def __call__(self, x: int) -> str:
        return f"called {self.host}/{x}"


@pytest.fixture(params=["sqlite", "transient"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return Memory(tmp_path) if request.param == "sqlite" else Memory(store=TransientStore())


class Work:
    """An async function that counts its calls and waits until it is told to go on."""

    def __init__(self) -> None:
        self.started = 0
        self.go_on = asyncio.Event()
        self.error: Exception | None = None

    def cached(self, memory: Memory) -> Any:
        async def work(x: int) -> int:
            self.started += 1
            await self.go_on.wait()
            if self.error is not None:
                raise type(self.error)(*self.error.args)
            return 2 * x

        return memory.cache(work, track="none")


async def until(claim: Any) -> None:
    """Let other tasks run until a claim holds; the test's timeout is the bound."""
    while not claim():
        await asyncio.sleep(0.001)


def test_the_second_call_is_a_hit(memory: Memory) -> None:
    """An awaited call computes once; `call` computes always; what is asked about a call is not awaited."""

    @memory.cache
    async def double(x: int) -> int:
        return 2 * x

    async def main() -> None:
        assert [await double(1), await double(x=1)] == [2, 2]
        assert double.stats()[:2] == (1, 1)
        assert double.check_call_in_cache(1)
        value, metadata = await double.call(1)
        assert (value, metadata["call"]) == (2, "double(1)")
        assert (await double.call_and_shelve(1)).get() == 2
        assert (await double.call_and_shelve(5)).get() == 10
        assert double.forget(1)
        assert double.explain(1).is_hit is False

    asyncio.run(main())


def test_errors_pass_and_nothing_is_kept(memory: Memory) -> None:
    """A user's error is the caller's, and the call computes again."""

    @memory.cache
    async def fail(x: int) -> int:
        raise KeyError(x)

    async def main() -> None:
        for _ in range(2):
            with pytest.raises(KeyError):
                await fail(1)

    asyncio.run(main())
    assert fail.stats()[:2] == (0, 2)


def test_tasks_of_a_loop_compute_once(memory: Memory) -> None:
    """Of many tasks with one call one computes, and the others get what it has kept."""

    async def main() -> None:
        work = Work()
        cached = work.cached(memory)
        tasks = [asyncio.create_task(cached(3)) for _ in range(20)]
        await until(lambda: work.started)
        work.go_on.set()
        assert await asyncio.gather(*tasks) == [6] * 20
        assert work.started == 1

    asyncio.run(main())


def test_shelving_tasks_compute_once(memory: Memory) -> None:
    """They and those that ask for the value wait for one; if it is cancelled another takes over."""

    async def main() -> None:
        work = Work()
        cached = work.cached(memory)
        leader = asyncio.create_task(cached.call_and_shelve(3))
        await until(lambda: work.started)
        shelving = [asyncio.create_task(cached.call_and_shelve(3)) for _ in range(4)]
        calling = [asyncio.create_task(cached(3)) for _ in range(4)]
        await asyncio.sleep(0)
        leader.cancel()
        await until(lambda: work.started == 2)
        work.go_on.set()
        assert [shelved.get() for shelved in await asyncio.gather(*shelving)] == [6] * 4
        assert await asyncio.gather(*calling) == [6] * 4
        assert work.started == 2
        assert (await cached.call_and_shelve(3)).get() == 6

    asyncio.run(main())


def test_a_cancelled_leader_hands_on(memory: Memory) -> None:
    """The waiters of a cancelled leader are not cancelled: one computes, the others get its result."""

    async def main() -> None:
        work = Work()
        cached = work.cached(memory)
        leader, *others = [asyncio.create_task(cached(3)) for _ in range(5)]
        await until(lambda: work.started == 1)
        leader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leader
        await until(lambda: work.started == 2)
        work.go_on.set()
        assert await asyncio.gather(*others) == [6] * 4
        assert work.started == 2

    asyncio.run(main())


def test_a_cancelled_waiter_harms_nobody(memory: Memory) -> None:
    """A waiter may be cancelled; the leader and the other waiters do not notice."""

    async def main() -> None:
        work = Work()
        cached = work.cached(memory)
        leader = asyncio.create_task(cached(3))
        await until(lambda: work.started)
        waiter, other = asyncio.create_task(cached(3)), asyncio.create_task(cached(3))
        await asyncio.sleep(0)
        waiter.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiter
        work.go_on.set()
        assert [await leader, await other] == [6, 6]
        assert work.started == 1

    asyncio.run(main())


def test_waiters_of_a_failure_get_errors_of_their_own(memory: Memory) -> None:
    """If the leader fails all waiters compute at once, and no error object is shared."""

    async def main() -> None:
        work = Work()
        work.error = ValueError("no")
        cached = work.cached(memory)
        tasks = [asyncio.create_task(cached(3)) for _ in range(4)]
        await until(lambda: work.started)
        work.go_on.set()
        errors = await asyncio.gather(*tasks, return_exceptions=True)
        assert len({id(error) for error in errors}) == 4
        assert all(isinstance(error, ValueError) for error in errors)
        assert work.started == 4

    asyncio.run(main())


def test_a_call_that_asks_for_itself_does_not_hang(memory: Memory) -> None:
    """Recursion, also through a task, computes at once; other calls of the function are waited for."""
    depth = 0

    async def again(x: int) -> int:
        nonlocal depth
        depth += 1
        if depth > 2:
            return x
        same, other = await asyncio.gather(cached(x), cached(x - 1) if x else asyncio.sleep(0, 0))
        return int(same + other)

    cached = memory.cache(again, track="none")
    assert asyncio.run(asyncio.wait_for(cached(1), 10)) >= 1


class _Asked(TransientStore):
    """A store that tells how often it was looked into."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = threading.Semaphore(0)

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        self.asked.release()
        return super().scan(prefix)


@pytest.mark.parametrize("fails", [False, True])
def test_loops_of_several_threads_compute_once(fails: bool) -> None:
    """Loops in other threads wait for the leader as tasks of its own loop do; if it fails they compute."""
    store, started, go_on = _Asked(), threading.Event(), threading.Event()
    count = itertools.count()

    @Memory(store=store).cache(track="none")
    async def work(x: int) -> int:
        number = next(count)
        started.set()
        await asyncio.to_thread(go_on.wait)
        if fails and number == 0:
            raise KeyError(x)
        return 2 * x

    async def call() -> list[object]:
        return [*await asyncio.gather(work(3), work(3), return_exceptions=True)]

    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.extend(asyncio.run(call()))) for _ in range(3)]
    threads[0].start()
    started.wait()
    for thread in threads[1:]:
        thread.start()
    for _ in range(7):  # the leader has looked twice, all others once: now they wait, or are about to
        store.asked.acquire()
    go_on.set()
    for thread in threads:
        thread.join()
    assert found.count(6) == 6 - fails
    assert fails or next(count) == 1


class _Leased(TransientStore):
    """A store whose leases another process holds for the time being."""

    def __init__(self) -> None:
        super().__init__()
        self.is_free = False
        self.asked = 0
        self.released: list[bool] = []

    def lease(self, key: bytes) -> bool:
        self.asked += 1
        return self.is_free

    def release(self, key: bytes, *, failed: bool) -> None:
        self.released.append(failed)

    def failures(self, key: bytes) -> bytes:
        return b""


def test_the_lease_is_waited_for_in_the_loop() -> None:
    """While another process computes tasks run; if who waits for it is cancelled the next one waits on."""
    store = _Leased()

    async def main() -> None:
        work = Work()
        cached = work.cached(Memory(store=store))
        first, second = asyncio.create_task(cached(3)), asyncio.create_task(cached(3))
        await until(lambda: store.asked > 1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        asked = store.asked
        await until(lambda: store.asked > asked)
        assert (work.started, store.released) == (0, [])
        store.is_free = True
        work.go_on.set()
        assert await second == 6

    asyncio.run(main())
    assert store.released == [False]


_OTHER = """
import asyncio, os, sys
from lightwork import Memory

memory = Memory(sys.argv[1])

@memory.cache(track="none")
async def work(x):
    print("computing", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return os.getpid()

print(asyncio.run(work(3)), flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True])
def test_processes_compute_once(tmp_path: Path, is_killed: bool) -> None:
    """The loop of another process waits for the lease; if its holder is killed it takes over."""
    script = tmp_path / "work.py"
    script.write_text(_OTHER)
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes) as leader:
        assert leader.stdout is not None
        assert leader.stdout.readline() == "computing\n"
        with subprocess.Popen(command, **pipes) as waiter:
            if is_killed:
                leader.kill()
                assert waiter.communicate("\n")[0] == f"computing\n{waiter.pid}\n"
            else:
                assert leader.communicate("\n")[0] == f"{leader.pid}\n"
                assert waiter.communicate()[0] == f"{leader.pid}\n"


class _Threads(TransientStore):
    """A store that knows which threads read and wrote it."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[int] = []

    def get(self, key: bytes) -> Record | None:
        self.threads.append(threading.get_ident())
        return super().get(key)

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        self.threads.append(threading.get_ident())
        super().put(key, record, seconds=seconds)


@pytest.mark.parametrize("items", [10, 1 << 20])
def test_what_is_large_is_read_and_written_in_a_thread(items: int) -> None:
    """Results of more than 1 MiB are kept and loaded outside the loop; small ones inside it."""
    store = _Threads()
    cached = Memory(store=store).cache(np.zeros)

    @Memory(store=store).cache
    async def zeros(n: int) -> Any:
        return np.zeros(n, np.uint8)

    async def main() -> None:
        assert (await zeros(items + 100)).nbytes == (await zeros(items + 100)).nbytes

    asyncio.run(main())
    assert cached.stats().misses == 0
    assert all((thread == threading.get_ident()) is (items == 10) for thread in store.threads)
    assert zeros.stats()[:2] == (1, 1)


def test_a_large_argument_is_hashed_in_a_thread(memory: Memory) -> None:
    """Hashing more than 1 MiB leaves the loop to others, and its result is kept."""
    ran: list[int] = []

    @memory.cache
    async def total(array: Any) -> int:
        return int(array.sum())

    async def tick() -> None:
        while True:
            ran.append(1)
            await asyncio.sleep(0)

    async def main() -> None:
        ticker = asyncio.create_task(tick())
        array = np.ones(1 << 21, np.uint8)
        assert [await total(array), await total(array)] == [1 << 21] * 2
        ticker.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await ticker

    asyncio.run(main())
    assert ran
    assert total.stats()[:2] == (1, 1)


def test_a_result_of_changed_arguments_is_not_kept(memory: Memory) -> None:
    """If another task changes a large argument between its digest and the end, the key is of neither."""
    array = np.ones(1 << 21, np.uint8)

    @memory.cache
    async def total(array: Any) -> int:
        array[0] = 7  # stands for the other task
        return int(array.sum())

    with pytest.warns(CacheWarning, match="an argument of .*total changed while it was computed"):
        assert asyncio.run(total(array)) == (1 << 21) + 6
    assert not total.check_call_in_cache(np.ones(1 << 21, np.uint8))
    assert not total.check_call_in_cache(array)


def test_methods_and_callables_are_awaited() -> None:
    """Async methods in class bodies, bound methods, partials and ``__call__``: state is part of the key."""
    memory, one, two = Memory(store=TransientStore()), Client("one"), Client("two")

    async def main() -> None:
        assert [await one.fetch(1), await one.fetch(1), await two.fetch(1)] == ["one/1", "one/1", "two/1"]
        assert (one.calls, two.calls) == ([1], [1])
        assert (await one.fetch.call_and_shelve(1)).get() == "one/1"
        assert (await one.fetch.call(1))[0] == "one/1"
        assert one.fetch.check_call_in_cache(1)
        called: Any = memory.cache(two)
        assert [await called(1), await called(1)] == ["called two/1"] * 2
        assert called.stats()[:2] == (1, 1)
        partial: Any = memory.cache(functools.partial(two, 5))
        assert await partial() == "called two/5"
        bound: Any = memory.cache(one.__call__)
        assert await bound(2) == "called one/2"

    asyncio.run(main())


def test_it_looks_like_its_function_and_travels(tmp_path: Path) -> None:
    """Name, text and kind are those of the function; pickle finds it by name."""
    function: Any = by_name
    assert (function.__name__, function.__doc__) == ("by_name", "One more.")
    assert pickle.loads(pickle.dumps(by_name)) is by_name
    partial = pickle.loads(pickle.dumps(Memory(tmp_path).cache(functools.partial(Client("x"), 1))))
    assert asyncio.run(partial()) == asyncio.run(partial()) == "called x/1"
    assert partial.stats()[:2] == (1, 1)
    if sys.version_info >= (3, 12):
        import inspect

        assert inspect.iscoroutinefunction(by_name)
        assert inspect.iscoroutinefunction(Client("x").fetch)


def test_without_location_it_is_called_through() -> None:
    """`Memory(None)` keeps nothing, and is awaited in the same places."""

    @Memory(None).cache
    async def double(x: int) -> int:
        return 2 * x

    class Holder:
        @Memory(None).cache
        async def twice(self, x: int) -> int:
            return 2 * x

    async def main() -> None:
        assert (await Holder().twice.call(3), await Holder().twice(2)) == ((6, {}), 4)
        assert await double(2) == 4
        assert await double.call(2) == (4, {})
        assert (await double.call_and_shelve(2)).get() == 4

    asyncio.run(main())


def test_generators_are_refused(memory: Memory) -> None:
    """What is used up by reading it cannot be kept: said when it is decorated, with the way out."""

    async def stream() -> AsyncIterator[int]:
        yield 1

    def lines() -> Iterator[int]:
        yield 1

    with pytest.raises(InvalidOption, match=r"stream is an async generator .*\[item async for item"):
        memory.cache(stream)
    with pytest.raises(InvalidOption, match=r"lines is a generator .*list\("):
        memory.cache(lines)
    with pytest.raises(InvalidOption, match="generator"):
        Memory(None).cache(functools.partial(lines))


def test_asyncio_is_not_imported_for_others(tmp_path: Path) -> None:
    """Who caches no async function does not pay for asyncio."""
    code = (
        "import sys; from lightwork import Memory; f = Memory(sys.argv[1]).cache(abs); f(-1); f(-1); "
        "sys.exit('asyncio' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)]).returncode == 0
