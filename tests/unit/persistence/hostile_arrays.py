"""Hostile values of numpy: masked arrays, views, texts."""

from tests.unit.persistence.hostile_parts import FALSE, REBUILD, Bad, gaps, texts
from tests.unit.persistence.hostile_skeletons import (
    NONE,
    array,
    call,
    doubled_value,
    dtype,
    group,
    name,
    object_array,
    text,
)

MASKED: dict[str, Bad] = {
    "mask too short": Bad(
        "a mask of one item for three",
        call(f"{REBUILD}:masked_array", array([1.0, 2.0, 3.0]), array([True]), NONE, FALSE),
        "does not fit",
    ),
    "mask of numbers": Bad(
        "numbers as truth values",
        call(f"{REBUILD}:masked_array", array([1.0]), array([1.0]), NONE, FALSE),
        "does not fit",
    ),
    "masked objects": Bad(
        "pointers under a mask",
        call(f"{REBUILD}:masked_array", object_array(1, NONE), NONE, NONE, FALSE),
        "not written in this way",
    ),
    "masked list": Bad("no array", call(f"{REBUILD}:masked_array", b"]", NONE, NONE, FALSE), "no array"),
    "fill value": Bad(
        "a fill value that takes 2**40 steps to be looked at",
        doubled_value(40) + b"0" + call(f"{REBUILD}:masked_array", array([1.0]), NONE, b"h\x28", FALSE),
        "a fill value",
    ),
    "hard": Bad(
        "a choice that is none",
        call(f"{REBUILD}:masked_array", array([1.0]), NONE, NONE, text("x")),
        "whether a mask is hard",
    ),
    "view": Bad(
        "an array as a class of another kind",
        call(f"{REBUILD}:view_as", array([1.0]), name("numpy:memmap")),
        "class of arrays",
    ),
    "view of texts": Bad(
        "numbers as an array of texts",
        call(f"{REBUILD}:view_as", array([1.0]), name("numpy.char:chararray")),
        "has dtype float64",
    ),
    "view of records": Bad(
        "numbers as records",
        call(f"{REBUILD}:view_as", array([1.0]), name("numpy.rec:recarray")),
        "has dtype float64",
    ),
}
TEXTS: dict[str, Bad] = {
    "few texts": Bad("fewer texts than items", texts(3, b"a\0b"), "are no array of shape"),
    "many texts": Bad("more texts than items", texts(1, b"a\0b"), "are no array of shape"),
    "texts for 2**50": Bad("room for a petabyte", texts(1 << 50, b"a"), "bytes of memory"),
    "texts, negative": Bad("a shape below zero", texts(-1, b"a"), "as a shape what is none"),
    "no separator": Bad("a separator of no length", texts(1, b"a", separator=""), "no separator"),
    "long separator": Bad("a separator of two", texts(1, b"a", separator="ab"), "no separator"),
    "wide separator": Bad("a separator of two bytes", texts(1, b"a", separator="é"), "no separator"),
    "texts of numbers": Bad(
        "texts turned into numbers", texts(1, b"a", kind=dtype("f8")), "not written in this way"
    ),
    "order": Bad("an order that there is not", texts(1, b"a", order="K"), "not written in this way"),
    "no UTF-8": Bad("bytes that are no text", texts(1, b"\xff\xfe"), "nonsense"),
    "missing below": Bad("a position below zero", texts(2, b"\0", missing=group(gaps([-1]))), "positions"),
    "missing beyond": Bad(
        "a position behind the end", texts(2, b"\0", missing=group(gaps([2]))), "positions"
    ),
    "missing twice": Bad("a position twice", texts(2, b"\0", missing=group(gaps([1, 1]))), "positions"),
    "missing in two": Bad(
        "a position in two entries", texts(2, b"\0", missing=group(gaps([1]), gaps([1]))), "positions"
    ),
    "missing number": Bad(
        "a number in the place of nothing",
        texts(2, b"\0", missing=group(gaps([1], b"G" + bytes(8)))),
        "does not stand for",
    ),
    "missing object": Bad(
        "a list in the place of nothing",
        texts(2, b"\0", missing=group(gaps([1], b"]"))),
        "does not stand for",
    ),
    "missing truths": Bad(
        "truth values as positions",
        texts(2, b"\0", missing=group(group(NONE, array([True, True])))),
        "has dtype bool",
    ),
    "missing list": Bad("no tuple", texts(2, b"\0", missing=b"]"), "what is missing"),
}
