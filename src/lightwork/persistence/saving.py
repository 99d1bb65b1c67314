"""`dump` and `dumps`: a value into a file, whole or not at all."""

import errno
import io
import os
import pickle
import stat
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, overload

from .. import parcel, persistence, system
from ..errors import FileWarning, InvalidOption, UnpicklableError
from ..system.log import warn_user
from . import compressors
from .compressors.registry import COMPRESSORS
from .options import (
    Compress,
    Compression,
    FileFormat,
    checked_protocol,
    chosen_compression,
    is_for_text,
    path_of,
    promised_format,
)

if TYPE_CHECKING:
    from ..parcel.codecs import Encoder
    from ..parcel.outputs import Sink

__all__ = ["dump", "dumps"]

_Write: TypeAlias = "Callable[[object, Sink], None]"
"""Writes a value to a file or any other object with ``write``."""


@overload
def dump(
    value: object,
    filename: str | os.PathLike[str],
    compress: Compress = 0,
    protocol: int | None = None,
    *,
    pickler: Literal["cloudpickle"] | None = None,
    format: FileFormat = "lightwork",
) -> list[str]: ...


@overload
def dump(
    value: object,
    filename: "Sink",
    compress: Compress = 0,
    protocol: int | None = None,
    *,
    pickler: Literal["cloudpickle"] | None = None,
    format: FileFormat = "lightwork",
) -> None: ...


def dump(
    value: object,
    filename: "str | os.PathLike[str] | Sink",
    compress: Compress = 0,
    protocol: int | None = None,
    *,
    pickler: Literal["cloudpickle"] | None = None,
    format: FileFormat = "lightwork",
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
        0 or ``False``: none, so that `load` can map arrays. ``True``: byte shuffle and zstd, by threads. 1 to
        9: the same at that level. A method (``"zstd"``, ``"lz4"``, ``"zlib"``, ``"bz2"``, ``"lzma"``: in
        blocks; ``"gzip"``, ``"xz"``, and those of `register_compressor`: the whole file), or ``(method,
        level)``. A path in ``.gz``, ``.z``, ``.bz2``, ``.lzma``, ``.xz``, ``.lz4``, ``.zst`` is what it says.
    protocol
        The pickle protocol of joblib's format: 0 to 5, -1 for the highest, ``None`` for that of `pickle`.
        Our own format always has protocol 5; what means the same is accepted.
    pickler
        ``"cloudpickle"`` takes lambdas, closures and classes of ``__main__`` along, to be loaded anywhere.
    format
        ``"joblib"`` writes what joblib 1.2 and later load: without `pickler`, without checksums, and at the
        speed of a pickler in Python. Without it names such as ``x.joblib``, ``x.pkl`` give a `FileWarning`.

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
    path = path_of(filename)
    write = _writer(compress, protocol, pickler, format, path)
    if path is None:
        sink: Any = filename  # Any: it is checked in the next line
        _check_sink(sink)
        write(value, sink)
        return None
    _check_target(path)
    _tell_promise(path, format)
    _write_to(path, value, write)
    return [path]


def dumps(
    value: object,
    compress: Compress = 0,
    *,
    pickler: Literal["cloudpickle"] | None = None,
    format: FileFormat = "lightwork",
) -> bytes:
    """The bytes that `dump` would write. Parameters and errors are those of `dump`."""
    file = io.BytesIO()
    _writer(compress, None, pickler, format, None)(value, file)
    return file.getvalue()


def _write_to(path: str, value: object, write: "_Write") -> None:
    try:
        with (
            open(path, "wb", buffering=0) if _is_special(path) else system.atomic.atomic_writer(path) as file
        ):
            write(value, file)
    except OSError as exc:
        if exc.filename is None:  # a full disk, say: the system does not know the name any more
            exc.filename = path
        raise


def _writer(
    compress: Compress, protocol: int | None, pickler: str | None, file_format: FileFormat, path: str | None
) -> "_Write":
    """What the options ask for, as a function that writes a value. All of them are checked here."""
    number = checked_protocol(protocol, file_format)
    chosen = chosen_compression(compress, path, file_format)
    by_value = _by_value(pickler)
    if file_format == "lightwork":
        write = _container_writer(chosen, by_value)
    elif by_value:
        raise InvalidOption("pickler='cloudpickle' is for our own format: leave it or format='joblib' out")
    else:
        write = partial(persistence.foreign.joblib_writing.write, protocol=number)
    return partial(_compressed, write, chosen) if chosen is not None and chosen.whole else write


def _container_writer(chosen: Compression | None, by_value: bool) -> "_Write":
    encode = None
    if chosen is not None and not chosen.whole:
        encode = parcel.codecs.compressor(chosen.method, chosen.level)
    return partial(_write_container, encode=encode, by_value=by_value)


def _write_container(value: object, sink: "Sink", *, encode: "Encoder | None", by_value: bool) -> None:
    try:
        parcel.writer.write(value, sink, encode=encode, by_value=by_value)
    except UnpicklableError as exc:
        if not by_value and isinstance(exc.__cause__, pickle.PicklingError | AttributeError):
            exc.add_note("Functions and classes that cannot be imported need pickler='cloudpickle'.")
        raise


def _compressed(write: "_Write", chosen: Compression, value: object, sink: "Sink") -> None:
    """Let `write` write into a compressor of the file as a whole."""
    compressor = COMPRESSORS[chosen.method]
    shield = compressors.streams.Shield(sink)
    file = compressor.compressor_file(shield, chosen.level)
    try:
        write(value, file)
        file.close()
    except BaseException:
        shield.abandon()
        raise


def _by_value(pickler: str | None) -> bool:
    if pickler not in (None, "cloudpickle"):
        raise InvalidOption(f"pickler={pickler!r} is not known: give None or 'cloudpickle'")
    return pickler is not None


def _tell_promise(path: str, file_format: FileFormat) -> None:
    """Warn of a name by which others will take a file of our own format for one of theirs."""
    promised = promised_format(path)
    if promised is None or file_format != "lightwork":
        return
    readers = "joblib" if promised == "joblib" else "pickle and joblib"
    warn_user(
        f'{path!r} gets lightwork\'s own format, which {readers} cannot read: dump(..., format="joblib") '
        "writes what joblib reads; a name that ends in '.lw' keeps this warning away",
        FileWarning,
    )


def _check_sink(file: Any) -> None:  # Any: whatever the caller gave
    if not hasattr(file, "write"):
        raise InvalidOption(
            "Second argument should be a filename or a file-like object, "
            f"{file!r} (type {type(file)}) was given."
        )
    if getattr(file, "closed", False):
        raise InvalidOption(f"cannot write to {file!r}: it is closed")
    if is_for_text(file):
        raise InvalidOption(f'cannot write to {file!r}: it is open for text; open it with "wb"')
    if isinstance(file, io.IOBase) and not file.writable():
        raise InvalidOption(f'cannot write to {file!r}: it is not open for writing; open it with "wb"')


def _check_target(path: str) -> None:
    """Raise the `OSError` that writing would end in, with a message that names the path as it was given."""
    if not path:
        raise FileNotFoundError(errno.ENOENT, "cannot write '': the path is empty")
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
