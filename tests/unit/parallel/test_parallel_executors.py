"""`Parallel` on executors of the user's: what they can do they do, what they cannot is refused by name."""

import logging
import multiprocessing
import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import Failure, Parallel, delayed, effective_n_jobs, parallel_config, share, task_rng
from lightwork.errors import CallCancelled, EngineError, InvalidOption, RemoteTraceback, UnpicklableError


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("forkserver")) as executor:
        yield executor


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    with ThreadPoolExecutor(3) as executor:
        yield executor


def square(x: int) -> int:
    return x * x


def fail_at_three(x: int) -> int:
    if x == 3:
        raise KeyError("three")
    return x


def draw() -> tuple[float, float]:
    return float(task_rng().random()), float(np.random.random())


def write_first(array: Any, index: int) -> float:
    array[0] += index
    return float(array[0])


def test_results_are_those_of_the_loop(processes: Executor, threads: Executor) -> None:
    """In order, with closures and lambdas, whatever the executor and the size of the batches."""
    offset = 10
    for executor in (processes, threads):
        for size in ("auto", 1, 7):
            found = Parallel(backend=executor, batch_size=size)(
                delayed(lambda x: x + offset)(i) for i in range(50)
            )
            assert found == [i + 10 for i in range(50)]


def test_tasks_run_there_even_with_one_job(processes: Executor) -> None:
    """Whoever gives an executor wants his tasks to run on it: not even one worker is the caller's thread."""
    assert os.getpid() not in Parallel(1, backend=processes)(delayed(os.getpid)() for _ in range(3))


def test_all_workers_of_the_executor_are_the_default(processes: Executor, threads: Executor) -> None:
    """`n_jobs` counts from the workers of the executor, and is never more than those."""
    for executor, width in ((processes, 2), (threads, 3)):
        with parallel_config(backend=executor):
            assert effective_n_jobs(None) == effective_n_jobs(-1) == effective_n_jobs(99) == width
            assert effective_n_jobs(-2) == width - 1
            assert effective_n_jobs(1) == 1
            assert Parallel()(delayed(square)(i) for i in range(5)) == [0, 1, 4, 9, 16]


def test_no_more_tasks_run_at_once_than_were_asked_for(threads: Executor) -> None:
    """``n_jobs=2`` on three workers keeps one of them free."""
    running, most, lock = 0, 0, threading.Lock()
    together = threading.Event()

    def task(i: int) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == 2:
                together.set()
        together.wait(10)
        with lock:
            running -= 1

    Parallel(2, backend=threads, batch_size=1)(delayed(task)(i) for i in range(20))
    assert most == 2


def test_the_executor_stays_the_callers(threads: Executor) -> None:
    """After calls, errors and cancelled calls it still runs what its owner gives it."""
    with pytest.raises(KeyError):
        Parallel(backend=threads)(delayed(fail_at_three)(i) for i in range(9))
    assert threads.submit(square, 3).result(10) == 9


def test_an_error_is_that_of_its_task(processes: Executor) -> None:
    """It has its type, the traceback of the worker as its cause, and a note that names the task."""
    with pytest.raises(KeyError) as caught:
        Parallel(backend=processes)(delayed(fail_at_three)(i) for i in range(9))
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "fail_at_three" in str(caught.value.__cause__)
    assert any("task 3" in note for note in caught.value.__notes__)
    found = Parallel(backend=processes, on_error="return")(delayed(fail_at_three)(i) for i in range(5))
    assert found[:3] == [0, 1, 2]
    assert isinstance(found[3], Failure)
    assert found[4] == 4


def test_retries(processes: Executor, tmp_path: Path) -> None:
    """A task that fails once has its result with ``retries=1``."""

    def flaky(path: Path) -> str:
        if not path.exists():
            path.touch()
            raise OSError("not yet")
        return path.name

    assert Parallel(backend=processes, retries=1)(delayed(flaky)(tmp_path / name) for name in "abc") == list(
        "abc"
    )


def test_what_cannot_travel_is_the_error_of_its_task(processes: Executor) -> None:
    """Of an argument or a result, with the place in it; the other tasks have their results."""
    found = Parallel(backend=processes, on_error="return", batch_size=3)(
        delayed(lambda x: x)(value) for value in (1, threading.Lock(), 3)
    )
    assert (found[0], found[2]) == (1, 3)
    assert isinstance(found[1].error, UnpicklableError)
    found = Parallel(backend=processes, on_error="return", batch_size=3)(
        delayed(lambda x: [x, threading.Lock()] if x == 2 else x)(x) for x in (1, 2, 3)
    )
    assert (found[0], found[2]) == (1, 3)
    assert "result[1]" in str(found[1].error)


@pytest.mark.parametrize("size", [1, 4])
def test_each_task_has_its_own_arrays(processes: Executor, size: int) -> None:
    """Writable, whatever their size, and what a task writes is seen by nobody."""
    for length in (10, 1_000, 300_000):
        array = np.zeros(length)
        found = Parallel(backend=processes, batch_size=size)(delayed(write_first)(array, i) for i in range(4))
        assert found == [0, 1, 2, 3]
        assert array[0] == 0
    results = Parallel(backend=processes, batch_size=size)(delayed(np.full)(20_000, i) for i in range(4))
    for i, result in enumerate(results):
        result += 1
        assert (result == i + 1).all()


def test_results_of_a_batch_are_what_their_tasks_returned(processes: Executor) -> None:
    """Although they leave together: a later task may change what an earlier one has returned."""
    found = Parallel(1, backend=processes, batch_size=3)(delayed(_grow)(i) for i in (1, 2, 3))
    assert [float(array[0]) for array in found] == [1, 3, 6]


KEPT = np.zeros(100_000)


def _grow(by: int) -> Any:
    global KEPT
    KEPT += by
    return KEPT


def test_read_only_arrays(processes: Executor) -> None:
    """``mmap_mode="r"`` holds as in worker processes of lightwork."""
    array = np.zeros(100_000)
    with pytest.raises(ValueError, match="read-only"):
        Parallel(backend=processes, mmap_mode="r")(delayed(write_first)(array, i) for i in range(3))


def test_shared_objects(processes: Executor, threads: Executor) -> None:
    """Handles become objects; in threads they are the caller's own."""
    array = np.arange(1_000_000)
    with share(array) as shared:
        expected = int(array.sum())
        assert Parallel(backend=processes)(delayed(_sum)(shared) for _ in range(3)) == [expected] * 3
        assert Parallel(backend=threads)(delayed(id)(shared) for _ in range(3)) == [id(array)] * 3


def _sum(array: Any) -> int:
    return int(array.sum())


def test_seeds(processes: Executor, threads: Executor) -> None:
    """The numbers are those of any other backend; in processes those of the global states, too."""
    expected = Parallel(2, seed=7)(delayed(draw)() for _ in range(6))
    assert Parallel(1, backend=processes, seed=7)(delayed(draw)() for _ in range(6)) == expected
    mine = Parallel(backend=threads, seed=7)(delayed(draw)() for _ in range(6))
    assert [own for own, _ in mine] == [own for own, _ in expected]


@pytest.mark.slow
def test_the_workers_are_left_as_they_were() -> None:
    """Guests put back what a process has once: random states, warning filters, levels of loggers."""
    logger = logging.getLogger("lightwork.tests.guests")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("forkserver")) as executor:
        before = executor.submit(_state).result(30)
        logger.setLevel(logging.DEBUG)
        try:
            Parallel(backend=executor, seed=7)(delayed(draw)() for _ in range(6))
        finally:
            logger.setLevel(logging.NOTSET)
        assert executor.submit(_state).result(30) == before


def _state() -> list[Any]:
    numbers: Any = np.random.get_state()
    level = logging.getLogger("lightwork.tests.guests").level
    return [
        numbers[1].tolist(),
        random.getstate(),
        list(map(str, warnings.filters)),
        level,
        sys.stdout is None,
    ]


def test_progress_output_and_records(processes: Executor) -> None:
    """One event per task; what tasks print and log comes to the caller with their index."""
    seen: list[tuple[int, int | None, int]] = []
    lines: list[tuple[int, str, str]] = []
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append  # type: ignore[method-assign, assignment]  # all it does

    def talk(i: int) -> None:
        print("line", i)
        logging.getLogger("there").warning("record %d", i)

    logging.getLogger().addHandler(handler)
    try:
        Parallel(
            backend=processes,
            progress=lambda done, total, failed: seen.append((done, total, failed)),
            capture_output=lambda index, stream, text: lines.append((index, stream, text)),
        )(delayed(talk)(i) for i in range(6))
    finally:
        logging.getLogger().removeHandler(handler)
    assert seen[-1] == (6, 6, 0)
    assert [done for done, _, _ in seen] == list(range(1, 7))
    assert sorted(lines) == [(i, "stdout", f"line {i}\n") for i in range(6)]
    assert sorted(record.getMessage() for record in records) == [f"record {i}" for i in range(6)]


def test_generators(processes: Executor) -> None:
    """Results come as they are there; closing the generator gives the rest up."""
    results = Parallel(backend=processes, return_as="generator")(delayed(square)(i) for i in range(1000))
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    results.close()
    unordered = Parallel(backend=processes, return_as="generator_unordered")(
        delayed(square)(i) for i in range(9)
    )
    assert sorted(unordered) == [i * i for i in range(9)]


def test_cancel(threads: Executor) -> None:
    """It raises in the caller's thread; tasks that have not begun never do."""
    began: list[int] = []
    gate, there = threading.Event(), threading.Event()

    def task(i: int) -> None:
        began.append(i)
        there.set()
        gate.wait(20)

    parallel = Parallel(2, backend=threads, batch_size=5)

    def cancel() -> None:
        there.wait(20)
        parallel.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    try:
        with pytest.raises(CallCancelled):
            parallel(delayed(task)(i) for i in range(100))
    finally:
        gate.set()
        canceller.join()
    assert len(began) <= 2
    assert threads.submit(square, 2).result(10) == 4


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"task_timeout": 1.0}, "task_timeout=1.0: backend='ProcessPoolExecutor' cannot keep it: "),
        ({"memory_budget": 10}, "memory_budget=10: backend='ProcessPoolExecutor' cannot keep it"),
        ({"max_worker_memory": 10}, "max_worker_memory=10: backend='ProcessPoolExecutor' cannot keep it"),
        ({"max_tasks_per_worker": 3}, "max_tasks_per_worker=3: .* executors may take max_tasks_per_child"),
        ({"worker_env": {"A": "1"}}, "worker_env={'A': '1'}: backend='ProcessPoolExecutor'"),
        ({"capture_output": "fd"}, "capture_output='fd': backend='ProcessPoolExecutor'"),
        ({"require": "sharedmem"}, "backend='ProcessPoolExecutor' does not support shared memory"),
        ({"client": 1}, "ProcessPoolExecutor has no option client=1"),
    ],
)
def test_what_it_cannot_keep_is_refused(processes: Executor, option: dict[str, Any], message: str) -> None:
    """By name, with the reason, before anything runs."""
    with pytest.raises(InvalidOption, match=message):
        Parallel(backend=processes, **option)


def test_threads_refuse_an_initializer(threads: Executor) -> None:
    """Nobody could tell whether a thread of somebody else has run it."""
    with pytest.raises(InvalidOption, match=r"initializer=.* give initializer to the executor"):
        Parallel(backend=threads, initializer=print)


def test_an_initializer_runs_once_in_each_process(processes: Executor, tmp_path: Path) -> None:
    """Before the first task, and not again for each batch."""
    found = Parallel(backend=processes, initializer=_note, initargs=(tmp_path,), batch_size=1)(
        delayed(os.getpid)() for _ in range(20)
    )
    noted = [int(path.name.split("-")[0]) for path in tmp_path.iterdir()]
    assert len(set(noted)) == len(noted)
    assert set(found) <= set(noted)


def _note(folder: Path) -> None:
    (folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()


def test_threads_share_memory(threads: Executor) -> None:
    """A thread pool meets ``require="sharedmem"``, and its tasks see the caller's own objects."""
    items: list[int] = []
    Parallel(backend=threads, require="sharedmem")(delayed(items.append)(i) for i in range(10))
    assert sorted(items) == list(range(10))


def test_a_call_within_its_own_tasks_is_refused(threads: Executor) -> None:
    """Tasks that wait for the workers they occupy would wait for ever: one clear error instead."""

    def nested(executor: Executor | None) -> list[int]:
        found: list[int] = Parallel(2, backend=executor)(delayed(square)(i) for i in range(3))
        return found

    assert Parallel(backend=threads)([delayed(nested)(None)] * 4) == [[0, 1, 4]] * 4
    with pytest.raises(InvalidOption, match="made by a task of the same executor"):
        Parallel(backend=threads)([delayed(nested)(threads)] * 4)


def test_calls_from_several_threads(processes: Executor) -> None:
    """Several calls share one executor, and each gets its own results."""
    found: dict[int, list[int]] = {}

    def call(factor: int) -> None:
        found[factor] = Parallel(backend=processes)(delayed(_times)(i, factor) for i in range(50))

    callers = [threading.Thread(target=call, args=(factor,)) for factor in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert found == {factor: [i * factor for i in range(50)] for factor in range(4)}


def _times(x: int, factor: int) -> int:
    return x * factor


@pytest.mark.slow
def test_a_broken_executor_is_one_clear_error() -> None:
    """A worker that dies breaks the executor of the standard library: the error says so, and what to do."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("forkserver")) as executor:
        for _ in range(2):
            with pytest.raises(EngineError, match=r"is broken, .* make a new one"):
                Parallel(backend=executor)(delayed(os._exit)(3) for i in range(3))


def test_an_executor_that_was_shut_down() -> None:
    """One error that tells so."""
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(EngineError, match=r"ThreadPoolExecutor .* after shutdown"):
        Parallel(backend=executor)(delayed(square)(i) for i in range(3))


def test_what_is_no_executor_is_refused() -> None:
    """A class, or an object without ``submit``."""
    for backend in (ThreadPoolExecutor, object(), 3):
        with pytest.raises(
            InvalidOption, match="neither the name of a backend nor an Engine, nor an executor"
        ):
            Parallel(backend=backend)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.slow
def test_jobs_that_have_to_be_asked(tmp_path: Path) -> None:
    """submitit's executor of this machine, which writes and reads the files that its jobs on Slurm do."""
    submitit = pytest.importorskip("submitit", reason="submitit is not installed")
    executor = submitit.LocalExecutor(tmp_path)
    with pytest.raises(InvalidOption, match="LocalExecutor does not tell how many workers it has"):
        Parallel(backend=executor)(delayed(square)(i) for i in range(3))
    found = Parallel(2, backend=executor, batch_size=3, on_error="return")(
        delayed(fail_at_three)(i) for i in range(6)
    )
    assert found[:3] + found[4:] == [0, 1, 2, 4, 5]
    assert isinstance(found[3], Failure)
    assert isinstance(found[3].error, KeyError)


@pytest.mark.slow
def test_jobs_are_ended_with_their_call(tmp_path: Path) -> None:
    """A job can be cancelled while it runs, and is: giving up a call leaves none behind."""
    submitit = pytest.importorskip("submitit", reason="submitit is not installed")
    parallel = Parallel(1, backend=submitit.LocalExecutor(tmp_path))

    def cancel() -> None:
        _await_file(tmp_path / "began")
        parallel.cancel()

    canceller = threading.Thread(target=cancel)
    canceller.start()
    with pytest.raises(CallCancelled):
        parallel(delayed(_linger)(tmp_path) for _ in range(2))
    canceller.join()
    (watcher,) = [thread for thread in threading.enumerate() if thread.name == "lightwork-jobs"]
    watcher.join(20)
    assert not watcher.is_alive()


def _linger(folder: Path) -> None:
    (folder / "began").touch()
    time.sleep(60)


def _await_file(path: Path) -> None:
    deadline = time.monotonic() + 30
    while (
        not path.exists() and time.monotonic() < deadline
    ):  # the job is another program: nothing to wait for
        time.sleep(0.02)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="interpreters in a pool came with Python 3.14")
def test_interpreters_are_no_threads() -> None:
    """Their executor is one of threads by its class, and shares no objects."""
    from concurrent.futures import InterpreterPoolExecutor  # type: ignore[attr-defined]  # see above

    from lightwork.engines.futures.executor import ExecutorEngine

    with InterpreterPoolExecutor(1) as executor:
        assert not ExecutorEngine(executor).shares_memory


class Distant(Executor):
    """One worker, to which the way takes long: a process that is started, a queue, a network."""

    def __init__(self, way: float) -> None:
        self.submitted = 0
        self._way = way
        self._worker = ThreadPoolExecutor(1)

    def submit(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        self.submitted += 1
        return self._worker.submit(self._travel, function, *args, **kwargs)

    def _travel(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        time.sleep(self._way)
        return function(*args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._worker.shutdown(wait, cancel_futures=cancel_futures)


@pytest.mark.slow
def test_batches_grow_with_what_it_costs_to_send_them() -> None:
    """1 s of work in 2,000 tasks is not sent in fifty batches if each way takes 0.1 s."""
    with Distant(0.1) as executor:
        assert len(Parallel(1, backend=executor)([delayed(time.sleep)(5e-4)] * 2000)) == 2000
        assert executor.submitted < 15
