"""Workers that are replaced, begun and numbered: recycling, initializer, worker_env."""

import logging
import os
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lightwork import worker_id
from lightwork.engines.processes import session
from lightwork.engines.workers.channel import make_frame
from lightwork.errors import (
    EngineError,
    InvalidOption,
    RemoteTraceback,
    TaskTimeout,
    UnpicklableError,
    WorkerDied,
)
from lightwork.parallel import Failure, Parallel, delayed, parallel_config
from lightwork.protocols import Call
from tests.unit.parallel.worker_tasks import (
    OwnError,
    by_number,
    die,
    fail_to_set_up,
    hang,
    keep,
    leak,
    number_and_rank,
    number_and_sum,
    pid_of,
    set_up,
    state,
)

MiB = 1 << 20


# -- recycling ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 100, "auto"])
@pytest.mark.parametrize("return_as", ["list", "generator_unordered"])
def test_no_worker_runs_more_tasks_than_it_may(batch_size: Any, return_as: Any) -> None:
    """Whatever the batches; all tasks run once, none is lost."""
    call = Parallel(2, return_as=return_as, batch_size=batch_size, max_tasks_per_worker=3)
    counts = Counter(call(delayed(pid_of)(i) for i in range(40)))
    assert sum(counts.values()) == 40
    assert max(counts.values()) <= 3


def test_results_keep_their_order_when_workers_are_replaced() -> None:
    """Which worker ran a task cannot be seen in the results."""
    call = Parallel(2, max_tasks_per_worker=5, batch_size=3)
    assert call(delayed(pow)(i, 2) for i in range(60)) == [i * i for i in range(60)]


def test_tasks_of_earlier_calls_count() -> None:
    """The bound is for the life of a worker, not for a call."""
    call = Parallel(1, max_tasks_per_worker=3)
    pids = [call([delayed(pid_of)(i)])[0] for i in range(9)]
    assert max(Counter(pids).values()) == 3
    assert os.getpid() not in pids


@pytest.mark.parametrize("batch_size", [1, 4, "auto"])
def test_a_worker_with_much_memory_begins_no_further_task(
    batch_size: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """It is replaced between tasks, with one line of level INFO for all of the call and no warning."""
    caplog.set_level(logging.INFO, "lightwork")
    call = Parallel(2, max_worker_memory="100MB", batch_size=batch_size)
    counts = Counter(call(delayed(leak)(60 * MiB) for _ in range(12)))
    assert max(counts.values()) == 2
    (record,) = caplog.records
    assert record.levelno == logging.INFO
    assert "was replaced after 2 tasks" in record.getMessage()


def test_memory_from_earlier_calls_counts() -> None:
    """A worker that was left with much memory gets no task of a call with a bound."""
    (full,) = Parallel(1, worker_env={"LIGHTWORK_TEST": "memory"})([delayed(leak)(60 * MiB)])
    call = Parallel(1, worker_env={"LIGHTWORK_TEST": "memory"}, max_worker_memory="50MB")
    assert call([delayed(pid_of)(0)]) != [full]


def test_other_workers_are_not_disturbed() -> None:
    """One worker that grows is replaced; the other runs all of its tasks."""
    call = Parallel(2, max_worker_memory="100MB", batch_size=1)
    pids = call(delayed(by_number)(60 * MiB) for _ in range(12))
    zero = Counter(pid for number, pid in pids if number == 0)
    assert max(zero.values(), default=0) <= 2
    assert len({pid for number, pid in pids if number == 1}) <= 1


def test_tasks_that_cannot_travel_do_not_block_those_behind_them() -> None:
    """They are failures of their own, and no worker is worn by them."""
    tasks = [delayed(pid_of)(threading.Lock() if i % 3 else i) for i in range(600)]
    found = Parallel(2, max_tasks_per_worker=40, batch_size=50, on_error="return")(tasks)
    assert [isinstance(item, Failure) for item in found] == [bool(i % 3) for i in range(600)]
    assert {type(item.error) for item in found if isinstance(item, Failure)} == {UnpicklableError}


def test_a_worker_that_dies_takes_no_kept_task_along() -> None:
    """Tasks that waited for the next worker of its slot run."""
    tasks = [delayed(os.kill)(0, 0) if i % 10 else delayed(die)() for i in range(40)]
    found = Parallel(2, max_tasks_per_worker=4, batch_size=20, on_error="return")(tasks)
    assert [isinstance(item, Failure) for item in found] == [i % 10 == 0 for i in range(40)]
    assert all(isinstance(item, Failure) and isinstance(item.error, WorkerDied) for item in found[::10])


def test_replaced_workers_leave() -> None:
    """None of those that were replaced is left behind."""
    pids = Parallel(2, max_tasks_per_worker=1)(delayed(pid_of)(i) for i in range(6))
    assert len(set(pids)) == 6
    Parallel(2)(delayed(pid_of)(i) for i in range(2))  # the template has reaped by now what it was told of
    alive = [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    assert len(alive) <= 3


# -- initializer --------------------------------------------------------------------------------------------


def test_an_initializer_runs_once_in_each_worker() -> None:
    """Before its first task; not again for a call with the same one, and again for one with another."""
    for values in ((1, "one"), (1, "one"), (2, "two")):
        found = Parallel(2, initializer=set_up, initargs=values)(delayed(state)(i) for i in range(20))
        for _, seen in found:
            assert seen[-1] == values
            assert seen.count(values) == 1


def test_an_initializer_runs_in_replaced_workers_too() -> None:
    """Each of them has its state from its first task on."""
    call = Parallel(2, initializer=set_up, initargs=("again",), max_tasks_per_worker=2)
    found = call(delayed(state)(i) for i in range(10))
    assert len({pid for pid, _ in found}) >= 5
    assert all(seen == [("again",)] for _, seen in found)


def test_an_initializer_runs_in_threads_and_in_the_caller() -> None:
    """Once per thread, once per call; local functions will do."""
    local = threading.local()

    def begin(value: int) -> None:
        local.values = [*getattr(local, "values", []), value]

    def values(_: int) -> list[int]:
        return list(local.values)

    assert (
        Parallel(2, "threads", initializer=begin, initargs=[1])(delayed(values)(i) for i in range(9))
        == [[1]] * 9
    )
    assert Parallel(1, initializer=begin, initargs=[2])(delayed(values)(i) for i in range(3)) == [[2]] * 3


def test_a_configured_initializer_runs() -> None:
    """`parallel_config` can name it."""
    with parallel_config("processes", initializer=set_up, initargs=("configured",)):
        assert Parallel(2)([delayed(state)(0)])[0][1][-1] == ("configured",)


@pytest.mark.parametrize("on_error", ["raise", "return", "skip"])
@pytest.mark.parametrize("return_as", ["list", "generator"])
@pytest.mark.parametrize(("n_jobs", "backend"), [(1, None), (2, "threads"), (2, "processes")])
def test_the_error_of_an_initializer_ends_the_call(
    on_error: Any, return_as: Any, n_jobs: int, backend: Any
) -> None:
    """Whatever is done with errors of tasks: none of them could have run. The next call works."""
    call = Parallel(
        n_jobs, backend, return_as, on_error=on_error, initializer=fail_to_set_up, initargs=(ValueError,)
    )
    with pytest.raises(ValueError, match="no database") as caught:
        list(call(delayed(abs)(i) for i in range(10)))
    assert any("initializer fail_to_set_up of the workers failed" in note for note in caught.value.__notes__)
    if backend == "processes":
        assert isinstance(caught.value.__cause__, RemoteTraceback)
        assert "fail_to_set_up" in str(caught.value.__cause__)
    assert Parallel(n_jobs, backend)(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_no_task_runs_where_the_initializer_failed(backend: str, tmp_path: Path) -> None:
    """It could do harm without what the initializer was to set up."""
    call = Parallel(2, backend, initializer=fail_to_set_up, initargs=(ValueError,), on_error="skip")
    with pytest.raises(ValueError, match="no database"):
        call(delayed((tmp_path / str(i)).touch)() for i in range(10))
    # The workers have ended their part of the call before they serve the next one.
    assert Parallel(2, backend)(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("initargs", [3, None])
def test_arguments_that_are_none_are_refused_by_name(initargs: Any) -> None:
    """Before any effect."""
    with pytest.raises(InvalidOption, match="initargs="):
        Parallel(2, initializer=set_up, initargs=initargs)


def test_an_error_that_cannot_travel_is_told_in_words() -> None:
    """The call fails with what can be said of it."""
    with pytest.raises(
        EngineError, match=r"initializer fail_to_set_up of the workers raised .*OwnError: no database"
    ):
        Parallel(2, initializer=fail_to_set_up, initargs=(OwnError,))([delayed(abs)(1)])


class Posted:
    """Bytes of large buffers that were sent to workers, those that were published left out."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._nbytes = 0
        monkeypatch.setattr(session, "make_frame", self._note)

    def _note(self, *args: Any, buffers: Any = (), **fields: Any) -> Any:
        self._nbytes += sum(item.nbytes for item in buffers if not isinstance(item, int))
        return make_frame(*args, buffers=buffers, **fields)

    def take(self) -> int:
        nbytes, self._nbytes = self._nbytes, 0
        return nbytes


def both_workers(call: Parallel) -> set[float]:
    """What the tasks of a call found, which ran in each of two workers."""
    found = call(delayed(number_and_sum)(i) for i in range(40))
    assert {number for number, _ in found} == {0, 1}
    return {value for _, value in found}


def test_a_large_argument_of_an_initializer_travels_once_to_a_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not in later calls with the same one. A changed one travels, as does one that is back after another."""
    numpy = pytest.importorskip("numpy")
    array = numpy.ones(1 << 20)
    posted = Posted(monkeypatch)
    call = Parallel(2, initializer=keep, initargs=(array,), batch_size=1)
    assert both_workers(call) == {1 << 20}
    assert posted.take() <= array.nbytes  # whole to the first worker, published for the second
    for _ in range(3):
        assert both_workers(call) == {1 << 20}
        assert both_workers(Parallel(2, initializer=keep, initargs=(array.copy(),))) == {1 << 20}
        assert posted.take() == 0
    array[5] = 3
    assert both_workers(call) == {(1 << 20) + 2}
    assert posted.take() > 0
    assert both_workers(Parallel(2, initializer=keep, initargs=(numpy.ones(3),))) == {3}
    posted.take()
    assert both_workers(call) == {(1 << 20) + 2}
    assert posted.take() > 0


def test_workers_change_their_own_arguments() -> None:
    """Each has the bytes that were sent, writable, whatever another one does to its own."""
    numpy = pytest.importorskip("numpy")
    for array in (numpy.zeros(1 << 20), numpy.zeros(1 << 21)[::2], numpy.broadcast_to(0.0, 1 << 20)):
        call = Parallel(2, initializer=keep, initargs=(array, 1.0), batch_size=1, max_tasks_per_worker=7)
        assert both_workers(call) == {1.0}
        assert not array.any()


def test_an_initializer_is_sent_again_after_another_one_failed() -> None:
    """A worker that did not get through the other one has nothing left of the first."""
    first = Parallel(1, worker_env={"LIGHTWORK_TEST": "again"}, initializer=set_up, initargs=("first",))
    other = Parallel(
        1, worker_env={"LIGHTWORK_TEST": "again"}, initializer=fail_to_set_up, initargs=(ValueError,)
    )
    for _ in range(3):
        assert first([delayed(state)(0)])[0][1][-1] == ("first",)
        with pytest.raises(ValueError, match="no database"):
            other([delayed(state)(0)])
    with pytest.raises(ValueError, match="no"):  # it has run, and no task of the call has ended well
        first([delayed(fail_to_set_up)(ValueError)])
    assert first([delayed(state)(0)])[0][1][-1] == ("first",)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("on_error", "n_jobs", "return_as"),
    [("raise", 1, "list"), ("return", 2, "list"), ("skip", 2, "generator"), ("group", 1, "generator")],
)
def test_an_initializer_has_the_time_of_a_task(on_error: Any, n_jobs: int, return_as: Any) -> None:
    """One that hangs ends the call, by name and with the place where it was. The next call works."""
    call = Parallel(
        n_jobs, return_as=return_as, on_error=on_error, retries=2, task_timeout=1.0,
        initializer=hang, initargs=("here",),
    )  # fmt: skip
    begin = time.monotonic()
    with pytest.raises(TaskTimeout, match="initializer hang ran for longer than task_timeout=1 s") as caught:
        list(call(delayed(abs)(i) for i in range(10)))
    assert time.monotonic() - begin < 20
    assert "in hang" in str(caught.value.__cause__)
    assert Parallel(n_jobs, task_timeout=20)(delayed(abs)(-i) for i in range(4)) == [0, 1, 2, 3]


@pytest.mark.slow
def test_the_time_of_an_initializer_is_not_that_of_the_first_task() -> None:
    """Each has its own."""
    call = Parallel(1, task_timeout=2.0, initializer=time.sleep, initargs=(1.2,))
    assert call([delayed(time.sleep)(1.2)]) == [None]


def test_an_initializer_that_ends_its_worker_is_named() -> None:
    """It is no matter of the task that would have come next."""
    with pytest.raises(WorkerDied, match="while running initializer die"):
        Parallel(2, initializer=die)([delayed(abs)(1)])


# -- environment and numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("bound", [None, 1, 3])
def test_workers_have_their_own_variables_and_numbers(bound: int | None) -> None:
    """Numbers are 0 .. n - 1, and stay with the variables when workers are replaced."""
    call = Parallel(
        3, worker_env=lambda number: {"RANK": f"r{number}"}, max_tasks_per_worker=bound, batch_size=1
    )
    found = call(delayed(number_and_rank)(i) for i in range(30))
    assert {number for number, _, _ in found} <= {0, 1, 2}
    assert all(rank == f"r{number}" for number, rank, _ in found)


def test_the_number_outlives_a_death() -> None:
    """Who replaces a dead worker takes over its number and variables."""
    tasks: list[Call] = [delayed(die)() if i % 2 else delayed(number_and_rank)(i) for i in range(12)]
    found = Parallel(2, worker_env=lambda number: {"RANK": str(number)}, on_error="return", batch_size=1)(
        tasks
    )
    assert all(rank == str(number) and number in (0, 1) for number, rank, _ in found[::2])


def test_variables_of_workers_are_theirs_alone() -> None:
    """Neither the caller nor the workers of other calls see them, and a worker has one set for life."""
    pids: list[set[int]] = []
    for environment in ({"RANK": "a"}, {"RANK": "b"}, None):
        found = Parallel(2, worker_env=environment)(delayed(number_and_rank)(i) for i in range(8))
        assert {rank for _, rank, _ in found} == {environment["RANK"] if environment else None}
        pids.append({pid for _, _, pid in found})
    assert not pids[0] & pids[1]
    assert not (pids[0] | pids[1]) & pids[2]
    assert "RANK" not in os.environ


def test_variables_of_workers_are_there_before_imports() -> None:
    """numpy's libraries read theirs when they are loaded."""
    call = Parallel(1, worker_env={"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"})
    assert call([delayed(blas)()]) == [{1}]


def blas() -> set[int]:
    numpy = pytest.importorskip("numpy")
    numpy.ones((2, 2)) @ numpy.ones((2, 2))
    return {item["num_threads"] for item in pytest.importorskip("threadpoolctl").threadpool_info()}


@pytest.mark.parametrize("result", [3, {"A": 1}])
def test_variables_that_cannot_be_right_are_an_error_of_the_call(result: Any) -> None:
    """What the function returns is checked before any worker begins."""
    with pytest.raises(InvalidOption, match=r"worker_env\(0\)"):
        Parallel(2, worker_env=lambda number: result)([delayed(abs)(1)])


def test_numbers_in_threads_and_outside() -> None:
    """Threads have numbers, and where nothing is parallel it is 0."""
    barrier = threading.Barrier(3)

    def number() -> int:
        barrier.wait(10)
        return worker_id()

    assert sorted(Parallel(3, "threads", batch_size=1)([delayed(number)()] * 3)) == [0, 1, 2]
    assert worker_id() == 0
    assert Parallel(1)([delayed(worker_id)()]) == [0]
