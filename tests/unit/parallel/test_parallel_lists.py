"""`Parallel` as a loop: results, order, batches, laziness, on every backend."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lightwork.errors import AlreadyRunning, TaskTimeout
from lightwork.parallel import Failure, Parallel, delayed, parallel_config
from lightwork.protocols import Batch, Call, Session, SessionRequest
from lightwork.testing.engines import ScriptedEngine

BACKENDS = ("processes", "threads", "sequential")


def square(x: int) -> int:
    return x * x


def append(items: list[Any], value: int) -> list[Any]:
    items.append(value)
    return items


def where(_: object) -> tuple[int, str]:
    return os.getpid(), threading.current_thread().name


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("n_jobs", [1, 2, 3, -1])
@pytest.mark.parametrize("batch_size", ["auto", 1, 7, 1000])
@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_results_are_those_of_the_loop(backend: str, n_jobs: int, batch_size: Any, kind: Any) -> None:
    """Any backend, number of workers, batch size and kind of input gives the loop's list."""
    calls = kind([delayed(square)(i) for i in range(50)])
    assert Parallel(n_jobs, backend, batch_size=batch_size)(calls) == [i * i for i in range(50)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("tasks", [[], (), iter([])])
def test_no_tasks_give_an_empty_list(backend: str, tasks: Any) -> None:
    """An empty input is an empty result, and starts nothing."""
    assert Parallel(2, backend)(tasks) == []


@pytest.mark.parametrize("batch_size", [1, 2, 7, 1000, "auto"])
def test_tasks_that_change_their_arguments_do_not_meet(batch_size: Any) -> None:
    """In processes each task is a value of its own: one list given to all is empty for each of them."""
    shared: list[Any] = []
    results = Parallel(2, batch_size=batch_size)(delayed(append)(shared, i) for i in range(40))
    assert results == [[i] for i in range(40)]
    assert shared == []


def test_threads_see_the_callers_objects() -> None:
    """With threads an argument is the object itself."""
    shared: list[Any] = []
    Parallel(2, "threads")(delayed(append)(shared, i) for i in range(10))
    assert sorted(shared) == list(range(10))


def test_functions_without_a_name_travel() -> None:
    """Lambdas and closures run in processes."""
    offset = 10

    def shifted(x: int) -> int:
        return x + offset

    calls = [delayed(shifted)(1), delayed(lambda x: x * offset)(2)]
    assert Parallel(2)(calls) == [11, 20]


def test_work_is_done_where_it_was_asked_for() -> None:
    """Processes are other processes, threads are other threads, one worker is the caller's own thread."""
    here = os.getpid(), threading.current_thread().name
    assert all(pid != here[0] for pid, _ in Parallel(2)(delayed(where)(i) for i in range(4)))
    found = Parallel(2, "threads")(delayed(where)(i) for i in range(4))
    assert all(pid == here[0] and name != here[1] for pid, name in found)
    assert Parallel(1)(delayed(where)(i) for i in range(4)) == [here] * 4


def test_one_worker_takes_tasks_one_by_one() -> None:
    """With ``n_jobs=1`` each task has run before the next one is taken from the input."""
    trace: list[str] = []

    def calls() -> Iterator[Call]:
        for i in range(3):
            trace.append(f"taken {i}")
            yield delayed(trace.append)(f"run {i}")

    Parallel(1)(calls())
    assert trace == ["taken 0", "run 0", "taken 1", "run 1", "taken 2", "run 2"]


def test_one_worker_takes_a_batch_at_a_time_if_told_so() -> None:
    """With ``n_jobs=1`` and a batch size, so many tasks are taken before they run."""
    trace: list[str] = []

    def calls() -> Iterator[Call]:
        for i in range(3):
            trace.append(f"taken {i}")
            yield delayed(trace.append)(f"run {i}")

    Parallel(1, batch_size=2)(calls())
    assert trace == ["taken 0", "taken 1", "run 0", "run 1", "taken 2", "run 2"]


def test_the_input_is_not_read_further_ahead_than_asked() -> None:
    """With single tasks, the fourth is taken only after one of the first ``pre_dispatch=3`` has run."""
    ran: list[int] = []
    early: list[bool] = []

    def calls() -> Iterator[Call]:
        for i in range(8):
            early.append(i >= 3 and len(ran) < i - 2)
            yield delayed(ran.append)(i)

    Parallel(2, "threads", pre_dispatch=3, batch_size=1)(calls())
    assert len(ran) == 8
    assert not any(early)


@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_errors_of_the_input_pass_unchanged(backend: str, return_as: Any) -> None:
    """What the input raises is raised to the caller, as it is."""

    def calls() -> Iterator[Call]:
        yield delayed(square)(1)
        raise LookupError("the input is broken")

    with pytest.raises(LookupError, match="the input is broken") as caught:
        list(Parallel(2, backend, return_as=return_as)(calls()))
    assert not getattr(caught.value, "__notes__", [])


def test_an_input_may_call_parallel_itself() -> None:
    """The input of one call may make another call."""

    def calls() -> Iterator[Call]:
        for i in range(3):
            yield delayed(sum)(Parallel(2, "threads")(delayed(square)(j) for j in range(i + 1)))

    assert Parallel(2)(calls()) == [0, 1, 5]


def test_one_object_runs_one_call_at_a_time() -> None:
    """A call from inside another call of the same object is refused, and the object works afterwards."""
    parallel = Parallel(2, "threads")

    def again() -> Iterator[Call]:
        parallel([])
        yield delayed(square)(1)

    with pytest.raises(AlreadyRunning, match="already running"):
        parallel(again())
    assert parallel([delayed(square)(3)]) == [9]


def test_the_block_form_reuses_the_object() -> None:
    """``with Parallel(...)`` allows several calls, a failing one among them."""
    with Parallel(2) as parallel:
        assert parallel(delayed(square)(i) for i in range(3)) == [0, 1, 4]
        with pytest.raises(ValueError, match="invalid literal"):
            parallel([delayed(int)("x")])
        assert parallel(delayed(square)(i) for i in range(3)) == [0, 1, 4]


def test_calls_from_several_threads_do_not_mix() -> None:
    """Different objects may run at once in different threads."""
    results: dict[int, list[int]] = {}

    def run(offset: int) -> None:
        results[offset] = Parallel(2)(delayed(square)(offset + i) for i in range(30))

    threads = [threading.Thread(target=run, args=(100 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {100 * k: [(100 * k + i) ** 2 for i in range(30)] for k in range(4)}


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_a_result_that_takes_too_long_ends_the_call(backend: str) -> None:
    """``timeout`` bounds the wait for the next result; the error is the builtin `TimeoutError` too."""
    never = threading.Event() if backend == "threads" else None
    call = delayed(never.wait)(20) if never else delayed(_sleep)(20)
    with pytest.raises(TimeoutError, match=r"task 1 had no result within timeout=0\.2") as caught:
        Parallel(2, backend, timeout=0.2)([delayed(square)(1), call])
    assert isinstance(caught.value, TaskTimeout)
    if never:
        never.set()
    assert Parallel(2, backend, timeout=20)([delayed(square)(2)] * 2) == [4, 4]


def _sleep(seconds: float) -> None:
    threading.Event().wait(seconds)


@pytest.mark.parametrize("seed", range(20))
def test_any_schedule_gives_the_same_list(seed: int) -> None:
    """Slots that run in any order and give tasks back at any time change nothing in the result."""
    engine = ScriptedEngine(seed)
    assert Parallel(3, engine)(delayed(square)(i) for i in range(40)) == [i * i for i in range(40)]
    assert engine.sessions[0].closed == "ended"


def test_finished_tasks_are_let_go() -> None:
    """The arguments of a finished task are not kept until the end of the call."""
    alive = 0
    most = 0

    class Argument:
        def __init__(self) -> None:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    Parallel(2, "threads", batch_size=1)(delayed(id)(Argument()) for _ in range(200))
    assert most <= 8
    assert alive == 0


class Recording:
    """A session of the scripted engine that may keep batches back, and what was asked of it."""

    def __init__(self, session: Session, log: list[str]) -> None:
        self._session = session
        self._log = log
        self.take_back, self.wait = session.take_back, session.wait
        self.wake, self.close = session.wake, session.close

    def send(self, slot: int, batch: Batch) -> None:
        self._log.append("send")
        self._session.send(slot, batch)

    def flush(self) -> None:
        self._log.append("flush")


def test_what_was_sent_is_let_go_before_the_input_is_read() -> None:
    """Reading may take long; no worker idles meanwhile for want of a batch that a session keeps back."""
    log: list[str] = []

    class Engine(ScriptedEngine):
        def open(self, request: SessionRequest) -> Any:  # Any: two sessions in one
            return Recording(super().open(request), log)

    def tasks() -> Iterator[Call]:
        for k in range(20):
            log.append("read")
            yield delayed(square)(k)

    assert Parallel(2, Engine(), batch_size=1)(tasks()) == [k * k for k in range(20)]
    assert log.count("read") == 20
    assert "send read" not in " ".join(log)


def is_writable(array: "np.ndarray[Any, Any]") -> bool:
    return array.flags.writeable


def write_first(array: "np.ndarray[Any, Any]") -> float:
    array[0] = 7.0
    return float(array[0])


@pytest.mark.parametrize("size", [100_000, 1_000_000])
def test_large_arrays_are_read_only_if_asked_for(size: int) -> None:
    """Sent once or published, alone or in a frame; the caller's array stays as it is."""
    array = np.zeros(size)
    for calls in ([delayed(is_writable)(array)] * 4, [delayed(is_writable)(array.copy()) for _ in range(2)]):
        assert not any(Parallel(2, mmap_mode="r")(calls))
        assert all(Parallel(2)(calls))
    with parallel_config(backend="processes", mmap_mode="r"):
        assert Parallel(2)([delayed(is_writable)(array)] * 2) == [False, False]
        assert Parallel(2, mmap_mode="c")([delayed(is_writable)(array)] * 2) == [True, True]
    (failure,) = Parallel(2, mmap_mode="r", on_error="return")([delayed(write_first)(array)])
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, ValueError)
    assert Parallel(2)([delayed(write_first)(array)] * 2) == [7.0, 7.0]
    assert array[0] == 0.0
