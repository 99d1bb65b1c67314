"""Runs of small arrays of one dtype: their shapes, and their elements one after the other."""

from collections.abc import Iterator, Sequence
from operator import attrgetter

from ..arrays.blocks import Array
from ..arrays.padding import has_padding
from .walk import RAW, Walk, frame

__all__ = ["encode_arrays", "is_plain"]

_GROUP = 256  # arrays that are joined at a time: at most 16 MiB, since each has less than `RAW` bytes


def is_plain(dtype: Array) -> bool:
    """Whether a dtype is built in and has no fields or shape of its own: ``dtype.str`` says all of it."""
    return bool(dtype.num < 24 and dtype.names is None and dtype.subdtype is None)


def encode_arrays(walk: Walk, items: Sequence[Array], levels: int) -> bytes | None:
    """The encoding of arrays (exactly ``numpy.ndarray``); ``None`` unless small and of one plain dtype."""
    dtype = items[0].dtype
    if not is_plain(dtype) or dtype.hasobject or has_padding(dtype):
        return None
    if len(set(map(attrgetter("dtype"), items))) != 1:
        return None
    sizes = list(map(attrgetter("nbytes"), items))
    if max(sizes) >= RAW:
        return None
    shapes = list(map(attrgetter("shape"), items))
    walk.keep(shapes)
    total = sum(sizes)
    if total < RAW:
        content = b"=%b" % b"".join(_joined(items))
    else:
        content = b"~%b" % walk.algorithm.stream(_joined(items), total)
    return frame(b"a", [walk.token(dtype), walk.token(shapes), walk.seal(content)])


def _joined(items: Sequence[Array]) -> Iterator[bytes]:
    """The elements in logical C order, some hundred arrays at a time."""
    for at in range(0, len(items), _GROUP):
        yield b"".join([item.tobytes() for item in items[at : at + _GROUP]])
