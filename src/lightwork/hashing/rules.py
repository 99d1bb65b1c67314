"""Rules for the types that are built in: scalars, texts, containers."""

import struct
from collections import OrderedDict
from collections.abc import Iterator
from pickle import PickleBuffer
from types import MappingProxyType
from typing import Any

from .. import arrays
from ..system.optional import loaded
from .digests import BLOCK
from .runs import encode_keys, encode_run
from .walk import INLINE, RAW, NotHashable, Rule, Walk, frame

__all__ = ["BUILTIN_RULES", "SCALARS", "encode_mapping"]

SMALL = 16
"""Mappings with fewer items are encoded item by item."""

_DOUBLE = struct.Struct("<d").pack
_PAIR = struct.Struct("<dd").pack


def _none(walk: Walk, value: None) -> bytes:
    return b"N"


def _bool(walk: Walk, value: bool) -> bytes:
    return b"1" if value else b"0"


def _int(walk: Walk, value: int) -> bytes:
    data = b"i" + value.to_bytes((value.bit_length() >> 3) + 1, "little", signed=True)
    return data if len(data) <= INLINE else walk.seal(data)


def _float(walk: Walk, value: float) -> bytes:
    return b"d" + _DOUBLE(value)


def _complex(walk: Walk, value: complex) -> bytes:
    return b"c" + _PAIR(value.real, value.imag)


def _str(walk: Walk, value: str) -> bytes:
    if len(value) > BLOCK:
        return b"S" + walk.algorithm.text(value)
    data = value.encode("utf-8", "surrogatepass")
    if len(data) < INLINE:
        return b"s" + data
    return walk.seal(b"s" + data) if len(data) < RAW else b"S" + walk.algorithm.buffer(memoryview(data))


def _bytes(walk: Walk, value: bytes) -> bytes:
    if len(value) < RAW:
        return walk.seal(b"b" + value)
    return b"B" + walk.algorithm.buffer(memoryview(value))


def _bytearray(walk: Walk, value: bytearray) -> bytes:
    return walk.seal(b"y" + walk.raw(value))


def _memoryview(walk: Walk, value: memoryview) -> bytes:
    try:
        shape = encode_run(walk, value.shape or ())
    except ValueError as exc:  # it was released
        raise NotHashable(value, str(exc)) from exc
    # Not cast, which knows the formats of single numbers only.
    data = (
        walk.raw(PickleBuffer(value).raw())
        if value.c_contiguous
        else walk.raw_pieces(_strided(value), value.nbytes)
    )
    return walk.seal(frame(b"v", [_str(walk, value.format), walk.seal(shape), walk.seal(data)]))


def _strided(value: memoryview) -> Iterator[bytes | memoryview]:
    """The bytes of a view that is not C-contiguous, in C order and 1 MiB at a time."""
    numpy = loaded("numpy")
    if value.ndim == 1:
        items = max(1, BLOCK // value.itemsize)
        yield from (value[at : at + items].tobytes() for at in range(0, len(value), items))
    elif numpy is None:  # then it is small, or of a library that nobody has heard of
        yield value.tobytes()
    else:
        yield from arrays.blocks.blocks(numpy.asarray(value))


def _list(walk: Walk, value: list[Any]) -> bytes:
    # Not `part`: two frames less per level, and so deeper values before Python's recursion limit.
    return walk.begin(value) or walk.end(value, b"L" + encode_run(walk, value))


def _tuple(walk: Walk, value: tuple[Any, ...]) -> bytes:
    return walk.begin(value) or walk.end(value, b"T" + encode_run(walk, value))


def _dict(walk: Walk, value: dict[Any, Any]) -> bytes:
    return walk.begin(value) or walk.end(value, encode_mapping(walk, value))


def encode_mapping(walk: Walk, value: dict[Any, Any]) -> bytes:
    """A mapping whose order means nothing: sorted by key where keys are all str or all int, else by token."""
    kinds = set(map(type, value))
    if len(kinds) == 1 and (str in kinds or int in kinds):
        keys = sorted(value)
        in_order = keys == list(value)  # stops at the first that is not; saves 100,000 look-ups
        values = list(value.values() if in_order else map(value.__getitem__, keys))
        names = walk.seal(encode_keys(walk, keys))
        if len(keys) < SMALL:
            return frame(b"D", [names, *map(walk.token, values)])
        return frame(b"U", [names, walk.seal(encode_run(walk, values))])
    pairs = list(value.items())
    walk.keep(pairs)
    return frame(b"M", walk.unordered(pairs))


def _ordered_dict(walk: Walk, value: "OrderedDict[Any, Any]") -> bytes:
    return walk.part(value, _encode_ordered_dict)


def _encode_ordered_dict(walk: Walk, value: "OrderedDict[Any, Any]") -> bytes:
    keys, values = list(value.keys()), list(value.values())
    parts = [walk.seal(encode_run(walk, keys)), walk.seal(encode_run(walk, values))]
    attributes = vars(value)
    if not attributes:
        return frame(b"O", parts)
    if (
        "_metadata" in attributes
    ):  # a ``state_dict`` of torch: tensors by name, in no order that means anything
        metadata = attributes["_metadata"]
        return walk.facts("state dict", dict(value), dict(metadata) if metadata else None)
    return frame(b"O", [*parts, walk.token(attributes)])


def _mapping_proxy(walk: Walk, value: "MappingProxyType[Any, Any]") -> bytes:
    return walk.part(value, lambda walk, value: b"P" + encode_mapping(walk, dict(value)))


def _set(walk: Walk, value: set[Any]) -> bytes:
    return walk.part(value, lambda walk, value: b"E" + _encode_set(walk, value))


def _frozenset(walk: Walk, value: frozenset[Any]) -> bytes:
    return walk.part(value, lambda walk, value: b"Z" + _encode_set(walk, value))


def _encode_set(walk: Walk, value: "set[Any] | frozenset[Any]") -> bytes:
    kinds = set(map(type, value))
    if len(kinds) == 1 and (str in kinds or int in kinds):
        return encode_run(walk, sorted(value))
    return frame(b"m", walk.unordered(value))


def _range(walk: Walk, value: range) -> bytes:
    """A range by its numbers, as in ``==``: as if reduced in the form that stops where the last step ends."""
    count = len(value)
    start, step = value.start if count else 0, value.step if count > 1 else 1
    numbers = (start, start + count * step, step)
    head = frame(b"R", [walk.token(range), walk.temporary(numbers)])
    return walk.seal(head + frame(b"", [walk.token(None)]))


def _ellipsis(walk: Walk, value: object) -> bytes:
    return b"."


def _not_implemented(walk: Walk, value: object) -> bytes:
    return b"!"


SCALARS: dict[type, Rule] = {
    type(None): _none,
    bool: _bool,
    int: _int,
    float: _float,
    complex: _complex,
    str: _str,
    bytes: _bytes,
}
"""Types that hold nothing else: their rules look at nothing of the walk but its algorithm."""

BUILTIN_RULES: dict[type, Rule] = {
    **SCALARS,
    bytearray: _bytearray,
    memoryview: _memoryview,
    list: _list,
    tuple: _tuple,
    dict: _dict,
    OrderedDict: _ordered_dict,
    MappingProxyType: _mapping_proxy,
    set: _set,
    frozenset: _frozenset,
    range: _range,
    type(...): _ellipsis,
    type(NotImplemented): _not_implemented,
}
