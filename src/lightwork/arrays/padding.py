"""Blocks of an array as a digest must see them: padding inside items is zeroed.

Aligned structures and extended floats have bytes that belong to no value. They hold whatever the memory
held, so two equal arrays may differ there.
"""

from collections.abc import Iterator

from ..system.optional import loaded
from .blocks import BLOCK, Array, array_blocks, flat_view, span_blocks

__all__ = ["array_spans", "clean_blocks", "has_padding", "zero_padding"]


def has_padding(dtype: Array) -> bool:
    """Whether items of `dtype` have bytes that belong to no value."""
    if dtype.subdtype is not None:
        return has_padding(dtype.subdtype[0])
    if dtype.names is not None:
        return False in _used(dtype)
    return dtype.char in "gG" and False in _used(dtype)


def zero_padding(array: Array) -> Array:
    """A C-contiguous copy of `array` whose padding is zero."""
    numpy = loaded("numpy")
    copy = array.copy(order="C")
    items = copy.reshape(-1).view("u1").reshape(-1, copy.dtype.itemsize)
    items[:, ~numpy.array(_used(copy.dtype))] = 0
    return copy


def clean_blocks(array: Array, start: int = 0, stop: int | None = None) -> Iterator[memoryview]:
    """The bytes of items ``start .. stop - 1`` in C order, padding zeroed, in blocks of up to 1 MiB."""
    whole = start == 0 and stop is None
    pieces = array_blocks(array) if whole else span_blocks(array, start, stop, nbytes=BLOCK)
    padded = has_padding(array.dtype)
    for piece in pieces:
        view = flat_view(zero_padding(piece) if padded else piece)
        assert view is not None  # pieces are C-contiguous
        yield view


def array_spans(array: Array, nbytes: int) -> list[tuple[int, int]] | None:
    """The item ranges of chunks of `nbytes` (the last may be shorter); ``None`` if items straddle them."""
    items, rest = divmod(nbytes, array.dtype.itemsize)
    if rest:
        return None
    return [(at, min(at + items, array.size)) for at in range(0, array.size, items)]


def _used(dtype: Array) -> list[bool]:
    """For each byte of an item, whether it belongs to a value."""
    if dtype.subdtype is not None:
        base = dtype.subdtype[0]
        return _used(base) * (dtype.itemsize // base.itemsize if base.itemsize else 0)
    if dtype.names is not None:
        used = [False] * dtype.itemsize
        for name in dtype.names:
            field, offset = dtype.fields[name][:2]
            for at, claim in enumerate(_used(field), offset):
                used[at] = used[at] or claim
        return used
    if dtype.char in "gG":
        return _used_float(dtype)
    return [True] * dtype.itemsize


def _used_float(dtype: Array) -> list[bool]:
    """Extended floats of x86 have 80 bits in 12 or 16 bytes; complex ones are pairs of them."""
    parts = 2 if dtype.char == "G" else 1
    width = dtype.itemsize // parts
    extended = loaded("numpy").finfo("g").nmant == 63
    used = 10 if extended else width
    part = [True] * used + [False] * (width - used)
    little = dtype.byteorder == "<" or (dtype.isnative and dtype.newbyteorder("<").isnative)
    return (part if little else part[::-1]) * parts
