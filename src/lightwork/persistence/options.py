"""What the arguments of `dump` and `load` mean. Pure: nothing is opened here."""

import io
import os
import pickle
import re
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from .. import parcel
from ..errors import InvalidOption
from .compressors.registry import COMPRESSORS

__all__ = [
    "Compress",
    "Compression",
    "FileFormat",
    "MmapMode",
    "checked_protocol",
    "chosen_compression",
    "is_for_text",
    "native_byte_order",
    "path_of",
    "promised_format",
]

Compress: TypeAlias = "bool | int | str | tuple[str, int | None] | None"
MmapMode: TypeAlias = Literal["r", "r+", "w+", "c"]

FileFormat: TypeAlias = Literal["lightwork", "joblib"]

_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+://")

_ZSTD_FOR_JOBLIB = (
    "joblib cannot read zstd: choose another method, such as 'zlib', or leave format='joblib' out"
)


class Compression(NamedTuple):
    """How a file is compressed."""

    method: str
    level: int | None
    """``None`` for the method's own default."""

    whole: bool
    """Whether the file is one compressed stream, as other programs read it; else blocks in our container."""


def chosen_compression(
    compress: Compress, name: str | None, file_format: FileFormat = "lightwork"
) -> Compression | None:
    """What `compress` asks for; ``None`` for no compression.

    Parameters
    ----------
    compress
        ``False`` or 0: none, unless the name has an ending. ``True`` or ``None``: the method of the ending,
        else byte shuffle and zstd (for joblib zlib). 1 to 9: the same at that level. A method, or a tuple of
        a method and a level (0: none; ``None``: the method's default).
    name
        The file's name, ``None`` for a file object.
    file_format
        joblib's files are always compressed as a whole.

    Raises
    ------
    InvalidOption
        No such form, method or level, or (joblib does that) not what the ending of the name promises.
    """
    known = [known for known, _ in COMPRESSORS]
    method, level = parcel.asked.method_and_level(compress, known)
    ending = COMPRESSORS.by_ending(name) if name else None
    if method is None:
        method = ending or ("zstd" if file_format == "lightwork" else "zlib")
        if level == 0:
            level = None if ending else 0
    if method not in parcel.codecs.CODECS and method not in COMPRESSORS:
        raise parcel.asked.unknown_method(method, known)
    named = name is not None and method in COMPRESSORS and COMPRESSORS.has_ending(method, name)
    if file_format == "lightwork" and ending is not None and (level == 0 or not named):
        raise InvalidOption(
            f"{name!r} promises a file of {ending}, and compress={compress!r} would write another: leave the "
            "method out, or give the file another name"
        )
    if level == 0:
        return None
    if file_format == "joblib" and method == "zstd" and COMPRESSORS.is_built_in(method):
        raise InvalidOption(_ZSTD_FOR_JOBLIB)
    in_blocks = method in parcel.codecs.CODECS and COMPRESSORS.is_built_in(method)
    return Compression(method, level, file_format == "joblib" or named or not in_blocks)


def promised_format(name: str) -> Literal["joblib", "pickle"] | None:
    """The format that the ending of a file's name promises, if that is none of ours."""
    ending = COMPRESSORS.by_ending(name)
    plain = name.removesuffix(COMPRESSORS[ending].extension) if ending else name
    if plain.endswith(".joblib"):
        return "joblib"
    return "pickle" if plain.endswith((".pkl", ".pickle")) else None


def checked_protocol(protocol: int | None, file_format: FileFormat = "lightwork") -> int:
    """The pickle protocol to write.

    joblib's files have any; ours always have the same, so only what means that one is accepted.
    """
    if file_format not in get_args(FileFormat):
        raise InvalidOption(f"format={file_format!r} is not known: give 'lightwork' or 'joblib'")
    if file_format == "joblib":
        return _protocol_for_joblib(protocol)
    written = parcel.pickling.PROTOCOL
    if protocol not in (None, -1, written):
        raise InvalidOption(
            f"protocol={protocol!r} is not possible: lightwork files hold pickle protocol {written}, "
            "leave it out"
        )
    return written


def _protocol_for_joblib(protocol: Any) -> int:  # Any: it is checked here
    if protocol is None:
        return pickle.DEFAULT_PROTOCOL
    if type(protocol) is not int or not -1 <= protocol <= pickle.HIGHEST_PROTOCOL:
        raise InvalidOption(
            f"protocol={protocol!r} is not possible: give 0 to {pickle.HIGHEST_PROTOCOL}, "
            "or -1 for the highest"
        )
    return pickle.HIGHEST_PROTOCOL if protocol == -1 else protocol


def native_byte_order(ensure: Any, mmap_mode: Any) -> bool:  # Any: they are checked here
    """Whether arrays of the other byte order are turned round. Checks both arguments."""
    if mmap_mode is not None and mmap_mode not in get_args(MmapMode):
        raise InvalidOption(
            f"mmap_mode={mmap_mode!r} is not a mode: give None, 'r', 'r+', 'w+' (the same as 'r+') or 'c'"
        )
    if not isinstance(ensure, bool) and ensure != "auto":
        raise InvalidOption(
            f'ensure_native_byte_order={ensure!r} is not possible: give True, False or "auto"'
        )
    if ensure is True and mmap_mode is not None:
        raise InvalidOption(
            "Native byte ordering can only be enforced if 'mmap_mode' parameter is set to None, "
            f"it is {mmap_mode!r}: mapped bytes stay as they are"
        )
    return mmap_mode is None if ensure == "auto" else ensure


def is_for_text(file: object) -> bool:
    """Whether a file object takes or gives text; wrappers, of temporary files say, have an encoding."""
    return isinstance(file, io.TextIOBase) or isinstance(getattr(file, "encoding", None), str)


def path_of(file: object) -> str | None:
    """The path that `file` is, ``None`` if it is no path. A path of bytes is refused, and a URL."""
    if not isinstance(file, str | os.PathLike):
        return None
    path = os.fspath(file)
    if isinstance(path, bytes):
        raise InvalidOption(f"the path {path!r} is given as bytes: use os.fsdecode(path)")
    if _URL.match(path):
        raise InvalidOption(f"{path!r} is a URL: give a path, or an open file, as fsspec.open makes one")
    return path
