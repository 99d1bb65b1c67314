"""Hostile values of pandas: places of sparse arrays, ends of intervals."""

import numpy as np

from tests.unit.persistence.hostile_parts import Bad
from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    NEW,
    NONE,
    array,
    call,
    dtype,
    group,
    mapping,
    name,
    number,
    object_array,
    text,
)


def _single(length: int, *places: int) -> bytes:
    return call("pandas._libs.sparse:IntIndex", number(length), array(np.array(places, "i4")))


def _runs(length: int, starts: list[int], lengths: list[int]) -> bytes:
    found = (array(np.array(each, "i4")) for each in (starts, lengths))
    return call("pandas._libs.sparse:BlockIndex", number(length), *found)


def _scattered(places: bytes, values: bytes | None = None, kind: str = "f8", fill: bytes = NONE) -> bytes:
    state = mapping(_dtype=dtype(kind), _fill_value=fill)
    made = name("pandas:SparseDtype") + b")" + NEW + state + BUILD
    held = array([1.0, 2.0]) if values is None else values
    state = mapping(_sparse_index=places, _sparse_values=held, _dtype=made)
    return name("pandas.arrays:SparseArray") + b")" + NEW + state + BUILD


def _intervals(left: bytes, right: bytes, closed: str = "left", kind: str = "i8") -> bytes:
    state = mapping(subtype=dtype(kind), closed=text(closed))
    made = name("pandas:IntervalDtype") + b")" + NEW + state + BUILD
    start = call(
        "pandas._libs.interval:__pyx_unpickle_IntervalMixin",
        name("pandas.arrays:IntervalArray"),
        number(0),
        NONE,
    )
    return start + group(mapping(_left=left, _right=right, _dtype=made)) + BUILD


PANDAS: dict[str, Bad] = {
    "place beyond": Bad("a place behind the end", _scattered(_single(4, 0, 4)), "beyond its end"),
    "place below": Bad("a place before the start", _scattered(_single(4, -1, 2)), "beyond its end"),
    "places back": Bad("places that go back", _scattered(_single(4, 2, 1)), "not in order"),
    "places twice": Bad("a place twice", _scattered(_single(4, 2, 2)), "not in order"),
    "few items": Bad("more places than items", _scattered(_single(4, 0, 1, 2)), "2 items for 3 places"),
    "length 2**40": Bad("a length that overflows", _scattered(_single(1 << 40, 0, 1)), "a length of"),
    "length below": Bad("a length below zero", _scattered(_single(-4)), "a length of"),
    "run beyond": Bad("a run behind the end", _scattered(_runs(4, [3], [2])), "beyond its end"),
    "run sum": Bad(
        "the end of a run overflows, which pandas lets pass",
        _scattered(_runs(10, [2**31 - 5], [2**31 - 5])),
        "bytes of memory",
    ),
    "run below": Bad(
        "a run of -3 items, which pandas lets pass", _scattered(_runs(10, [5], [-3])), "lengths"
    ),
    "runs within": Bad("runs that overlap", _scattered(_runs(10, [1, 2], [2, 1])), "not in order"),
    "few runs": Bad("more starts than lengths", _scattered(_runs(10, [1, 2], [2])), "lengths"),
    "objects": Bad(
        "items that are objects", _scattered(_single(4, 0, 1), object_array(2, NONE, NONE)), "dtype object"
    ),
    "other items": Bad(
        "items of another type", _scattered(_single(4, 0, 1), array(np.array([1, 2]))), "2 items for 2"
    ),
    "scattered objects": Bad(
        "a dtype of pointers", _scattered(_single(4, 0, 1), kind="O8"), "sparse array what is none"
    ),
    "fill": Bad("a list where nothing is", _scattered(_single(4, 0, 1), fill=b"]"), "a fill value"),
    "places of nothing": Bad("no places", _scattered(NONE), "the places of a sparse array"),
    "interval ends": Bad(
        "more starts than ends", _intervals(array(np.array([1, 2])), array(np.array([3]))), "nonsense"
    ),
    "interval back": Bad(
        "an end before the start", _intervals(array(np.array([3])), array(np.array([1]))), "nonsense"
    ),
    "interval objects": Bad(
        "ends that are objects",
        _intervals(object_array(1, NONE), object_array(1, NONE)),
        "dtype object",
    ),
    "interval dtype": Bad(
        "a dtype of other ends",
        _intervals(array(np.array([1])), array(np.array([3])), kind="f8"),
        "said to be of",
    ),
    "interval closed": Bad(
        "an end that is neither", _intervals(array(np.array([1])), array(np.array([3])), "x"), "nonsense"
    ),
}
