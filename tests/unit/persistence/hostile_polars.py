"""Hostile values of polars."""

import struct
from typing import Any

import numpy as np
import pyarrow as pa

from tests.unit.persistence.hostile_parts import (
    FALSE,
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
    MARK,
    NEW,
    NONE,
    call,
    data,
    mapping,
    name,
    text,
)


def enumeration(notes: bytes, kind: str = "dictionary") -> bytes:
    """A frame with one column, and notes about its categories."""
    found = call("pyarrow.lib:dictionary", alias("uint8"), alias("string"), FALSE)
    values = parts(alias("string"), 1, None, ends(0, 1), b"a")
    array = call("pyarrow.lib:_restore_array", parts(found, 1, None, b"\0", dictionary=values))
    if kind != "dictionary":
        array, found = restored(alias(kind), 1, None, bytes(8)), alias(kind)
    schema = call("pyarrow.lib:schema", listed(field(found, notes=notes)), NONE)
    made = call("pyarrow.lib:_reconstruct_table", listed(chunked(array, found)), schema)
    return call("lightwork.parcel.rebuild_polars:frame", made)


_TABLE = pa.table({"a": [1], "b": ["x"], "c": [[1]]})
_ZEROS = pa.table({"a": pa.array(np.zeros(1 << 20))})
_EXTENSION = pa.table({"a": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], "int8"))})
_UNION = pa.table({"a": pa.UnionArray.from_sparse(pa.array([0], "int8"), [pa.array([1])])})


def _stream(table: pa.Table, **options: Any) -> bytes:  # Any: of Arrow
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _pieces() -> bytes:
    """A table whose dictionary grows from chunk to chunk."""
    chunks = [pa.DictionaryArray.from_arrays([0], pa.array(values)) for values in (["a"], ["a", "b"])]
    return _stream(pa.table({"a": pa.chunked_array(chunks)}), emit_dictionary_deltas=True)


def _beyond() -> bytes:
    """A table of texts, the last of which ends a million bytes behind its buffer."""
    found = _stream(pa.table({"a": ["xyz"] * 3}))
    return found.replace(ends(0, 3, 6, 9), ends(0, 3, 6, 10**6))


def _turned() -> bytes:
    """A table that says that its numbers are of the other byte order, by a field that is left out else."""
    own = _stream(pa.table({"a": pa.array([1], "int8")}))
    left_out, there = (struct.pack("<4H", 8, 8, place, 4) for place in (0, 4))
    assert own.count(left_out) == 1
    return own.replace(left_out, there)


def _renamed(old: bytes, new: bytes) -> bytes:
    """A table of dates, with other bytes somewhere in its schema."""
    own = _stream(pa.table({"name": pa.array([1], pa.timestamp("s", "Etc/UTC"))}))
    assert old in own
    return own.replace(old, new)


def _own(state: bytes, kind: str = "dataframe.frame:DataFrame") -> bytes:
    return name(f"polars.{kind}") + b")" + NEW + data(state) + BUILD


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
    "no stream": Bad("bytes that are no table", _own(b"x"), "nonsense"),
    "nothing": Bad("no bytes", _own(b""), "nonsense"),
    "cut": Bad("a stream without its end", _own(_stream(_TABLE)[:-100]), "nonsense"),
    "compressed": Bad("zeros, compressed", _own(_stream(_ZEROS, compression="zstd")), "is compressed"),
    "pieces": Bad("dictionaries that are joined before they are checked", _own(_pieces()), "in pieces"),
    "extension": Bad(
        "a type that runs code of whoever has registered it", _own(_stream(_EXTENSION)), "extension type"
    ),
    "union": Bad("a type that polars does not know", _own(_stream(_UNION)), "no columns of"),
    "column name": Bad(
        "a name that is no text, over which polars panics", _own(_renamed(b"name", b"na\xffe")), "nonsense"
    ),
    "zone": Bad("a time zone in a file", _own(_renamed(b"Etc/UTC", b"../UTC/")), "no time zone"),
    "byte order": Bad("numbers that are turned before they are checked", _own(_turned()), "byte order"),
    "beyond": Bad("texts outside of their buffer", _own(_beyond()), "nonsense"),
    "series of three": Bad(
        "a series of three columns", _own(_stream(_TABLE), "series.series:Series"), "3 columns"
    ),
    "state": Bad(
        "no bytes",
        name("polars.dataframe.frame:DataFrame") + b")" + NEW + b"]" + BUILD,
        "state of a frame",
    ),
    "query": Bad(
        "a query, which may read files",
        name("polars.lazyframe.frame:LazyFrame") + b")" + NEW + data(b"x") + BUILD,
        "polars.lazyframe.frame.LazyFrame",
    ),
}
