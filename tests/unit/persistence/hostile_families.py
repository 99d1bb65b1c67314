"""Hostile files that use the names which rebuild masked arrays, texts, and values of arrow and polars."""

from typing import NamedTuple

import numpy as np

from tests.unit.persistence.hostile_skeletons import (
    BUILD,
    MARK,
    MEMO,
    NEW,
    NONE,
    array,
    call,
    data,
    doubled_value,
    dtype,
    group,
    mapping,
    name,
    number,
    object_array,
    pickled,
    text,
)

TRUE, FALSE = b"\x88", b"\x89"
REBUILD = "lightwork.parcel.rebuild"
NO_PARTS = b"]"


class Bad(NamedTuple):
    """The instructions for a value, what they are after, and a part of the message that refuses them."""

    why: str
    value: bytes
    message: str


def listed(*items: bytes) -> bytes:
    return b"](" + b"".join(items) + b"e"


def texts(
    count: int,
    content: bytes,
    *,
    kind: bytes | None = None,
    order: str = "C",
    separator: str = "\0",
    missing: bytes = b")",
) -> bytes:
    found = array(np.frombuffer(content, "u1"))
    shape = group(number(count))
    return call(
        f"{REBUILD}:text_array", shape, kind or dtype("O8"), text(order), found, text(separator), missing
    )


def gaps(places: list[int], value: bytes = NONE) -> bytes:
    """One entry of what is missing."""
    return group(value, array(np.array(places, "i8")))


def alias(kind: str) -> bytes:
    return call("pyarrow.lib:type_for_alias", text(kind))


def field(kind: bytes, label: str = "a", notes: bytes = NONE) -> bytes:
    return call("pyarrow.lib:field", text(label), kind, TRUE, notes)


def parts(
    kind: bytes,
    length: int,
    *buffers: bytes | None,
    offset: int = 0,
    missing: int = 0,
    children: bytes = NO_PARTS,
    dictionary: bytes = NONE,
) -> bytes:
    """The tuple that arrow makes an array of."""
    found = [NONE if each is None else call("pyarrow.lib:py_buffer", data(each)) for each in buffers]
    inside = listed(*found)
    return group(kind, number(length), number(missing), number(offset), inside, children, dictionary)


def restored(kind: bytes, length: int, *buffers: bytes | None, **more: bytes) -> bytes:
    return call("pyarrow.lib:_restore_array", parts(kind, length, *buffers, **more))  # type: ignore[arg-type]  # offsets are numbers


def numbers(count: int = 2) -> bytes:
    """An honest array of arrow."""
    return restored(alias("int64"), count, None, bytes(8 * count))


def chunked(array: bytes, kind: bytes) -> bytes:
    return call("pyarrow.lib:chunked_array", listed(array), kind)


def table(*columns: tuple[bytes, bytes], kinds: tuple[bytes, ...] = ()) -> bytes:
    """Of chunked arrays and their types; `kinds` are those that the table tells instead."""
    told = kinds or tuple(kind for _, kind in columns)
    schema = call("pyarrow.lib:schema", listed(*(field(kind, str(i)) for i, kind in enumerate(told))), NONE)
    return call("pyarrow.lib:_reconstruct_table", listed(*(column for column, _ in columns)), schema)


def _ends(*values: int) -> bytes:
    return np.array(values, "<i4").tobytes()


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
    buffers = listed(NONE, call("pyarrow.lib:py_buffer", data(_ends(0, 1))))
    itself = group(kind, number(1), number(0), number(0), buffers, b"h\x00", NONE)
    return inner + itself + b"a0" + call("pyarrow.lib:_restore_array", _of_memo(kind))


def _of_memo(kind: bytes) -> bytes:
    buffers = listed(NONE, call("pyarrow.lib:py_buffer", data(_ends(0, 1))))
    return group(kind, number(1), number(0), number(0), buffers, b"h\x00", NONE)


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
        "ends that go back", restored(alias("string"), 2, None, _ends(0, 3, 1), b"abc"), "nonsense"
    ),
    "ends below": Bad(
        "ends below zero", restored(alias("string"), 2, None, _ends(-5, 0, 1), b"abc"), "nonsense"
    ),
    "ends few": Bad(
        "too few ends", restored(alias("string"), 5, None, _ends(0, 1), b"abc"), "lie in its buffers"
    ),
    "texts of bytes": Bad(
        "bytes that are no text", restored(alias("string"), 1, None, _ends(0, 1), b"\xff"), "nonsense"
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
                _ends(0, 1000),
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
                _ends(0, 2),
                children=listed(parts(alias("int8"), 2, None, b"ab")),
            ),
        ),
        "another type",
    ),
    "no items": Bad(
        "a list without the array of its items",
        restored(call("pyarrow.lib:list_", field(alias("int8"))), 1, None, _ends(0, 0)),
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
    "union": Bad(
        "a type that believes its codes", call("pyarrow.lib:union", b"]", text("sparse")), "pyarrow.lib.union"
    ),
    "scalar": Bad(
        "a value converted without a limit", call("pyarrow.lib:scalar", NONE), "pyarrow.lib.scalar"
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


def enumeration(notes: bytes, kind: str = "dictionary") -> bytes:
    """A frame with one column, and notes about its categories."""
    found = call("pyarrow.lib:dictionary", alias("uint8"), alias("string"), FALSE)
    values = parts(alias("string"), 1, None, _ends(0, 1), b"a")
    array = call("pyarrow.lib:_restore_array", parts(found, 1, None, b"\0", dictionary=values))
    if kind != "dictionary":
        array, found = restored(alias(kind), 1, None, bytes(8)), alias(kind)
    schema = call("pyarrow.lib:schema", listed(field(found, notes=notes)), NONE)
    made = call("pyarrow.lib:_reconstruct_table", listed(chunked(array, found)), schema)
    return call("lightwork.parcel.rebuild_polars:frame", made)


POLARS: dict[str, Bad] = {
    "categories cut": Bad(
        "a category that is longer than its text",
        enumeration(mapping(_PL_ENUM_VALUES2=text("100;a"))),
        "cut short",
    ),
    "categories twice": Bad(
        "one category twice", enumeration(mapping(_PL_ENUM_VALUES2=text("1;a1;a"))), "tells nonsense"
    ),
    "categories of none": Bad(
        "text without a length: polars panics under a lock",
        enumeration(mapping(_PL_ENUM_VALUES2=text("x"))),
        "tells nonsense",
    ),
    "category names": Bad(
        "no width of codes", enumeration(mapping(_PL_CATEGORICAL2=text("0;0;u1;"))), "tells nonsense"
    ),
    "category numbers": Bad(
        "numbers as categories",
        enumeration(mapping(_PL_ENUM_VALUES2=text("1;a")), "int64"),
        "tells nonsense",
    ),
    "other notes": Bad("notes of others", enumeration(mapping(_PL_NEW=text("x"))), "tells nonsense"),
    "pointers": Bad(
        "bytes that polars takes for pointers",
        enumeration(
            b"}" + MARK + text("ARROW:extension:name") + text("POLARS_EXTENSION_TYPE") + b"u", "int64"
        ),
        "another type",
    ),
    "frame of a list": Bad("no table", call("lightwork.parcel.rebuild_polars:frame", b"]"), "a table"),
    "series of two": Bad(
        "a series of two columns",
        call(
            "lightwork.parcel.rebuild_polars:series",
            table(*[(chunked(numbers(), alias("int64")), alias("int64"))] * 2),
            text("x"),
        ),
        "2 columns",
    ),
    "series without a text": Bad(
        "a name that is none",
        call(
            "lightwork.parcel.rebuild_polars:series",
            table((chunked(numbers(), alias("int64")), alias("int64"))),
            NONE,
        ),
        "name of a series",
    ),
    "its own way": Bad(
        "bytes that native code reads unchecked",
        name("polars.dataframe.frame:DataFrame") + b")" + NEW + data(b"x") + BUILD,
        "polars.dataframe.frame.DataFrame",
    ),
}

FAMILIES = {
    f"{family}: {short}": (bad.why, pickled(bad.value), bad.message)
    for family, entries in {"numpy": MASKED, "texts": TEXTS, "arrow": ARROW, "polars": POLARS}.items()
    for short, bad in entries.items()
}
"""By a short name: what a file is after, the file, a part of the message that refuses it."""
