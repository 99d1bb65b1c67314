"""The byte shuffle: all first bytes of the items, then all second bytes, and so on, one *plane* each.

The high bytes of numbers are alike, the low bytes of measurements are noise. Each plane is therefore stored
by itself: as one byte if all its bytes are equal, as it is if it does not get smaller, else compressed.

A shuffled block is: for each plane 8 bytes (kind, value, two zero bytes, stored length), the planes, and the
bytes after the last whole item.
"""

import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from ..errors import CorruptFileError
from ..system.optional import loaded

__all__ = ["MAX_WIDTH", "pack_planes", "unpack_planes"]

MAX_WIDTH = 32
"""Items of more bytes are not shuffled: their planes would be too short."""

_CONSTANT, _RAW, _COMPRESSED = 0, 1, 2
_PLANE = struct.Struct("<BBHI")
_SAMPLE = 64  # items that are looked at before a plane is searched for its only byte

Compress: TypeAlias = Callable[[Any], bytes]  # Any: bytes-like, of a type that may not be installed
Decompress: TypeAlias = Callable[[memoryview, int], bytes | memoryview]


def pack_planes(data: memoryview, width: int, compress: Compress) -> bytes | None:
    """`data` as a shuffled block of items of `width` bytes; ``None`` where numpy is not loaded.

    Plane by plane: 3.9 GB/s for doubles on one core; a transposed copy is no faster, and a constant plane
    costs next to nothing this way (``benchmarks/bench_persistence.py``).
    """
    numpy = loaded("numpy")
    count = len(data) // width
    if numpy is None or not count:
        return None
    columns = numpy.frombuffer(data, "u1", count * width).reshape(count, width)
    scratch = numpy.empty(count, "u1")
    constant = _constant_planes(numpy, columns)
    heads, bodies = [], []
    for place in range(width):
        if constant[place]:
            heads.append(_PLANE.pack(_CONSTANT, columns[0, place], 0, 0))
            continue
        scratch[:] = columns[:, place]
        body = compress(scratch)
        kind = _COMPRESSED if len(body) < count else _RAW
        bodies.append(body if kind == _COMPRESSED else scratch.tobytes())
        heads.append(_PLANE.pack(kind, 0, 0, len(bodies[-1])))
    return b"".join([*heads, *bodies, data[count * width :]])


def _constant_planes(numpy: Any, columns: Any) -> Any:
    """Which columns hold one byte only: a sample first, then all items at once where they are words."""
    constant = (columns[:_SAMPLE] == columns[0]).all(axis=0)
    width = columns.shape[1]
    if constant.any() and width in (2, 4, 8):
        words = columns.reshape(-1).view(f"u{width}")
        # a byte is the same everywhere if every bit of it is set everywhere or nowhere
        varying = numpy.bitwise_or.reduce(words) ^ numpy.bitwise_and.reduce(words)
        return numpy.atleast_1d(varying).view("u1") == 0
    for place in constant.nonzero()[0]:
        constant[place] = (columns[:, place] == columns[0, place]).all()
    return constant


def unpack_planes(payload: memoryview, width: int, out: memoryview, decompress: Decompress) -> None:
    """Undo `pack_planes`, into `out`, which must be filled exactly.

    Raises
    ------
    CorruptFileError
        The lengths of the planes contradict those of the block.
    """
    count = len(out) // width
    start, rest = width * _PLANE.size, len(out) - count * width
    if len(payload) < start:
        raise CorruptFileError("the planes of a block do not add up")
    heads = list(_PLANE.iter_unpack(payload[:start]))
    if sum(head[3] for head in heads) + start + rest != len(payload):
        raise CorruptFileError("the planes of a block do not add up")
    store = _storer(out, width, count, [head[:2] for head in heads])
    at = start
    for place, (kind, _, _, length) in enumerate(heads):
        body: Any = payload[at : at + length]
        at += length
        if kind == _CONSTANT:
            continue
        if kind == _COMPRESSED:
            body = decompress(body, count)
        if len(body) != count:
            raise CorruptFileError("a plane of a block has a wrong length")
        store(place, body)
    out[count * width :] = payload[at:]


def _storer(
    out: memoryview, width: int, count: int, heads: list[tuple[int, int]]
) -> Callable[[int, Any], None]:
    """A function that puts a plane in its place; constant planes are in theirs already."""
    item = bytes(value if kind == _CONSTANT else 0 for kind, value in heads)
    numpy = loaded("numpy")
    if numpy is None:
        out[: count * width] = item * count
        return lambda place, body: _store_slowly(out[: count * width], place, width, body)
    columns = numpy.frombuffer(out, "u1", count * width).reshape(count, width)
    constant = [place for place, (kind, _) in enumerate(heads) if kind == _CONSTANT]
    if len(constant) > 1 and width in (2, 4, 8):
        columns.reshape(-1).view(f"u{width}")[:] = numpy.frombuffer(item, f"u{width}")[0]
    else:
        for place in constant:
            columns[:, place] = item[place]

    def store(place: int, body: Any) -> None:
        columns[:, place] = numpy.frombuffer(body, "u1")

    return store


def _store_slowly(out: memoryview, place: int, width: int, body: bytes) -> None:
    content = bytearray(out)  # only this type can be assigned to in steps
    content[place::width] = body
    out[:] = content
