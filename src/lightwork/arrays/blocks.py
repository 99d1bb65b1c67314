"""The bytes of a numpy array: as one view where they lie in C order, else block by block.

Layout is not content: an array and its transposed twice, sliced or deep-copied self have the same elements
in logical C order. Whoever stores or hashes elements asks here, and copies at most one block at a time.
"""

from collections.abc import Iterator
from pickle import PickleBuffer
from typing import Any, TypeAlias

from ..system.optional import loaded

__all__ = ["BLOCK", "Array", "blocks", "flat_view", "plain"]

BLOCK = 1 << 20
"""Bytes that are copied at a time: large against the cost of a copy's start, small against L2 + L3."""

# Any: numpy is optional and never imported here, so its types have no name here.
Array: TypeAlias = "Any"


def plain(array: Array) -> Array:
    """The base-class view of an array (``matrix``, ``memmap`` and masked arrays lose their class), no copy."""
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
    if array.dtype.hasobject:
        raise TypeError(f"an array of dtype {array.dtype} holds Python objects, which have no blocks of bytes")
    if array.size and array.dtype.itemsize:
        yield from _pieces(plain(array), max(1, nbytes // array.dtype.itemsize))


def _pieces(array: Array, items: int) -> Iterator[Array]:
    """C-contiguous pieces of at most `items` elements, in logical C order."""
    if array.flags.c_contiguous:
        flat = array.reshape(-1)
        for start in range(0, flat.size, items):
            yield flat[start : start + items]
        return
    inner = array.size // array.shape[0]
    if inner > items:
        for part in array:
            yield from _pieces(part, items)
        return
    rows = items // inner
    for start in range(0, array.shape[0], rows):
        yield array[start : start + rows].copy(order="C")
