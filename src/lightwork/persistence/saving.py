"""`dump` and `dumps`: a value into a file, whole or not at all."""

import errno
import io
import os
import pickle
import stat
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, overload

from .. import parcel
from ..errors import InvalidOption, UnpicklableError
from ..system.atomic import atomic_writer
from .options import Compress, check_protocol, chosen_compression, path_of

if TYPE_CHECKING:
    from ..parcel.codecs import Encoder
    from ..parcel.outputs import Sink

__all__ = ["dump", "dumps"]


@overload
def dump(
    value: object,
    filename: str | os.PathLike[str],
    compress: Compress = 0,
    protocol: int | None = None,
    *,
    pickler: Literal["cloudpickle"] | None = None,
) -> list[str]: ...


@overload
def dump(
    value: object,
    filename: "Sink",
    compress: Compress = 0,
    protocol: int | None = None,
    *,
    pickler: Literal["cloudpickle"] | None = None,
) -> None: ...


def dump(
    value: object,
    filename: "str | os.PathLike[str] | Sink",
    compress: Compress = 0,
    protocol: int | None = None,
    *,
    pickler: Literal["cloudpickle"] | None = None,
) -> list[str] | None:
    """Keep a value in a file.

    A path gets a file that appears whole or not at all: it is written under another name, synced to the
    disk and renamed, so an older file of that name survives any failure. A file object is written from its
    current position on, in one forward pass, and neither flushed nor closed; after a failure it holds a part.

    Parameters
    ----------
    value
        Anything that can be pickled. Arrays are written straight from their memory.
    filename
        A path, or an object with ``write`` for bytes: a file, a pipe, `io.BytesIO`.
    compress
        0 or ``False``: none, so that arrays can be mapped by `load`. ``True``: byte shuffle and zstd, by
        several threads. 1 to 9: the same at that level. A method (``"zstd"``, ``"zlib"``, ``"bz2"``,
        ``"lzma"``), or a tuple ``(method, level)``.
    protocol
        Accepted for the sake of old calls: ``None``, 5 or -1, which mean the same.
    pickler
        ``"cloudpickle"`` takes lambdas, closures and classes of ``__main__`` along, to be loaded anywhere.

    Returns
    -------
    list of str or None
        ``[filename]`` for a path, ``None`` for a file object.

    Raises
    ------
    InvalidOption
        An argument that cannot be right. Nothing was written.
    UnpicklableError
        A part of the value cannot be pickled; the message names it.
    OSError
        The file cannot be written.
    """
    check_protocol(protocol)
    path = path_of(filename)
    encode = _encoder(compress, path)
    by_value = _by_value(pickler)
    if path is None:
        sink: Any = filename  # Any: it is checked in the next line
        _check_sink(sink)
        _write(value, sink, encode, by_value)
        return None
    _check_target(path)
    _write_to(path, value, encode, by_value)
    return [path]


def dumps(value: object, compress: Compress = 0, *, pickler: Literal["cloudpickle"] | None = None) -> bytes:
    """The bytes that `dump` would write. Parameters and errors are those of `dump`."""
    encode, by_value = _encoder(compress, None), _by_value(pickler)
    file = io.BytesIO()
    _write(value, file, encode, by_value)
    return file.getvalue()


def _write_to(path: str, value: object, encode: "Encoder | None", by_value: bool) -> None:
    try:
        with open(path, "wb", buffering=0) if _is_special(path) else atomic_writer(path) as file:
            _write(value, file, encode, by_value)
    except OSError as exc:
        if exc.filename is None:  # a full disk, say: the system does not know the name any more
            exc.filename = path
        raise


def _write(value: object, file: "BinaryIO | Sink", encode: "Encoder | None", by_value: bool) -> None:
    try:
        parcel.writer.write(value, file, encode=encode, by_value=by_value)
    except UnpicklableError as exc:
        if not by_value and isinstance(exc.__cause__, pickle.PicklingError | AttributeError):
            exc.add_note("Functions and classes that cannot be imported need pickler='cloudpickle'.")
        raise


def _encoder(compress: Compress, path: str | None) -> "Encoder | None":
    chosen = chosen_compression(compress, path)
    return None if chosen is None else parcel.codecs.compressor(chosen.method, chosen.level)


def _by_value(pickler: str | None) -> bool:
    if pickler not in (None, "cloudpickle"):
        raise InvalidOption(f"pickler={pickler!r} is not known: give None or 'cloudpickle'")
    return pickler is not None


def _check_sink(file: Any) -> None:  # Any: whatever the caller gave
    if not hasattr(file, "write"):
        raise InvalidOption(
            "Second argument should be a filename or a file-like object, "
            f"{file!r} (type {type(file)}) was given."
        )
    if getattr(file, "closed", False):
        raise InvalidOption(f"cannot write to {file!r}: it is closed")
    if isinstance(file, io.TextIOBase):
        raise InvalidOption(f'cannot write to {file!r}: it is open for text; open it with "wb"')
    if isinstance(file, io.IOBase) and not file.writable():
        raise InvalidOption(f'cannot write to {file!r}: it is not open for writing; open it with "wb"')


def _check_target(path: str) -> None:
    """Raise the `OSError` that writing would end in, with a message that names the path as it was given."""
    target = os.path.realpath(path)
    if os.path.isdir(target):
        raise IsADirectoryError(errno.EISDIR, f"cannot write {path!r}: it is a directory")
    if not os.path.isdir(os.path.dirname(target)):
        raise FileNotFoundError(errno.ENOENT, f"cannot write {path!r}: its folder does not exist")
    if os.path.exists(target) and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, f"cannot write {path!r}: it is write-protected")
    if not _is_special(path) and not os.access(os.path.dirname(target), os.W_OK):
        raise PermissionError(errno.EACCES, f"cannot write {path!r}: its folder is write-protected")


def _is_special(path: str) -> bool:
    """Whether there is a pipe or a device of that name, which must be written to and not be replaced."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except FileNotFoundError:
        return False
