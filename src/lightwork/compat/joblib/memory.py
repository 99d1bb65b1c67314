"""joblib's `Memory`: functions whose results are kept in joblib's folders."""

import datetime
import functools
import inspect
import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ._func_code import (
    _FUNCTION_HASHES,
    FIRST_LINE_TEXT,
    JobLibCollisionWarning,
    extract_first_line,
)
from ._memorized import AsyncMemorizedFunc, MemorizedFunc, _build_func_identifier
from ._results import MemorizedResult
from ._store_backends import (
    _STORE_BACKENDS,
    CacheWarning,
    FileSystemStoreBackend,
    StoreBackendBase,
    _store_backend_factory,
    register_store_backend,
)
from ._uncached import AsyncNotMemorizedFunc, NotMemorizedFunc, NotMemorizedResult
from .func_inspect import filter_args, format_call, format_signature, get_func_code, get_func_name
from .logger import Logger, format_time, pformat

__all__ = [
    "FIRST_LINE_TEXT",
    "_FUNCTION_HASHES",
    "_STORE_BACKENDS",
    "AsyncMemorizedFunc",
    "AsyncNotMemorizedFunc",
    "CacheWarning",
    "FileSystemStoreBackend",
    "JobLibCollisionWarning",
    "Logger",
    "MemorizedFunc",
    "MemorizedResult",
    "Memory",
    "NotMemorizedFunc",
    "NotMemorizedResult",
    "StoreBackendBase",
    "_build_func_identifier",
    "_store_backend_factory",
    "expires_after",
    "extract_first_line",
    "filter_args",
    "format_call",
    "format_signature",
    "format_time",
    "get_func_code",
    "get_func_name",
    "pformat",
    "register_store_backend",
]

# Any: functions, arguments, results and options are the user's.

# Their home is here: pickles and digests hold it.
for _kind in (AsyncMemorizedFunc, AsyncNotMemorizedFunc, MemorizedFunc, MemorizedResult, NotMemorizedFunc):
    _kind.__module__ = __name__
JobLibCollisionWarning.__module__ = NotMemorizedResult.__module__ = __name__


class Memory(Logger):
    """Keeps results of functions in a folder, in joblib's layout.

    Parameters
    ----------
    location
        A text: the folder ``joblib`` in this one is used. A `pathlib.Path`: this folder itself. A store.
        ``None``: nothing is kept.
    backend
        The name of a kind of store, see `register_store_backend`.
    mmap_mode
        Load arrays as `numpy.memmap`, in this mode.
    compress
        As for `dump`.
    verbose
        0: say nothing; 1: what is computed; above: what is loaded, and more.
    backend_options
        More options for the store.

    The folder is made at once.
    """

    def __init__(
        self,
        location: Any = None,
        backend: str = "local",
        mmap_mode: Any = None,
        compress: Any = False,
        verbose: int = 1,
        backend_options: Mapping[str, Any] | None = None,
    ) -> None:
        Logger.__init__(self)
        self._verbose = verbose
        self.mmap_mode = mmap_mode
        self.timestamp: float | None = time.time()
        self.backend = backend
        self.compress = compress
        if compress and mmap_mode is not None:
            warnings.warn("Compressed results cannot be memmapped", stacklevel=2)
        self.backend_options = {} if backend_options is None else backend_options
        self.location = location
        if isinstance(location, str):
            location = os.path.join(location, "joblib")
        self.store_backend = _store_backend_factory(
            backend,
            location,
            verbose=verbose,
            backend_options=dict(compress=compress, mmap_mode=mmap_mode, **self.backend_options),
        )

    def cache(
        self,
        func: Callable[..., Any] | None = None,
        ignore: Sequence[str] | None = None,
        verbose: int | None = None,
        mmap_mode: Any = False,
        cache_validation_callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> Any:
        """A function whose results are kept; without `func` a decorator.

        Parameters
        ----------
        func
            The function.
        ignore
            Names of parameters that do not count.
        verbose, mmap_mode
            Instead of those of the memory.
        cache_validation_callback
            Called with what is known of a result: ``duration``, ``input_args``, ``time``. Unless it returns
            true, the result is computed anew. See `expires_after`.
        """
        if cache_validation_callback is not None and not callable(cache_validation_callback):
            raise ValueError(
                "cache_validation_callback needs to be callable. "
                f"Got {cache_validation_callback} (type {type(cache_validation_callback)})."
            )
        if func is None:
            return functools.partial(
                self.cache,
                ignore=ignore,
                mmap_mode=mmap_mode,
                verbose=verbose,
                cache_validation_callback=cache_validation_callback,
            )
        if isinstance(func, MemorizedFunc):
            func = func.func
        is_async = inspect.iscoroutinefunction(func)
        if self.store_backend is None:
            return (AsyncNotMemorizedFunc if is_async else NotMemorizedFunc)(func)
        return (AsyncMemorizedFunc if is_async else MemorizedFunc)(
            func,
            location=self.store_backend,
            backend=self.backend,
            ignore=ignore,
            mmap_mode=self.mmap_mode if mmap_mode is False else mmap_mode,
            compress=self.compress,
            verbose=self._verbose if verbose is None else verbose,
            timestamp=self.timestamp,
            cache_validation_callback=cache_validation_callback,
        )

    def clear(self, warn: bool = True) -> None:
        """Remove all results."""
        if warn:
            self.warn("Flushing completely the cache")
        if self.store_backend is not None:
            self.store_backend.clear()
        _FUNCTION_HASHES.clear()

    def reduce_size(
        self,
        bytes_limit: int | str | None = None,
        items_limit: int | None = None,
        age_limit: datetime.timedelta | None = None,
    ) -> None:
        """Remove what was not used for longest until all limits hold.

        Parameters
        ----------
        bytes_limit
            Bytes, or a text such as ``"1.5G"``.
        items_limit
            Number of results.
        age_limit
            Time since the last use.
        """
        if self.store_backend is None or (bytes_limit, items_limit, age_limit) == (None, None, None):
            return
        self.store_backend.enforce_store_limits(bytes_limit, items_limit, age_limit)

    def eval(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The result of a call, kept or computed."""
        if self.store_backend is None:
            return func(*args, **kwargs)
        return self.cache(func)(*args, **kwargs)

    def __repr__(self) -> str:
        location = None if self.store_backend is None else self.store_backend.location
        return f"{type(self).__name__}(location={location})"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"timestamp": None}


def expires_after(
    days: float = 0,
    seconds: float = 0,
    microseconds: float = 0,
    milliseconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    weeks: float = 0,
) -> Callable[[dict[str, Any]], bool]:
    """A callback for `Memory.cache`: results are good for this long."""
    span = datetime.timedelta(days, seconds, microseconds, milliseconds, minutes, hours, weeks)

    def is_fresh(metadata: dict[str, Any]) -> bool:
        return time.time() - float(metadata["time"]) < span.total_seconds()

    return is_fresh
