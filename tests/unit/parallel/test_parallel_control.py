"""Retries, limits for single tasks, groups of errors, giving up, and event loops: with real workers."""

import asyncio
import os
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightwork import Failure, Parallel, Retry, delayed
from lightwork.errors import CallCancelled, InvalidOption, RemoteTraceback, TaskTimeout, WorkerDied

BACKENDS = [("processes", 2), ("threads", 2), ("sequential", 1)]


def square(number: int) -> int:
    return number * number


def count(folder: Path, name: object) -> int:
    """How many times this was called for a name, this call included. Safe between processes."""
    with open(folder / str(name), "ab") as file:
        file.write(b".")
    return (folder / str(name)).stat().st_size


def flaky(folder: Path, number: int, failures: int, error: type[Exception] = ValueError) -> int:
    if count(folder, number) <= failures:
        raise error(f"attempt of {number}")
    return number


class _LostItself(WorkerDied):
    """As a call inside of a task raises it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, pid=1)

    def __reduce__(self) -> tuple[object, ...]:
        return _LostItself, self.args


def deadly(folder: Path, number: object, deaths: int) -> object:
    if count(folder, number) <= deaths:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def late(folder: Path, number: int, times: int) -> int:
    if count(folder, number) <= times:
        time.sleep(60)
    return number


# Retries ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "workers"), BACKENDS)
def test_a_flaky_task_succeeds_with_retries(tmp_path: Path, backend: str, workers: int) -> None:
    """Two failures, two further attempts: all results, in order, and no task ran more often than needed."""
    calls = [delayed(flaky)(tmp_path, number, 2 * (number % 3 == 0)) for number in range(9)]
    assert Parallel(n_jobs=workers, backend=backend, retries=2)(calls) == list(range(9))
    assert [(tmp_path / str(number)).stat().st_size for number in range(9)] == [3, 1, 1] * 3


@pytest.mark.parametrize(("backend", "workers"), BACKENDS)
def test_a_failure_counts_its_attempts(tmp_path: Path, backend: str, workers: int) -> None:
    """What fails more often than there are attempts is a failure that says how many there were."""
    parallel = Parallel(n_jobs=workers, backend=backend, retries=2, on_error="return")
    ok, failure = parallel([delayed(square)(3), delayed(flaky)(tmp_path, 1, 9)])
    assert ok == 9
    assert isinstance(failure, Failure)
    assert (failure.index, failure.attempts) == (1, 3)
    assert isinstance(failure.error, ValueError)


@pytest.mark.parametrize(("backend", "workers"), BACKENDS)
def test_other_errors_are_not_tried_again(tmp_path: Path, backend: str, workers: int) -> None:
    """`on` names what is worth another attempt."""
    parallel = Parallel(n_jobs=workers, backend=backend, retries=Retry(5, on=OSError), on_error="return")
    (failure,) = parallel([delayed(flaky)(tmp_path, 1, 9)])
    assert isinstance(failure, Failure)
    assert failure.attempts == 1
    assert parallel([delayed(flaky)(tmp_path, 2, 5, ConnectionError)]) == [2]


def test_deaths_and_errors_have_budgets_apart(tmp_path: Path) -> None:
    """A task that kills its worker as often as there are attempts ends well; one more is too much."""
    parallel = Parallel(n_jobs=2, retries=2, on_error="return")
    results = parallel(delayed(deadly)(tmp_path, number, 2 * (number == 5)) for number in range(20))
    assert results == list(range(20))
    (failure,) = parallel([delayed(deadly)(tmp_path, "x", 9)])
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, WorkerDied)
    assert failure.attempts == 3


@pytest.mark.parametrize(("backend", "workers"), BACKENDS)
def test_the_death_of_a_worker_of_its_own_is_an_error_of_the_task(
    tmp_path: Path, backend: str, workers: int
) -> None:
    """It was its nested call that lost a worker; it is tried again as often as after other errors."""
    call = delayed(flaky)(tmp_path, 1, 9, _LostItself)
    with pytest.raises(WorkerDied):
        Parallel(workers, backend, retries=2)([call])
    assert (tmp_path / "1").stat().st_size == 3


def test_attempts_wait_and_others_go_on(tmp_path: Path) -> None:
    """While one task waits for its next attempt, the others run: it ends last."""
    parallel = Parallel(
        n_jobs=2, retries=Retry(1, backoff=3.0), return_as="generator_unordered", batch_size=1
    )
    calls = [delayed(flaky)(tmp_path, number, int(number == 0)) for number in range(30)]
    order = list(parallel(calls))
    assert sorted(order) == list(range(30))
    assert order[-1] == 0


def test_ctrl_c_is_not_tried_again(tmp_path: Path) -> None:
    """In the caller's own thread an interrupt is the caller's, whatever `retries` says."""
    with pytest.raises(KeyboardInterrupt):
        Parallel(n_jobs=1, retries=Retry(3, on=BaseException))([delayed(interrupt)()])


def interrupt() -> None:
    raise KeyboardInterrupt


ANY_RETRY: Any = Retry


@pytest.mark.parametrize(
    "bad",
    [
        *({"times": -1}, {"times": "x"}, {"times": float("inf")}, {"on": "x"}, {"on": (OSError, 3)}),
        *({"backoff": -1.0}, {"backoff": 9999}, {"jitter": 2.0}),
    ],
)
def test_an_impossible_retry_is_refused_where_it_is_made(bad: dict[str, Any]) -> None:
    """With the name of what is wrong; one that was changed by `_replace` is refused by `Parallel`."""
    name = next(iter(bad))
    with pytest.raises(InvalidOption, match=f"Retry: {name}="):
        ANY_RETRY(**bad)
    with pytest.raises(InvalidOption, match=f"Retry: {name}="):
        Parallel(n_jobs=2, retries=Retry()._replace(**bad))


def test_a_retry_travels_and_compares() -> None:
    """It is a tuple of its fields, numbers being numbers."""
    retry = Retry(3, on=(OSError, ValueError), backoff=1, jitter=0.5)
    assert pickle.loads(pickle.dumps(retry)) == retry == (3, (OSError, ValueError), 1.0, 0.5)
    assert repr(Retry(2)) == "Retry(times=2, on=<class 'Exception'>, backoff=0.0, jitter=0.0)"


@pytest.mark.parametrize("bad", [-1, True, "3", None])
def test_impossible_retries_are_refused(bad: Any) -> None:
    """Before anything runs, with the name of the option."""
    with pytest.raises(InvalidOption, match=r"retries|Retry: times"):
        Parallel(n_jobs=2, retries=bad)


# Waiting for results --------------------------------------------------------------------------------------


def fail_after(seconds: float) -> None:
    time.sleep(seconds)
    raise ValueError("too late")


@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered", "async"])
@pytest.mark.parametrize("on_error", ["skip", "group"])
def test_a_task_that_is_left_out_was_waited_for(return_as: Any, on_error: Any) -> None:
    """`timeout` is for each result, and so is the failure of a task that is left out."""
    tasks = [delayed(fail_after)(0.4), delayed(fail_after)(0.8), delayed(fail_after)(1.2)]
    call: Any = Parallel(
        3,
        "threads",  # they begin at once: the time of a start is none of the tasks'
        return_as="generator" if return_as == "async" else return_as,
        timeout=1.0,
        on_error=on_error,
        batch_size=1,
    )

    async def collect() -> list[Any]:
        return [value async for value in call([*tasks, delayed(square)(3)])]

    def results() -> list[Any]:
        return asyncio.run(collect()) if return_as == "async" else list(call([*tasks, delayed(square)(3)]))

    if on_error == "skip":
        assert results() == [9]
    else:
        with pytest.raises(ExceptionGroup, match="3 of 4 tasks failed"):
            results()


@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_a_task_that_is_left_out_is_waited_for_no_longer_than_others(return_as: Any) -> None:
    """The one behind it has no more time than the limit either."""
    call = Parallel(2, "threads", return_as=return_as, timeout=0.3, on_error="skip", batch_size=1)
    stop = threading.Event()
    with pytest.raises(TaskTimeout, match=r"timeout=0.3"):
        list(call([delayed(fail_after)(0.2), delayed(stop.wait)(20)]))
    stop.set()


# Limits for single tasks --------------------------------------------------------------------------------


def sleep_in_c(seconds: float) -> None:
    """Sleeps where no Python code runs, deaf to signals that Python handles."""
    import ctypes

    ctypes.CDLL(None).usleep(int(seconds * 1e6))


def test_only_late_tasks_are_ended() -> None:
    """Three of 100 tasks never end: 97 values and three errors that say which and where they were."""
    calls = [delayed(time.sleep)(60) if k in (3, 50, 99) else delayed(square)(k) for k in range(100)]
    results = Parallel(n_jobs=2, task_timeout=0.3, on_error="return")(calls)
    failures = [value for value in results if isinstance(value, Failure)]
    assert [failure.index for failure in failures] == [3, 50, 99]
    assert all(isinstance(failure.error, TaskTimeout) for failure in failures)
    assert "task 3 " in str(failures[0].error)
    assert "0.3" in str(failures[0].error)
    assert [value for value in results if not isinstance(value, Failure)] == [
        k * k for k in range(100) if k not in (3, 50, 99)
    ]


def test_c_code_is_ended_and_says_where_it_was() -> None:
    """The stack of a task that hangs in C is the cause of its error."""
    with pytest.raises(TaskTimeout) as caught:
        Parallel(n_jobs=2, task_timeout=0.2)([delayed(sleep_in_c)(60)])
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "sleep_in_c" in str(caught.value.__cause__)
    assert "lightwork/engines" not in str(caught.value.__cause__)
    assert "task 0: sleep_in_c(60)" in caught.value.__notes__


def test_waiting_does_not_count() -> None:
    """Ten tasks of 0.1 s on one worker, sent together: each stays below 0.3 s, all of them do not."""
    results = Parallel(n_jobs=1, task_timeout=0.3, batch_size=10)(delayed(nap)(0.1, k) for k in range(10))
    assert results == list(range(10))


def nap(seconds: float, value: int) -> int:
    time.sleep(seconds)
    return value


def test_many_tasks_just_below_the_limit_all_end_well() -> None:
    """No task is taken for the one before it: a thousand short ones under a limit they reach together."""
    results = Parallel(n_jobs=2, task_timeout=0.05, batch_size=50)(delayed(nap)(0.001, k) for k in range(600))
    assert results == list(range(600))


def test_a_late_task_is_tried_again(tmp_path: Path) -> None:
    """`TaskTimeout` is an error like others for `retries`."""
    parallel = Parallel(n_jobs=2, task_timeout=0.3, retries=1)
    assert parallel(delayed(late)(tmp_path, number, int(number == 2)) for number in range(5)) == list(
        range(5)
    )


@pytest.mark.parametrize("backend", ["threads", "sequential"])
def test_threads_cannot_be_ended(backend: str) -> None:
    """Refused by name, before anything runs."""
    with pytest.raises(InvalidOption, match="task_timeout"):
        Parallel(n_jobs=2, backend=backend, task_timeout=1)


@pytest.mark.parametrize(
    ("given", "seconds"), [("1 minute", 60.0), (timedelta(seconds=2), 2.0), (3, 3.0), (float("inf"), None)]
)
def test_spans_of_time_are_given_as_everywhere(given: Any, seconds: float | None) -> None:
    """As a text, a `timedelta` or seconds."""
    parallel = Parallel(n_jobs=2, task_timeout=given, timeout=given)
    assert (parallel.task_timeout, parallel.timeout) == (seconds, seconds)


@pytest.mark.parametrize("bad", [0, -1, "1", True])
def test_impossible_limits_are_refused(bad: Any) -> None:
    """Before anything runs, with the name of the option."""
    with pytest.raises(InvalidOption, match="task_timeout"):
        Parallel(n_jobs=2, task_timeout=bad)


# All errors together ------------------------------------------------------------------------------------


def fail(number: int) -> int:
    raise (ValueError if number % 2 else OSError)(number)


@pytest.mark.parametrize(("backend", "workers"), BACKENDS)
def test_a_group_holds_every_error(backend: str, workers: int) -> None:
    """All tasks run; the errors come together, each with its note, sorted by ``except*``."""
    calls = [delayed(fail if k % 3 == 0 else square)(k) for k in range(10)]
    with pytest.raises(ExceptionGroup, match="4 of 10 tasks failed") as caught:
        Parallel(n_jobs=workers, backend=backend, on_error="group")(calls)
    group = caught.value
    assert sorted(error.args[0] for error in group.exceptions) == [0, 3, 6, 9]
    values = group.subgroup(ValueError)
    assert values is not None
    assert sorted(error.args[0] for error in values.exceptions) == [3, 9]
    assert all("fail(" in error.__notes__[0] for error in group.exceptions)


@pytest.mark.parametrize(("backend", "workers"), BACKENDS)
def test_a_generator_gives_what_went_well_before_the_group(backend: str, workers: int) -> None:
    """Good results first, then the errors; without any error no group."""
    parallel = Parallel(n_jobs=workers, backend=backend, on_error="group", return_as="generator")
    results = parallel(delayed(fail if k == 2 else square)(k) for k in range(5))
    assert [next(results) for _ in range(4)] == [0, 1, 9, 16]
    with pytest.raises(ExceptionGroup, match="1 of 5"):
        next(results)
    assert list(parallel(delayed(square)(k) for k in range(5))) == [0, 1, 4, 9, 16]


# Giving up ----------------------------------------------------------------------------------------------


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)  # another process makes it true, and has no other way to tell


def touch_and_sleep(path: Path) -> None:
    path.touch()
    time.sleep(60)


def test_cancel_ends_a_call_from_another_thread(tmp_path: Path) -> None:
    """Running tasks are killed at once, the call says so, and the next call works."""
    parallel = Parallel(n_jobs=2)

    def cancel() -> None:
        wait_for((tmp_path / "1").exists)
        parallel.cancel()

    helper = threading.Thread(target=cancel)
    helper.start()
    begin = time.monotonic()
    with pytest.raises(CallCancelled):
        parallel(delayed(touch_and_sleep)(tmp_path / str(k)) for k in range(50))
    helper.join()
    assert time.monotonic() - begin < 30
    assert parallel([delayed(square)(3)]) == [9]


def test_cancel_ends_a_generator_with_an_error() -> None:
    """The reader learns that results are missing; results that had arrived may come first."""
    parallel = Parallel(n_jobs=2, return_as="generator")
    results = parallel(delayed(nap)(0.01, k) for k in range(10_000))
    assert next(results) == 0
    parallel.cancel()
    with pytest.raises(CallCancelled):
        for _ in results:
            pass
    assert list(parallel([delayed(square)(3)])) == [9]


@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_cancel_ends_a_loop_between_two_tasks(return_as: Any) -> None:
    """With one worker the task that runs ends first."""
    parallel = Parallel(n_jobs=1, return_as=return_as)
    ran: list[int] = []

    def task(number: int) -> None:
        ran.append(number)
        if number == 3:
            parallel.cancel()

    with pytest.raises(CallCancelled):
        list(parallel(delayed(task)(k) for k in range(10)))
    assert ran == [0, 1, 2, 3]


def test_cancel_ends_the_pause_before_an_attempt(tmp_path: Path) -> None:
    """Nobody waits an hour for an attempt that is not wanted any more."""
    for workers in (1, 2):
        parallel = Parallel(n_jobs=workers, retries=Retry(1, backoff=3600))

        def cancel(parallel: Parallel = parallel, name: str = str(workers)) -> None:
            wait_for((tmp_path / name).exists)
            parallel.cancel()

        helper = threading.Thread(target=cancel)
        helper.start()
        with pytest.raises(CallCancelled):
            parallel([delayed(flaky)(tmp_path, workers, 9)])
        helper.join()


def test_cancel_without_a_call_does_nothing() -> None:
    """The next call is not given up for it."""
    parallel = Parallel(n_jobs=2)
    parallel.cancel()
    assert parallel([delayed(square)(2)]) == [4]
    parallel.cancel()
    assert parallel([delayed(square)(2)]) == [4]


# Event loops --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("backend", "workers"), BACKENDS)
def test_async_for_gives_the_results_in_order(backend: str, workers: int) -> None:
    """All of them, while the loop goes on with other things."""

    async def main() -> tuple[list[int], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        parallel = Parallel(n_jobs=workers, backend=backend, return_as="generator")
        found = [value async for value in parallel(delayed(nap)(0.005, k) for k in range(30))]
        ticking.cancel()
        return found, ticks

    found, ticks = asyncio.run(main())
    assert found == list(range(30))
    assert ticks >= 10


def test_cancelling_the_task_that_waits_ends_the_work(tmp_path: Path) -> None:
    """No task of the call is left running, and the object can be used again."""

    async def main() -> None:
        parallel = Parallel(n_jobs=2, return_as="generator")

        async def consume() -> None:
            async for _ in parallel(delayed(touch_and_sleep)(tmp_path / str(k)) for k in range(10)):
                pass

        consumer = asyncio.create_task(consume())
        await asyncio.to_thread(wait_for, (tmp_path / "1").exists)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        assert [value async for value in parallel([delayed(square)(3)])] == [9]

    asyncio.run(main())
    assert not (tmp_path / "2").exists()


def test_cancelling_the_task_that_waits_ends_a_loop_too(tmp_path: Path) -> None:
    """With one worker the task that runs ends first, and no further one begins."""
    started, go_on = threading.Event(), threading.Event()

    def task(number: int) -> None:
        (tmp_path / str(number)).touch()
        started.set()
        go_on.wait(20)

    async def main() -> None:
        parallel = Parallel(n_jobs=1, return_as="generator")

        async def consume() -> None:
            async for _ in parallel([delayed(task)(k) for k in range(10)]):
                pass

        consumer = asyncio.create_task(consume())
        await asyncio.to_thread(started.wait, 20)
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        go_on.set()
        assert [value async for value in parallel([delayed(square)(3)])] == [9]

    asyncio.run(main())
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


def test_a_loop_can_be_closed_while_a_task_runs(tmp_path: Path) -> None:
    """`aclose` returns at once; whoever waits for the next value hears that there is none."""
    started, go_on = threading.Event(), threading.Event()

    def task() -> None:
        started.set()
        go_on.wait(20)

    async def main() -> None:
        path = tmp_path / "run.json"
        results = Parallel(n_jobs=1, return_as="generator", trace=path)([delayed(task)()] * 3)
        waiting = asyncio.create_task(anext(results))
        await asyncio.to_thread(started.wait, 20)
        await results.aclose()
        go_on.set()
        with pytest.raises(StopAsyncIteration):
            await waiting
        assert path.exists()

    asyncio.run(main())


def test_async_errors_and_timeouts_are_raised() -> None:
    """The error of a task, and `TaskTimeout` when a result does not come in time."""

    async def main(calls: Iterator[Any], timeout: float | None) -> list[int]:
        parallel = Parallel(n_jobs=2, return_as="generator", timeout=timeout)
        return [value async for value in parallel(calls)]

    with pytest.raises(OSError, match="0"):
        asyncio.run(main(iter([delayed(fail)(0)]), None))
    with pytest.raises(TaskTimeout):
        asyncio.run(main(iter([delayed(time.sleep)(60)]), 0.2))
