"""Backends as others write them for joblib: against joblib's protocol, without a look at lightwork."""

import contextlib
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

# Any throughout: the protocol has no types.


class Workers:
    """Two processes that are kept between calls, and replaced after one that was given up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None

    def submit(self, call: Callable[[], Any]) -> "Future[Any]":
        with self._lock:
            if self._pool is None:
                self._pool = ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("forkserver"))
            return self._pool.submit(call)

    def kill(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            for process in list((pool._processes or {}).values()):  # what joblib's own backends do, too
                process.kill()
            pool.shutdown(wait=True, cancel_futures=True)

    def end(self) -> None:
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)


def process_backend(base: Any, workers: Workers, notes: list[str]) -> Any:
    """A class of backends with callbacks on these workers. What is called is noted."""

    class NotedBackend(base):  # type: ignore[misc]  # Any
        supports_retrieve_callback = True

        def effective_n_jobs(self, n_jobs: int) -> int:
            return 2 if n_jobs < 0 else min(n_jobs, 2)

        def configure(
            self,
            n_jobs: int = 1,
            parallel: Any = None,
            prefer: Any = None,
            require: Any = None,
            **options: Any,
        ) -> int:
            notes.append("configure")
            self.parallel = parallel
            return self.effective_n_jobs(n_jobs)

        def start_call(self) -> None:
            notes.append("start_call")

        def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
            notes.append("submit")
            future = workers.submit(func)
            if callback is not None:
                future.add_done_callback(callback)
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            return out.result()

        @contextlib.contextmanager
        def retrieval_context(self) -> Iterator[None]:
            notes.append("retrieval_context")
            yield

        def batch_completed(self, batch_size: int, duration: float) -> None:
            notes.append(f"batch_completed {batch_size}")

        def abort_everything(self, ensure_ready: bool = True) -> None:
            notes.append(f"abort_everything {ensure_ready}")
            workers.kill()

        def stop_call(self) -> None:
            notes.append("stop_call")

        def terminate(self) -> None:
            notes.append("terminate")

    return NotedBackend


def thread_backend(base: Any) -> Any:
    """A class of backends whose tasks share the caller's memory."""

    class SharingBackend(base):  # type: ignore[misc]  # Any
        supports_retrieve_callback = True
        supports_sharedmem = True
        uses_threads = True
        _pool: Any = None

        def effective_n_jobs(self, n_jobs: int) -> int:
            return 2 if n_jobs < 0 else n_jobs

        def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
            self._pool = ThreadPoolExecutor(self.effective_n_jobs(n_jobs))
            return int(super().configure(n_jobs, parallel, **options))

        def submit(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
            future = self._pool.submit(func)
            if callback is not None:
                future.add_done_callback(callback)
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            return out.result()

        def terminate(self) -> None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    return SharingBackend


class BareBackend:
    """The protocol and no base class, in its older form: `apply_async`, and results that are asked for."""

    def __init__(self, nesting_level: int | None = None, workers: int = 2) -> None:
        self.nesting_level = nesting_level
        self.workers = workers
        self.pool: Any = None

    def effective_n_jobs(self, n_jobs: int) -> int:
        return self.workers if n_jobs < 0 else min(n_jobs, self.workers)

    def configure(self, n_jobs: int = 1, parallel: Any = None, **options: Any) -> int:
        self.pool = multiprocessing.get_context("forkserver").Pool(self.effective_n_jobs(n_jobs))
        return self.effective_n_jobs(n_jobs)

    def apply_async(self, func: Callable[[], Any], callback: Callable[[Any], None] | None = None) -> Any:
        return self.pool.apply_async(func, callback=callback)  # which no error comes to

    def retrieve_result(self, out: Any, timeout: float | None = None) -> Any:
        return out.get(timeout)

    def terminate(self) -> None:
        self.pool.terminate()
        self.pool.join()
