"""Hostile values of Arrow."""

import numpy as np

from tests.unit.persistence.hostile_parts import (
    FALSE,
    NO_PARTS,
    TRUE,
    Bad,
    alias,
    chunked,
    ends,
    field,
    listed,
    numbers,
    parts,
    restored,
    table,
)
from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    MEMO,
    NEW,
    NONE,
    call,
    data,
    dtype,
    group,
    mapping,
    name,
    number,
    text,
)


def _doubled_type(levels: int) -> bytes:
    """A structure of twice the structure before: 2 ** levels parts."""
    found = [
        name("pyarrow.lib:struct"),
        MEMO,
        b"0",
        name("pyarrow.lib:field"),
        MEMO,
        b"0",
        alias("int8"),
        MEMO,
    ]
    for level in range(2, levels + 2):
        one = b"h\x01(" + text("a") + b"h" + bytes([level]) + TRUE + NONE + b"tR"
        found.append(b"0h\x00](" + one + one + b"e\x85R" + MEMO)
    return b"".join(found)


def _deep_type(levels: int) -> bytes:
    found = alias("int8")
    for _ in range(levels):
        found = call("pyarrow.lib:list_", field(found))
    return found


def _circle() -> bytes:
    """A list whose items are the list itself."""
    kind = call("pyarrow.lib:list_", field(alias("int8")))
    inner = b"]" + MEMO
    buffers = listed(NONE, call("pyarrow.lib:py_buffer", data(ends(0, 1))))
    itself = group(kind, number(1), number(0), number(0), buffers, b"h\x00", NONE)
    return inner + itself + b"a0" + call("pyarrow.lib:_restore_array", _of_memo(kind))


def _of_memo(kind: bytes) -> bytes:
    buffers = listed(NONE, call("pyarrow.lib:py_buffer", data(ends(0, 1))))
    return group(kind, number(1), number(0), number(0), buffers, b"h\x00", NONE)


ARROW: dict[str, Bad] = {
    "short buffer": Bad(
        "more numbers than bytes", restored(alias("int64"), 1000, None, bytes(8)), "lie in its buffers"
    ),
    "no buffer": Bad("numbers without bytes", restored(alias("int64"), 1, None, None), "lie in its buffers"),
    "one buffer": Bad("a buffer is left out", restored(alias("int64"), 1, None), "has 1 buffers"),
    "length 2**62": Bad(
        "a length that overflows", restored(alias("int64"), 1 << 62, None, bytes(8)), "length that is none"
    ),
    "length 2**61": Bad(
        "a length that overflows when it is multiplied",
        restored(alias("int64"), 1 << 61, None, bytes(8)),
        "lie in its buffers",
    ),
    "length below": Bad(
        "a length below zero", restored(alias("int64"), -1, None, b""), "length that is none"
    ),
    "offset": Bad(
        "an offset behind the end",
        call("pyarrow.lib:_restore_array", parts(alias("int64"), 1, None, bytes(8), offset=5)),
        "lie in its buffers",
    ),
    "offset below": Bad(
        "an offset before the beginning",
        call("pyarrow.lib:_restore_array", parts(alias("int64"), 1, None, bytes(8), offset=-1)),
        "length that is none",
    ),
    "marks": Bad(
        "too few marks of what is missing",
        restored(alias("int64"), 9, b"\0", bytes(72)),
        "lie in its buffers",
    ),
    "ends back": Bad(
        "ends that go back", restored(alias("string"), 2, None, ends(0, 3, 1), b"abc"), "nonsense"
    ),
    "ends below": Bad(
        "ends below zero", restored(alias("string"), 2, None, ends(-5, 0, 1), b"abc"), "nonsense"
    ),
    "ends few": Bad(
        "too few ends", restored(alias("string"), 5, None, ends(0, 1), b"abc"), "lie in its buffers"
    ),
    "texts of bytes": Bad(
        "bytes that are no text", restored(alias("string"), 1, None, ends(0, 1), b"\xff"), "nonsense"
    ),
    "view far": Bad(
        "a view that points out of its buffers",
        restored(alias("string_view"), 1, None, np.array([100, 0, 0, 1 << 20], "<i4").tobytes(), b"abc"),
        "nonsense",
    ),
    "view of none": Bad(
        "a view into a buffer that there is not",
        restored(alias("string_view"), 1, None, np.array([100, 0, 7, 0], "<i4").tobytes(), b"abc"),
        "nonsense",
    ),
    "list ends": Bad(
        "lists beyond their items",
        call(
            "pyarrow.lib:_restore_array",
            parts(
                call("pyarrow.lib:list_", field(alias("int8"))),
                1,
                None,
                ends(0, 1000),
                children=listed(parts(alias("int8"), 2, None, b"ab")),
            ),
        ),
        "nonsense",
    ),
    "list of others": Bad(
        "items of another type than the list has",
        call(
            "pyarrow.lib:_restore_array",
            parts(
                call("pyarrow.lib:list_", field(alias("int64"))),
                1,
                None,
                ends(0, 2),
                children=listed(parts(alias("int8"), 2, None, b"ab")),
            ),
        ),
        "another type",
    ),
    "no items": Bad(
        "a list without the array of its items",
        restored(call("pyarrow.lib:list_", field(alias("int8"))), 1, None, ends(0, 0)),
        "parts, not 1",
    ),
    "fixed lists": Bad(
        "lists of 2**31 - 1 items each",
        call(
            "pyarrow.lib:_restore_array",
            parts(
                call("pyarrow.lib:list_", alias("int8"), number((1 << 31) - 1)),
                1 << 33,
                None,
                children=listed(parts(alias("int8"), 2, None, b"ab")),
            ),
        ),
        "bytes of memory",
    ),
    "fixed list short": Bad(
        "a list of 100 items, of which there are two",
        call(
            "pyarrow.lib:_restore_array",
            parts(
                call("pyarrow.lib:list_", alias("int8"), number(100)),
                1,
                None,
                children=listed(parts(alias("int8"), 2, None, b"ab")),
            ),
        ),
        "too short",
    ),
    "struct short": Bad(
        "structures that are longer than their fields",
        call(
            "pyarrow.lib:_restore_array",
            parts(
                call("pyarrow.lib:struct", listed(field(alias("int8")))),
                100,
                None,
                children=listed(parts(alias("int8"), 2, None, b"ab")),
            ),
        ),
        "too short",
    ),
    "dictionary": Bad(
        "an index beyond the dictionary",
        call(
            "pyarrow.lib:_restore_array",
            parts(
                call("pyarrow.lib:dictionary", alias("int8"), alias("int8"), FALSE),
                1,
                None,
                b"\x64",
                dictionary=parts(alias("int8"), 2, None, b"ab"),
            ),
        ),
        "nonsense",
    ),
    "no dictionary": Bad(
        "indices without one",
        restored(call("pyarrow.lib:dictionary", alias("int8"), alias("int8"), FALSE), 1, None, b"\x01"),
        "an array of Arrow",
    ),
    "few buffers": Bad(
        "indices without their buffer: Arrow looks for it where none is",
        call(
            "pyarrow.lib:_restore_array",
            parts(
                call("pyarrow.lib:dictionary", alias("int8"), alias("int8"), FALSE),
                1,
                None,
                dictionary=parts(alias("int8"), 2, None, b"ab"),
            ),
        ),
        "has 1 buffers",
    ),
    "many buffers": Bad(
        "more buffers than the type has", restored(alias("int8"), 1, None, b"a", b"b"), "has 3 buffers"
    ),
    "extra dictionary": Bad(
        "one where none belongs",
        call(
            "pyarrow.lib:_restore_array",
            parts(alias("int8"), 1, None, b"a", dictionary=parts(alias("int8"), 1, None, b"a")),
        ),
        "does not need",
    ),
    "nothing 2**40": Bad("2**40 times nothing", restored(alias("null"), 1 << 40, None), "bytes of memory"),
    "nothing with a buffer": Bad("it ends the process", restored(alias("null"), 1, b"\0"), "has a buffer"),
    "empty items": Bad(
        "2**40 items of no bytes",
        restored(call("pyarrow.lib:binary", number(0)), 1 << 40, None, b""),
        "bytes of memory",
    ),
    "width": Bad("items of 2**40 bytes", call("pyarrow.lib:binary", number(1 << 40)), "no width"),
    "width below": Bad("items of -1 bytes", call("pyarrow.lib:binary", number(-1)), "no width"),
    "precision": Bad(
        "a precision of 2**40", call("pyarrow.lib:decimal128", number(1 << 40), number(0)), "no precision"
    ),
    "alias": Bad("a type that has code of its own", alias("uuid"), "not built"),
    "zone": Bad(
        "a zone in a file",
        call("pyarrow.lib:timestamp", text("s"), text("dateutil//dev/zero")),
        "no time zone",
    ),
    "zone up": Bad(
        "a zone above its folder",
        call("pyarrow.lib:timestamp", text("s"), text("../../etc/passwd")),
        "no time zone",
    ),
    "doubled type": Bad("a type of 2**40 parts", _doubled_type(40), "too many parts"),
    "deep type": Bad("a list of lists of lists", _deep_type(100), "too many parts"),
    "circle": Bad("an array that is its own part", _circle(), "another type"),
    "buffer": Bad(
        "a buffer of a number takes memory", call("pyarrow.lib:py_buffer", number(1 << 40)), "a buffer"
    ),
    "bare buffer": Bad(
        "bytes where a buffer is due",
        call(
            "pyarrow.lib:_restore_array",
            group(alias("int8"), number(1), number(0), number(0), listed(NONE, data(b"a")), NO_PARTS, NONE),
        ),
        "a buffer",
    ),
    "chunk": Bad("a chunk of another type", chunked(numbers(), alias("int8")), "type of its column"),
    "chunks of nothing": Bad("chunks that are no arrays", chunked(NONE, alias("int8")), "type of its column"),
    "table types": Bad(
        "a table that tells other types",
        table((chunked(numbers(), alias("int64")), alias("int64")), kinds=(alias("string"),)),
        "another type",
    ),
    "table lengths": Bad(
        "columns of two lengths",
        table(
            (chunked(numbers(1), alias("int64")), alias("int64")),
            (chunked(numbers(2), alias("int64")), alias("int64")),
        ),
        "not of one length",
    ),
    "table columns": Bad(
        "more types than columns",
        table((chunked(numbers(), alias("int64")), alias("int64")), kinds=(alias("int64"), alias("int64"))),
        "has 1",
    ),
    "batch": Bad(
        "a batch of chunks",
        call(
            "pyarrow.lib:_reconstruct_record_batch",
            listed(chunked(numbers(), alias("int64"))),
            call("pyarrow.lib:schema", listed(field(alias("int64"))), NONE),
        ),
        "type of its column",
    ),
    "metadata": Bad(
        "notes that are no text",
        call("pyarrow.lib:field", text("a"), alias("int8"), TRUE, mapping(a=b"]")),
        "metadata",
    ),
    "column": Bad(
        "numbers as texts",
        call(
            "lightwork.parcel.rebuild_pandas:arrow_column",
            call("pandas:StringDtype", text("pyarrow")),
            chunked(numbers(), alias("int64")),
        ),
        "is of type int64",
    ),
    "column of any": Bad(
        "a dtype whose methods are not those of arrow",
        call("lightwork.parcel.rebuild_pandas:arrow_column", dtype("f8"), chunked(numbers(), alias("int64"))),
        "a dtype",
    ),
    "arrow dtype": Bad(
        "a dtype of no type",
        name("pandas:ArrowDtype") + b")" + NEW + mapping(pyarrow_dtype=text("x")) + BUILD,
        "no type of Arrow",
    ),
    "copies of arrays": Bad(
        "one run of bytes, looked through 5,000 times",
        parts(alias("int8"), 100_000, None, bytes(100_000))
        + MEMO
        + name("pyarrow.lib:_restore_array")
        + MEMO
        + b"00]("
        + b"h\x01h\x00\x85R" * 5_000
        + b"e",
        "bytes of memory",
    ),
}
