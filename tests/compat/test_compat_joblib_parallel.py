"""joblib's `Parallel` on lightwork, and the places where others reach into it."""

import multiprocessing
import operator
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lightwork.compat.joblib import parallel
from lightwork.compat.joblib._parallel_backends import ParallelBackendBase
from lightwork.compat.joblib.externals.loky import get_reusable_executor
from lightwork.compat.joblib.externals.loky.process_executor import BrokenProcessPool, TerminatedWorkerError
from lightwork.compat.joblib.parallel import (
    BatchCompletionCallBack,
    LokyBackend,
    Parallel,
    delayed,
    effective_n_jobs,
    get_active_backend,
    parallel_backend,
    parallel_config,
    register_parallel_backend,
)

WITH_WORKERS = ["loky", "threading", "multiprocessing"]


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    """Registers backends, and puts the table back afterwards."""
    before, default = dict(parallel.BACKENDS), parallel.DEFAULT_BACKEND
    yield register_parallel_backend
    parallel.BACKENDS.clear()
    parallel.BACKENDS.update(before)
    parallel.DEFAULT_BACKEND = default


class AtOnce(ParallelBackendBase):
    """A third party's backend: runs a batch when it is submitted, and answers through the callback."""

    supports_retrieve_callback = True

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.heard: list[str] = []

    def effective_n_jobs(self, n_jobs: int) -> int:
        return 2

    def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        self.heard.append("submit")
        results = func()
        assert callback is not None
        callback(results)
        return results

    def retrieve_result_callback(self, out: Any) -> Any:
        return out

    def start_call(self) -> None:
        self.heard.append("start")

    def stop_call(self) -> None:
        self.heard.append("stop")

    def terminate(self) -> None:
        self.heard.append("terminate")


class Asked(ParallelBackendBase):
    """An old backend: `apply_async` alone, and results that are asked for."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        return 2

    def apply_async(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        results = func()

        class Answer:
            def get(self) -> Any:
                return results

        if callback is not None:
            callback(results)
        return Answer()


@pytest.mark.parametrize("backend", [*WITH_WORKERS, "sequential"])
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_results_come_in_the_order_of_the_input(backend: str, return_as: str) -> None:
    """Whatever the backend."""
    if (backend, return_as) == ("multiprocessing", "generator"):
        with pytest.raises(ValueError, match="does not support return_as"):
            Parallel(2, backend=backend, return_as=return_as)
        return
    call = Parallel(2, backend=backend, return_as=return_as)
    assert list(call(delayed(operator.neg)(n) for n in range(30))) == [-n for n in range(30)]


@pytest.mark.parametrize("backend", [*WITH_WORKERS, "sequential"])
def test_a_call_of_nothing_is_empty(backend: str) -> None:
    """Nobody waits for what was never sent."""
    assert Parallel(2, backend=backend)([]) == []


@pytest.mark.parametrize("backend", WITH_WORKERS)
def test_an_error_is_that_of_the_task_and_the_object_works_again(backend: str) -> None:
    """Inside of a block too."""
    with Parallel(2, backend=backend) as call:
        with pytest.raises(ZeroDivisionError):
            call(delayed(operator.truediv)(1, n) for n in (1, 0, 1))
        assert call(delayed(operator.neg)(n) for n in range(3)) == [0, -1, -2]


@pytest.mark.parametrize("backend", WITH_WORKERS)
def test_a_callback_that_was_put_in_the_place_of_joblibs_hears_of_each_batch(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recipe of progress bars: a subclass, assigned to the module."""
    seen: list[int] = []

    class Counting(BatchCompletionCallBack):
        def __call__(self, *args: Any, **kwargs: Any) -> None:
            seen.append(self.batch_size)
            return super().__call__(*args, **kwargs)

    monkeypatch.setattr(parallel, "BatchCompletionCallBack", Counting)
    Parallel(2, backend=backend, batch_size=3)(delayed(operator.neg)(n) for n in range(12))
    assert sum(seen) == 12
    assert max(seen) == 3


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_overridden_print_progress_is_called(n_jobs: int) -> None:
    """After each task of one worker, after each batch of several, quiet or not."""

    class Progress(Parallel):
        def print_progress(self) -> None:
            counts.append(self.n_completed_tasks)

    counts: list[int] = []
    Progress(n_jobs, batch_size=1)(delayed(operator.neg)(n) for n in range(5))
    assert sorted(set(counts)) == [1, 2, 3, 4, 5]


def test_the_table_of_backends_is_read_at_each_call(registered: Callable[..., None]) -> None:
    """A name that is assigned, and the default."""
    made: list[Any] = []

    class Noted(LokyBackend):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            made.append(self)

    parallel.BACKENDS["loky"] = Noted
    assert Parallel(2)(delayed(operator.neg)(n) for n in range(3)) == [0, -1, -2]
    assert made
    parallel.DEFAULT_BACKEND = "threading"
    assert type(get_active_backend()[0]).__name__ == "ThreadingBackend"


def test_a_registered_backend_is_called_as_joblib_calls_it(registered: Callable[..., None]) -> None:
    """By name, with its own options, in joblib's order."""
    registered("at once", AtOnce)
    with parallel_config("at once") as config:
        assert Parallel(pre_dispatch=2, batch_size=1)(delayed(operator.neg)(n) for n in range(4)) == [
            0,
            -1,
            -2,
            -3,
        ]
    assert config["backend"].heard == ["start", *["submit"] * 4, "stop", "terminate"]


def test_an_old_backend_is_asked_for_its_results(registered: Callable[..., None]) -> None:
    """With a warning that its method has another name now."""
    registered("asked", Asked, make_default=True)
    with pytest.warns(DeprecationWarning, match="apply_async"):
        assert Parallel(2)(delayed(operator.neg)(n) for n in range(9)) == [-n for n in range(9)]


def test_a_worker_that_dies_is_a_broken_pool() -> None:
    """Of joblib's class, and of the standard library's, with the exit code."""
    with pytest.raises(TerminatedWorkerError, match=r"EXIT\(3\)") as caught:
        Parallel(2)(delayed(os._exit)(3) for _ in range(2))
    assert isinstance(caught.value, BrokenProcessPool)
    assert Parallel(2)(delayed(operator.neg)(n) for n in range(3)) == [0, -1, -2]


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_timeout_is_of_multiprocessing_and_of_python(backend: str) -> None:
    """Both names catch it."""
    never = (
        multiprocessing.get_context("spawn").Event() if backend == "loky" else __import__("threading").Event()
    )
    wait = delayed(_wait_for_nothing) if backend == "loky" else delayed(never.wait)
    with pytest.raises(multiprocessing.TimeoutError) as caught:
        Parallel(2, backend=backend, timeout=0.05)(wait() for _ in range(2))
    never.set()
    assert isinstance(caught.value, TimeoutError)


def _wait_for_nothing() -> None:
    __import__("threading").Event().wait()


def test_settings_hold_in_a_block_and_in_tasks_what_the_backend_says() -> None:
    """joblib's rules of nesting: threads in workers, then the task's own thread."""
    with parallel_backend("threading", n_jobs=3) as (backend, n_jobs):
        assert (type(backend).__name__, n_jobs, effective_n_jobs(None)) == ("ThreadingBackend", 3, 3)
    levels = Parallel(2)(delayed(_levels)() for _ in range(2))
    assert levels == [["ThreadingBackend", "SequentialBackend"]] * 2


def _levels() -> list[str]:
    here = type(get_active_backend()[0]).__name__
    return [here, *Parallel(2)(delayed(_name)() for _ in range(2))[:1]]


def _name() -> str:
    return type(get_active_backend()[0]).__name__


def test_large_arrays_arrive_as_files_and_small_ones_do_not(tmp_path: Any) -> None:
    """Read-only by default; the folder is gone afterwards; arrays that changed are written again."""
    numpy = pytest.importorskip("numpy")
    array = numpy.ones(1000)
    with Parallel(2, max_nbytes=100, temp_folder=str(tmp_path)) as call:
        first = call(delayed(_describe)(array) for _ in range(3))
        array[:] = 2  # joblib itself sends the old content here
        second = call(delayed(_describe)(array) for _ in range(3))
    assert first == [("memmap", "r", 1000.0)] * 3
    assert second == [("memmap", "r", 2000.0)] * 3
    assert Parallel(2, max_nbytes=None)([delayed(_describe)(array)]) == [("ndarray", "", 2000.0)]
    assert os.listdir(tmp_path) == []


def _describe(array: Any) -> tuple[str, str, float]:
    return type(array).__name__, getattr(array, "mode", ""), float(array.sum())


def test_the_shared_executor_runs_what_cannot_be_imported() -> None:
    """And its end leaves Parallel able to go on."""
    executor = get_reusable_executor(max_workers=2)
    assert list(executor.map(lambda n: n + 1, range(5))) == [1, 2, 3, 4, 5]
    executor.shutdown(wait=True)
    assert Parallel(2)(delayed(lambda n: n + 1)(n) for n in range(2)) == [1, 2]


def _pass_or_wait(index: int, gate: Path) -> int:
    if index == 1:
        os.close(os.open(gate, os.O_RDONLY))  # a fifo: blocks until the other side opens it
    return index


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_no_task_waits_behind_a_long_one(tmp_path: Path, backend: str) -> None:
    """What was queued there goes to others, and is not given back to the worker that it was taken from."""
    for turn in range(10):
        gate = tmp_path / f"gate {turn}"
        os.mkfifo(gate)
        unordered = Parallel(4, backend, return_as="generator_unordered", pre_dispatch="all", batch_size=1)
        results = unordered(delayed(_pass_or_wait)(index, gate) for index in range(40))
        quick = sorted(next(results) for _ in range(39))
        os.close(os.open(gate, os.O_WRONLY))
        assert (quick, list(results)) == ([0, *range(2, 40)], [1])
