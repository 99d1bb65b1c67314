"""What the arguments of `dump` and `load` mean. Pure: nothing is opened here."""

import os
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from .. import parcel
from ..errors import InvalidOption

__all__ = [
    "Compress",
    "Compression",
    "MmapMode",
    "check_protocol",
    "chosen_compression",
    "native_byte_order",
    "path_of",
]

Compress: TypeAlias = "bool | int | str | tuple[str, int | None] | None"
MmapMode: TypeAlias = Literal["r", "r+", "w+", "c"]

_DEFAULT = "zstd"
_LEVELS = "a level from 1 to 9, 0 for none"
# A name with one of these tells other programs how to open the file, and joblib compresses by it.
_EXTENSIONS = (".z", ".gz", ".bz2", ".lzma", ".xz", ".lz4")


class Compression(NamedTuple):
    """A codec and its level; ``None`` for the codec's own default."""

    method: str
    level: int | None


def chosen_compression(compress: Compress, name: str | None) -> Compression | None:
    """What `compress` asks for; ``None`` for no compression.

    Parameters
    ----------
    compress
        ``False`` or 0: none. ``True`` or ``None``: byte shuffle and zstd. 1 to 9: the same at that level.
        A method, or a tuple of a method and a level (0: none, ``None``: the method's default).
    name
        The file's name, ``None`` for a file object.

    Raises
    ------
    InvalidOption
        No such form, method or level; or the name promises a format that is not written.
    """
    method, level = _method_and_level(compress)
    if method is None:
        _refuse_extension(name)
        method = _DEFAULT
    if method not in parcel.codecs.CODECS:
        raise InvalidOption(
            f'Non valid compression method given: "{method}". lightwork compresses inside its own format, '
            f"with one of {_methods()}"
        )
    return None if level == 0 else Compression(method, level)


def _method_and_level(compress: Any) -> tuple[str | None, int | None]:  # Any: it is checked here
    if compress is True or compress is None:
        return None, None
    if isinstance(compress, str):
        return compress, None
    if isinstance(compress, tuple | list):
        if len(compress) != 2:
            raise InvalidOption(
                "Compress argument tuple should contain exactly 2 elements, (method, level): "
                f"{compress!r} was given"
            )
        method, level = compress
        if not isinstance(method, str):
            raise InvalidOption(f'Non valid compression method given: "{method!r}": give one of {_methods()}')
        return method, None if level is None else _level(level)
    return None, _level(compress)


def _methods() -> str:
    return ", ".join(map(repr, parcel.codecs.CODECS))


def _level(level: Any) -> int:  # Any: it is checked here
    if level is False:
        return 0
    try:
        number = range(10).index(level)
    except ValueError:
        raise InvalidOption(f'Non valid compress level given: "{level!r}": give {_LEVELS}') from None
    return number


def _refuse_extension(name: str | None) -> None:
    extension = os.path.splitext(name or "")[1]
    if extension in _EXTENSIONS:
        raise InvalidOption(
            f"cannot write {name!r}: a name that ends in {extension!r} promises a format that lightwork "
            f"does not write; choose another ending, and compress=True for a smaller file"
        )


def check_protocol(protocol: int | None) -> None:
    """Accept what means the pickle protocol of the format, which is always the same; refuse the rest."""
    written = parcel.pickling.PROTOCOL
    if protocol not in (None, -1, written):
        raise InvalidOption(
            f"protocol={protocol!r} is not possible: lightwork files hold pickle protocol {written}, "
            "leave it out"
        )


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


def path_of(file: object) -> str | None:
    """The path that `file` is, ``None`` if it is no path. A path of bytes is refused."""
    if not isinstance(file, str | os.PathLike):
        return None
    path = os.fspath(file)
    if isinstance(path, bytes):
        raise InvalidOption(f"the path {path!r} is given as bytes: use os.fsdecode(path)")
    return path
