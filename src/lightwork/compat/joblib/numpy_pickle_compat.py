"""Files of joblib before 0.10: arrays in files beside them, and compression with a ``ZF`` header."""

import os
import pickle
import zlib
from typing import Any

from ...persistence.foreign import joblib_legacy
from ...system.optional import installed
from .compressor import _ZFILE_PREFIX
from .numpy_pickle_utils import Unpickler, _ensure_native_byte_order, read_stream

# Any: users' values, arrays of a library that may not be installed, file objects of any kind.
__all__ = ["NDArrayWrapper", "ZNDArrayWrapper", "ZipNumpyUnpickler", "load_compatibility"]

_MAX_LEN = len(hex(2**64))
_CHUNK_SIZE = 64 * 1024


def hex_str(an_int: int) -> str:
    """A number in hexadecimal."""
    return hex(an_int)


def asbytes(s: str | bytes) -> bytes:
    """A text as bytes of latin-1."""
    return s if isinstance(s, bytes) else s.encode("latin1")


def read_zfile(file_handle: Any) -> bytes:
    """The plain bytes of a ``ZF`` file that stands at its first byte.

    Raises
    ------
    ValueError
        It is damaged.
    """
    plain, length = joblib_legacy.open_old(file_handle)
    data = plain.read()
    if len(data) != length:
        raise ValueError(f"Incorrect data length while decompressing {file_handle!r}: the file is damaged")
    return data


def write_zfile(file_handle: Any, data: bytes, compress: int = 1) -> None:
    """Write `data` as a ``ZF`` file."""
    file_handle.write(_ZFILE_PREFIX + asbytes(hex(len(data)).ljust(_MAX_LEN)))
    file_handle.write(zlib.compress(asbytes(data), compress))


class NDArrayWrapper:
    """An array that lies in an ``.npy`` file beside the pickle."""

    def __init__(self, filename: str, subclass: Any, allow_mmap: bool = True) -> None:
        self.filename = filename
        self.subclass = subclass
        self.allow_mmap = allow_mmap

    def read(self, unpickler: Any) -> Any:
        """The array, mapped if the unpickler maps."""
        return joblib_legacy.side_array(unpickler._dirname, vars(self), unpickler.mmap_mode)


class ZNDArrayWrapper:
    """An array whose bytes lie in a ``ZF`` file beside the pickle."""

    def __init__(self, filename: str, init_args: Any, state: Any) -> None:
        self.filename = filename
        self.init_args = init_args
        self.state = state

    def read(self, unpickler: Any) -> Any:
        """The array."""
        return joblib_legacy.compressed_side_array(unpickler._dirname, vars(self))


class ZipNumpyUnpickler(Unpickler):  # type: ignore[misc]  # Any, see there
    """The unpickler for such files, with parts to override."""

    dispatch = Unpickler.dispatch.copy()

    def __init__(self, filename: str, file_handle: Any, mmap_mode: str | None = None) -> None:
        self._filename = os.path.basename(filename)
        self._dirname = os.path.dirname(filename)
        self.mmap_mode = mmap_mode
        self.file_handle = self._open_pickle(file_handle)
        super().__init__(self.file_handle)
        self.np = installed("numpy")

    def _open_pickle(self, file_handle: Any) -> Any:
        return joblib_legacy.open_old(file_handle)[0]

    def load_build(self) -> None:
        """Set a state; a wrapper gives way to its array."""
        super().load_build()
        if isinstance(self.stack[-1], NDArrayWrapper | ZNDArrayWrapper):
            array = self.stack.pop().read(self)
            self.stack.append(array if self.mmap_mode else _ensure_native_byte_order(array))

    dispatch[pickle.BUILD[0]] = load_build


def load_compatibility(filename: str) -> Any:
    """The value in a file of joblib before 0.10, compressed or not."""
    with open(filename, "rb") as file:
        is_compressed = file.peek(len(_ZFILE_PREFIX)).startswith(_ZFILE_PREFIX)
        plain = joblib_legacy.open_old(file)[0] if is_compressed else file
        return read_stream(plain, native=True, filename=filename)
