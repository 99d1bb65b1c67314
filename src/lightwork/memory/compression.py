"""What ``Memory(compress=...)`` asks for. Results are compressed in blocks, with the codecs of `parcel`."""

from typing import TYPE_CHECKING, NamedTuple

from .. import parcel
from ..errors import InvalidOption

if TYPE_CHECKING:
    from ..parcel.codecs import Encoder

__all__ = ["Compression", "check_mapping", "chosen", "encoder"]


class Compression(NamedTuple):
    """How results are compressed."""

    method: str
    level: int | None
    """``None`` for the method's own default."""


def chosen(compress: object) -> Compression | None:
    """What ``compress=`` asks for; ``None`` for no compression.

    Parameters
    ----------
    compress
        As for `dump`: ``True``, a level from 1 to 9, a method or (method, level); ``False``, ``None`` and
        level 0 for none.

    Raises
    ------
    InvalidOption
        No such form, method or level, or a method that compresses whole files alone.
    MissingDependency
        The library of the method is not installed.
    """
    if compress is None or compress is False:
        return None
    known = parcel.codecs.CODECS
    method, level = parcel.asked.method_and_level(compress, known)
    if method is not None and method not in known:
        raise parcel.asked.unknown_method(method, known)
    if level == 0:
        return None
    asked = Compression(method or "zstd", level)
    encoder(asked)  # which tells of a library that is missing
    return asked


def encoder(compression: Compression) -> "Encoder":
    """A function that compresses a block."""
    return parcel.codecs.compressor(*compression)


def check_mapping(compression: object, mmap_mode: str | None) -> None:
    """Refuse to map what is compressed."""
    if compression is not None and mmap_mode is not None:
        raise InvalidOption(
            f"mmap_mode={mmap_mode!r} and compress= exclude each other: compressed results cannot be mapped; "
            "leave one of them out"
        )
