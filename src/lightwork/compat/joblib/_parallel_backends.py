"""Where `Parallel` runs its batches: joblib's backends and the base classes of those of others.

A backend's `submit` takes a batch and a callback, and calls that once when the batch is done; all of them go
one way, those here and those of third parties.
"""

import contextlib
import gc
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from ...engines.registry import engine
from ...engines.workers.environment import NUMERIC_LIMITS
from ...parallel.crew import Crew
from ...parallel.task import TaskRunner
from ...protocols import SessionRequest
from ...system.optional import loaded
from ._batching import AutoBatchingMixin
from ._multiprocessing_helpers import mp
from ._utils import _retrieve_traceback_capturing_wrapped_call, _TracebackCapturingWrapper
from .executor import MemmappingExecutor, get_memmapping_executor
from .externals.loky import cpu_count
from .externals.loky.process_executor import PLACE, ShutdownExecutorError
from .pool import MemmappingPool

__all__ = [
    "AutoBatchingMixin",
    "FallbackToBackend",
    "LokyBackend",
    "MultiprocessingBackend",
    "ParallelBackendBase",
    "PoolManagerMixin",
    "SequentialBackend",
    "ThreadingBackend",
]

Callback = Callable[[Any], None]  # Any: whatever a backend makes of a batch that is done


class FallbackToBackend(Exception):
    """Raised by `ParallelBackendBase.configure`: another backend shall do it."""

    def __init__(self, backend: "ParallelBackendBase") -> None:
        super().__init__(backend)
        self.backend = backend


class ParallelBackendBase:
    """What `Parallel` asks of a backend. Any: options and results are the backends' own."""

    default_n_jobs = 1
    supports_inner_max_num_threads = False
    supports_retrieve_callback = False
    nesting_level: int | None = None
    MAX_NUM_THREADS_VARS = NUMERIC_LIMITS
    TBB_ENABLE_IPC_VAR = "ENABLE_IPC"
    parallel: Any = None

    def __init__(
        self,
        nesting_level: int | None = None,
        inner_max_num_threads: int | None = None,
        **backend_kwargs: Any,
    ) -> None:
        super().__init__()
        self.nesting_level = nesting_level
        self.inner_max_num_threads = inner_max_num_threads
        self.backend_kwargs = backend_kwargs

    @property
    def supports_return_generator(self) -> bool:
        """Whether results may be taken while calls go on."""
        return self.supports_retrieve_callback

    @property
    def supports_timeout(self) -> bool:
        """Whether ``Parallel(timeout=)`` has an effect."""
        return self.supports_retrieve_callback

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The number of workers that a request really gets."""
        raise NotImplementedError(f"{type(self).__name__} does not define effective_n_jobs")

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: Any = None,
        require: Any = None,
        **backend_kwargs: Any,
    ) -> int:
        """Get ready for a call; the number of workers."""
        self.parallel = parallel
        return self.effective_n_jobs(n_jobs)

    def submit(self, func: Callable[[], Any], callback: Callback | None = None) -> Any:
        """Schedule a batch."""
        warnings.warn(
            "`parallel_backend.apply_async` is deprecated: backends define `submit`.",
            DeprecationWarning,
            stacklevel=2,
        )
        return self.apply_async(func, callback)

    def apply_async(self, func: Callable[[], Any], callback: Callback | None = None) -> Any:
        """The older name of `submit`."""
        raise NotImplementedError(f"{type(self).__name__} defines neither submit nor apply_async")

    def retrieve_result_callback(self, out: Any) -> Any:
        """The results of a batch, given what the callback got; raises the error of its task."""
        raise NotImplementedError(f"{type(self).__name__} does not define retrieve_result_callback")

    def retrieve_result(self, out: Any, timeout: float | None = None) -> Any:
        """The results of a batch, given what `submit` returned: for backends whose callback brings none."""
        return out.get(timeout=timeout) if self.supports_timeout else out.get()

    def start_call(self) -> None:
        """A call begins."""

    def stop_call(self) -> None:
        """A call has ended, one way or the other."""

    def terminate(self) -> None:
        """Give back what `configure` took."""

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Drop all that runs; with `ensure_ready` be ready for the next call."""

    def compute_batch_size(self) -> int:
        """Tasks for the next batch, if nobody else says."""
        return 1

    def batch_completed(self, batch_size: int, duration: float) -> None:
        """A batch has ended well, `duration` seconds after it was submitted."""

    def get_nested_backend(self) -> tuple["ParallelBackendBase", int | None]:
        """What calls in tasks use: threads on the first level, below that the task's own thread."""
        level = (getattr(self, "nesting_level", None) or 0) + 1
        if level > 1:
            return SequentialBackend(nesting_level=level), None
        return ThreadingBackend(nesting_level=level), None

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """Entered while results are waited for."""
        yield

    def _prepare_worker_env(self, n_jobs: int) -> dict[str, str]:
        """Variables of workers that keep their libraries from starting too many threads."""
        share = str(max(cpu_count() // n_jobs, 1))
        inner = getattr(self, "inner_max_num_threads", None)
        variables = {
            name: str(inner) if inner is not None else os.environ.get(name, share)
            for name in self.MAX_NUM_THREADS_VARS
        }
        if self.TBB_ENABLE_IPC_VAR not in os.environ:
            variables[self.TBB_ENABLE_IPC_VAR] = "1"
        return variables

    @staticmethod
    def in_main_thread() -> bool:
        """Whether this is the main thread, whatever it is called."""
        return threading.current_thread() is threading.main_thread()

    def _counted(self, n_jobs: int | None) -> int:
        """The workers for a request, where nothing else limits them."""
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        if mp is None or n_jobs is None:
            return 1
        return max(cpu_count() + 1 + n_jobs, 1) if n_jobs < 0 else n_jobs


class SequentialBackend(ParallelBackendBase):
    """Runs tasks one after the other, where the call is made."""

    uses_threads = True
    supports_sharedmem = True
    supports_timeout = False
    supports_retrieve_callback = False

    def effective_n_jobs(self, n_jobs: int) -> int:
        """One."""
        self._counted(n_jobs)
        return 1

    def submit(self, func: Callable[[], Any], callback: Callback | None = None) -> Any:
        """Not for this one: `Parallel` runs its tasks itself."""
        raise RuntimeError("a SequentialBackend is never submitted to")

    def retrieve_result_callback(self, out: Any) -> Any:
        """As `submit`."""
        raise RuntimeError("a SequentialBackend is never submitted to")

    def get_nested_backend(self) -> tuple[ParallelBackendBase, int | None]:
        """What is active anyway: this is no level of its own."""
        # Loaded wherever backends are asked; it imports this module.
        return loaded(f"{__package__}.parallel").get_active_backend()  # type: ignore[no-any-return]


class PoolManagerMixin:
    """Backends on a pool with `apply_async`. Any: pools and their results."""

    _pool: Any = None
    parallel: Any
    configure: Callable[..., int]
    """Of the base class."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As many as asked for."""
        return self._counted(n_jobs)  # type: ignore[attr-defined,no-any-return]  # of the base class

    def terminate(self) -> None:
        """End the pool."""
        if self._pool is not None:
            self._pool.close()
            self._pool.terminate()
            self._pool = None

    def _get_pool(self) -> Any:
        """The pool, made now if need be."""
        return self._pool

    def submit(self, func: Callable[[], Any], callback: Callback | None = None) -> Any:
        """Hand a batch to the pool."""
        return self._get_pool().apply_async(
            _TracebackCapturingWrapper(func), (), callback=callback, error_callback=callback
        )

    def retrieve_result_callback(self, out: Any) -> Any:
        """Its results, or the error of its task."""
        if isinstance(out, BaseException):  # of the pool itself
            raise out
        return _retrieve_traceback_capturing_wrapped_call(out)

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """End the pool, with a new one if another call will follow."""
        self.terminate()
        if ensure_ready:
            _configure_again(self)


class ThreadingBackend(PoolManagerMixin, ParallelBackendBase):
    """Threads of this process: tasks see the caller's own objects."""

    supports_retrieve_callback = True
    uses_threads = True
    supports_sharedmem = True
    _n_jobs = 1
    _crew: Crew | None = None

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: Any = None,
        require: Any = None,
        **backend_kwargs: Any,
    ) -> int:
        """As in the base class. Threads are started with the first batch."""
        n_jobs = _several(self, n_jobs)
        self.parallel = parallel
        self._n_jobs = n_jobs
        return n_jobs

    def submit(self, func: Callable[[], Any], callback: Callback | None = None) -> Any:
        """Hand a batch to the next thread that has nothing to do."""
        if type(self)._get_pool is not PoolManagerMixin._get_pool or self._pool is not None:
            return super().submit(func, callback)  # a pool of somebody else's
        if self._crew is None:
            request = SessionRequest(self._n_jobs, TaskRunner(0), None, {})
            self._crew = Crew(engine("threads"), request, explain=lambda error: error)
        return _submitted(self._crew.submit((func, (), {})), callback)

    def retrieve_result_callback(self, out: Any) -> Any:
        """As in the base class."""
        return out.result() if isinstance(out, Future) else super().retrieve_result_callback(out)

    def terminate(self) -> None:
        """Let the threads go; one that is in a task ends after it."""
        super().terminate()
        crew, self._crew = self._crew, None
        if crew is not None:
            crew.dismiss(abort=not crew.is_idle())


class MultiprocessingBackend(PoolManagerMixin, AutoBatchingMixin, ParallelBackendBase):
    """Processes of a `multiprocessing.Pool`, which are started for each call."""

    supports_retrieve_callback = True
    supports_return_generator = False

    def effective_n_jobs(self, n_jobs: int) -> int:
        """1 where pools cannot be had: in daemons, in workers, in threads that have tasks."""
        wanted = self._counted(n_jobs)
        if mp is None or wanted == 1 or n_jobs == 1:
            return wanted
        if mp.current_process().daemon:
            return _told_one(
                _in_daemon("Multiprocessing-backed parallel loops cannot be nested, setting n_jobs=1")
            )
        if PLACE.depth > 0:
            return _told_one(
                "Multiprocessing-backed parallel loops cannot be nested below loky, setting n_jobs=1"
            )
        if not (self.in_main_thread() or self.nesting_level == 0):
            return _told_one(
                "Multiprocessing-backed parallel loops cannot be nested below threads, setting n_jobs=1"
            )
        return wanted

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: Any = None,
        require: Any = None,
        **memmapping_pool_kwargs: Any,
    ) -> int:
        """Start the pool."""
        n_jobs = _several(self, n_jobs)
        options = {**getattr(self, "backend_kwargs", {}), **memmapping_pool_kwargs}
        gc.collect()  # what is garbage here would be copied into each worker
        self._pool = MemmappingPool(n_jobs, **options)
        self.parallel = parallel
        return n_jobs

    def terminate(self) -> None:
        """End the pool and forget how long its batches took."""
        super().terminate()
        self.reset_batch_stats()


class LokyBackend(AutoBatchingMixin, ParallelBackendBase):
    """lightwork's worker processes, which are kept between calls."""

    supports_retrieve_callback = True
    supports_inner_max_num_threads = True
    _workers: MemmappingExecutor | None = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        """1 where workers cannot be had: in daemons, in threads that have tasks."""
        wanted = self._counted(n_jobs)
        if mp is None or wanted == 1 or n_jobs == 1:
            return wanted
        if mp.current_process().daemon:
            return _told_one(
                _in_daemon(
                    "Loky-backed parallel loops cannot be called in a multiprocessing with daemon=True, "
                    "setting n_jobs=1"
                )
            )
        if not (self.in_main_thread() or self.nesting_level == 0):
            return _told_one("Loky-backed parallel loops cannot be nested below threads, setting n_jobs=1")
        return wanted

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: Any = None,
        require: Any = None,
        idle_worker_timeout: float | None = None,
        **memmapping_executor_kwargs: Any,
    ) -> int:
        """Get an executor. Workers are started, or found again, with the first batch."""
        n_jobs = _several(self, n_jobs)
        options = {**getattr(self, "backend_kwargs", {}), **memmapping_executor_kwargs}
        patience = options.pop("idle_worker_timeout", idle_worker_timeout)
        if "timeout" in options:
            raise ValueError(
                "The 'timeout' parameter is not supported by the loky backend: use idle_worker_timeout"
            )
        self._workers = get_memmapping_executor(
            n_jobs, timeout=patience, env=self._prepare_worker_env(n_jobs), **options
        )
        self.parallel = parallel
        return n_jobs

    def start_call(self) -> None:
        """Arrays are looked at anew in each call."""
        if self._workers is not None:
            self._workers.begin()

    def submit(self, func: Callable[[], Any], callback: Callback | None = None) -> Any:
        """Hand a batch to the next worker that has nothing to do."""
        if self._workers is None:
            raise RuntimeError("the backend is not configured")
        return _submitted(self._workers.submit(func), callback)

    def retrieve_result_callback(self, out: Any) -> Any:
        """Its results, or the error of its task."""
        try:
            return out.result()
        except ShutdownExecutorError as error:
            raise RuntimeError(
                "The executor underlying Parallel has been shutdown: the call was given up, or somebody else "
                "shut it down."
            ) from error

    def terminate(self) -> None:
        """Give the workers back and remove the files that they were given."""
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.shutdown()
        self.reset_batch_stats()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Kill the workers that run something."""
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.shutdown(kill_workers=True)
        if ensure_ready:
            _configure_again(self)


def _several(backend: ParallelBackendBase, n_jobs: int) -> int:
    """The workers for a request, two or more. For one, tasks run where the call is made."""
    n_jobs = backend.effective_n_jobs(n_jobs)
    if n_jobs == 1:
        raise FallbackToBackend(SequentialBackend(nesting_level=backend.nesting_level))
    return n_jobs


def _configure_again(backend: Any) -> None:
    """Get a backend ready for the next call of the `Parallel` that has it."""
    parallel = backend.parallel
    backend.configure(n_jobs=parallel.n_jobs, parallel=parallel, **parallel._backend_kwargs)


def _submitted(future: "Future[Any]", callback: Callback | None) -> "Future[Any]":
    if callback is not None:
        future.add_done_callback(callback)
    return future


def _told_one(message: str) -> int:
    warnings.warn(message, stacklevel=4)
    return 1


def _in_daemon(message: str) -> str:
    """What to say in a daemonic process: how Dask's workers can be made others, or the message."""
    worker = loaded("distributed.worker")
    try:
        inside = worker is not None and worker.get_worker() is not None
    except ValueError:  # there is none
        inside = False
    if not inside:
        return message
    return (
        "Inside a Dask worker with daemon=True, setting n_jobs=1.\nPossible work-arounds:\n"
        "- dask.config.set({'distributed.worker.daemon': False})\n"
        "- set DASK_DISTRIBUTED__WORKER__DAEMON=False in the environment before creating the cluster"
    )
