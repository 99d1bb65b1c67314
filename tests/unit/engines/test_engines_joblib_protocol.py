"""Backends that were written for joblib run calls of `lightwork.Parallel`."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pytest

from lightwork import Parallel, delayed, parallel_config, register_parallel_backend
from lightwork.errors import EngineError, InvalidOption
from tests.unit.engines.joblib_backends import BareBackend, Workers, process_backend, thread_backend

Base = joblib.parallel.ParallelBackendBase


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    workers = Workers()
    yield workers
    workers.end()


@pytest.fixture
def notes() -> list[str]:
    """What was called of the backend `noted`."""
    return []


@pytest.fixture
def noted(workers: Workers, notes: list[str]) -> Any:
    """The class of a backend of processes, registered under that name."""
    kind = process_backend(Base, workers, notes)
    register_parallel_backend("noted", kind)
    return kind


def test_a_registered_backend_is_called_in_joblibs_order(noted: type, notes: list[str]) -> None:
    """What is called around a call that ends well, and nothing else."""
    parallel = Parallel(n_jobs=2, backend="noted", batch_size=3)
    assert parallel(delayed(pow)(i, 2) for i in range(6)) == [0, 1, 4, 9, 16, 25]
    expected = ["configure", "start_call", "retrieval_context", "submit", "submit", "stop_call", "terminate"]
    assert notes == expected
    assert parallel.backend == "noted"


def test_after_an_error_everything_is_aborted(noted: type, notes: list[str]) -> None:
    """The error is that of the task, with the worker's traceback; the next call works."""
    with pytest.raises(ZeroDivisionError) as caught:
        Parallel(n_jobs=2, backend="noted")(delayed(divmod)(1, i) for i in (1, 0))
    assert "divmod" in str(caught.value.__notes__)
    assert notes[-3:] == ["abort_everything False", "stop_call", "terminate"]
    assert Parallel(n_jobs=2, backend="noted")(delayed(abs)(i) for i in (-1, -2)) == [1, 2]


def test_tasks_travel_as_to_other_workers_of_lightwork(noted: type) -> None:
    """Closures, arrays of their own, seeds and generators: none of that is the backend's to know."""
    array, factor = np.ones(100_000), 3

    def change(own: np.ndarray[Any, Any], i: int) -> tuple[int, float, bool]:
        own[0] += i
        return factor * i, float(own[0]), os.getpid() == parent

    parent = os.getpid()
    parallel = Parallel(n_jobs=2, backend="noted", return_as="generator", seed=7)
    results = parallel(delayed(change)(array, i) for i in range(4))
    assert list(results) == [(3 * i, 1.0 + i, False) for i in range(4)]
    assert array[0] == 1


def test_all_workers_of_a_backend_are_used_by_default(noted: type) -> None:
    """Who names a backend and no number wants its workers to work, not the caller's thread."""
    pids = Parallel(backend="noted")(delayed(os.getpid)() for _ in range(4))
    assert os.getpid() not in pids


def test_a_backend_that_fails_ends_the_call_and_is_named(noted: type) -> None:
    """The protocol does not say which worker is gone: there is no telling what is left."""
    with pytest.raises(EngineError, match=r"'noted' could not run a batch of tasks.*BrokenProcessPool"):
        Parallel(n_jobs=2, backend="noted")(delayed(os._exit)(3) for _ in range(2))


@pytest.mark.parametrize(
    "options",
    [
        {"task_timeout": 1},
        {"max_worker_memory": "1GB"},
        {"max_tasks_per_worker": 2},
        {"worker_env": {"A": "b"}},
        {"capture_output": "fd"},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_the_protocol_cannot_do_is_refused_by_name(noted: type, options: dict[str, Any]) -> None:
    """Before anything runs."""
    with pytest.raises(InvalidOption, match=f"{next(iter(options))}.*noted"):
        Parallel(n_jobs=2, backend="noted", **options)


def test_options_go_to_the_factory() -> None:
    """Those behind a registered name, in a call and in a configuration."""
    register_parallel_backend("bare", BareBackend)
    with parallel_config(backend="bare", workers=1):
        assert Parallel()(delayed(abs)(i) for i in (-1, -2)) == [1, 2]
    assert Parallel(backend="bare", workers=2)(delayed(abs)(i) for i in (-1, -2)) == [1, 2]
    with pytest.raises(TypeError, match=r"sandwich"):
        Parallel(backend="bare", sandwich=2)


def test_an_error_of_an_older_backend_is_asked_for() -> None:
    """Results come by `retrieve_result`, and so does what a pool keeps from the callback."""
    register_parallel_backend("bare", BareBackend)
    with pytest.raises(ZeroDivisionError):
        Parallel(n_jobs=2, backend="bare")([delayed(divmod)(1, 0)])


def test_tasks_on_threads_of_a_backend_see_the_callers_objects() -> None:
    """A backend that says so shares memory, and may be required to."""
    register_parallel_backend("sharing", thread_backend(Base))
    seen: list[int] = []
    Parallel(n_jobs=2, backend="sharing", require="sharedmem")(delayed(seen.append)(i) for i in range(4))
    assert sorted(seen) == [0, 1, 2, 3]


def test_a_backend_may_be_given_as_an_object() -> None:
    """It serves one call at a time, again and again."""
    begun, over = threading.Event(), threading.Event()
    with parallel_config(backend=thread_backend(Base)(), n_jobs=2):
        assert Parallel()(delayed(abs)(i) for i in (-1, -2)) == [1, 2]
        results = Parallel(return_as="generator")([delayed(_wait)(begun, over)])
        assert begun.wait(30)
        with pytest.raises(EngineError, match=r"'SharingBackend' is used by another call"):
            Parallel()([delayed(abs)(1)])
        over.set()
        assert list(results) == [True]
        assert Parallel()(delayed(abs)(i) for i in (-1, -2)) == [1, 2]


def _wait(begun: threading.Event, over: threading.Event) -> bool:
    begun.set()
    return over.wait(30)


def test_a_backend_that_names_another_in_its_place_is_followed() -> None:
    """To another backend; and where that runs one task at a time, into the caller's thread, as in joblib."""

    class Falling(thread_backend(Base)):  # type: ignore[misc]  # a class made by a function
        workers = 2

        def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
            raise joblib.parallel.FallbackToBackend(joblib.parallel.ThreadingBackend(nesting_level=0))

    assert Parallel(n_jobs=2, backend=Falling())(delayed(abs)(i) for i in (-1, -2)) == [1, 2]

    class Alone(Falling):
        def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
            raise joblib.parallel.FallbackToBackend(joblib.parallel.SequentialBackend(nesting_level=0))

    names = Parallel(n_jobs=2, backend=Alone())(delayed(_thread)() for _ in range(2))
    assert names == [threading.current_thread().name] * 2


def _thread() -> str:
    return threading.current_thread().name


def test_a_backend_without_workers_is_an_error() -> None:
    """As in joblib, with the name of the backend."""

    class Empty(thread_backend(Base)):  # type: ignore[misc]  # a class made by a function
        def effective_n_jobs(self, n_jobs: int) -> int:
            return 0

    with pytest.raises(EngineError, match=r"'Empty' has no active worker"):
        Parallel(n_jobs=2, backend=Empty())([delayed(abs)(1)])


def test_an_executor_may_be_registered() -> None:
    """A factory makes whatever `backend=` takes."""
    with ThreadPoolExecutor(2) as executor:
        register_parallel_backend("executor", lambda: executor)
        assert Parallel(backend="executor")(delayed(abs)(i) for i in (-1, -2)) == [1, 2]


def test_what_is_no_backend_is_refused(noted: type) -> None:
    """Names that are taken, what cannot be called, and what was made and has no protocol."""
    for name in ("loky", "processes", "threads", "auto", "dask", "sequential"):
        with pytest.raises(InvalidOption, match=f"{name}.*choose another"):
            register_parallel_backend(name, noted)
    bad: Any = 3
    with pytest.raises(InvalidOption, match=r"name=3"):
        register_parallel_backend(bad, noted)
    with pytest.raises(InvalidOption, match=r"factory=3 makes no backends"):
        register_parallel_backend("mine", bad)
    register_parallel_backend("mine", dict)
    with pytest.raises(InvalidOption, match=r"'mine'.*has made {}"):
        Parallel(n_jobs=2, backend="mine")
    with pytest.raises(InvalidOption, match=r"neither the name of a backend"):
        Parallel(n_jobs=2, backend=noted)  # type: ignore[arg-type]  # the class, not an object of it


def test_half_a_protocol_is_refused_with_what_is_missing() -> None:
    """The message names the methods."""

    class Half:
        def submit(self, func: Any, callback: Any = None) -> None: ...
        def configure(self, **options: Any) -> int:
            return 1

    backend: Any = Half()
    with pytest.raises(InvalidOption, match=r"it has no effective_n_jobs, retrieve_result"):
        Parallel(n_jobs=2, backend=backend)


def test_a_default_backend_runs_calls_that_name_none() -> None:
    """In a process of its own, since it stays."""
    program = """
import lightwork, threading
from concurrent.futures import ThreadPoolExecutor
executor = ThreadPoolExecutor(2, thread_name_prefix="mine")
lightwork.register_parallel_backend("mine", lambda: executor, make_default=True)
name = lambda: threading.current_thread().name[:4]
tasks = [lightwork.delayed(name)() for _ in range(3)]
assert lightwork.Parallel(n_jobs=2)(tasks) == ["mine"] * 3
assert lightwork.Parallel(n_jobs=2, backend="threads")(tasks) == ["ligh"] * 3
executor.shutdown()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
