"""BLAS and OpenMP in the workers of parallel calls."""

import logging
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import threadpoolctl

from lightwork.engines.processes.options import shared_limits
from lightwork.engines.workers.environment import THREAD_LIMITS
from lightwork.parallel import Parallel, delayed, parallel_config
from lightwork.system.numeric import NumericThreads

SOURCE = Path(__file__).resolve().parents[3] / "src"


def blas() -> set[int]:
    """How many threads each numeric library that is loaded may use."""
    np.ones((2, 2)) @ np.ones((2, 2))
    return {
        library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"
    }


@pytest.fixture(autouse=True)
def three() -> Iterator[None]:
    """Outside of calls three threads are allowed, whatever the machine has."""
    with threadpoolctl.threadpool_limits(3):
        yield


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_limit_holds_in_tasks_and_only_there(backend: str, n_jobs: int) -> None:
    """Whatever runs the tasks; afterwards the libraries may use what they could before."""
    assert Parallel(n_jobs, backend, inner_max_num_threads=1)([delayed(blas)()] * 4) == [{1}] * 4
    assert blas() == {3}


def test_a_configured_limit_holds() -> None:
    """`parallel_config` can name it as well."""
    with parallel_config("threads", inner_max_num_threads=1):
        assert Parallel(2)([delayed(blas)()] * 4) == [{1}] * 4
        assert Parallel(2, inner_max_num_threads=2)([delayed(blas)()] * 4) == [{2}] * 4


def test_by_default_threads_share_the_cores() -> None:
    """Each thread of a call gets the cores over the threads, never less than one."""
    assert Parallel(1000, "threads")([delayed(blas)()] * 4) == [{1}] * 4
    assert blas() == {3}


def test_a_limit_never_raises_what_the_user_has_set() -> None:
    """It is the most that may be used."""
    with threadpoolctl.threadpool_limits(1):
        assert Parallel(2, "threads", inner_max_num_threads=8)([delayed(blas)()] * 2) == [{1}] * 2


@pytest.mark.parametrize(("n_jobs", "backend"), [(1, "processes"), (2, "threads")])
def test_a_task_that_fails_leaves_no_limit(n_jobs: int, backend: str) -> None:
    """What was there before comes back after an error, too."""
    with pytest.raises(ValueError, match="invalid literal"):
        Parallel(n_jobs, backend, inner_max_num_threads=1)([delayed(int)("x")])
    for thread in threading.enumerate():  # of the call: it may be on its way out
        if re.fullmatch(r"lightwork-\d+", thread.name):
            thread.join()
    assert blas() == {3}


def test_between_two_results_of_a_generator_there_is_no_limit() -> None:
    """With one worker the tasks run in the caller's thread, and their limit is not the caller's."""
    results = Parallel(1, return_as="generator", inner_max_num_threads=1)(delayed(blas)() for _ in range(3))
    for found in results:
        assert (found, blas()) == ({1}, {3})


def test_the_smallest_limit_of_several_calls_holds() -> None:
    """Libraries have one number for the process; what was first comes back with the last."""
    numeric = NumericThreads()
    other, both = threading.Event(), threading.Event()

    def limit() -> None:
        numeric.limit(1)
        both.set()
        other.wait(10)
        numeric.put_back()

    thread = threading.Thread(target=limit)
    numeric.limit(2)
    thread.start()
    both.wait(10)
    assert blas() == {1}
    numeric.put_back()
    assert blas() == {1}
    other.set()
    thread.join()
    assert blas() == {3}
    numeric.put_back()  # nothing to undo
    assert blas() == {3}


@pytest.mark.parametrize(
    ("variables", "share", "is_task", "expected"),
    [
        ({}, 4, False, "4"),
        ({"OMP_NUM_THREADS": "7"}, 4, False, None),
        ({"OMP_NUM_THREADS": "7"}, 4, True, "4"),
        ({"OMP_NUM_THREADS": "2"}, 4, True, "2"),
        ({"OMP_NUM_THREADS": "4,2"}, 3, True, "3"),
        ({}, 3, True, "3"),
    ],
)
def test_what_the_user_has_set_stays(variables: Any, share: int, is_task: bool, expected: str | None) -> None:
    """Outside of tasks it wins over our default; in a task it may be the share of the task."""
    limits = shared_limits(variables, share, is_task=is_task)
    assert limits.get("OMP_NUM_THREADS") == expected
    assert {limits[name] for name in THREAD_LIMITS[1:]} == {str(share)}


def test_variables_of_the_user_reach_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set wins over the default, and a limit that is named over the variable."""
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    ask = [delayed(os.getenv)("OPENBLAS_NUM_THREADS")]
    assert Parallel(1000)(ask) == ["2"]
    assert Parallel(2, inner_max_num_threads=1)(ask) == ["1"]


MISSING = """
import logging, sys
sys.modules["threadpoolctl"] = None
import numpy
from lightwork import Parallel, delayed
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
for _ in range(2):
    Parallel(2, "threads")([delayed(abs)(-1)] * 2)
for n_jobs, backend in ((2, "threads"), (1, "processes")):
    try:
        Parallel(n_jobs, backend, inner_max_num_threads=1)
    except ImportError as error:
        print(error)
Parallel(2, "processes", inner_max_num_threads=1)([delayed(abs)(-1)] * 2)
"""


def test_without_threadpoolctl_a_limit_is_an_error_and_the_default_one_log_line() -> None:
    """Who names a limit is told how to get it; processes need none of it."""
    found = subprocess.run(
        [sys.executable, "-W", "error", "-c", MISSING],
        capture_output=True, text=True, timeout=30, env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )  # fmt: skip
    assert found.stderr == ""
    said, *errors = found.stdout.splitlines()
    assert said.startswith("threadpoolctl is not installed: BLAS and OpenMP use all cores in each thread")
    assert len(errors) == 2
    for error in errors:
        assert error.startswith("inner_max_num_threads=1 in threads of this process needs 'threadpoolctl'")
        assert error.endswith("pip install 'lightwork[threads]'")


@pytest.mark.parametrize(("has_lock", "expected"), [(True, "processes"), (False, "threads")])
def test_auto_chooses_by_the_interpreter_and_says_why(
    has_lock: bool, expected: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Threads where they run in parallel, else processes; one line of level INFO."""
    monkeypatch.setattr(sys, "_is_gil_enabled", lambda: has_lock, raising=False)
    caplog.set_level(logging.INFO, "lightwork")
    call = Parallel(2, "auto")
    assert call.backend == expected
    (record,) = caplog.records
    assert record.getMessage().startswith(f"backend='auto' is '{expected}': this interpreter runs ")
    assert call([delayed(abs)(-2)] * 3) == [2, 2, 2]


def test_auto_nests_as_calls_that_name_nothing() -> None:
    """In a task it means threads."""
    assert Parallel(2, "threads")([delayed(lambda: Parallel(2, "auto").backend)()]) == ["threads"]
