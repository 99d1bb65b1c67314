"""Hostile files that are after time and memory."""

from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    MARK,
    MEMO,
    NEW,
    NONE,
    bomb_in_skeleton,
    bomb_of_zeros,
    call,
    colliding_keys,
    data,
    doubled_tuples,
    doubled_value,
    frame,
    group,
    mapping,
    name,
    nested_arrays,
    nested_tuples,
    number,
    pickled,
    ranges,
    sealed,
    text,
)

COSTS: dict[str, tuple[str, bytes, str]] = {
    "zeros": ("200 MiB of zeros in 13 KB", bomb_of_zeros(), "bytes of memory"),
    "skeleton": (
        "a hundred megabytes of instructions in some",
        bomb_in_skeleton(b"N", 200),
        "bytes of memory",
    ),
    "sets": ("each byte a set of 216 bytes", bomb_in_skeleton(b"\x8f", 1), "bytes of memory"),
    "long text": (
        "a text that is longer than the file",
        pickled(b"\x8d" + (1 << 60).to_bytes(8, "little")),
        "does not end",
    ),
    "frame": (
        "a frame that is longer than the file",
        pickled(b"\x95" + (1 << 60).to_bytes(8, "little"), NONE),
        "frame",
    ),
    "memo": ("a memo entry that is not there", pickled(b"j\xff\xff\xff\x7f"), "not there"),
    "stack": ("more taken than there is", pickled(b"\x87"), "not there"),
    "trailing": (
        "something after the end",
        pickled(NONE, b".", call("os:system", text("touch never"))),
        "does not end",
    ),
    "unended": ("a group without an end", pickled(MARK, NONE), "does not end"),
    "deep key": (
        "a key so deep that hashing overruns the stack",
        pickled(nested_tuples(20_000)),
        "levels deep",
    ),
    "doubled key": ("a key whose hash takes 2**40 steps", pickled(doubled_tuples(40)), "very long"),
    "hashes": ("5,000 keys of one hash", pickled(colliding_keys(5_000)), "one hash"),
    "fraction": (
        "a fraction of a million digits",
        pickled(call("fractions:Fraction", text("1" * 1_000_000))),
        "digits",
    ),
    "exponent": (
        "a fraction whose exponent is worked out",
        pickled(call("fractions:Fraction", text("1e1000000000"))),
        "no fraction",
    ),
    "zone by name": (
        "a time zone by name, which pandas would read from any file",
        pickled(
            call(
                "pandas._libs.tslibs.timestamps:_unpickle_timestamp",
                number(0),
                NONE,
                text("dateutil//dev/zero"),
                number(10),
            )
        ),
        "no time zone",
    ),
    "function": (
        "a function of ours as a value",
        pickled(name("builtins:getattr")),
        "function as a value",
    ),
    "copies": (
        "100 KB, copied 5,000 times",
        pickled(
            data(bytes(100_000)),
            MEMO,
            name("builtins:bytearray"),
            MEMO,
            b"00](",
            b"h\x01h\x00\x85R" * 5_000,
            b"e",
        ),
        "bytes of memory",
    ),
    "counters": (
        "a dict of 1,000 items, counted 5,000 times",
        pickled(
            mapping(**{f"k{i}": number(i) for i in range(1000)}),
            MEMO,
            name("collections:Counter"),
            MEMO,
            b"00](",
            b"h\x01h\x00\x85R" * 5_000,
            b"e",
        ),
        "bytes of memory",
    ),
    "frames": (
        "one frame, made over and over",
        pickled(
            mapping(start=number(0), stop=number(1), step=number(1), name=NONE),
            MEMO,
            name("pandas:RangeIndex"),
            MEMO,
            name("pandas.core.indexes.base:_new_Index"),
            MEMO,
            b"00" + b"0](",
            b"h\x02h\x01h\x00\x86R" * 10_000,
            b"e",
        ),
        "bytes of memory",
    ),
    "columns": (
        "a frame of 10**12 columns, none of them there",
        pickled(frame(ranges(10**12), ranges(1))),
        "bytes of memory",
    ),
    "ranges": (
        "intervals between two ranges, written out",
        pickled(
            call(
                "pandas.core.indexes.interval:_new_IntervalIndex",
                name("pandas:IntervalIndex"),
                mapping(left=ranges(10**9), right=ranges(10**9), closed=text("left"), name=NONE),
            )
        ),
        "bytes of memory",
    ),
    "printed": (
        "a value that takes 2**40 steps to be printed in a message",
        pickled(
            doubled_value(40),
            b"0",
            name("numpy._core.multiarray:_reconstruct"),
            b"h\x28",
            group(number(0)),
            data(b"b"),
            b"\x87R",
        ),
        "class of arrays",
    ),
    "hashed": (
        "a value that takes 2**40 steps to be hashed, where a class should be",
        pickled(
            doubled_value(40), b"0", name("pandas.core.indexes.base:_new_Index"), b"h\x28", b"}", b"\x86R"
        ),
        "class of indexes",
    ),
    "compared": (
        "a value that takes 2**40 steps to be hashed, where a unit should be",
        pickled(
            doubled_value(40),
            b"0",
            name("pandas:DatetimeTZDtype"),
            b")",
            NEW,
            mapping(unit=b"h\x28", tz=NONE),
            BUILD,
        ),
        "unit of time",
    ),
    "nested arrays": (
        "arrays in arrays, freed without a limit",
        pickled(nested_arrays(200)),
        "levels deep",
    ),
    "facts": (
        "facts so deep that reading them overruns the stack",
        sealed(b"\x80\x05N.", facts=b"[" * 100_000),
        "tail",
    ),
}
