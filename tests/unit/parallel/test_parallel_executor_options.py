"""What an executor is asked to do: its options, and what its calls find."""

import concurrent.futures
import logging
import os
import threading
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy
import pytest

from lightwork import Executor, Retry
from lightwork.errors import (
    EngineError,
    InvalidOption,
    TaskTimeout,
)
from lightwork.system.cpu import cpu_count
from tests.unit.parallel import executor_tasks as tasks
from tests.unit.parallel.executor_tasks import let_through, square, through

BOTH = pytest.mark.parametrize("backend", ["processes", "threads"])


def test_priorities(gate: str) -> None:
    """What has a higher priority goes first; among equals what was submitted first."""
    order: list[str] = []
    with Executor(1, "threads") as executor:
        executor.submit(through, gate)
        executor.submit(order.append, "c")
        executor.prioritized(-1).submit(order.append, "e")
        urgent = executor.prioritized(5)
        urgent.submit(order.append, "a")
        executor.submit(order.append, "d")
        urgent.submit(order.append, "b")
        let_through(gate)
    assert order == ["a", "b", "c", "d", "e"]


@BOTH
def test_failures_are_tried_again(backend: str, tmp_path: Path) -> None:
    """As often as `retries` says; the future has the last error."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with Executor(1, backend, retries=Retry(2, on=OSError, backoff=0.01)) as executor:
        assert executor.submit(tasks.fail_at_first, str(tmp_path / "a"), 2).result(30) == 2
        with pytest.raises(OSError, match="attempt 2"):
            executor.submit(tasks.fail_at_first, str(tmp_path / "b"), 5).result(30)
        with pytest.raises(ZeroDivisionError):
            executor.submit(divmod, 1, 0).result(30)


def test_the_one_who_waits_tries_again(tmp_path: Path) -> None:
    """A thread that runs what it waits for keeps to `retries`."""
    with Executor(1, "threads", retries=2) as executor:
        inner = executor.submit(lambda: executor.submit(tasks.fail_at_first, str(tmp_path), 2).result())
        assert inner.result(30) == 2


def test_a_call_that_pauses_is_run_by_who_waits_for_it(tmp_path: Path) -> None:
    """Its pause would end with no free thread to run it."""

    def waits() -> int:
        assert failed.wait(30)
        return paused.result()

    failed = threading.Event()

    def fail() -> int:
        if failed.is_set():
            return 1
        failed.set()
        raise OSError

    with Executor(1, "threads", retries=Retry(1, backoff=0.2)) as executor:
        paused = executor.submit(fail)
        assert executor.submit(waits).result(30) == 1


def test_a_late_call_fails_alone(gate: str) -> None:
    """`task_timeout` ends its worker."""
    with Executor(1, task_timeout=0.2) as executor:
        late, other = executor.submit(through, gate), executor.submit(square, 3)
        with pytest.raises(TaskTimeout, match=r"0\.2"):
            late.result(30)
        assert other.result(30) == 9


@BOTH
def test_an_initializer_runs_once_in_each_worker(backend: str) -> None:
    """Before its first call."""
    tasks.COUNT.clear()
    with Executor(2, backend, initializer=tasks.set_up, initargs=(4,)) as executor:
        found = dict(executor.submit(tasks.set_ups).result(30) for _ in range(10))
    if backend == "processes":
        assert all(count == [4] for count in found.values())
    else:
        assert 1 <= len(tasks.COUNT) <= 2


@BOTH
def test_a_failing_initializer_breaks_the_executor(backend: str, gate: str) -> None:
    """All calls have its error, and no other is taken."""
    with Executor(1, backend, initializer=tasks.fail_to_set_up, initargs=(gate,)) as executor:
        futures = [executor.submit(square, x) for x in range(4)]
        let_through(gate)
        for future in futures:
            with pytest.raises(ConnectionError, match="no database"):
                future.result(30)
        with pytest.raises(EngineError, match="Make a new one") as caught:
            executor.submit(square, 1)
        assert isinstance(caught.value.__cause__, ConnectionError)


def test_workers_are_replaced() -> None:
    """After `max_tasks_per_worker` calls."""
    with Executor(1, max_tasks_per_worker=2) as executor:
        pids = [executor.submit(os.getpid).result(30) for _ in range(6)]
        assert [executor.submit(tasks.total, numpy.ones(3)).result(30) for _ in range(3)] == [3.0] * 3
    assert len(set(pids)) >= 3
    with Executor(2, worker_env={"LIGHTWORK_TEST": "yes"}) as executor:
        assert executor.submit(os.getenv, "LIGHTWORK_TEST").result(30) == "yes"


@BOTH
def test_output_is_captured(backend: str) -> None:
    """With the number of the call."""
    lines: list[tuple[int, str, str]] = []
    with Executor(2, backend, capture_output=lambda *line: lines.append(line)) as executor:
        for text in "abc":
            executor.submit(tasks.say, text).result(30)
    assert lines == [(0, "stdout", "a\n"), (1, "stdout", "b\n"), (2, "stdout", "c\n")]


def test_records_come_here(caplog: pytest.LogCaptureFixture) -> None:
    """What a worker process logs is handled in this one."""
    with caplog.at_level(logging.WARNING), Executor(1) as executor:
        executor.submit(lambda: logging.getLogger("tests.executor").warning("hello")).result(30)
    assert "hello" in caplog.text


VARIABLE: ContextVar[str] = ContextVar("VARIABLE", default="none")


@BOTH
def test_context_variables_are_those_of_where_it_was_made(backend: str) -> None:
    """Not those of whoever submits first."""
    before = VARIABLE.set("made")
    executor = Executor(1, backend)
    VARIABLE.set("submitted")
    with executor:
        assert executor.submit(VARIABLE.get).result(30) == "made"
    VARIABLE.reset(before)


@BOTH
def test_calls_are_a_level_deeper_and_share_the_cores(backend: str) -> None:
    """As tasks of `Parallel` are and do."""
    with Executor(2, backend) as executor:
        places = {executor.submit(tasks.place).result(30) for _ in range(10)}
    assert {place[:2] for place in places} == {(1, max(1, cpu_count() // 2))}
    assert {place[2] for place in places} <= {0, 1}


def test_the_backend_is_chosen_as_that_of_parallel() -> None:
    """Processes by default; in tasks threads, and those too where nothing parallel runs."""
    assert (Executor().backend, Executor().n_jobs) == ("processes", 1)
    assert Executor(3, "sequential").backend == "threads"
    assert Executor(3, "sequential").n_jobs == 1
    with Executor(1) as executor:
        assert executor.submit(lambda: Executor(2).backend).result(30) == "threads"
    with concurrent.futures.ThreadPoolExecutor(2) as pool, Executor(2, pool) as executor:
        assert list(executor.map(square, range(5))) == [0, 1, 4, 9, 16]


WRONG: list[dict[str, Any]] = [
    {"n_jobs": 0},
    {"backend": "nobody"},
    {"backend": "threads", "task_timeout": 1},
    {"backend": "threads", "max_tasks_per_worker": 1},
    {"retries": -1},
    {"mmap_mode": "w+"},
    {"initargs": (1,)},
    {"capture_output": "all"},
    {"max_worker_memory": 0},
]


@pytest.mark.parametrize("options", WRONG, ids=lambda options: " ".join(options))
def test_options_are_checked(options: Any) -> None:
    """When the executor is made."""
    with pytest.raises(InvalidOption):
        Executor(**options)


def test_unknown_options_are_refused() -> None:
    """As Python refuses them."""
    made: Any = Executor
    with pytest.raises(TypeError, match="max_workers"):
        made(max_workers=2)
