"""Large arrays as files that workers map: joblib's way to send them.

An array is written once per call, into a folder of its own for each `Parallel`; what refers to the same array
later gets the same file. Arrays that are mapped from a file already are mapped again from there. Those that
are too small for a file may have changed when the next task refers to them; it gets what they hold then, and
the bytes travel once as long as they are the same.
"""

import os
import pickle
import shutil
import tempfile
import threading
import uuid
import weakref
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from ...arrays.sightings import SHARED_FROM
from ...arrays.snapshots import Snapshots
from ...protocols import Buffer
from ...system.optional import loaded
from .backports import make_memmap
from .disk import memstr_to_bytes

__all__ = ["ArrayFiles", "ArrayMemmapForwardReducer", "has_shareable_memory"]

_FOLDER: Final = "joblib_memmapping_folder"

SYSTEM_SHARED_MEM_FS: Final = "/dev/shm"
SYSTEM_SHARED_MEM_FS_MIN_SIZE = int(2e9)
"""Bytes that must be free there: it is memory, and swapping helps nobody."""

# Any throughout: arrays of a library that may not be installed.


def has_shareable_memory(a: Any) -> bool:
    """Whether an array is mapped from a file, or a view on one that is."""
    return _get_backing_memmap(a) is not None


def _get_backing_memmap(a: Any) -> Any:
    """The `numpy.memmap` of a file that holds the memory of an array, or ``None``."""
    numpy = loaded("numpy")
    while numpy is not None and a is not None:
        base = getattr(a, "base", None)
        if isinstance(a, numpy.memmap) and a.filename is not None and not isinstance(base, numpy.ndarray):
            return a
        a = base
    return None


def _get_temp_dir(pool_folder_name: str, temp_folder: str | None = None) -> tuple[str, bool]:
    """Where the files of a call go, and whether that is in memory: not made yet."""
    root = temp_folder if temp_folder is not None else os.environ.get("JOBLIB_TEMP_FOLDER")
    in_memory = False
    if root is None and _has_room(SYSTEM_SHARED_MEM_FS):
        root, in_memory = SYSTEM_SHARED_MEM_FS, True
    root = os.path.abspath(os.path.expanduser(root or tempfile.gettempdir()))
    return os.path.join(root, pool_folder_name), in_memory


def _has_room(folder: str) -> bool:
    """Whether files in memory can be had there."""
    if not hasattr(os, "statvfs") or not os.access(folder, os.W_OK):
        return False
    status = os.statvfs(folder)
    return status.f_bsize * status.f_bavail > SYSTEM_SHARED_MEM_FS_MIN_SIZE


def threshold(max_nbytes: float | str | None) -> float | None:
    """Bytes above which an array becomes a file; ``None``: none does."""
    return memstr_to_bytes(max_nbytes) if isinstance(max_nbytes, str) else max_nbytes


class _WeakArrayKeyMap:
    """Values by the identity of arrays, for as long as those live."""

    def __init__(self) -> None:
        self._data: dict[int, tuple[weakref.ref[Any], Any]] = {}

    def get(self, obj: Any) -> Any:
        """The value of an array. Raises `KeyError` if it has none."""
        found = self._data[id(obj)]
        if found[0]() is not obj:  # another one had its place in memory
            del self._data[id(obj)]
            raise KeyError(obj)
        return found[1]

    def set(self, obj: Any, value: Any) -> None:
        """Give an array a value."""
        key = id(obj)

        def forget(reference: Any) -> None:
            if key in self._data and self._data[key][0] is reference:
                del self._data[key]

        self._data[key] = (weakref.ref(obj, forget), value)

    def __reduce__(self) -> NoReturn:
        raise pickle.PicklingError("_WeakArrayKeyMap is not pickleable")

    def clear(self) -> None:
        """Forget all."""
        self._data.clear()


class ArrayMemmapForwardReducer:
    """Writes large arrays to files, each once.

    Parameters
    ----------
    max_nbytes
        Arrays of more bytes become files; ``None``: none does.
    temp_folder_resolver
        Gives the folder for them, which need not be there.
    mmap_mode
        How workers map them.
    snapshots
        What keeps smaller ones beside the pickle. ``None``: they are in it.
    """

    def __init__(
        self,
        max_nbytes: float | None,
        temp_folder_resolver: Callable[[], str],
        mmap_mode: str | None,
        unlink_on_gc_collect: bool = False,
        verbose: int = 0,
        prewarm: bool = True,
        snapshots: Snapshots | None = None,
    ) -> None:
        self._max_nbytes = None if mmap_mode is None else max_nbytes
        self._temp_folder_resolver = temp_folder_resolver
        mode = mmap_mode or "r"
        self._mode = "r+" if mode == "w+" else mode
        self._snapshots = snapshots
        self._lock = threading.Lock()
        self._known = _WeakArrayKeyMap()

    def __call__(self, a: Any) -> tuple[Any, ...]:
        """How to pickle an array."""
        backing = _get_backing_memmap(a)
        if backing is not None and not a.dtype.hasobject:
            return _reduce_mapped(a, backing)
        limit = self._max_nbytes
        if limit is None or a.nbytes <= limit or a.dtype.hasobject:
            return self._reduce_small(a)
        with self._lock:
            try:
                path: str = self._known.get(a)
            except KeyError:
                path = self._write(a)
                self._known.set(a, path)
        fields = (path, a.dtype, self._mode, 0, _order(a), a.shape, None, None)
        return _strided_from_memmap, fields

    def _reduce_small(self, a: Any) -> tuple[Any, ...]:
        in_one_piece = a.flags.c_contiguous or a.flags.f_contiguous
        if self._snapshots is None or a.nbytes < SHARED_FROM or not in_one_piece or a.dtype.hasobject:
            return pickle.loads, (pickle.dumps(loaded("numpy").asarray(a), pickle.HIGHEST_PROTOCOL),)
        order = _order(a)
        copy = self._snapshots.take(a.ravel(order).view("u1").data)
        return _array_on, (pickle.PickleBuffer(copy), a.dtype, a.shape, order)

    def forget(self) -> None:
        """What arrays held until now does not count: they may have changed."""
        with self._lock:
            self._known.clear()

    def _write(self, array: Any) -> str:
        folder = self._temp_folder_resolver()  # those of others may not make it
        os.makedirs(folder, mode=0o700, exist_ok=True)
        name = f"{os.getpid()}-{threading.get_ident()}-{uuid.uuid4().hex}.pkl"
        path = os.path.join(folder, name)
        with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
            file.write(array.ravel(_order(array)).view("u1").data)
        return path


class ArrayFiles:
    """The files of one `Parallel`, and the reducers that write them.

    Parameters
    ----------
    max_nbytes, mmap_mode, snapshots
        See `ArrayMemmapForwardReducer`. Sizes may be texts, such as ``"1M"``.
    temp_folder
        Where; by default ``JOBLIB_TEMP_FOLDER``, memory if there is enough, or the system's folder.
    """

    def __init__(
        self,
        max_nbytes: float | str | None = "1M",
        temp_folder: str | None = None,
        mmap_mode: str | None = "r",
        *,
        snapshots: Snapshots | None = None,
    ) -> None:
        name = f"{_FOLDER}_{os.getpid()}_{uuid.uuid4().hex}_{uuid.uuid4().hex}"
        self._name, self._temp_folder = name, temp_folder
        self._path = ""
        self._reduce = ArrayMemmapForwardReducer(
            threshold(max_nbytes), self.folder, mmap_mode, snapshots=snapshots
        )
        self._finalizer: Any = None

    def folder(self) -> str:
        """The folder; it is removed at the latest when these files are collected, and at exit."""
        if self._finalizer is None:
            path, _ = _get_temp_dir(self._name, self._temp_folder)
            self._finalizer = weakref.finalize(self, shutil.rmtree, path, ignore_errors=True)
            os.makedirs(path, mode=0o700, exist_ok=True)
            self._path = path
        return self._path

    def reducers(self) -> Mapping[type, Any]:
        """For `dumps`, by exact type; none while numpy is not loaded."""
        numpy = loaded("numpy")
        if numpy is None:
            return {}
        return {numpy.ndarray: self._reduce, numpy.memmap: self._reduce}

    def begin(self) -> None:
        """A call begins."""
        self._reduce.forget()

    def remove(self) -> None:
        """Remove all files. Workers that map one keep it."""
        self._reduce.forget()
        finalizer, self._finalizer = self._finalizer, None
        if finalizer is not None:
            finalizer()


class Results:
    """Reducers for what workers return: views on the caller's own files stay such, others are copied."""

    def reduce(self, array: Any) -> tuple[Any, ...]:
        """How to pickle an array."""
        backing = _get_backing_memmap(array)
        if backing is None or array.dtype.hasobject or _FOLDER in str(backing.filename):
            plain = loaded("numpy").array(array, copy=None, subok=False)
            return pickle.loads, (pickle.dumps(plain, pickle.HIGHEST_PROTOCOL),)
        return _reduce_mapped(array, backing)

    def reducers(self) -> Mapping[type, Any]:
        """By exact type."""
        numpy = loaded("numpy")
        return {} if numpy is None else {numpy.ndarray: self.reduce, numpy.memmap: self.reduce}


def _order(array: Any) -> str:
    return "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"


def _array_on(buffer: Buffer, dtype: Any, shape: tuple[int, ...], order: str) -> Any:
    """In a worker: the array that a snapshot was taken of. The memory is its own."""
    return loaded("numpy").frombuffer(buffer, dtype).reshape(shape, order=order)


def _reduce_mapped(array: Any, backing: Any) -> tuple[Any, ...]:
    """The same bytes of the same file."""
    numpy = loaded("numpy")
    first, end = numpy.lib.array_utils.byte_bounds(array)
    start = numpy.lib.array_utils.byte_bounds(backing)[0]
    offset = first - start + backing.offset
    mode = "r+" if backing.mode == "w+" else backing.mode
    order = _order(array)
    if array.flags.c_contiguous or array.flags.f_contiguous:
        strides, total = None, None
    else:
        strides, total = array.strides, (end - first) // array.itemsize
    fields = (backing.filename, array.dtype, mode, offset, order, array.shape, strides, total)
    return _strided_from_memmap, fields


def _strided_from_memmap(
    filename: str,
    dtype: Any,
    mode: str,
    offset: int,
    order: str,
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None,
    total_buffer_len: int | None,
    unlink_on_gc_collect: bool = False,
) -> Any:
    """In a worker: the array, mapped."""
    if strides is None:
        return make_memmap(filename, dtype=dtype, mode=mode, offset=offset, shape=shape, order=order)
    numpy = loaded("numpy")
    base = make_memmap(filename, dtype=dtype, mode=mode, offset=offset, shape=total_buffer_len, order=order)
    return numpy.lib.stride_tricks.as_strided(base, shape=shape, strides=strides)
