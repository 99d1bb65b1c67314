"""Large arrays as files that workers map: joblib's way to send them.

An array is written once per call, into a folder of its own for each `Parallel`; what refers to the same array
later gets the same file. Arrays that are mapped from a file already are mapped again from there.
"""

import os
import shutil
import tempfile
import threading
import uuid
import weakref
from collections.abc import Mapping
from typing import Any, Final

from ...system.optional import loaded
from .backports import make_memmap
from .disk import memstr_to_bytes

__all__ = ["ArrayFiles", "has_shareable_memory"]

_SHARED_FOLDER: Final = "/dev/shm"
_SHARED_LEAST: Final = int(2e9)
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
    if root is None and os.path.isdir(_SHARED_FOLDER):
        status = os.statvfs(_SHARED_FOLDER)
        if status.f_bsize * status.f_bavail > _SHARED_LEAST and os.access(_SHARED_FOLDER, os.W_OK):
            root, in_memory = _SHARED_FOLDER, True
    root = os.path.abspath(os.path.expanduser(root or tempfile.gettempdir()))
    return os.path.join(root, pool_folder_name), in_memory


def threshold(max_nbytes: int | str | None) -> int | None:
    """Bytes above which an array becomes a file; ``None``: none does."""
    return memstr_to_bytes(max_nbytes) if isinstance(max_nbytes, str) else max_nbytes


class ArrayFiles:
    """The files of one `Parallel`, and the reducers that write them.

    Parameters
    ----------
    max_nbytes
        Arrays of more bytes become files; ``None``: none does.
    temp_folder
        Where; by default ``JOBLIB_TEMP_FOLDER``, memory if there is enough, or the system's folder.
    mmap_mode
        How workers map them; ``None``: no array becomes a file.
    """

    def __init__(
        self, max_nbytes: int | str | None = "1M", temp_folder: str | None = None, mmap_mode: str | None = "r"
    ) -> None:
        self._max_nbytes = None if mmap_mode is None else threshold(max_nbytes)
        mode = mmap_mode or "r"
        self._mode = "r+" if mode == "w+" else mode
        name = f"joblib_memmapping_folder_{os.getpid()}_{uuid.uuid4().hex}_{uuid.uuid4().hex}"
        self._name, self._temp_folder = name, temp_folder
        self._folder: str | None = None
        self._lock = threading.Lock()
        self._known: dict[int, tuple[weakref.ref[Any], tuple[Any, ...]]] = {}

    def reducers(self) -> Mapping[type, Any]:
        """For `dumps`, by exact type; none while numpy is not loaded."""
        numpy = loaded("numpy")
        if numpy is None:
            return {}
        return {numpy.ndarray: self._reduce, numpy.memmap: self._reduce}

    def begin(self) -> None:
        """A call begins: what arrays held in the last one does not count."""
        with self._lock:
            self._known.clear()

    def remove(self) -> None:
        """Remove all files. Workers that map one keep it."""
        with self._lock:
            self._known.clear()
            folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _reduce(self, array: Any) -> tuple[Any, ...]:
        backing = _get_backing_memmap(array)
        if backing is not None and not array.dtype.hasobject:
            return _reduce_mapped(array, backing)
        limit = self._max_nbytes
        if limit is None or array.nbytes <= limit or array.dtype.hasobject:
            plain: tuple[Any, ...] = loaded("numpy").asarray(array).__reduce_ex__(5 if array.size else 2)
            return plain
        return self._place(array)

    def _place(self, array: Any) -> tuple[Any, ...]:
        with self._lock:
            known = self._known.get(id(array))
            if known is not None and known[0]() is array:
                return known[1]
            if self._folder is None:
                self._folder, _ = _get_temp_dir(self._name, self._temp_folder)
                os.makedirs(self._folder, mode=0o700, exist_ok=True)
                # Also when the files are collected with a pool that nobody ended, and at exit.
                weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            name = f"{os.getpid()}-{threading.get_ident()}-{uuid.uuid4().hex}.pkl"
            path = os.path.join(self._folder, name)
            order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
            with open(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
                file.write(array.ravel(order).view("u1").data)
            fields = (path, array.dtype, self._mode, 0, order, array.shape, None, None)
            reduced = (_strided_from_memmap, fields)
            self._known[id(array)] = (weakref.ref(array), reduced)
            return reduced


def _reduce_mapped(array: Any, backing: Any) -> tuple[Any, ...]:
    """The same bytes of the same file."""
    numpy = loaded("numpy")
    first, end = numpy.lib.array_utils.byte_bounds(array)
    start = numpy.lib.array_utils.byte_bounds(backing)[0]
    offset = first - start + backing.offset
    mode = "r+" if backing.mode == "w+" else backing.mode
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
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
    base = make_memmap(filename, dtype=dtype, mode=mode, offset=offset, shape=(total_buffer_len,), order=order)
    return numpy.lib.stride_tricks.as_strided(base, shape=shape, strides=strides)
