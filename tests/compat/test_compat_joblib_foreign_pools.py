"""Backends of others on pools of their own, put in the place of `multiprocessing`'s, as ray does."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ClassVar

import numpy as np
import pytest

from lightwork.compat.joblib import parallel
from lightwork.compat.joblib.parallel import (
    MultiprocessingBackend,
    Parallel,
    delayed,
    register_parallel_backend,
)
from lightwork.compat.joblib.pool import PicklingPool


class FarPool:
    """A pool on other machines, say: it notes what it was made with, and gets calls to send them itself."""

    made: ClassVar[list[dict[str, Any]]] = []

    def __init__(self, processes: int | None = None, **options: Any) -> None:
        self.made.append(options)
        self._threads = ThreadPoolExecutor(processes)

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Any = (),
        kwargs: Any = None,
        callback: Any = None,
        error_callback: Any = None,
    ) -> Any:
        def done(future: "Future[Any]") -> None:
            error = future.exception()
            (callback if error is None else error_callback)(future.result() if error is None else error)

        future = self._threads.submit(func, *args, **(kwargs or {}))
        future.add_done_callback(done)
        return future

    def close(self) -> None:
        """Nothing comes after this."""

    def terminate(self) -> None:
        self._threads.shutdown()


class FarBackend(MultiprocessingBackend):
    """Exchanges the pool's base class when it is configured."""

    def configure(self, n_jobs: int = 1, parallel: Any = None, *args: Any, **options: Any) -> int:
        PicklingPool.__bases__ = (FarPool,)
        return super().configure(n_jobs, parallel, *args, **options)


@pytest.fixture
def far() -> Iterator[None]:
    """The backend is registered, and all that it has changed is put back."""
    before, bases = dict(parallel.BACKENDS), PicklingPool.__bases__
    FarPool.made.clear()
    register_parallel_backend("far", FarBackend)
    yield
    PicklingPool.__bases__ = bases
    parallel.BACKENDS.clear()
    parallel.BACKENDS.update(before)


def test_a_pool_of_others_runs_the_calls(far: None) -> None:
    """Results and errors come back through it."""
    assert Parallel(n_jobs=2, backend="far")(delayed(pow)(i, 2) for i in range(20)) == [
        i**2 for i in range(20)
    ]
    with pytest.raises(ZeroDivisionError):
        Parallel(n_jobs=2, backend="far")(delayed(divmod)(1, i) for i in (1, 0))
    assert FarPool.made


def test_a_pool_of_others_gets_arrays_and_not_files_of_this_machine(far: None) -> None:
    """Its workers may be anywhere: a large array is sent as the pool sends it, as in joblib."""
    array = np.zeros(1_000_000)
    kinds = Parallel(n_jobs=2, backend="far", max_nbytes=1000)(delayed(type)(array) for _ in range(2))
    assert kinds == [np.ndarray, np.ndarray]
