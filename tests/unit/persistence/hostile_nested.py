"""Hostile values of Arrow: unions, views of lists, runs, extension types, scalars."""

import numpy as np

from tests.unit.persistence.hostile_parts import (
    Bad,
    alias,
    ends,
    field,
    listed,
    parts,
    restored,
)
from tests.unit.persistence.hostile_skeletons import MEMO, NONE, call, number, text

_LIB = "pyarrow.lib"
_INT8 = alias("int8")


def _union(mode: str, codes: bytes = NONE) -> bytes:
    return call(f"{_LIB}:union", listed(field(_INT8, "a"), field(_INT8, "b")), text(mode), codes)


def _bytes(count: int) -> bytes:
    return parts(_INT8, count, None, bytes(count))


def _of_union(mode: str, length: int, *buffers: bytes | None, inside: int = 2, codes: bytes = NONE) -> bytes:
    children = listed(_bytes(inside), _bytes(inside))
    return restored(_union(mode, codes), length, *buffers, children=children)


def _of_views(length: int, *buffers: bytes | None, kind: str = "list_view") -> bytes:
    return restored(call(f"{_LIB}:{kind}", _INT8), length, *buffers, children=listed(_bytes(4)))


def _of_runs(length: int, last: list[int], values: int, *, offset: int = 0) -> bytes:
    kind = call(f"{_LIB}:run_end_encoded", alias("int32"), _INT8)
    inside = parts(alias("int32"), len(last), None, np.array(last, "<i4").tobytes())
    made = parts(kind, length, None, offset=offset, children=listed(inside, _bytes(values)))
    return call(f"{_LIB}:_restore_array", made)


def _tensor(*lengths: int, names: bytes = NONE, order: bytes = NONE) -> bytes:
    return call(f"{_LIB}:fixed_shape_tensor", _INT8, listed(*map(number, lengths)), names, order)


def _doubled_list(levels: int) -> bytes:
    """A list of twice the list before: 2 ** levels items."""
    found = [b"]", MEMO]
    for level in range(levels):
        one = b"h" + bytes([level])
        found.append(b"0](" + one + one + b"e" + MEMO)
    return b"".join(found)


NESTED: dict[str, Bad] = {
    "union code": Bad("a code of no type", _of_union("sparse", 2, None, b"\0\x09"), "nonsense"),
    "union code below": Bad("a code below zero", _of_union("sparse", 2, None, b"\0\xff"), "nonsense"),
    "union offset": Bad(
        "an item beyond its part", _of_union("dense", 2, None, b"\0\1", ends(0, 10**9)), "nonsense"
    ),
    "union offset below": Bad(
        "an item before its part", _of_union("dense", 2, None, b"\0\1", ends(0, -1)), "nonsense"
    ),
    "union without offsets": Bad(
        "a buffer is left out", _of_union("dense", 2, None, b"\0\1"), "has 2 buffers"
    ),
    "union of few codes": Bad(
        "more items than codes", _of_union("sparse", 3, None, b"\0\1", inside=3), "lie in its buffers"
    ),
    "union of few offsets": Bad(
        "more items than offsets", _of_union("dense", 2, None, b"\0\1", ends(0)), "lie in its buffers"
    ),
    "union of short parts": Bad(
        "parts that are shorter than the union", _of_union("sparse", 3, None, bytes(3)), "too short"
    ),
    "union with marks": Bad(
        "marks of what is missing, which unions have not",
        _of_union("sparse", 2, b"\3", b"\0\1"),
        "does not need",
    ),
    "union codes": Bad("a code of 1,000", _union("sparse", listed(number(0), number(1000))), "do not fit"),
    "union codes twice": Bad("one code twice", _union("dense", listed(number(1), number(1))), "do not fit"),
    "union code for none": Bad("more codes than types", _union("dense", listed(number(1))), "do not fit"),
    "union mode": Bad("no layout", _union("x"), "no layout"),
    "view beyond": Bad("a list beyond the items", _of_views(1, None, ends(0), ends(10**9)), "nonsense"),
    "view below": Bad("a list before the items", _of_views(1, None, ends(-4), ends(2)), "nonsense"),
    "view size below": Bad("a list of -1 items", _of_views(1, None, ends(2), ends(-1)), "nonsense"),
    "view sum": Bad("a sum that overflows", _of_views(1, None, ends(2**31 - 1), ends(2**31 - 1)), "nonsense"),
    "large view sum": Bad(
        "the same in 64 bits",
        _of_views(1, None, *[np.array([2**63 - 1], "<i8").tobytes()] * 2, kind="large_list_view"),
        "nonsense",
    ),
    "few views": Bad("more lists than sizes", _of_views(2, None, ends(0, 0), ends(0)), "lie in its buffers"),
    "view without sizes": Bad("a buffer is left out", _of_views(1, None, ends(0)), "has 2 buffers"),
    "runs back": Bad("ends that go back", _of_runs(5, [5, 2], 2), "nonsense"),
    "runs short": Bad("ends before the end", _of_runs(6, [2, 5], 2), "nonsense"),
    "runs below": Bad("an end below zero", _of_runs(2, [-1, 2], 2), "nonsense"),
    "runs offset": Bad("a part behind the last run", _of_runs(2, [2, 5], 2, offset=4), "nonsense"),
    "runs of few": Bad("more runs than values", _of_runs(5, [2, 5], 1), "nonsense"),
    "no run": Bad("items without a run", _of_runs(5, [], 0), "nonsense"),
    "runs 2**40": Bad("2**40 items in one run", _of_runs(1 << 40, [5], 1), "bytes of memory"),
    "run ends": Bad(
        "texts as ends of runs", call(f"{_LIB}:run_end_encoded", alias("string"), _INT8), "ends of runs"
    ),
    "identifiers": Bad(
        "more identifiers than bytes", restored(call(f"{_LIB}:uuid"), 2, None, bytes(16)), "in its buffers"
    ),
    "JSON": Bad(
        "text that is none",
        restored(call(f"{_LIB}:json_", alias("string")), 1, None, ends(0, 2), b"\xff\xfe"),
        "nonsense",
    ),
    "JSON of numbers": Bad("no text", call(f"{_LIB}:json_", _INT8), "nonsense"),
    "tensor": Bad(
        "a tensor of more items than there are",
        restored(_tensor(2, 2), 1, None, children=listed(_bytes(3))),
        "too short",
    ),
    "tensor shape": Bad("2**40 items", _tensor(1 << 20, 1 << 20), "as a shape"),
    "tensor below": Bad("-2 * -2 items", _tensor(-2, -2), "no width"),
    "tensor order": Bad("an axis twice", _tensor(2, 2, order=listed(number(0), number(0))), "in an order"),
    "tensor axis": Bad(
        "an axis that is not there", _tensor(2, 2, order=listed(number(0), number(1 << 40))), "in an order"
    ),
    "tensor names": Bad("too few names", _tensor(2, 2, names=listed(text("a"))), "few names"),
    "extension of others": Bad(
        "a type that runs code of whoever has registered it",
        call(
            "pandas.core.arrays.arrow.extension_types:ArrowPeriodType",
            text("M"),
        ),
        "ArrowPeriodType",
    ),
    "scalar": Bad("no type", call(f"{_LIB}:scalar", number(1), NONE), "no type"),
    "doubled scalar": Bad(
        "2**40 items to be converted",
        _doubled_list(40) + b"0" + call(f"{_LIB}:scalar", b"h\x28", alias("null")),
        "bytes of memory",
    ),
    "wide scalar": Bad(
        "2**30 items for one that is missing",
        call(f"{_LIB}:scalar", NONE, call(f"{_LIB}:list_", _INT8, number(1 << 30))),
        "bytes of memory",
    ),
    "scalar in scalars": Bad(
        "the same inside",
        call(
            f"{_LIB}:scalar",
            listed(NONE, NONE),
            call(f"{_LIB}:list_", call(f"{_LIB}:binary", number(1 << 30))),
        ),
        "bytes of memory",
    ),
    "scalar of a dictionary": Bad(
        "made by a function of Arrow that checks nothing",
        call(f"{_LIB}:DictionaryScalar._reconstruct", NONE),
        "DictionaryScalar._reconstruct",
    ),
}
