"""Where results of cached functions lie: joblib's protocol for stores, and its folders of files.

The folders are those of joblib, name by name, so that both use what the other has stored::

    <location>/<module>/<function>/func_code.py               the source that made the results
    <location>/<module>/<function>/<digest>/output.pkl        a result, in joblib's format
    <location>/<module>/<function>/<digest>/metadata.json     how long it took, of which arguments, when

Each file appears whole: it is written under a name of its own and renamed.
"""

import contextlib
import datetime
import io
import json
import os
import pathlib
import pickle
import re
import shutil
import threading
import time
import uuid
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from ...errors import InvalidOption
from . import numpy_pickle
from .backports import concurrency_safe_rename
from .disk import memstr_to_bytes, mkdirp, rm_subdirs
from .logger import format_time

__all__ = [
    "CacheItemInfo",
    "CacheWarning",
    "FileSystemStoreBackend",
    "StoreBackendBase",
    "StoreBackendMixin",
    "concurrency_safe_write",
]

# Any: results, metadata and options are the user's.
CallId: TypeAlias = Sequence[str]
"""Parts of a path below the location: the function, or the function and the digest of its arguments."""

_TO_THE_CALL = 8
"""Frames between a warning about a result and the call of the cached function."""

_SMALL = 32 << 10
"""Bytes that are read at once."""

_ATTEMPTS = 20
"""How often a file is written: whoever clears the store removes folder by folder."""

_MMAP_MODES = (None, "r", "r+", "w+", "c")
_ITEM = re.compile("[a-f0-9]{32}")
_GITIGNORE = "# Created by joblib automatically.\n*\n"


class CacheWarning(Warning):
    """A result could not be stored."""


class CacheItemInfo(NamedTuple):
    """A result in the store: its folder, bytes, and when it was last read (local time)."""

    path: str
    size: int
    last_access: datetime.datetime


def concurrency_safe_write(
    object_to_write: Any, filename: str, write_func: Callable[[Any, str], object]
) -> str:
    """Write under a name that nobody else uses, next to `filename`, and return that name.

    If writing fails, nothing is left.
    """
    temporary = f"{filename}.{uuid.uuid4().hex}-{os.getpid()}-{threading.get_ident()}"
    try:
        write_func(object_to_write, temporary)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    return temporary


class StoreBackendBase(metaclass=ABCMeta):
    """What a store must be able to do; the rest is in `StoreBackendMixin`."""

    location: Any = None

    @abstractmethod
    def _open_item(self, f: str, mode: str) -> Any:
        """An open file."""

    @abstractmethod
    def _item_exists(self, location: str) -> bool:
        """Whether there is a file or folder."""

    @abstractmethod
    def _move_item(self, src: str, dst: str) -> None:
        """Rename a file, in one step, also over another one."""

    @abstractmethod
    def create_location(self, location: str) -> None:
        """Make a folder and those above it."""

    @abstractmethod
    def clear_location(self, location: str) -> None:
        """Remove a folder with all that is in it."""

    @abstractmethod
    def get_items(self) -> list[CacheItemInfo]:
        """All results in the store."""

    @abstractmethod
    def configure(
        self, location: str, verbose: int = 0, backend_options: Mapping[str, Any] | None = None
    ) -> None:
        """Make the store ready for use."""


class StoreBackendMixin:
    """Results, metadata and sources by the methods of `StoreBackendBase`."""

    # What a subclass has from `StoreBackendBase` and sets in `configure`.
    location: Any
    compress: Any
    verbose: int
    _open_item: Callable[..., Any]
    _item_exists: Callable[..., bool]
    _move_item: Callable[..., object]
    create_location: Callable[..., object]
    clear_location: Callable[..., object]
    get_items: Callable[..., list[CacheItemInfo]]

    def load_item(
        self,
        call_id: CallId,
        verbose: int = 1,
        timestamp: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Any:
        """A stored result. `KeyError` if there is none."""
        folder = os.path.join(self.location, *call_id)
        if verbose > 1:
            age = f"{format_time(time.time() - timestamp):<16}" if timestamp is not None else ""
            end = f" from {folder}" if verbose >= 10 else "..."
            print(f"[Memory]{age}: Loading {_called(call_id, metadata)}{end}")
        filename = os.path.join(folder, "output.pkl")
        mmap_mode = getattr(self, "mmap_mode", None)
        with self._opened(filename) as file:
            begin = file.read(_SMALL)
            if mmap_mode is None or not begin.startswith(pickle.PROTO):  # or compressed: nothing to map
                return _load(begin, file)
        return numpy_pickle.load(filename, mmap_mode=mmap_mode)

    def _opened(self, filename: str) -> Any:
        """The open file of a result. `KeyError` if there is none, or if it is being removed."""
        try:
            if self._item_exists(filename):
                return self._open_item(filename, "rb")
        except FileNotFoundError:
            pass
        raise KeyError(f"Non-existing item (may have been cleared).\nFile {filename} does not exist")

    def dump_item(self, call_id: CallId, item: Any, verbose: int = 1) -> None:
        """Store a result. One that cannot be stored is a warning."""
        folder = os.path.join(self.location, *call_id)
        if verbose > 10:
            print(f"Persisting in {folder}")
        try:
            self._write(folder, "output.pkl", item, self._write_item)
        except Exception as exc:  # noqa: BLE001  # the value runs code of its own, and it is there anyway
            _warn_not_stored(exc)

    def _write_item(self, item: Any, filename: str) -> None:
        with self._open_item(filename, "wb") as file:
            numpy_pickle.dump(item, file, compress=self.compress)

    def _write_bytes(self, content: bytes, filename: str) -> None:
        with self._open_item(filename, "wb") as file:
            file.write(content)

    def _write(self, folder: str, name: str, value: Any, write: Callable[[Any, str], None]) -> None:
        """A file in a folder, which is made, and made again if somebody is just removing it."""
        for attempt in range(_ATTEMPTS):
            try:
                if not self._item_exists(folder):
                    self.create_location(folder)
                self._concurrency_safe_write(value, os.path.join(folder, name), write)
            except FileNotFoundError:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    def clear_item(self, call_id: CallId) -> None:
        """Remove a result."""
        self.clear_path(call_id)

    def contains_item(self, call_id: CallId) -> bool:
        """Whether there is a result."""
        return self._item_exists(os.path.join(self.location, *call_id, "output.pkl"))

    def get_item_info(self, call_id: CallId) -> dict[str, Any]:
        """Where a result lies."""
        return {"location": os.path.join(self.location, *call_id)}

    def get_metadata(self, call_id: CallId) -> dict[str, Any]:
        """What is known of a result; nothing if it cannot be read."""
        try:
            with self._open_item(os.path.join(self.location, *call_id, "metadata.json"), "rb") as file:
                found: dict[str, Any] = json.loads(file.read())
        except Exception:  # noqa: BLE001  # a foreign store raises what it likes; the result is worth more
            return {}
        return found

    def store_metadata(self, call_id: CallId, metadata: Mapping[str, Any]) -> None:
        """Store what is known of a result, if that is possible."""
        with contextlib.suppress(Exception):  # as for `get_metadata`
            content = json.dumps(metadata).encode()
            self._write(os.path.join(self.location, *call_id), "metadata.json", content, self._write_bytes)

    def contains_path(self, call_id: CallId) -> bool:
        """Whether a function has a folder."""
        return self._item_exists(os.path.join(self.location, *call_id))

    def clear_path(self, call_id: CallId) -> None:
        """Remove the folder of a function."""
        folder = os.path.join(self.location, *call_id)
        if self._item_exists(folder):
            self.clear_location(folder)

    def store_cached_func_code(self, call_id: CallId, func_code: str | None = None) -> None:
        """Make the folder of a function, and store its source."""
        folder = os.path.join(self.location, *call_id)
        if func_code is not None:
            self._write(folder, "func_code.py", func_code.encode(), self._write_bytes)
        elif not self._item_exists(folder):
            self.create_location(folder)

    def get_cached_func_code(self, call_id: CallId) -> str:
        """The stored source of a function. `OSError` if there is none."""
        with self._open_item(os.path.join(self.location, *call_id, "func_code.py"), "rb") as file:
            content: bytes = file.read()
        return content.decode()

    def get_cached_func_info(self, call_id: CallId) -> dict[str, Any]:
        """Where the results of a function lie."""
        return {"location": os.path.join(self.location, *call_id)}

    def clear(self) -> None:
        """Remove all."""
        self.clear_location(self.location)

    def enforce_store_limits(
        self,
        bytes_limit: int | str | None,
        items_limit: int | None = None,
        age_limit: datetime.timedelta | None = None,
    ) -> None:
        """Remove what was not read for longest until the limits hold."""
        for item in self._get_items_to_delete(bytes_limit, items_limit, age_limit):
            if self.verbose > 10:
                print(f"Deleting item {item}")
            with contextlib.suppress(OSError):  # somebody else removed it, or uses it
                self.clear_location(item.path)

    def _get_items_to_delete(
        self,
        bytes_limit: int | str | None,
        items_limit: int | None = None,
        age_limit: datetime.timedelta | None = None,
    ) -> list[CacheItemInfo]:
        if isinstance(bytes_limit, str):
            bytes_limit = memstr_to_bytes(bytes_limit)
        if age_limit is not None and age_limit.total_seconds() < 0:
            raise ValueError(f"age_limit has to be a positive timedelta, not {age_limit!r}")
        items = sorted(self.get_items(), key=lambda item: item.last_access)
        size = sum(item.size for item in items)
        left = len(items)
        deadline = datetime.datetime.now() - age_limit if age_limit is not None else None
        old = []
        for item in items:
            too_large = bytes_limit is not None and size > bytes_limit
            too_many = items_limit is not None and left > items_limit
            if not (too_large or too_many or (deadline is not None and item.last_access <= deadline)):
                break
            old.append(item)
            size -= item.size
            left -= 1
        return old

    def _concurrency_safe_write(
        self, to_write: Any, filename: str, write_func: Callable[[Any, str], object]
    ) -> None:
        self._move_item(concurrency_safe_write(to_write, filename, write_func), filename)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(location="{self.location}")'


def _called(call_id: CallId, metadata: Mapping[str, Any] | None) -> str:
    """The name of a function, with its arguments if they are known."""
    name = os.path.basename(call_id[0])
    if not metadata or "input_args" not in metadata:
        return name
    return f"{name}({', '.join(f'{key}={value}' for key, value in metadata['input_args'].items())})"


def _load(begin: bytes, file: Any) -> Any:  # Any: an open file, whoever opened it
    """A value from a file in joblib's format, of which the first bytes were read."""
    if len(begin) == _SMALL:
        file.seek(0)
        return numpy_pickle.load(file)
    # Without arrays beside it, and names to translate, it is a pickle: a tenth of the time, and most are.
    if begin.startswith(pickle.PROTO) and b"joblib" not in begin:
        return pickle.loads(begin)
    return numpy_pickle.load(io.BytesIO(begin))


def _warn_not_stored(error: Exception) -> None:
    """Warn with joblib's categories: one for what says itself that it cannot be pickled, one for the rest."""
    if isinstance(error, pickle.PicklingError):
        message = f"Unable to cache to disk: failed to pickle output. Exception: {error}."
        warnings.warn(message, FutureWarning, stacklevel=_TO_THE_CALL)
    else:
        warnings.warn(f"Unable to cache to disk. Exception: {error}.", CacheWarning, stacklevel=_TO_THE_CALL)


class FileSystemStoreBackend(StoreBackendBase, StoreBackendMixin):
    """Results in a folder, in joblib's layout."""

    _open_item: Any = staticmethod(open)
    _item_exists: Any = staticmethod(os.path.exists)
    _move_item: Any = staticmethod(concurrency_safe_rename)
    mmap_mode: Any = None

    def configure(
        self, location: str, verbose: int = 1, backend_options: Mapping[str, Any] | None = None
    ) -> None:
        """Make the folder, and tell git to leave it alone.

        Of `backend_options` two are known: ``compress`` and ``mmap_mode``.
        """
        options = backend_options or {}
        if options.get("mmap_mode") not in _MMAP_MODES:
            raise InvalidOption(f"mmap_mode={options['mmap_mode']!r} is none of {_MMAP_MODES}")
        self.location = location
        self.compress = options.get("compress", False)
        self.mmap_mode = options.get("mmap_mode")
        self.verbose = verbose
        if self.compress and self.mmap_mode is not None:
            warnings.warn(
                "Compressed items cannot be memmapped in a filesystem store. Option will be ignored.",
                stacklevel=2,
            )
        mkdirp(location)
        _make_gitignore(location)

    def create_location(self, location: str) -> None:
        """Make a folder and those above it."""
        mkdirp(location)

    def clear_location(self, location: str) -> None:
        """Remove a folder; of the whole store what is in it, but for files right there."""
        if location == self.location:
            with contextlib.suppress(FileNotFoundError):
                rm_subdirs(location)
        else:
            shutil.rmtree(location, ignore_errors=True)

    def get_items(self) -> list[CacheItemInfo]:
        """All results in the store; what vanishes meanwhile is left out."""
        items = []
        for folder, _, names in os.walk(self.location):
            if _ITEM.match(os.path.basename(folder)):
                with contextlib.suppress(OSError):
                    items.append(_item_in(folder, names))
        return items

    def func_code_stamp(self, call_id: CallId) -> tuple[int, int, int] | None:
        """What changes whenever the stored source is written; ``None`` if there is none."""
        try:
            status = os.stat(os.path.join(self.location, *call_id, "func_code.py"))
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size


def _item_in(folder: str, names: Sequence[str]) -> CacheItemInfo:
    result = os.path.join(folder, "output.pkl")
    accessed = os.stat(result if "output.pkl" in names else folder).st_atime
    size = sum(os.path.getsize(os.path.join(folder, name)) for name in names)
    return CacheItemInfo(folder, size, datetime.datetime.fromtimestamp(accessed))


def _make_gitignore(location: str) -> None:
    """A file that keeps the folder out of repositories: above it, if it is the one that joblib adds."""
    parent, name = os.path.split(os.path.abspath(location))
    path = os.path.join(parent if name == "joblib" else location, ".gitignore")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(_GITIGNORE)
    except FileExistsError:
        return
    except OSError as exc:
        warnings.warn(f"Unable to write {path}: {exc}", stacklevel=3)


_STORE_BACKENDS: dict[str, type[StoreBackendBase]] = {"local": FileSystemStoreBackend}


def register_store_backend(backend_name: str, backend: type[StoreBackendBase]) -> None:
    """Let ``Memory(backend=backend_name)`` use a store of this class.

    Raises
    ------
    ValueError
        The name is no text, or the class not derived from `StoreBackendBase`.
    """
    name: object = backend_name
    if not isinstance(name, str):
        raise ValueError(f"Store backend name should be a string, '{backend_name}' given.")
    given: object = backend
    if not isinstance(given, type) or not issubclass(given, StoreBackendBase):
        raise ValueError(f"Store backend should inherit StoreBackendBase, '{backend}' given.")
    _STORE_BACKENDS[backend_name] = backend


def _store_backend_factory(
    backend: str, location: Any, verbose: int = 0, backend_options: Mapping[str, Any] | None = None
) -> Any:
    """The store at a location. Any: with the methods of `StoreBackendMixin`, whoever wrote it.

    ``None`` if there is no location, or with a warning if it is neither a path nor a store.
    """
    if isinstance(location, pathlib.Path):
        location = str(location)
    if isinstance(location, StoreBackendBase) or location is None:
        return location
    if not isinstance(location, str):
        warnings.warn(
            f"Instantiating a backend using a {type(location).__name__} as a location is not supported by "
            "joblib: nothing is cached. Give it as a str or a pathlib.Path.",
            stacklevel=3,
        )
        return None
    if backend not in _STORE_BACKENDS:
        raise TypeError(f"Unknown location {location} or backend {backend}")
    store = _STORE_BACKENDS[backend]()
    store.configure(os.path.expanduser(location), verbose=verbose, backend_options=backend_options or {})
    return store
