"""The bytes of a numpy array: as one view where they lie in C order, else block by block.

Layout is not content: an array and its transposed twice, sliced or deep-copied self have the same elements
in logical C order. Whoever stores or hashes elements asks here, and copies at most one block at a time.
"""

from collections.abc import Iterator
from pickle import PickleBuffer
from typing import Any, TypeAlias

from ..system.optional import loaded

__all__ = ["BLOCK", "Array", "array_blocks", "blocks", "cast_blocks", "flat_view", "plain", "span_blocks"]

BLOCK = 1 << 20
"""Bytes that are copied at a time: large against the cost of a copy's start, small against L2 + L3."""

TILE = 256
"""Columns that are copied at a time, see `_c_copy`."""

# Any: numpy is optional and never imported here, so its types have no name here.
Array: TypeAlias = "Any"


def plain(array: Array) -> Array:
    """The base-class view of an array (``matrix``, ``memmap``, masked arrays lose their class), no copy."""
    numpy = loaded("numpy")
    return array if type(array) is numpy.ndarray else array.view(numpy.ndarray)


def flat_view(array: Array) -> memoryview | None:
    """The bytes of a C-contiguous array, without copying.

    Parameters
    ----------
    array
        A ``numpy.ndarray`` or an instance of a subclass, any shape and dtype.

    Returns
    -------
    memoryview or None
        Format ``'B'``, shape ``(array.nbytes,)``; it keeps the array alive and is writable iff the array
        is. ``None`` if the elements do not lie in C order or are Python objects.
    """
    if array.dtype.hasobject or not array.flags.c_contiguous:
        return None
    try:
        return PickleBuffer(array).raw()
    except (ValueError, BufferError):
        # datetime64, and others for which the buffer protocol has no format letter
        return memoryview(plain(array).reshape(-1).view("u1"))


def blocks(array: Array, *, nbytes: int = BLOCK) -> Iterator[memoryview]:
    """The elements in logical C order, cut into blocks of at most `nbytes`, whatever strides and order.

    Parameters
    ----------
    array
        As for `flat_view`; not of Python objects.
    nbytes
        Upper bound of a block (bytes, at least one item). Contiguous arrays are cut without copying,
        others are copied one block at a time.

    Yields
    ------
    memoryview
        Format ``'B'``, one-dimensional, never empty. A copied block is not used again by later ones.

    Raises
    ------
    TypeError
        The array holds Python objects.
    """
    for block in array_blocks(array, nbytes=nbytes):
        view = flat_view(block)
        assert view is not None  # blocks are C-contiguous by construction
        yield view


def array_blocks(array: Array, *, nbytes: int = BLOCK) -> Iterator[Array]:
    """As `blocks`, but yields C-contiguous arrays that keep the dtype."""
    yield from span_blocks(array, 0, None, nbytes=nbytes)


def cast_blocks(array: Array, dtype: str, *, nbytes: int = BLOCK) -> Iterator[memoryview]:
    """As `blocks`, for the elements as another `dtype` (which holds them all); converted block by block."""
    for block in array_blocks(array, nbytes=nbytes):
        view = flat_view(block.astype(dtype, copy=False))
        assert view is not None  # blocks are C-contiguous by construction
        yield view


def span_blocks(array: Array, start: int, stop: int | None, *, nbytes: int = BLOCK) -> Iterator[Array]:
    """As `array_blocks`, for the elements ``start .. stop - 1`` in logical C order (``None``: to the end)."""
    if array.dtype.hasobject:
        raise TypeError(
            f"an array of dtype {array.dtype} holds Python objects, which have no blocks of bytes"
        )
    stop = array.size if stop is None else stop
    if start < stop and array.dtype.itemsize:
        yield from _pieces(plain(array), start, stop, max(1, nbytes // array.dtype.itemsize))


def _pieces(array: Array, start: int, stop: int, items: int) -> Iterator[Array]:
    """C-contiguous pieces of at most `items` elements of ``array.flat[start:stop]``."""
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        for at in range(start, stop, items):
            yield flat[at : min(at + items, stop)]
        return
    inner = array.size // array.shape[0]
    row, skipped = divmod(start, inner)
    while start < stop:
        rows = min(items // inner, (stop - start) // inner)
        if skipped or not rows:  # a part of one row
            end = min(stop, start - skipped + inner)
            yield from _pieces(array[row], skipped, skipped + end - start, items)
            start, row, skipped = end, row + 1, 0
        else:
            yield _c_copy(array[row : row + rows])
            start, row = start + rows * inner, row + rows


def _c_copy(piece: Array) -> Array:
    """A C-ordered copy; column by column tiles where the first axis is the fast one.

    numpy copies along the last axis of the result. In F order each step of that is in another page, and
    the pages of one row are more than the TLB holds. Tiles of 256 columns copy 2.4 to 3.7 times as fast
    (100 MB of doubles, four shapes; the rows "F order" of ``benchmarks/bench_hash.py``).
    """
    if piece.shape[-1] <= TILE or abs(piece.strides[-1]) <= abs(piece.strides[0]):
        return piece.copy(order="C")
    copy = loaded("numpy").empty(piece.shape, piece.dtype)
    for column in range(0, piece.shape[-1], TILE):
        copy[..., column : column + TILE] = piece[..., column : column + TILE]
    return copy
