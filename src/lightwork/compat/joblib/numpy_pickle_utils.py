"""What `dump` and `load` of the face share: which compression a file has, and how streams are read."""

import io
import os
import pickle
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightwork

from ...errors import CorruptFileError, InvalidOption
from ...parcel import layout
from ...parcel.inputs import FileInput, StreamInput
from ...persistence.foreign.joblib_reading import Surroundings, read
from ...persistence.mapping import turned
from ..names import name_here
from .compressor import _COMPRESSORS, _ZFILE_PREFIX

# Any: users' values, arrays of a library that may not be installed, file objects of any kind.
__all__ = ["UnreadableFile", "read_stream"]

# Those in Python: their parts can be overridden.
Pickler: Any = vars(pickle)["_Pickler"]
Unpickler: Any = vars(pickle)["_Unpickler"]
xrange = range

_IO_BUFFER_SIZE = 1024**2
BUFFER_SIZE = 2**18

_ZSTD_PREFIX = b"\x28\xb5\x2f\xfd"  # files of lightwork that are compressed as a whole


class UnreadableFile(CorruptFileError, EOFError, pickle.UnpicklingError):
    """A file that is damaged or cut short: each of the errors that joblib raises for it."""


def _is_numpy_array_byte_order_mismatch(array: Any) -> bool:
    """Whether a numeric array is of the other byte order; of a structured one, all of its fields."""
    dtype = array.dtype
    if dtype.names is not None:
        return all(not dtype[name].isnative for name in dtype.names)
    return not dtype.isnative


def _ensure_native_byte_order(array: Any) -> Any:
    """The array in the byte order of this machine, turned in place if it is of the other one."""
    return turned(array)


def _head(file: Any) -> bytes:
    """The first bytes; who cannot look ahead is read from its beginning, as joblib does."""
    head: bytes
    if hasattr(file, "peek"):
        head = file.peek(len(layout.MAGIC))  # which gives all that it has
    else:
        head = file.read(max(len(layout.MAGIC), *(len(one.prefix) for one in _COMPRESSORS.values())))
        file.seek(0)
    return head


def _detect_compressor(fileobj: Any) -> str:
    """The name of the compressor of a file, ``"compat"`` for joblib before 0.10, or ``"not-compressed"``."""
    head = _head(fileobj)
    if head.startswith(_ZFILE_PREFIX):
        return "compat"
    found = (name for name, one in _COMPRESSORS.items() if head.startswith(one.prefix))
    return next(found, "not-compressed")


def _is_raw_file(fileobj: Any) -> bool:
    """Whether a file object reads a file of the system without any change."""
    return isinstance(getattr(fileobj, "raw", fileobj), io.FileIO)


def _buffered_read_file(fobj: Any) -> io.BufferedReader:
    return io.BufferedReader(fobj, buffer_size=_IO_BUFFER_SIZE)


def _buffered_write_file(fobj: Any) -> io.BufferedWriter:
    return io.BufferedWriter(fobj, buffer_size=_IO_BUFFER_SIZE)


def _write_fileobject(filename: Any, compress: tuple[str, int | None] = ("zlib", 3)) -> io.BufferedWriter:
    """A file that compresses into `filename`, a path or a file object."""
    method, level = compress
    compressor = _COMPRESSORS.get(method, _COMPRESSORS["zlib"])
    return _buffered_write_file(compressor.compressor_file(filename, compresslevel=level))


@contextmanager
def _validate_fileobject_and_memmap(
    fileobj: Any, filename: str, mmap_mode: str | None = None
) -> Iterator[tuple[Any, str | None]]:
    """The plain bytes of a file, and `mmap_mode` if they can be mapped, else ``None`` after a warning.

    Instead of the bytes of a compressed file of joblib before 0.10 its name is given.
    """
    method = _detect_compressor(fileobj)
    if method == "compat":
        yield filename, mmap_mode
    elif method in _COMPRESSORS:
        if mmap_mode is not None:
            warn_of_compression(filename, mmap_mode)
        with _buffered_read_file(_COMPRESSORS[method].decompressor_file(fileobj)) as plain:
            yield plain, None
    else:
        if mmap_mode is not None and isinstance(fileobj, io.BytesIO):
            _warn(
                f'In memory persistence is not compatible with mmap_mode "{mmap_mode}" flag passed. '
                "mmap_mode option will be ignored."
            )
            mmap_mode = None
        elif mmap_mode is not None and not _is_raw_file(fileobj):
            _warn(f'"{fileobj!r}" is not a raw file, mmap_mode "{mmap_mode}" flag will be ignored.')
            mmap_mode = None
        yield fileobj, mmap_mode


def warn_of_compression(filename: str, mmap_mode: str) -> None:
    """Tell that a compressed file cannot be mapped. For functions that `load` calls through one other."""
    _warn(
        f'mmap_mode "{mmap_mode}" is not compatible with compressed file {filename}. '
        f'"{mmap_mode}" flag will be ignored.',
        stacklevel=6,
    )


def _warn(message: str, stacklevel: int = 5) -> None:
    # For who called `load`: behind this, the generator, `contextlib` and `load`.
    warnings.warn(message, UserWarning, stacklevel=stacklevel)


def is_of_lightwork(file: Any) -> bool:
    """Whether a file is in lightwork's own format, which joblib does not know."""
    head = _head(file)
    return head.startswith((layout.MAGIC, _ZSTD_PREFIX))


def load_of_lightwork(file: Any, filename: str, native: bool, mmap_mode: str | None) -> Any:
    """The value in such a file; by its path if it is to be mapped."""
    if mmap_mode is not None:
        try:
            return lightwork.load(filename, mmap_mode, native, renames=None)  # type: ignore[arg-type]  # checked there
        except InvalidOption:
            warn_of_compression(filename, mmap_mode)
    return lightwork.load(file, None, native)


def read_stream(
    file: Any,
    *,
    native: bool,
    filename: str = "",
    mmap_mode: str | None = None,
    side_file: Callable[[str], object] = str,
) -> Any:
    """The value of a pickle of joblib, at the speed of C. `file` stands behind it afterwards.

    Parameters
    ----------
    native
        Turn arrays to the byte order of this machine.
    filename
        Where it lies: for mapping, and for files beside it.
    mmap_mode
        Map the arrays.
    side_file
        Told the name of each file beside it that is read.

    Raises
    ------
    UnreadableFile
        It is damaged or cut short, as far as that is noticed.
    """
    folder = os.path.dirname(filename) if filename else None
    around = Surroundings(native, name_here, folder, side_file=side_file)
    try:
        if not filename or not _stands_at_the_beginning(file):
            return read(StreamInput(file), around)
        source = FileInput(file.fileno())
        if mmap_mode is None:
            value = read(source, around)
        else:
            with open(filename, "r+b" if mmap_mode in ("r+", "w+") else "rb") as mapped:
                mode: Any = mmap_mode  # Any: it is checked where it is used
                value = read(source, around._replace(file=mapped, mmap_mode=mode))
        file.seek(source.position)
        return value
    except CorruptFileError as exc:
        raise UnreadableFile(f"cannot read {filename or file!r}: {exc}") from exc


def _stands_at_the_beginning(file: Any) -> bool:
    """Whether it is a regular file of the system, of which nothing was read."""
    return (
        isinstance(getattr(file, "raw", None), io.FileIO)
        and stat.S_ISREG(os.fstat(file.fileno()).st_mode)
        and file.tell() == 0
    )


def _read_bytes(fp: Any, size: int, error_template: str = "ran out of data") -> bytes:
    """Exactly so many bytes.

    Raises
    ------
    ValueError
        There are fewer.
    """
    data = bytearray(size)
    read_into(fp, memoryview(data), error_template)
    return bytes(data)


def read_into(file: Any, out: memoryview, what: str) -> None:
    """Fill `out`; `ValueError` if the file ends before."""
    done = 0
    while done < len(out):
        data = file.read(min(len(out) - done, BUFFER_SIZE))
        if not data:
            raise ValueError(f"EOF: reading {what}, expected {len(out)} bytes got {done}")
        out[done : done + len(data)] = data
        done += len(data)
