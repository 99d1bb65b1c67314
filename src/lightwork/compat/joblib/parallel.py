"""joblib's `Parallel`, its configuration and its backends.

Names of this module are looked up when they are used, since others assign to them: `BACKENDS`,
`DEFAULT_BACKEND`, `BatchCompletionCallBack`.
"""

import functools
import os
import time
import warnings
from collections.abc import Callable, Iterable
from multiprocessing import TimeoutError
from numbers import Integral
from typing import Any

from ...system.optional import imported, installed
from ._config import _backend, _get_config_param, default_parallel_config
from ._dispatching import DONE, ERROR, PENDING, Dispatcher
from ._memmapping_reducer import threshold
from ._multiprocessing_helpers import mp
from ._parallel_backends import (
    AutoBatchingMixin,
    FallbackToBackend,
    LokyBackend,
    MultiprocessingBackend,
    ParallelBackendBase,
    SequentialBackend,
    ThreadingBackend,
)
from ._utils import _Sentinel, eval_expr
from .externals import loky
from .logger import Logger, short_format_time

__all__ = [
    "BACKENDS",
    "AutoBatchingMixin",
    "BatchCompletionCallBack",
    "BatchedCalls",
    "FallbackToBackend",
    "Logger",
    "LokyBackend",
    "MultiprocessingBackend",
    "Parallel",
    "ParallelBackendBase",
    "SequentialBackend",
    "ThreadingBackend",
    "TimeoutError",
    "cpu_count",
    "delayed",
    "effective_n_jobs",
    "eval_expr",
    "get_active_backend",
    "mp",
    "parallel_backend",
    "parallel_config",
    "register_parallel_backend",
    "short_format_time",
]

# Any throughout: backends, tasks and results are others'.
BACKENDS: dict[str, Any] = {"threading": ThreadingBackend, "sequential": SequentialBackend}
DEFAULT_BACKEND = "threading"
MAYBE_AVAILABLE_BACKENDS = {"multiprocessing", "loky"}
if mp is not None:
    BACKENDS["multiprocessing"] = MultiprocessingBackend
    BACKENDS["loky"] = LokyBackend
    DEFAULT_BACKEND = "loky"
DEFAULT_THREAD_BACKEND = "threading"
DEFAULT_PROCESS_BACKEND = "loky" if mp is not None else "threading"

VALID_BACKEND_HINTS = ("processes", "threads", None)
VALID_BACKEND_CONSTRAINTS = ("sharedmem", None)
VALID_RETURN_AS = {"list", "generator", "generator_unordered"}


def _register_dask() -> None:
    if installed("distributed") is None:
        raise ValueError("Please install dask to use backend='dask'.")
    # Not before: it is for Dask alone, and imports this module.
    register_parallel_backend("dask", imported(f"{__package__}._dask").DaskDistributedBackend)


EXTERNAL_BACKENDS: dict[str, Callable[[], None]] = {"dask": _register_dask}

_method = os.environ.get("JOBLIB_START_METHOD", "").strip() or None
DEFAULT_MP_CONTEXT = None if mp is None or _method is None else mp.get_context(method=_method)


def _get_active_backend(
    prefer: Any = default_parallel_config["prefer"],
    require: Any = default_parallel_config["require"],
    verbose: Any = default_parallel_config["verbose"],
) -> tuple[Any, dict[str, Any]]:
    """The backend for a call made here, and the settings that hold."""
    config = getattr(_backend, "config", default_parallel_config)
    backend = _get_config_param(default_parallel_config["backend"], config, "backend")
    prefer = _get_config_param(prefer, config, "prefer")
    require = _get_config_param(require, config, "require")
    verbose = _get_config_param(verbose, config, "verbose")
    if prefer not in VALID_BACKEND_HINTS:
        raise ValueError(
            f"prefer={prefer} is not a valid backend hint, expected one of {VALID_BACKEND_HINTS}"
        )
    if require not in VALID_BACKEND_CONSTRAINTS:
        raise ValueError(
            f"require={require} is not a valid backend constraint, "
            f"expected one of {VALID_BACKEND_CONSTRAINTS}"
        )
    if prefer == "processes" and require == "sharedmem":
        raise ValueError("prefer == 'processes' and require == 'sharedmem' are inconsistent settings")
    explicit = backend is not None
    if backend is None:
        backend = BACKENDS[DEFAULT_BACKEND](nesting_level=0)
    uses_threads = getattr(backend, "uses_threads", False)
    shares = getattr(backend, "supports_sharedmem", False)
    lacks_sharing = require == "sharedmem" and not shares
    if lacks_sharing or (not explicit and prefer == "threads" and not uses_threads):
        threads = BACKENDS[DEFAULT_THREAD_BACKEND](nesting_level=backend.nesting_level)
        if verbose >= 10 and explicit:
            print(
                f"Using {type(threads).__name__} as joblib backend instead of {type(backend).__name__} as "
                "the latter does not provide shared memory semantics."
            )
        return threads, {**config, "n_jobs": 1}
    if not explicit and prefer == "processes" and uses_threads:
        return BACKENDS[DEFAULT_PROCESS_BACKEND](nesting_level=backend.nesting_level), dict(config)
    return backend, config


def get_active_backend(
    prefer: Any = default_parallel_config["prefer"],
    require: Any = default_parallel_config["require"],
    verbose: Any = default_parallel_config["verbose"],
) -> tuple[Any, int | None]:
    """The backend for a call made here, and its number of jobs if one is set."""
    backend, config = _get_active_backend(prefer, require, verbose)
    return backend, _get_config_param(default_parallel_config["n_jobs"], config, "n_jobs")


class parallel_config:
    """Settings for the calls of this thread, from now on or in a ``with`` block.

    Those that are not given stay as they are. `backend_params` go to the backend that `backend` names.
    """

    def __init__(
        self,
        backend: Any = default_parallel_config["backend"],
        *,
        n_jobs: Any = default_parallel_config["n_jobs"],
        verbose: Any = default_parallel_config["verbose"],
        temp_folder: Any = default_parallel_config["temp_folder"],
        max_nbytes: Any = default_parallel_config["max_nbytes"],
        mmap_mode: Any = default_parallel_config["mmap_mode"],
        prefer: Any = default_parallel_config["prefer"],
        require: Any = default_parallel_config["require"],
        inner_max_num_threads: int | None = None,
        **backend_params: Any,
    ) -> None:
        self.old_parallel_config = getattr(_backend, "config", default_parallel_config)
        given = {
            "backend": self._check_backend(backend, inner_max_num_threads, **backend_params),
            "n_jobs": n_jobs,
            "verbose": verbose,
            "temp_folder": temp_folder,
            "max_nbytes": max_nbytes,
            "mmap_mode": mmap_mode,
            "prefer": prefer,
            "require": require,
        }
        given = {name: value for name, value in given.items() if not isinstance(value, _Sentinel)}
        self.parallel_config = {**self.old_parallel_config, **given}
        _backend.config = self.parallel_config

    def _check_backend(self, backend: Any, inner_max_num_threads: int | None, **backend_params: Any) -> Any:
        if backend is None or isinstance(backend, _Sentinel):
            if inner_max_num_threads is not None or backend_params:
                raise ValueError(
                    "inner_max_num_threads and other constructor parameters backend_params are only "
                    "supported when backend is not None."
                )
            return default_parallel_config["backend"]
        if isinstance(backend, str):
            backend = _factory(backend)(**backend_params)
        elif backend_params:
            raise ValueError(
                "Constructor parameters backend_params are only supported when backend is a string."
            )
        elif isinstance(backend, type):
            raise ValueError(f"Invalid backend: {backend}, expected one of {sorted(BACKENDS)}")
        if inner_max_num_threads is not None:
            if not backend.supports_inner_max_num_threads:
                raise AssertionError(
                    f"{type(backend).__name__} does not accept setting the inner_max_num_threads argument."
                )
            backend.inner_max_num_threads = inner_max_num_threads
        if backend.nesting_level is None:
            parent = self.old_parallel_config["backend"]
            backend.nesting_level = 0 if isinstance(parent, _Sentinel) else parent.nesting_level
        return backend

    def __enter__(self) -> Any:
        return self.parallel_config

    def __exit__(self, *exc_info: object) -> None:
        self.unregister()

    def unregister(self) -> None:
        """Put back what held before."""
        _backend.config = self.old_parallel_config


class parallel_backend(parallel_config):
    """The older form of `parallel_config`: a backend and a number of jobs."""

    def __init__(
        self, backend: Any, n_jobs: int = -1, inner_max_num_threads: int | None = None, **backend_params: Any
    ) -> None:
        super().__init__(
            backend=backend, n_jobs=n_jobs, inner_max_num_threads=inner_max_num_threads, **backend_params
        )
        names = ("backend", "n_jobs")
        self.old_backend_and_jobs = (
            None
            if self.old_parallel_config is None
            else tuple(
                _get_config_param(default_parallel_config[n], self.old_parallel_config, n) for n in names
            )
        )
        self.new_backend_and_jobs = (self.parallel_config["backend"], self.parallel_config["n_jobs"])

    def __enter__(self) -> Any:
        return self.new_backend_and_jobs


def _factory(name: str) -> Any:
    """What makes the backend of a name."""
    if name in BACKENDS:
        return BACKENDS[name]
    if name in EXTERNAL_BACKENDS:
        EXTERNAL_BACKENDS[name]()
    elif name in MAYBE_AVAILABLE_BACKENDS:
        warnings.warn(
            f"joblib backend '{name}' is not available on your system, falling back to {DEFAULT_BACKEND}.",
            UserWarning,
            stacklevel=4,
        )
        BACKENDS[name] = BACKENDS[DEFAULT_BACKEND]
    else:
        raise ValueError(f"Invalid backend: {name}, expected one of {sorted(BACKENDS)}")
    return BACKENDS[name]


def register_parallel_backend(name: str, factory: Any, make_default: bool = False) -> None:
    """Make a backend known by name; with `make_default` calls that name none use it."""
    BACKENDS[name] = factory
    if make_default:
        global DEFAULT_BACKEND  # others read and assign it
        DEFAULT_BACKEND = name


def cpu_count(only_physical_cores: bool = False) -> int:
    """Cores that this process may use; 1 where there are no worker processes."""
    return 1 if mp is None else loky.cpu_count(only_physical_cores=only_physical_cores)


def effective_n_jobs(n_jobs: int | None = -1) -> int:
    """The number of workers that a call here would get for `n_jobs`."""
    if n_jobs == 1:
        return 1
    backend, backend_n_jobs = get_active_backend()
    if n_jobs is None:
        n_jobs = 1 if backend_n_jobs is None else backend_n_jobs
    return int(backend.effective_n_jobs(n_jobs=n_jobs))


def delayed(function: Callable[..., Any]) -> Callable[..., tuple[Any, ...]]:
    """A task in place of a call: ``delayed(f)(x)`` is ``(f, (x,), {})``."""

    def delayed_function(*args: Any, **kwargs: Any) -> tuple[Any, ...]:
        return function, args, kwargs

    try:
        return functools.wraps(function)(delayed_function)
    except (AttributeError, TypeError):  # callables of C with odd attributes; in Python 3.12 `type` itself
        return delayed_function


class BatchedCalls:
    """Several tasks, run one after the other in a worker. Calls in tasks use the backend that comes along."""

    def __init__(
        self,
        iterator_slice: Iterable[Any],
        backend_and_jobs: Any,
        reducer_callback: Callable[[], None] | None = None,
        pickle_cache: dict[Any, Any] | None = None,
    ) -> None:
        self.items = list(iterator_slice)
        self._size = len(self.items)
        self._reducer_callback = reducer_callback
        if isinstance(backend_and_jobs, tuple):
            self._backend, self._n_jobs = backend_and_jobs
        else:  # backends of before joblib 0.12
            self._backend, self._n_jobs = backend_and_jobs, None
        self._pickle_cache = {} if pickle_cache is None else pickle_cache

    def __call__(self) -> list[Any]:
        with parallel_config(backend=self._backend, n_jobs=self._n_jobs):
            return [func(*args, **kwargs) for func, args, kwargs in self.items]

    def __reduce__(self) -> tuple[Any, ...]:
        if self._reducer_callback is not None:
            self._reducer_callback()
        return BatchedCalls, (self.items, (self._backend, self._n_jobs), None, self._pickle_cache)

    def __len__(self) -> int:
        return self._size


class BatchCompletionCallBack:
    """What a backend calls when a batch is done: keeps its results, and sends the next batch."""

    def __init__(self, dispatch_timestamp: float, batch_size: int, parallel: Any) -> None:
        self.dispatch_timestamp = dispatch_timestamp
        self.batch_size = batch_size
        self.parallel = parallel
        self.call_id = parallel._call_id
        self.status = PENDING
        self.job: Any = None
        self._result: Any = None

    def register_job(self, job: Any) -> None:
        """Keep what the backend's `submit` returned."""
        self.job = job

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        parallel = self.parallel
        if self.call_id != parallel._call_id or parallel._aborting:
            return
        try:
            if parallel._backend.supports_retrieve_callback:
                self._result = parallel._backend.retrieve_result_callback(*args)
                self.status = DONE
                parallel._arrived(self)
            parallel._continue(self)
        except BaseException as error:  # noqa: BLE001 - a task's error, or one of the input's: the call gets it
            failed = self if self.status is PENDING else BatchCompletionCallBack(0.0, 0, parallel)
            failed._result, failed.status = error, ERROR
            parallel._fail(failed)

    def get_status(self, timeout: float | None) -> str:
        """Whether the batch is pending, done, or failed."""
        return self.status

    def get_result(self, timeout: float | None) -> Any:
        """The results, once they are there; or the error of a task."""
        if self.status == PENDING:  # a backend that is asked for them
            backend = self.parallel._backend
            return list(backend.retrieve_result(self.job, timeout=timeout))
        result, self._result = self._result, None
        if self.status == ERROR:
            try:
                raise result
            finally:
                del result  # or the traceback would hold itself
        return result


class Parallel(Dispatcher):
    """Runs tasks, made with `delayed`, by several workers. The parameters are joblib's.

    ``Parallel(n_jobs=2)(delayed(f)(i) for i in range(10))`` is ``[f(i) for i in range(10)]``.
    """

    def __init__(
        self,
        n_jobs: Any = default_parallel_config["n_jobs"],
        backend: Any = default_parallel_config["backend"],
        return_as: str = "list",
        verbose: Any = default_parallel_config["verbose"],
        timeout: float | None = None,
        pre_dispatch: Any = "2 * n_jobs",
        batch_size: Any = "auto",
        temp_folder: Any = default_parallel_config["temp_folder"],
        max_nbytes: Any = default_parallel_config["max_nbytes"],
        mmap_mode: Any = default_parallel_config["mmap_mode"],
        prefer: Any = default_parallel_config["prefer"],
        require: Any = default_parallel_config["require"],
        **backend_kwargs: Any,
    ) -> None:
        super().__init__()
        active, config = _get_active_backend(prefer=prefer, require=require, verbose=verbose)
        self.verbose = _get_config_param(verbose, config, "verbose")
        self.timeout = timeout
        self.pre_dispatch = pre_dispatch
        if return_as not in VALID_RETURN_AS:
            raise ValueError(f"Expected `return_as` parameter to be a string equal to {VALID_RETURN_AS}")
        self.return_as = return_as
        self.return_generator = return_as != "list"
        self.return_ordered = return_as != "generator_unordered"
        given = {
            "max_nbytes": max_nbytes,
            "temp_folder": temp_folder,
            "mmap_mode": mmap_mode,
            "prefer": prefer,
            "require": require,
            "verbose": verbose,
        }
        self._backend_kwargs = {
            **{name: _get_config_param(value, config, name) for name, value in given.items()},
            **backend_kwargs,
        }
        self._backend_kwargs["max_nbytes"] = threshold(self._backend_kwargs["max_nbytes"])
        self._backend_kwargs["verbose"] = max(0, self._backend_kwargs["verbose"] - 50)
        if mp is not None:
            self._backend_kwargs["context"] = DEFAULT_MP_CONTEXT or mp.get_context()
        self._backend = self._choose(backend, active)
        self._check(require, batch_size)
        self.n_jobs = self._requested(n_jobs, config)

    def _choose(self, backend: Any, active: Any) -> Any:
        if backend is None or backend is default_parallel_config["backend"]:
            return active
        level = active.nesting_level
        if isinstance(backend, ParallelBackendBase):
            if backend.nesting_level is None:
                backend.nesting_level = level
            return backend
        if hasattr(backend, "Pool") and hasattr(backend, "Lock"):  # multiprocessing, or a context of it
            self._backend_kwargs["context"] = backend
            return MultiprocessingBackend(nesting_level=level)
        if not isinstance(backend, str) or (
            backend not in BACKENDS and backend not in MAYBE_AVAILABLE_BACKENDS
        ):
            raise ValueError(f"Invalid backend: {backend}, expected one of {sorted(BACKENDS)}")
        return _factory(backend)(nesting_level=level)

    def _check(self, require: Any, batch_size: Any) -> None:
        if require == "sharedmem" and not getattr(self._backend, "supports_sharedmem", False):
            raise ValueError(f"Backend {self._backend} does not support shared memory")
        if batch_size != "auto" and not (isinstance(batch_size, Integral) and int(batch_size) > 0):
            raise ValueError(f"batch_size must be 'auto' or a positive integer, got: {batch_size!r}")
        self.batch_size = batch_size
        if (
            self.return_generator
            and not isinstance(self._backend, SequentialBackend)
            and not self._backend.supports_return_generator
        ):
            raise ValueError(f"Backend {self._backend} does not support return_as={self.return_as}")

    def _requested(self, n_jobs: Any, config: dict[str, Any]) -> int:
        if n_jobs is None:
            n_jobs = default_parallel_config["n_jobs"]
        n_jobs = _get_config_param(n_jobs, config, "n_jobs")
        if n_jobs is None:
            n_jobs = self._backend.default_n_jobs
        try:
            return int(n_jobs)
        except ValueError as error:
            raise ValueError("n_jobs could not be converted to int") from error

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_jobs={self.n_jobs})"

    @property
    def _backend_args(self) -> dict[str, Any]:
        """The name that `_backend_kwargs` had before joblib 1.5."""
        return self._backend_kwargs

    def _initialize_backend(self) -> int:
        """Configure the backend, or the one that it names in its place."""
        try:
            n_jobs = self._backend.configure(n_jobs=self.n_jobs, parallel=self, **self._backend_kwargs)
            if self.timeout is not None and not self._backend.supports_timeout:
                self._warn_timeout()
        except FallbackToBackend as fallback:
            self._backend = fallback.backend
            n_jobs = self._initialize_backend()
        return int(n_jobs)

    def _make_batch(self, tasks: list[Any]) -> BatchedCalls:
        nested = self._backend.get_nested_backend()
        return BatchedCalls(tasks, nested, self._reducer_callback, self._pickle_cache)

    def _make_callback(self, size: int) -> Any:
        return BatchCompletionCallBack(time.time(), size, self)
