"""Cached functions as joblib has them: how a call is looked up, computed and stored.

A call goes: arguments → digest → is the stored source that of the function (`_func_code`)? → is there a
result, and does the user's callback accept it? → load; else compute, store, store what is known of it.
"""

import contextlib
import functools
import inspect
import logging
import os
import textwrap
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ...system.tally import TALLY
from . import hashing
from ._flights import alone
from ._func_code import (
    _FUNCTION_HASHES,
    Known,
    extract_first_line,
    warn_of_collision,
    with_first_line,
)
from ._results import MemorizedResult
from ._store_backends import _store_backend_factory
from ._uncached import NotMemorizedResult
from .func_inspect import filter_args, format_call, format_signature, get_func_code, get_func_name
from .logger import Logger, format_time

__all__ = ["AsyncMemorizedFunc", "MemorizedFunc"]

# Any: functions, arguments, results and stores are the user's.

_LINE = 80
_SLOW = 0.5  # seconds of writing arguments down, from which on this is told


class _Call(NamedTuple):
    """A call, on its way."""

    call_id: tuple[str, str]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    named: dict[str, Any]
    """The arguments that count, by name."""


class _Found(NamedTuple):
    """What is kept of a call: its result, or a reference to it."""

    value: Any
    is_whole: bool = True
    """Whether it could be loaded. If not, there is no value."""


class _Made(NamedTuple):
    """A computation that has ended: its result, what is known of it, and whether it is stored."""

    value: Any
    metadata: dict[str, Any]
    is_stored: bool


def _build_func_identifier(func: Callable[..., Any]) -> str:
    """The folder of a function's results, in the store."""
    modules, name = get_func_name(func)
    return os.path.join(*modules, name)


class MemorizedFunc(Logger):
    """A function whose results are kept.

    Parameters
    ----------
    func
        The function.
    location
        The folder of the store, as it is, or the store.
    backend, mmap_mode, compress, verbose
        As for `Memory`.
    ignore
        Names of parameters that do not count.
    timestamp
        What the age that is told with a result counts from.
    cache_validation_callback
        Called with what is known of a result; unless it returns true, the result is computed anew.
    """

    def __init__(
        self,
        func: Callable[..., Any],
        location: Any,
        backend: str = "local",
        ignore: Sequence[str] | None = None,
        mmap_mode: Any = None,
        compress: Any = False,
        verbose: int = 1,
        timestamp: float | None = None,
        cache_validation_callback: Callable[[dict[str, Any]], object] | None = None,
    ) -> None:
        Logger.__init__(self)
        functools.update_wrapper(self, func)
        self.__doc__ = f"Memoized version of {_described(func)}"
        self.mmap_mode = mmap_mode
        self.compress = compress
        self.func = func
        self.cache_validation_callback = cache_validation_callback
        self.func_id = _build_func_identifier(func)
        self.ignore = [] if ignore is None else ignore
        self._verbose = verbose
        self.store_backend = _store_backend_factory(
            backend,
            location,
            verbose=verbose,
            backend_options={"compress": compress, "mmap_mode": mmap_mode},
        )
        if self.store_backend is not None:
            self.store_backend.store_cached_func_code([self.func_id])
        self.timestamp = time.time() if timestamp is None else timestamp
        self._func_code_info: tuple[str, str | None, int] | None = None
        self._func_code_id: int | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result, kept or computed."""
        call = self._begin(args, kwargs)
        found = self._look_up(call)
        if found is not None and found.is_whole:
            return found.value
        with alone(self.store_backend, call.call_id) as flight:
            again = self._look_up(call) if self._is_new(call, found) else None
            if again is not None and again.is_whole:
                flight.is_stored = True
                return again.value
            made = self._miss(call)
            flight.is_stored = made.is_stored
            return made.value

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute in any case, and keep: the result, and what is known of it."""
        call = self._named(args, kwargs)
        self._check_previous_func_code(stacklevel=2)
        made = self._call(call)
        return made.value, made.metadata

    def call_and_shelve(self, *args: Any, **kwargs: Any) -> Any:
        """A reference to the result, which is not loaded."""
        call = self._begin(args, kwargs)
        found = self._look_up(call, shelving=True)
        if found is not None:
            return found.value
        with alone(self.store_backend, call.call_id) as flight:
            again = self._look_up(call, shelving=True) if self._is_new(call, None) else None
            if again is not None:
                flight.is_stored = True
                return again.value
            made = self._miss(call)
            flight.is_stored = made.is_stored
            return self._shelved(call, made)

    def check_call_in_cache(self, *args: Any, **kwargs: Any) -> bool:
        """Whether the call would find its result. The function is not called."""
        return self._is_in_cache_and_valid(self._named(args, kwargs).call_id)

    def clear(self, warn: bool = True) -> None:
        """Remove the function's results."""
        if self._verbose > 0 and warn:
            self.warn(f"Clearing function cache identified by {self.func_id}")
        self.store_backend.clear_path([self.func_id])
        code, _, first_line = self.func_code_info
        self._write_func_code(code, first_line)

    @property
    def func_code_info(self) -> tuple[str, str | None, int]:
        """The source of the function, its file and first line, when they were first asked for."""
        code = getattr(self.func, "__code__", None)
        if self._func_code_id is not None and self._func_code_id != id(code):
            self._func_code_info = None
        self._func_code_id = id(code)
        if self._func_code_info is None:
            self._func_code_info = get_func_code(self.func)
        return self._func_code_info

    def __repr__(self) -> str:
        return f"{type(self).__name__}(func={self.func}, location={self.store_backend.location})"

    def __getstate__(self) -> dict[str, Any]:
        _ = self.func_code_info  # now: where this is loaded, the source may not be there
        return self.__dict__ | {"timestamp": None, "_func_code_id": None}

    def _named(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        named = filter_args(self.func, self.ignore, args, kwargs)
        return _Call((self.func_id, self._digest(named)), args, kwargs, named)

    def _get_args_id(self, *args: Any, **kwargs: Any) -> str:
        return self._digest(filter_args(self.func, self.ignore, args, kwargs))

    def _digest(self, named: dict[str, Any]) -> str:
        return str(hashing.hash(named, coerce_mmap=self.mmap_mode is not None))

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Call:
        call = self._named(args, kwargs)
        if self._verbose >= 20:
            logging.basicConfig(level=logging.INFO)
            _, signature = format_signature(self.func, *args, **kwargs)
            location = self.store_backend.get_cached_func_info([self.func_id])["location"]
            self.info(
                f"\nQuerying {get_func_name(self.func)[1]} with signature\n{signature}.\n\n"
                f"(argument hash {call.call_id[1]})\n\nThe store location is {location}.\n"
            )
        return call

    def _look_up(self, call: _Call, *, shelving: bool = False) -> _Found | None:
        """What is kept of a call, if it is valid."""
        if not self._is_in_cache_and_valid(call.call_id):
            return None
        if shelving:
            TALLY.hit(self.func_id)
            return _Found(self._reference(call, None))
        begun = time.time()
        try:
            value = self._load_item(call)
        except Exception:  # noqa: BLE001  # loading runs code of the value, and it can be computed
            if not self.store_backend.contains_item(call.call_id):
                return None  # somebody has removed it at this moment
            _, signature = format_signature(self.func, *call.args, **call.kwargs)
            self.warn(f"Exception while loading results for {signature}\n {traceback.format_exc()}")
            return _Found(None, is_whole=False)
        if not self._is_current():  # it may be that of another version, which has come in between
            return None
        if self._verbose > 4:
            self._print_duration(time.time() - begun, context="cache loaded ")
        TALLY.hit(self.func_id)
        return _Found(value)

    def _is_new(self, call: _Call, found: _Found | None) -> bool:
        """Whether somebody has stored a result since nothing was found."""
        return found is None and bool(self.store_backend.contains_item(call.call_id))

    def _load_item(self, call: _Call, metadata: Mapping[str, Any] | None = None) -> Any:
        return self.store_backend.load_item(
            call.call_id, timestamp=self.timestamp, metadata=metadata, verbose=self._verbose
        )

    def _tell_of_miss(self, call: _Call) -> None:
        if self._verbose > 10:
            name = get_func_name(self.func)[1]
            location = self.store_backend.get_cached_func_info([self.func_id])["location"]
            self.warn(f"Computing func {name}, argument hash {call.call_id[1]} in location {location}")

    def _miss(self, call: _Call) -> _Made:
        self._tell_of_miss(call)
        made: _Made = self._call(call)
        return made

    def _call(self, call: _Call) -> Any:  # Any: a `_Made`, or what awaiting it gives
        """Compute and store."""
        begun = self._before_call(call)
        return self._after_call(call, begun, self.func(*call.args, **call.kwargs))

    def _before_call(self, call: _Call) -> float:
        if self._verbose > 0:
            print(format_call(self.func, call.args, call.kwargs))
        return time.time()

    def _after_call(self, call: _Call, begun: float, value: Any) -> _Made:
        duration = time.time() - begun
        TALLY.miss(self.func_id, duration)
        is_stored = self._store(call, value)
        if self._verbose > 0:
            self._print_duration(duration)
        if not is_stored:
            return _Made(value, _metadata(call, begun, duration), False)
        metadata = self._persist_input(call, begun, duration)
        if self.mmap_mode is not None:
            with contextlib.suppress(Exception):  # somebody has removed it, or it cannot be loaded
                value = self._load_item(call, metadata)
        return _Made(value, metadata, True)

    def _store(self, call: _Call, value: Any) -> bool:
        """Store a result, and tell whether it is there; not among those of another version."""
        if not self._is_current():
            return False
        self.store_backend.dump_item(call.call_id, value, verbose=self._verbose)
        if self._is_current():
            return bool(self.store_backend.contains_item(call.call_id))
        self.store_backend.clear_item(call.call_id)
        return False

    def _is_current(self) -> bool:
        """Whether the stored source is still that of the function.

        If another process has replaced it since, by that of another version, a result of ours must not be
        stored with it.
        """
        stamp = self._stamp()
        if stamp is None or self._is_known(stamp):
            return True
        try:
            stored = self.store_backend.get_cached_func_code([self.func_id])
        except OSError:
            return True
        return extract_first_line(stored)[0] == self.func_code_info[0]

    def _persist_input(self, call: _Call, begun: float, duration: float) -> dict[str, Any]:
        """Store what is known of a result, and return it."""
        start = time.time()
        metadata = _metadata(call, begun, duration)
        self.store_backend.store_metadata(call.call_id, metadata)
        lapse = time.time() - start
        if lapse > _SLOW:
            warnings.warn(
                f"Persisting input arguments took {lapse:.2f}s to run. The repr of large arguments may be "
                "the reason: it is kept with each result.",
                stacklevel=6,
            )
        return metadata

    def _shelved(self, call: _Call, made: _Made) -> Any:
        """A reference to a result that was computed; the result itself if it could not be stored."""
        return self._reference(call, made.metadata) if made.is_stored else NotMemorizedResult(made.value)

    def _reference(self, call: _Call, metadata: Mapping[str, Any] | None) -> MemorizedResult:
        return MemorizedResult(
            self.store_backend,
            call.call_id,
            mmap_mode=self.mmap_mode,
            verbose=self._verbose - 1,
            timestamp=self.timestamp,
            metadata=metadata,
        )

    def _print_duration(self, duration: float, context: str = "") -> None:
        text = f"{get_func_name(self.func)[1]} {context}- {format_time(duration)}"
        print(text.rjust(_LINE, "_"))

    def _is_in_cache_and_valid(self, call_id: Sequence[str]) -> bool:
        if not self._check_previous_func_code(stacklevel=5):
            return False
        if not self.store_backend.contains_item(call_id):
            return False
        is_valid = self.cache_validation_callback
        if is_valid is not None and not is_valid(self.store_backend.get_metadata(call_id)):
            self.store_backend.clear_item(call_id)
            return False
        return True

    def _check_previous_func_code(self, stacklevel: int = 2) -> bool:
        """Whether the stored source is that of the function. If not, its results are removed."""
        stamp = self._stamp()
        if self._is_known(stamp):
            return True
        code, file, first_line = self.func_code_info
        try:
            stored, stored_line = extract_first_line(self.store_backend.get_cached_func_code([self.func_id]))
        except OSError:
            self._write_func_code(code, first_line)
            return False
        if stored == code:
            self._note(stamp)
            return True
        name = get_func_name(self.func, resolv_alias=False, win_characters=False)[1]
        warn_of_collision(name, (code, file, first_line), (stored, stored_line), stacklevel=stacklevel + 1)
        if self._verbose > 10:
            self.warn(f"Function {name} (identified by {self.func_id}) has changed.")
        self.clear(warn=True)
        return False

    def _write_func_code(self, code: str, first_line: int) -> None:
        self.store_backend.store_cached_func_code([self.func_id], with_first_line(code, first_line))
        self._note(self._stamp())

    def _stamp(self) -> Any:
        """What changes whenever the stored source is written; ``None`` if the store cannot tell."""
        stamp = getattr(self.store_backend, "func_code_stamp", None)
        return None if stamp is None else stamp([self.func_id])

    def _is_known(self, stamp: Any) -> bool:
        """Whether this function was compared with the stored source that has this stamp."""
        try:
            return stamp is not None and _FUNCTION_HASHES.get(self.func) == self._known(stamp)
        except TypeError:  # a callable without a hash, or that cannot be referred to weakly
            return False

    def _note(self, stamp: Any) -> None:
        """Remember that the stored source with this stamp is that of the function."""
        if stamp is not None and getattr(self.func, "__name__", "<lambda>") != "<lambda>":
            with contextlib.suppress(TypeError):  # as above
                _FUNCTION_HASHES[self.func] = self._known(stamp)

    def _known(self, stamp: Any) -> Known:
        code = getattr(self.func, "__code__", None)
        identity = (id(self.func), hash(self.func), hash(code))
        return Known(identity, (self.store_backend.location, self.func_id), stamp)


def _metadata(call: _Call, begun: float, duration: float) -> dict[str, Any]:
    """What is known of a result. Times in seconds, `begun` since the epoch."""
    inputs = {key: repr(value) for key, value in call.named.items()}
    return {"duration": duration, "input_args": inputs, "time": begun}


def _described(func: Callable[..., Any]) -> str:
    """A function as `pydoc` describes it: its signature and its docstring."""
    if not inspect.isfunction(func):
        return str(func.__doc__)
    doc = inspect.getdoc(func)
    text = f"{func.__name__}{inspect.signature(func)}\n\n"
    return f"{text}{textwrap.indent(doc, '    ')}\n" if doc else text


class AsyncMemorizedFunc(MemorizedFunc):
    """A coroutine function whose results are kept.

    Calls that run at the same time do not wait for each other.
    """

    async def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The result, kept or computed."""
        call = self._begin(args, kwargs)
        found = self._look_up(call)
        if found is not None and found.is_whole:
            return found.value
        self._tell_of_miss(call)
        return (await self._call(call)).value

    async def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute in any case, and keep: the result, and what is known of it."""
        call = self._named(args, kwargs)
        self._check_previous_func_code(stacklevel=2)
        made = await self._call(call)
        return made.value, made.metadata

    async def call_and_shelve(self, *args: Any, **kwargs: Any) -> Any:
        """A reference to the result, which is not loaded."""
        call = self._begin(args, kwargs)
        found = self._look_up(call, shelving=True)
        if found is not None:
            return found.value
        self._tell_of_miss(call)
        return self._shelved(call, await self._call(call))

    async def _call(self, call: _Call) -> _Made:
        begun = self._before_call(call)
        return self._after_call(call, begun, await self.func(*call.args, **call.kwargs))
