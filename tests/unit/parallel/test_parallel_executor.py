"""Single calls, submitted while others run."""

import asyncio
import concurrent.futures
import itertools
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import Future, as_completed, wait
from pathlib import Path
from typing import Any

import numpy
import pytest

from lightwork import Executor, Memory, Parallel, delayed, share
from lightwork.errors import (
    InvalidOption,
    RemoteTraceback,
    UnpicklableError,
    WorkerDied,
)
from tests.unit.parallel import executor_tasks as tasks
from tests.unit.parallel.executor_tasks import let_through, square, through

BOTH = pytest.mark.parametrize("backend", ["processes", "threads"])


class Graph:
    """Values that follow from each other: each is submitted by the callback of the last one that it needs."""

    def __init__(self, executor: Executor, needs: dict[str, list[str]]) -> None:
        self._executor = executor
        self._needs = needs
        self._missing = {name: len(parts) for name, parts in needs.items()}
        self.values: dict[str, int] = {}
        self.done = threading.Event()

    def start(self) -> None:
        for name in [name for name, missing in self._missing.items() if not missing]:
            self._submit(name)

    def _submit(self, name: str) -> None:
        future = self._executor.submit(tasks.add, 1, *[self.values[part] for part in self._needs[name]])
        future.add_done_callback(lambda ended: self._take(name, ended))

    def _take(self, name: str, ended: "Future[int]") -> None:
        self.values[name] = ended.result()
        for other, parts in self._needs.items():
            if name in parts:
                self._missing[other] -= 1
                if not self._missing[other]:
                    self._submit(other)
        if len(self.values) == len(self._needs):
            self.done.set()


@BOTH
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_submit_what_follows(backend: str, n_jobs: int) -> None:
    """R59: a graph of calls, each submitted by a callback of another, comes to its end with any number of
    workers."""
    needs: dict[str, list[str]] = {"0": [], "1": []}
    for number in range(2, 20):
        needs[str(number)] = [str(number - 1), str(number - 2)]
    with Executor(n_jobs, backend) as executor:
        graph = Graph(executor, needs)
        graph.start()
        assert graph.done.wait(30)
    expected = {"0": 1, "1": 1}
    for number in range(2, 20):
        expected[str(number)] = 1 + expected[str(number - 1)] + expected[str(number - 2)]
    assert graph.values == expected


@pytest.mark.parametrize("n_jobs", [1, 2, 3])
def test_tasks_in_threads_submit_to_their_own_executor(n_jobs: int) -> None:
    """R59: tasks that wait for calls of their own executor need no free worker."""

    def fibonacci(n: int) -> int:
        if n < 2:
            return n
        one, other = executor.submit(fibonacci, n - 1), executor.submit(fibonacci, n - 2)
        assert other.exception() is None
        return one.result() + other.result()

    with Executor(n_jobs, "threads") as executor:
        assert executor.submit(fibonacci, 9).result(30) == 34


@pytest.mark.parametrize("backend", [None, "processes", "threads"])
def test_tasks_make_executors_of_their_own(backend: str | None) -> None:
    """R59: executors in tasks in tasks in tasks, two workers each."""
    assert tasks.nested(3, backend) == 15


def test_executors_and_calls_in_each_other() -> None:
    """Executors in tasks of `Parallel`, and the other way round."""

    def inner(n: int) -> int:
        with Executor(2) as executor:
            return sum(executor.map(square, range(n)))

    assert Parallel(2)(delayed(inner)(n) for n in range(4)) == [0, 0, 1, 5]
    with Executor(2) as executor:
        futures = [executor.submit(tasks.squares, n) for n in range(4)]
        assert [future.result() for future in futures] == [[], [0], [0, 1], [0, 1, 4]]


def test_a_thread_of_an_inner_executor_runs_what_an_outer_one_has_not_begun() -> None:
    """The one thread of the outer executor waits for it, so nobody else would."""

    def wait_in_an_executor() -> int:
        waited_for = outer.submit(square, 3)
        with Executor(1, "threads") as inner:
            return inner.submit(waited_for.result).result()

    with Executor(1, "threads") as outer:
        assert outer.submit(wait_in_an_executor).result(30) == 9


def test_the_one_who_waits_gives_up_with_its_timeout() -> None:
    """With a timeout a task does not begin what it waits for: it could not leave it in time."""

    def impatient() -> bool:
        other = executor.submit(square, 2)
        with pytest.raises(TimeoutError):
            other.result(0.01)
        return other.cancel()

    with Executor(1, "threads") as executor:
        assert executor.submit(impatient).result(30)


def test_a_callback_cannot_wait() -> None:
    """Its thread would bring the answer, so it gets an error at once."""
    told: list[BaseException] = []
    heard = threading.Event()

    def wait_for_another(_: "Future[int]") -> None:
        try:
            executor.submit(square, 3).result()
        except RuntimeError as error:
            told.append(error)
        heard.set()

    with Executor(1) as executor:
        executor.submit(square, 2).add_done_callback(wait_for_another)
        assert heard.wait(30)
    assert "a callback of a future cannot wait" in str(told[0])


# The futures


@BOTH
def test_futures_are_those_of_the_standard_library(backend: str) -> None:
    """`wait`, `as_completed`, event loops."""

    async def awaited() -> list[int]:
        loop = asyncio.get_running_loop()
        wrapped = [asyncio.wrap_future(executor.submit(square, x)) for x in range(3)]
        return [*await asyncio.gather(*wrapped), await loop.run_in_executor(executor, square, 3)]

    with Executor(2, backend) as executor:
        assert isinstance(executor, concurrent.futures.Executor)
        futures = [executor.submit(square, x) for x in range(20)]
        assert all(isinstance(future, Future) for future in futures)
        assert sorted(future.result() for future in as_completed(futures)) == [x * x for x in range(20)]
        done, pending = wait([executor.submit(square, x) for x in range(5)], timeout=30)
        assert (len(done), pending) == (5, set())
        assert asyncio.run(awaited()) == [0, 1, 4, 9]


@BOTH
def test_what_has_not_begun_can_be_cancelled(backend: str, gate: str) -> None:
    """It never runs; what runs cannot be cancelled."""
    with Executor(1, backend) as executor:
        first = executor.submit(through, gate, "first")
        others = [executor.submit(square, x) for x in range(4)]
        with open(gate, "w"):  # it runs
            cancelled = [future.cancel() for future in others]
        assert first.result(30) == "first"
        assert not first.cancel()
        # A worker process has the next call at hand.
        assert cancelled[1:] == [True] * 3
        assert [future.cancelled() for future in others] == cancelled
        assert executor.submit(square, 5).result(30) == 25


@BOTH
def test_errors_are_those_of_the_function(backend: str) -> None:
    """With the traceback of the worker as the cause, if that is another process."""
    with Executor(1, backend) as executor:
        error = executor.submit(divmod, 1, 0).exception(30)
        assert isinstance(error, ZeroDivisionError)
        assert isinstance(error.__cause__, RemoteTraceback) == (backend == "processes")
        with pytest.raises(SystemExit):
            executor.submit(exit, 3).result(30)
        assert executor.submit(square, 2).result(30) == 4


# The input


def test_a_call_is_what_it_was_when_it_was_submitted(gate: str) -> None:
    """Arguments and captured values that change afterwards, or between two calls, are right in each."""
    array, settings, scale = numpy.zeros(100_000), {"x": 1}, 2

    def scaled(x: int) -> int:
        return scale * x

    with Executor(1) as executor:
        blocked = executor.submit(through, gate)
        futures: list[Future[Any]] = []
        for number in range(3):
            array[:] = number
            settings["x"] = number
            futures += [executor.submit(tasks.total, array), executor.submit(tasks.look_up, settings, "x")]
        one = executor.submit(scaled, 1)
        scale = 3
        two = executor.submit(scaled, 1)
        let_through(gate)
        assert [future.result(30) for future in futures] == [0.0, 0, 100_000.0, 1, 200_000.0, 2]
        assert (one.result(30), two.result(30), blocked.result(30)) == (2, 3, None)


def test_what_calls_under_way_share_is_sent_once(gate: str) -> None:
    """If it does not change meanwhile. Each of them has it for itself all the same."""
    array = numpy.zeros(200_000)
    with Executor(1) as executor:
        first = executor.submit(through, gate)
        shared = [executor.submit(tasks.is_mapped, array) for _ in range(3)]
        array[0] = 1
        changed = [executor.submit(tasks.fill, array, number) for number in range(3)]
        array[0] = 2
        last = executor.submit(tasks.is_mapped, array)
        let_through(gate)
        first.result()
        assert [future.result() for future in shared] == [False, True, True]
        assert [future.result() for future in changed] == [1.0, 1.0, 1.0]
        assert not last.result()


def test_threads_get_the_objects_themselves() -> None:
    """Nothing is copied."""
    given = object()
    with Executor(1, "threads") as executor:
        assert executor.submit(lambda: given).result(30) is given


@pytest.mark.parametrize("nbytes", [8, 1 << 20])
def test_arrays_arrive_writable_or_read_only(nbytes: int) -> None:
    """As `mmap_mode` says, for those of 64 KiB and more."""
    array = numpy.zeros(nbytes // 8)
    with Executor(1) as executor:
        assert executor.submit(tasks.writable, array).result(30)
    with Executor(1, mmap_mode="r") as executor:
        assert executor.submit(tasks.writable, array).result(30) == (nbytes == 8)


@BOTH
def test_shared_objects_arrive_as_such(backend: str) -> None:
    """A handle of `share` among the arguments is the object, also where the one who waits runs the call."""
    shared: Any = share({"a": numpy.ones(100_000), "b": 2})  # Any: tasks get what is in it
    with shared as table, Executor(1, backend) as executor:
        assert executor.submit(tasks.look_up, table, "b").result(30) == 2
        assert executor.submit(tasks.look_up, table, "a").result(30).sum() == 100_000
        assert list(executor.map(tasks.look_up, [table] * 2, "bb", chunksize=2)) == [2, 2]
        if backend == "threads":
            inner = executor.submit(lambda: executor.submit(tasks.look_up, table, "b").result())
            assert inner.result(30) == 2


def test_cached_functions_remember(tmp_path: Path) -> None:
    """A worker finds what another process has kept."""
    cached = Memory(tmp_path, verbose=0).cache(square)
    with Executor(1) as executor:
        assert executor.submit(cached, 7).result(30) == 49
    assert cached.check_call_in_cache(7)


def test_what_cannot_travel_is_an_error_of_its_future() -> None:
    """It names the part; other calls run."""
    with Executor(1) as executor:
        future = executor.submit(square, threading.Lock())  # type: ignore[arg-type]  # that is the test
        with pytest.raises(UnpicklableError, match=r"args\[0\]"):
            future.result(30)
        with pytest.raises(UnpicklableError, match="result"):
            executor.submit(threading.Lock).result(30)
        assert executor.submit(square, 2).result(30) == 4


def test_an_executor_does_not_travel() -> None:
    """The message says what to do instead."""
    with Executor(1) as executor:
        with pytest.raises(TypeError, match="make one in the task"):
            pickle.dumps(executor)
        with pytest.raises(UnpicklableError, match="make one in the task"):
            executor.submit(repr, executor).result(30)


# `map`


@BOTH
@pytest.mark.parametrize("chunksize", [1, 3])
@pytest.mark.parametrize("buffersize", [None, 1, 2])
def test_map_gives_results_in_order(backend: str, chunksize: int, buffersize: int | None) -> None:
    """However calls travel, and how many are submitted at once."""
    with Executor(2, backend) as executor:
        found = executor.map(pow, range(10), itertools.repeat(2), chunksize=chunksize, buffersize=buffersize)
        assert list(found) == [x * x for x in range(10)]
        assert list(executor.map(square, [], chunksize=chunksize, buffersize=buffersize)) == []


def test_map_with_a_buffer_reads_as_it_is_read() -> None:
    """An input without an end can be mapped."""
    read = []

    def numbers() -> Iterator[int]:
        for number in itertools.count():
            read.append(number)
            yield number

    with Executor(1, "threads") as executor:
        results = executor.map(square, numbers(), buffersize=3)
        assert len(read) == 3
        assert [next(results) for _ in range(4)] == [0, 1, 4, 9]
        assert len(read) == 7


@BOTH
def test_a_map_that_is_given_up_cancels_what_has_not_begun(backend: str, gate: str) -> None:
    """Its error ends it, so does its timeout."""
    with Executor(1, backend) as executor:
        executor.submit(through, gate)
        with open(gate, "w"):  # the worker has no time for others
            results = executor.map(square, range(5), timeout=0.01)
            with pytest.raises(TimeoutError):
                next(results)
        assert list(results) == []
        failing = executor.map(divmod, [1] * 1000, [1, 0] + [1] * 998)
        assert next(failing) == (1, 0)
        with pytest.raises(ZeroDivisionError):
            next(failing)


@pytest.mark.parametrize(
    "options", [{"chunksize": 0}, {"buffersize": 0}, {"timeout": -1}, {"chunksize": 1.5}]
)
def test_map_checks_its_options(options: Any) -> None:
    """Before anything is submitted."""
    with Executor(1) as executor, pytest.raises(InvalidOption, match=next(iter(options))):
        executor.map(square, [1], **options)


def test_a_worker_that_died_takes_its_call_with_it(tmp_path: Path) -> None:
    """And no other; with `retries` not even that."""
    with Executor(2) as executor:
        doomed = executor.submit(tasks.die)
        others = [executor.submit(square, x) for x in range(50)]
        with pytest.raises(WorkerDied, match="SIGKILL"):
            doomed.result(30)
        assert [other.result(30) for other in others] == [x * x for x in range(50)]
    with Executor(1, retries=1) as executor:
        assert executor.submit(tasks.die_once, str(tmp_path / "mark")).result(30) == "alive"
