"""Hostile files that misuse what is admitted, and those after the memory of native code."""

import numpy as np

from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    MARK,
    MEMO,
    NEW,
    NONE,
    REDUCE,
    array,
    arrow,
    call,
    categorical,
    data,
    dtype,
    group,
    mapping,
    name,
    number,
    object_array,
    pickled,
    sparse,
    text,
)

VALUES: dict[str, tuple[str, bytes, str]] = {
    "call a value": (
        "a call of what an admitted call has made",
        pickled(call("builtins:slice", number(1)), group(text("touch never")), REDUCE),
        "calls a slice",
    ),
    "call a class": (
        "a class that is only a value here",
        pickled(call("builtins:list", text("x"))),
        "only be a value",
    ),
    "call list": (
        "bytes() of a number takes memory",
        pickled(call("builtins:bytes", number(1 << 40))),
        "only be a value",
    ),
    "bytearray": (
        "bytearray() of a number takes memory",
        pickled(call("builtins:bytearray", number(1 << 40))),
        "bytearray",
    ),
    "state of a class": (
        "a new method for a class of ours",
        pickled(name("numpy:dtype"), mapping(x=NONE), BUILD),
        "sets the state",
    ),
    "state of a list": (
        "a state for what has none",
        pickled(b"]", mapping(x=NONE), BUILD),
        "sets the state",
    ),
    "state of a stand-in": (
        "new defaults for a function of ours",
        pickled(name("numpy._core.multiarray:scalar"), mapping(x=NONE), BUILD),
        "sets the state",
    ),
    "append to a dict": (
        "items for a type that calls code to add them",
        pickled(call("uuid:UUID"), b"]", b"a"),
        "only be a value",
    ),
    "factory": (
        "a factory that a defaultdict would call",
        pickled(call("collections:defaultdict", name("zoneinfo:ZoneInfo"))),
        "may call",
    ),
    "zone": (
        "a time zone outside of its folder",
        pickled(
            call("builtins:getattr", name("zoneinfo:ZoneInfo"), text("_unpickle")),
            group(text("../../../etc/passwd"), number(1)),
            REDUCE,
        ),
        "no time zone",
    ),
    "date": (
        "a date of month 2, day 200",
        pickled(call("datetime:date", data(b"\x07\xe4\x02\xc8"))),
        "nonsense",
    ),
    "early use": (
        "an array used before its state, freed by it",
        pickled(
            MARK,
            name("numpy._core.multiarray:_reconstruct"),
            group(name("numpy:ndarray"), group(number(0)), data(b"b")),
            REDUCE,
            MEMO,
            b"h\x00",
            b"t",
        ),
        "before its state",
    ),
    "noted twice": (
        "an array under two numbers, one of which still means it without a state",
        pickled(
            MARK,
            name("numpy._core.multiarray:_reconstruct"),
            group(name("numpy:ndarray"), group(number(0)), data(b"b")),
            REDUCE,
            MEMO,
            MEMO,
            group(number(1), group(number(1)), dtype("u1"), b"\x89", data(b"x")),
            BUILD,
            b"h\x00",
            b"t",
        ),
        "before its state",
    ),
    "small buffer": (
        "an array that is larger than its buffer",
        pickled(
            call("lightwork.parcel.rebuild:array_type")[:-1] + REDUCE,
            group(group(number(1000)), dtype("f8"), data(bytes(8))),
            REDUCE,
        ),
        "not in a buffer",
    ),
    "many lengths": (
        "a shape whose product takes minutes: 100,000 lengths of 2,000 bits",
        pickled(
            number(1 << 2000),
            MEMO,
            b"0",
            call("lightwork.parcel.rebuild:array_type"),
            group(MARK + b"h\x00" * 100_000 + b"t", dtype("f8"), data(bytes(8))),
            REDUCE,
        ),
        "as a shape what is none",
    ),
    "negative offset": (
        "an array that begins before its buffer",
        pickled(
            call("lightwork.parcel.rebuild:array_type"),
            group(group(number(1)), dtype("f8"), data(bytes(8)), number(-8)),
            REDUCE,
        ),
        "not in a buffer",
    ),
    "pointers": (
        "bytes taken for pointers to objects",
        pickled(
            call("lightwork.parcel.rebuild:array_type"),
            group(group(number(1)), dtype("O8"), data(bytes(8))),
            REDUCE,
        ),
        "not written in this way",
    ),
    "pointers by scalar": (
        "the same as a scalar",
        pickled(call("numpy._core.multiarray:scalar", dtype("O8"), data(bytes(8)))),
        "not written in this way",
    ),
    "pointers by state": (
        "the same as a state",
        pickled(
            call("numpy._core.multiarray:_reconstruct", name("numpy:ndarray"), group(number(0)), data(b"b")),
            group(number(1), group(number(1)), dtype("O8"), b"\x89", data(bytes(8))),
            BUILD,
        ),
        "items of an array",
    ),
    "few objects": ("more objects than there are", pickled(object_array(1 << 40, NONE)), "items"),
    "dtype": (
        "a field beyond the item",
        pickled(
            call("numpy:dtype", text("V8"), b"\x89", b"\x88"),
            group(
                number(3),
                text("|"),
                NONE,
                group(text("a")),
                mapping(a=group(dtype("f8"), number(1 << 20))),
                number(8),
                number(1),
                number(0),
            ),
            BUILD,
        ),
        "outside of items",
    ),
    "offset": (
        "a field at 2**31 - 1: the sum overflows when numpy checks it",
        pickled(
            call("numpy:dtype", text("V8"), b"\x89", b"\x88"),
            group(
                number(3),
                text("|"),
                NONE,
                group(text("a")),
                mapping(a=group(dtype("f8"), number(2**31 - 1))),
                number(8),
                number(1),
                number(0),
            ),
            BUILD,
        ),
        "outside of items",
    ),
    "arrow": (
        "texts of Arrow that lie outside of their buffer",
        pickled(
            name("pandas.arrays:ArrowStringArray"),
            b")",
            NEW,
            mapping(_pa_array=arrow([0, 10**9]), _dtype=call("pandas:StringDtype", text("python"))),
            BUILD,
        ),
        "larger than values array",
    ),
    "unit": (
        "a unit of zero nanoseconds, by which numpy divides",
        pickled(
            call("numpy:dtype", text("M8"), b"\x89", b"\x88"),
            group(
                number(4),
                text("<"),
                NONE,
                NONE,
                NONE,
                number(-1),
                number(-1),
                number(0),
                group(NONE, group(data(b"ns"), number(0), number(1), number(1))),
            ),
            BUILD,
        ),
        "no unit of time",
    ),
    "dtype text": (
        "a dtype written as a long text",
        pickled(call("numpy:dtype", text("f8," * 100_000))),
        "how a pickle writes",
    ),
    "sparse indices": (
        "an index that points out of a row",
        pickled(sparse(indices=array(np.array([0, 10**8], "i4")))),
        "not below",
    ),
    "sparse pointers": (
        "pointers that point beyond the items",
        pickled(sparse(indptr=array(np.array([0, 1, 10**8], "i4")))),
        "beyond",
    ),
    "sparse order": (
        "pointers that go back",
        pickled(sparse(indptr=array(np.array([0, 10**8, 2], "i4")))),
        "not in order",
    ),
    "sparse objects": (
        "items that are objects",
        pickled(sparse(data=object_array(2, NONE, NONE))),
        "dtype object",
    ),
    "categories": ("a code without a category", pickled(categorical([0, 100])), "nonsense"),
}
