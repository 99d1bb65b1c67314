"""The bytes of a buffer that is about to be written, piece by piece, copied only where they must be."""

import pickle
from collections.abc import Iterator

from ..arrays.blocks import blocks, flat_view
from .reducers import Pool, Source, as_bytes

__all__ = ["nbytes_of", "pieces", "width_of"]


def nbytes_of(source: Source) -> int:
    """How many bytes a source has."""
    if isinstance(source, pickle.PickleBuffer):
        return source.raw().nbytes
    return int(source.nbytes)


def width_of(source: Source) -> int:
    """How many bytes a number in it has, ``>= 1``: what the byte shuffle goes by."""
    if isinstance(source, pickle.PickleBuffer):
        return memoryview(source).itemsize
    dtype = source.dtype
    if dtype.kind in "SU":
        return 1 if dtype.kind == "S" else 4
    return int(dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize)


def pieces(source: Source, nbytes: int) -> Iterator[memoryview]:
    """The bytes of a source in pieces of exactly `nbytes`, the last one shorter; never an empty one.

    Of an array that is neither in C nor in Fortran order one piece is copied at a time, in C order.
    """
    view = _view(source)
    if view is not None:
        for start in range(0, len(view), nbytes):
            yield view[start : start + nbytes]
    else:
        yield from _collected(blocks(source), nbytes)


def _view(source: Source) -> memoryview | None:
    if isinstance(source, pickle.PickleBuffer | Pool):
        return as_bytes(source)
    return flat_view(source.T if source.flags.fnc else source)


def _collected(parts: Iterator[memoryview], nbytes: int) -> Iterator[memoryview]:
    """The same bytes in pieces of one length: rows of an array seldom fit the pieces of the format."""
    piece, filled = memoryview(bytearray(nbytes)), 0
    for part in parts:
        while part:
            taken = part[: nbytes - filled]
            piece[filled : filled + len(taken)] = taken
            filled += len(taken)
            part = part[len(taken) :]
            if filled == nbytes:
                yield piece
                piece, filled = memoryview(bytearray(nbytes)), 0
    if filled:
        yield piece[:filled]
