"""Constructors for arrays and tables of Arrow, and for the columns of pandas that are kept by it.

Arrow's own reading of a pickle believes lengths, offsets and counts. Here every buffer is first held against
what its type and length ask of it, in numbers that do not overflow; then Arrow's full validation goes over
all offsets, indices, views, ends of runs and texts.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ...errors import CorruptFileError
from . import arrow_types
from .arrow_types import checked_type, is_one, parts_of, room_of
from .constructors import Constructor, Family, Kit, Later, checked, checked_all
from .scan import Name

# Any: values of a file, and what libraries that may not be installed make of them.
__all__ = ["FAMILY"]

_CALL = 2000  # bytes that an array, or a column of a table, counts as, by the time it takes
_PART = 100  # bytes that a part of a scalar counts as
_NOTHING = 8  # bytes that an item counts as for which no byte stands in the file
_OFFSETS = {4: ("STRING", "BINARY", "LIST", "MAP"), 8: ("LARGE_STRING", "LARGE_BINARY", "LARGE_LIST")}
_WITH_CONTENT = ("STRING", "BINARY", "LARGE_STRING", "LARGE_BINARY")
_VIEWS = ("STRING_VIEW", "BINARY_VIEW")
_PLACED = {4: ("LIST_VIEW",), 8: ("LARGE_LIST_VIEW",)}
_UNMARKED = ("NA", "DENSE_UNION", "SPARSE_UNION", "RUN_END_ENCODED")  # none of their items is missing
_TEXTS = ("STRING", "LARGE_STRING", "STRING_VIEW")
_VIEW = 16
_CHUNK = 1 << 62  # of lengths; beyond, Arrow's own sums overflow


def _buffer(kit: Kit) -> Constructor:
    def call(content: Any) -> Any:
        checked(content, (memoryview, bytes, bytearray), "a buffer")
        return kit.arrow.py_buffer(kit.claims.seal(content))

    return Constructor(None, call, views=True)


def _array(kit: Kit) -> Constructor:
    def call(data: Any) -> Any:
        kind = checked_type(kit, checked(data, tuple, "an array of Arrow")[0])
        array = _unchecked(kit, kind, data)
        array.validate(full=True)
        return array

    return Constructor(None, call, views=True)


def _unchecked(kit: Kit, kind: Any, data: Any) -> Any:
    """An array whose buffers are long enough. It goes as deep as its type.

    `data` is type, length, number of missing items (which Arrow counts anew here), offset, buffers, children,
    dictionary.
    """
    given, length, _, offset, buffers, children, dictionary = checked(data, tuple, "an array of Arrow")
    if not checked_type(kit, given).equals(kind):
        raise CorruptFileError(f"a part of an array of Arrow is of another type than {kind}"[:200])
    if isinstance(kind, kit.arrow.BaseExtensionType):
        stored = kind.storage_type
        return kit.arrow.ExtensionArray.from_storage(kind, _unchecked(kit, stored, (stored, *data[1:])))
    if min(checked_all((length, offset), int, "a length")) < 0 or length + offset >= _CHUNK:
        raise CorruptFileError("an array of Arrow has a length that is none")
    parts = parts_of(kit, kind)
    if len(checked(children, list, "parts of an array")) != len(parts):
        raise CorruptFileError(f"an array of Arrow has {len(children)} parts, not {len(parts)}")
    sizes = [
        None if each is None else checked(each, kit.arrow.Buffer, "a buffer").size
        for each in checked(buffers, list, "buffers")
    ]
    kit.spend(_CALL + sum(size or 0 for size in sizes))
    _check_sizes(kit, kind, offset + length, sizes)
    inner = [_unchecked(kit, part, child) for part, child in zip(parts, children, strict=True)]
    _check_children(kit, kind, offset + length, inner)
    if kit.arrow.types.is_dictionary(kind):
        values = _unchecked(kit, kind.value_type, dictionary)
        return kit.arrow.DictionaryArray.from_buffers(kind, length, buffers, values, -1, offset)
    if dictionary is not None:
        raise CorruptFileError("an array of Arrow has a dictionary that it does not need")
    missing = 0 if is_one(kit, kind, _UNMARKED[1:]) else -1
    return kit.arrow.Array.from_buffers(kind, length, buffers, missing, offset, inner)


def _check_sizes(kit: Kit, kind: Any, count: int, sizes: list[int | None]) -> None:
    """Each buffer has room for `count` items: marks of what is missing; then items, or where they end."""
    types = kit.arrow.types
    needed = [(count + 7) // 8]
    if is_one(kit, kind, _UNMARKED) and sizes[:1] != [None]:
        raise CorruptFileError(f"an array of Arrow of {kind} has a buffer that it does not need"[:200])
    if is_one(kit, kind, _VIEWS):
        needed.append(_VIEW * count)
    elif types.is_union(kind):
        needed += [count, 4 * count] if kind.mode == "dense" else [count]
    elif width := _width(kit, kind, _PLACED):
        needed += [width * count, width * count]
    elif width := _width(kit, kind, _OFFSETS):
        needed.append(width * (count + 1) if count else 0)
    elif not kind.num_fields and not is_one(kit, kind, _UNMARKED):
        bits = (kind.index_type if types.is_dictionary(kind) else kind).bit_width
        needed.append((bits * count + 7) // 8)
    if not sum(needed[1:]):
        kit.spend(_NOTHING * count)
    # Texts have one more buffer, views any number: of these Arrow checks all that is said in others.
    more = len(sizes) - len(needed)
    if is_one(kit, kind, _VIEWS):
        more = 0 if more >= 0 and None not in sizes[2:] else -1
    if more != is_one(kit, kind, _WITH_CONTENT):
        raise CorruptFileError(f"an array of Arrow has {len(sizes)} buffers")
    for index, (size, least) in enumerate(zip(sizes, needed, strict=False)):
        if (size is None and index and least) or (size is not None and size < least):
            raise CorruptFileError(f"an array of Arrow of {count} items does not lie in its buffers")


def _width(kit: Kit, kind: Any, widths: Mapping[int, tuple[str, ...]]) -> int:
    """Bytes of a number that tells where an item is; 0 if arrays of this type have none of `widths`."""
    return next((width for width, kinds in widths.items() if is_one(kit, kind, kinds)), 0)


def _check_children(kit: Kit, kind: Any, count: int, inner: list[Any]) -> None:
    """Parts of structs, and of lists of one length, are as long as these; offsets are for Arrow to check."""
    types = kit.arrow.types
    whole = types.is_struct(kind) or is_one(kit, kind, ("SPARSE_UNION",))
    each = 1 if whole else kind.list_size if types.is_fixed_size_list(kind) else 0
    if any(len(child) < each * count for child in inner):
        raise CorruptFileError("a part of an array of Arrow is too short")


def _scalar(kit: Kit) -> Constructor:
    def call(value: Any, kind: Any) -> Any:
        waiting, each = [value], _PART + room_of(kit, checked_type(kit, kind))
        while waiting:
            kit.spend(each)
            part = waiting.pop()
            if isinstance(part, list | tuple | dict):
                waiting.extend(part.values() if isinstance(part, dict) else part)
        made = kit.arrow.scalar(value, kind)
        made.validate(full=True)
        return made

    return Constructor(None, call)


def _chunked(kit: Kit) -> Constructor:
    def call(chunks: Any, kind: Any) -> Any:
        for chunk in checked(chunks, list, "chunks"):
            _check_array(kit, chunk, kind)
        kit.spend(_CALL + _CALL * len(chunks))
        return kit.arrow.chunked_array(chunks, checked_type(kit, kind))

    return Constructor(None, call, views=True)


def _check_array(kit: Kit, array: Any, kind: Any) -> None:
    if not isinstance(array, kit.arrow.Array) or not array.type.equals(checked_type(kit, kind)):
        raise CorruptFileError(f"a {type(array).__name__} is no array of the type of its column")


def _table(name: str) -> Callable[[Kit], Constructor]:
    """``Table``, whose columns are chunked, or ``RecordBatch``."""

    def constructor(kit: Kit) -> Constructor:
        kind = getattr(kit.arrow, name)

        def call(columns: Any, schema: Any) -> Any:
            checked(schema, kit.arrow.Schema, "a schema")
            if len(checked(columns, list, "columns")) != len(schema):
                raise CorruptFileError(f"a table of {len(schema)} columns has {len(columns)}")
            kit.spend(_CALL + _CALL * len(columns))
            for column, field in zip(columns, schema, strict=True):
                if name == "RecordBatch":
                    _check_array(kit, column, field.type)
                elif not checked(column, kit.arrow.ChunkedArray, "a column").type.equals(field.type):
                    raise CorruptFileError("a column is of another type than its table says")
            if len({len(column) for column in columns}) > 1:
                raise CorruptFileError("the columns of a table are not of one length")
            made = kind.from_arrays(columns, schema=schema)
            made.validate()
            return made

        return Constructor(None, call, views=True)

    return constructor


# ---------------------------------------------------------------------------------------------------------
# pandas
# ---------------------------------------------------------------------------------------------------------


def _arrow_dtype(kit: Kit) -> Constructor:
    kind = kit.pandas.ArrowDtype

    def build(state: Any) -> Any:
        return kind(checked_type(kit, checked(state, dict, "the state of a dtype")["pyarrow_dtype"]))

    return Constructor(kind, None, lambda: Later(build))


def _column(kit: Kit, dtype: Any, chunks: Any) -> Any:
    """An array of pandas of a dtype that Arrow keeps."""
    pandas = kit.pandas
    found = checked(chunks, kit.arrow.ChunkedArray, "a column").type
    checked(dtype, (pandas.StringDtype, pandas.ArrowDtype), "a dtype")
    fits = (
        is_one(kit, found, _TEXTS) if type(dtype) is pandas.StringDtype else found.equals(dtype.pyarrow_dtype)
    )
    if not fits:
        raise CorruptFileError(f"a column of {dtype} is of type {found}"[:200])
    return dtype.__from_arrow__(chunks)


def _arrow_column(kit: Kit) -> Constructor:
    return Constructor(None, partial(_column, kit))


def _strings(kit: Kit) -> Constructor:
    """The way of pandas itself."""

    def build(state: Any) -> Any:
        state = checked(state, dict, "the state of an array")
        chunks = state["_pa_array"]
        if isinstance(chunks, kit.arrow.Array):
            chunks = kit.arrow.chunked_array([chunks])
        kit.spend(100 * len(chunks))
        return _column(kit, state["_dtype"], chunks)

    return Constructor(None, None, lambda: Later(build))


FAMILY: Family = {
    **arrow_types.FAMILY,
    Name("pyarrow.lib", "py_buffer"): _buffer,
    Name("pyarrow.lib", "_restore_array"): _array,
    Name("pyarrow.lib", "scalar"): _scalar,
    Name("pyarrow.lib", "chunked_array"): _chunked,
    Name("pyarrow.lib", "_reconstruct_table"): _table("Table"),
    Name("pyarrow.lib", "_reconstruct_record_batch"): _table("RecordBatch"),
    Name("lightwork.parcel.rebuild_pandas", "arrow_column"): _arrow_column,
    Name("pandas", "ArrowDtype"): _arrow_dtype,
    Name("pandas.core.dtypes.dtypes", "ArrowDtype"): _arrow_dtype,
    Name("pandas.arrays", "ArrowStringArray"): _strings,
    Name("pandas.core.arrays.string_arrow", "ArrowStringArray"): _strings,
    Name("pandas.core.arrays.string_arrow", "ArrowStringArrayNumpySemantics"): _strings,
}
