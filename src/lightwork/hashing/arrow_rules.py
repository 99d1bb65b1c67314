"""Rules for pyarrow: types by what they are made of, arrays by the rows that can be seen.

How a column is cut into chunks, where its slices begin, what lies under a null, how a dictionary numbers its
values: all of that is layout.
"""

from collections.abc import Callable
from functools import partial
from itertools import chain
from typing import Any

from .. import arrays
from ..arrays.arrow import Source
from ..system.optional import loaded
from .walk import NotHashable, Rule, Walk, frame

__all__ = ["RULES", "encode_column"]

# Any: pyarrow is optional, its types have no name here.


def encode_column(walk: Walk, kind: Any, source: Source) -> bytes:
    """The rows of arrays of type `kind`; the type itself is not told."""
    count, nulls = arrays.arrow.totals(source)
    places = walk.raw_pieces(arrays.arrow.missing(source), count) if nulls else b""
    content = _content(walk, kind, arrays.arrow.shown(source), count - nulls)
    return frame(b"q", [walk.token(count), walk.seal(places), *content])


def _content(walk: Walk, kind: Any, source: Source, count: int) -> list[bytes]:
    """The tokens of `count` rows without nulls."""
    types = loaded("pyarrow").types
    if types.is_null(kind):
        return []
    if types.is_union(kind):
        values = [(row.type_code, row.as_py()) for piece in source() for row in piece]
        return [walk.temporary(values)]
    inner = _unwrapped(kind, source)
    if inner is not None:
        order = _order(walk, source) if types.is_dictionary(kind) and kind.ordered else []
        return [walk.seal(encode_column(walk, *inner)), *order]
    if types.is_boolean(kind):
        return [walk.seal(walk.raw_pieces(arrays.arrow.truths(source), count))]
    if types.is_struct(kind):
        return [
            walk.seal(encode_column(walk, kind.field(place).type, _field(source, place)))
            for place in range(kind.num_fields)
        ]
    if hasattr(kind, "value_field"):
        return _lists(walk, kind, source, count)
    if _is_text(kind):
        sizes = walk.raw_pieces(arrays.arrow.lengths(source, "binary_length"), 8 * count)
        nbytes = sum(piece.nbytes for piece in arrays.arrow.text_bytes(source))
        return [walk.seal(sizes), walk.seal(walk.raw_pieces(arrays.arrow.text_bytes(source), nbytes))]
    return [walk.seal(_fixed(walk, source, kind.bit_width // 8, count))]


def _unwrapped(kind: Any, source: Source) -> tuple[Any, Source] | None:
    """Type and rows of a column that only says how others are stored."""
    types = loaded("pyarrow").types
    if isinstance(kind, loaded("pyarrow").BaseExtensionType):
        return kind.storage_type, arrays.arrow.each(source, lambda block: block.storage)
    if types.is_dictionary(kind):
        return kind.value_type, arrays.arrow.each(source, lambda block: block.dictionary_decode())
    if types.is_map(kind):
        entries = loaded("pyarrow").list_(loaded("pyarrow").struct([kind.key_field, kind.item_field]))
        return entries, arrays.arrow.each(source, lambda block: block.cast(entries))
    if hasattr(kind, "run_end_type"):
        return kind.value_type, arrays.arrow.each(source, arrays.arrow.run_end_decoded)
    return None


def _order(walk: Walk, source: Source) -> list[bytes]:
    """The values of an ordered dictionary, whose places say which is less."""
    pieces = list(source())
    if not pieces:
        return []
    joined = loaded("pyarrow").chunked_array(pieces).unify_dictionaries()
    return [walk.temporary(joined.chunk(0).dictionary)]


def _field(source: Source, place: int) -> Source:
    return arrays.arrow.each(source, lambda block: block.field(place))


def _lists(walk: Walk, kind: Any, source: Source, count: int) -> list[bytes]:
    """How long each list is, and the items of all."""
    sizes = walk.raw_pieces(arrays.arrow.lengths(source, "list_value_length"), 8 * count)
    items = arrays.arrow.each(source, lambda block: block.flatten())
    return [walk.seal(sizes), walk.seal(encode_column(walk, kind.value_type, items))]


def _is_text(kind: Any) -> bool:
    return str(kind) in _TEXTS


_TEXTS = frozenset(["string", "large_string", "string_view", "binary", "large_binary", "binary_view"])


def _fixed(walk: Walk, source: Source, width: int, count: int) -> bytes:
    """Items of one width; a single piece by several threads."""
    views = arrays.arrow.fixed_bytes(source, width)
    first = next(views, memoryview(b""))
    if first.nbytes == count * width:
        return walk.raw(first)
    return walk.raw_pieces(chain((first,), views), count * width)


def _part(walk: Walk, value: Any, encode: Callable[[Walk, Any], bytes]) -> bytes:
    try:
        return walk.part(value, encode)
    except loaded("pyarrow").ArrowNotImplementedError as exc:
        raise NotHashable(value, f"this release of pyarrow cannot read it: {exc}") from exc


def _array(walk: Walk, value: Any) -> bytes:
    return _part(walk, value, lambda walk, v: _encode_array(walk, "arrow array", v.type, lambda: iter((v,))))


def _chunked(walk: Walk, value: Any) -> bytes:
    return _part(
        walk,
        value,
        lambda walk, v: _encode_array(walk, "arrow chunked array", v.type, lambda: iter(v.chunks)),
    )


def _encode_array(walk: Walk, family: str, kind: Any, source: Source) -> bytes:
    return frame(
        b"X", [walk.token(family), walk.temporary(kind), walk.seal(encode_column(walk, kind, source))]
    )


def _scalar(walk: Walk, value: Any) -> bytes:
    return _part(walk, value, _encode_scalar)


def _encode_scalar(walk: Walk, value: Any) -> bytes:
    """A scalar as an array of one row."""
    row = loaded("pyarrow").repeat(value, 1)
    return _encode_array(walk, "arrow scalar", value.type, lambda: iter((row,)))


def _table(walk: Walk, value: Any) -> bytes:
    """A table or a batch of records: its schema and its columns."""
    return _part(walk, value, _encode_table)


def _encode_table(walk: Walk, value: Any) -> bytes:
    columns = []
    for place, field in enumerate(value.schema):
        column = value.column(place)
        pieces = column.chunks if hasattr(column, "chunks") else [column]
        columns.append(walk.seal(encode_column(walk, field.type, partial(iter, pieces))))
    name = f"arrow {type(value).__name__}"
    rows = walk.token(value.num_rows)
    return frame(b"X", [walk.token(name), walk.temporary(value.schema), rows, *columns])


def _schema(walk: Walk, value: Any) -> bytes:
    return _part(
        walk,
        value,
        lambda walk, v: walk.facts("arrow schema", list(v), None if v.metadata is None else dict(v.metadata)),
    )


def _field_rule(walk: Walk, value: Any) -> bytes:
    return _part(walk, value, _encode_field)


def _encode_field(walk: Walk, value: Any) -> bytes:
    metadata = None if value.metadata is None else dict(value.metadata)
    return walk.facts("arrow field", value.name, value.type, value.nullable, metadata)


def _type(walk: Walk, value: Any) -> bytes:
    return _part(walk, value, lambda walk, v: walk.facts("arrow type", *_type_facts(v)))


def _type_facts(kind: Any) -> tuple[Any, ...]:
    """What makes up a type. The name of the items of a list is not told: equal types may differ in it."""
    types, name = loaded("pyarrow").types, type(kind).__name__
    if isinstance(kind, loaded("pyarrow").BaseExtensionType):
        told = getattr(kind, "__arrow_ext_serialize__", bytes)()
        return ("extension", kind.extension_name, kind.storage_type, told)
    if types.is_dictionary(kind):
        return ("dictionary", kind.index_type, kind.value_type, bool(kind.ordered))
    if types.is_union(kind):
        return ("union", kind.mode, list(kind.type_codes), [kind.field(at) for at in range(kind.num_fields)])
    if types.is_struct(kind):
        return ("struct", [kind.field(at) for at in range(kind.num_fields)])
    if types.is_map(kind):
        return ("map", kind.key_type, kind.item_type, kind.item_field.nullable, bool(kind.keys_sorted))
    if hasattr(kind, "run_end_type"):
        return ("run ends", kind.run_end_type, kind.value_type)
    if hasattr(kind, "value_field"):
        return (name, kind.value_type, kind.value_field.nullable, getattr(kind, "list_size", None))
    return (str(kind),)


def _buffer(walk: Walk, value: Any) -> bytes:
    return _part(walk, value, lambda walk, v: b"X" + walk.raw(memoryview(v)))


RULES: dict[str, Rule] = {
    "pyarrow:Array": _array,
    "pyarrow:ChunkedArray": _chunked,
    "pyarrow:Scalar": _scalar,
    "pyarrow:Table": _table,
    "pyarrow:RecordBatch": _table,
    "pyarrow:Schema": _schema,
    "pyarrow:Field": _field_rule,
    "pyarrow:DataType": _type,
    "pyarrow:Buffer": _buffer,
}
"""By top-level package and qualified name, looked for along the bases of a type."""
