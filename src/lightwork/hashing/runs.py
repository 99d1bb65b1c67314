"""Runs: the items of a sequence, packed together where they are all of one kind.

A list of a million numbers is one array of machine words here, not a million tokens; a list of records with
the same fields is a few columns. Which form a run takes depends on its content alone.
"""

import sys
from array import array
from collections.abc import Callable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any

from .. import hashing
from .walk import Walk, frame

__all__ = ["encode_keys", "encode_run"]

SHORT = 4
"""Shorter sequences are encoded item by item."""

COLUMN_WIDTH = 256
"""Records with more fields are not turned into columns."""

_SWAPPED = sys.byteorder == "big"


def encode_run(walk: Walk, items: Sequence[Any], levels: int = 2) -> bytes:
    """The encoding of the items of a sequence (list or tuple), in order.

    `levels` is how many times records inside records may still be turned into columns: parts that are shared
    many times are looked at once per column, and a bound keeps that linear.
    """
    if len(items) < SHORT:
        return frame(b"m", list(map(walk.token, items)))
    kinds = set(map(type, items))
    if len(kinds) == 1:
        kind = kinds.pop()
        pack = _PACKERS.get(kind)
        if pack is None and (kind.__module__, kind.__qualname__) == ("numpy", "ndarray"):
            pack = hashing.array_runs.encode_arrays
        if pack is not None:
            packed = pack(walk, items, levels)
            if packed is not None:
                return packed
    return frame(b"m", list(map(walk.token, items)))


def encode_keys(walk: Walk, keys: Sequence[Any]) -> bytes:
    """The keys of a mapping, all str or all int, in order: texts are packed however few they are."""
    return _strings(walk, keys, 0) if type(keys[0]) is str else encode_run(walk, keys)


def _ints(walk: Walk, items: Sequence[int], levels: int) -> bytes | None:
    try:
        return b"q" + walk.raw(_little(array("q", items)))
    except OverflowError:
        return None


def _floats(walk: Walk, items: Sequence[float], levels: int) -> bytes:
    return b"d" + walk.raw(_little(array("d", items)))


def _complexes(walk: Walk, items: Sequence[complex], levels: int) -> bytes:
    parts = chain.from_iterable((item.real, item.imag) for item in items)
    return b"c" + walk.raw(_little(array("d", parts)))


def _bools(walk: Walk, items: Sequence[bool], levels: int) -> bytes:
    return b"?" + walk.raw(bytes(items))


def _nones(walk: Walk, items: Sequence[None], levels: int) -> bytes:
    return b"n%d:" % len(items)


def _strings(walk: Walk, items: Sequence[str], levels: int) -> bytes:
    joined = "\0".join(items)
    if joined.count("\0") == len(items) - 1:
        return b"s%d:%b" % (len(items), walk.raw(joined.encode("utf-8", "surrogatepass")))
    joined = "".join(items)
    return b"S%b%b" % (_lengths(walk, items), walk.raw(joined.encode("utf-8", "surrogatepass")))


def _bytes(walk: Walk, items: Sequence[bytes], levels: int) -> bytes:
    return b"b%b%b" % (_lengths(walk, items), walk.raw(b"".join(items)))


def _lengths(walk: Walk, items: Sequence[Any]) -> bytes:
    return walk.raw(_little(array("q", list(map(len, items)))))


def _dicts(walk: Walk, items: Sequence[dict[Any, Any]], levels: int) -> bytes | None:
    first = items[0]
    if levels == 0 or not 0 < len(first) <= COLUMN_WIDTH:
        return None
    if set(map(type, first)) != {str} or not _same_keys(items, first):
        return None
    keys = sorted(first)
    columns = [walk.seal(encode_run(walk, list(map(itemgetter(key), items)), levels - 1)) for key in keys]
    return b"k%d:%b" % (len(items), frame(b"", [walk.seal(encode_keys(walk, keys)), *columns]))


def _same_keys(items: Sequence[dict[Any, Any]], first: dict[Any, Any]) -> bool:
    names = first.keys()
    # Equal keys of another type (a str subclass) must not pass for strings.
    return all(each.keys() == names for each in items) and set(map(type, chain.from_iterable(items))) == {str}


def _rows(walk: Walk, items: Sequence[Sequence[Any]], levels: int) -> bytes | None:
    width = len(items[0])
    if levels == 0 or not 0 < width <= COLUMN_WIDTH:
        return None
    if set(map(len, items)) != {width}:
        return None
    tag = b"t" if type(items[0]) is tuple else b"l"
    columns = [walk.seal(encode_run(walk, column, levels - 1)) for column in zip(*items, strict=True)]
    return b"%b%d:%b" % (tag, len(items), frame(b"", columns))


def _little(words: "array[Any]") -> "array[Any]":
    if _SWAPPED:
        words.byteswap()
    return words


_PACKERS: dict[type, Callable[[Walk, Any, int], bytes | None]] = {
    int: _ints,
    float: _floats,
    complex: _complexes,
    bool: _bools,
    type(None): _nones,
    str: _strings,
    bytes: _bytes,
    dict: _dicts,
    list: _rows,
    tuple: _rows,
}
