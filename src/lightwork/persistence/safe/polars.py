"""Constructors for frames and series of polars, which are tables of Arrow that have been checked.

Those that polars has pickled in its own way are a stream of Arrow, and become such tables too.

What the metadata of a field says about its categories is looked at too: polars makes a type of it, under
locks that nobody can take any more if it fails. Other metadata could make pointers of bytes.
"""

import re
from collections.abc import Callable
from typing import Any

from ...errors import CorruptFileError, UnsafeFileError
from ...parcel.rebuild_polars import frame, series
from .arrow_stream import table_of
from .arrow_types import checked_zone, fields_of, is_one
from .constructors import Constructor, Family, Kit, Later, checked
from .scan import Name

# Any: values of a file, and what a library that may not be installed makes of them.
__all__ = ["FAMILY"]

_COLUMN, _FIELD = 10_000, 100  # bytes that a column, and a part of its type, count as, by the time they take
_LENGTH = re.compile(rb"([0-9]{1,9});")
_ORDERS = (b"lexical", b"physical")
_WIDTHS = (b"u8;", b"u16;", b"u32;")
_NEVER = ("DENSE_UNION", "SPARSE_UNION", "RUN_END_ENCODED", "LIST_VIEW", "LARGE_LIST_VIEW", "MAP")


def _checked_table(kit: Kit, table: Any) -> Any:
    checked(table, kit.arrow.Table, "a table")
    kit.spend(_COLUMN * (1 + table.num_columns))
    if table.schema.metadata:
        raise CorruptFileError("a table of polars has metadata")
    waiting = list(table.schema)
    while waiting:
        field = waiting.pop()
        kit.spend(_FIELD + len(field.name) + sum(map(len, (field.metadata or {}).values())))
        if kit.arrow.types.is_timestamp(field.type):
            checked_zone(field.type.tz)
        if is_one(kit, field.type, _NEVER) or isinstance(field.type, kit.arrow.BaseExtensionType):
            raise CorruptFileError(f"polars has no columns of {field.type}"[:200])
        for key, value in (field.metadata or {}).items():
            if not _is_known(key, value) or not kit.arrow.types.is_dictionary(field.type):
                raise CorruptFileError(f"{key[:40]!r} tells nonsense about a column of polars")
        waiting.extend(fields_of(kit, field.type))
        if kit.arrow.types.is_dictionary(field.type):
            waiting.append(kit.arrow.field("", field.type.value_type))
    return table


def _is_known(key: bytes, value: bytes) -> bool:
    """Whether metadata is what polars writes about categories."""
    if key in (b"_PL_ENUM_VALUES", b"_PL_ENUM_VALUES2"):
        categories, rest = _texts(value, len(value))
        return not rest and len(set(categories)) == len(categories)
    if key == b"_PL_CATEGORICAL2":
        names, rest = _texts(value, 2)
        return len(names) == 2 and rest in _WIDTHS
    return key == b"_PL_CATEGORICAL" and value in _ORDERS


def _texts(value: bytes, most: int) -> tuple[list[str], bytes]:
    """Up to so many texts, each with its length before it, and what follows them."""
    found: list[str] = []
    at = 0
    while len(found) < most and (length := _LENGTH.match(value, at)):
        end = length.end() + int(length[1])
        found.append(value[length.end() : end].decode())
        if end > len(value):
            raise CorruptFileError("a category of polars is cut short")
        at = end
    return found, value[at:]


def _made(kit: Kit, make: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return make(*arguments)
    except kit.polars.exceptions.PanicException as exc:  # no `Exception`, and it only means an error
        raise CorruptFileError(f"polars cannot make a frame of its table: {exc}"[:500]) from exc


def _frame(kit: Kit) -> Constructor:
    return Constructor(None, lambda table: _made(kit, frame, _checked_table(kit, table)))


def _series(kit: Kit) -> Constructor:
    def call(table: Any, name: Any) -> Any:
        if _checked_table(kit, table).num_columns != 1:
            raise CorruptFileError(f"a series is made of {table.num_columns} columns")
        return _made(kit, series, table, checked(name, str, "the name of a series"))

    return Constructor(None, call)


def _own_frame(kit: Kit) -> Constructor:
    def build(state: Any) -> Any:
        table = _own_table(kit, state)
        made = _made(kit, frame, table)
        made.columns = table.column_names  # a column without a name was given one
        return made

    return Constructor(kit.polars.DataFrame, None, lambda: Later(build))


def _own_series(kit: Kit) -> Constructor:
    def build(state: Any) -> Any:
        table = _own_table(kit, state)
        if table.num_columns != 1:
            raise CorruptFileError(f"a series is made of {table.num_columns} columns")
        return _made(kit, series, table.rename_columns(["values"]), table.column_names[0])

    return Constructor(kit.polars.Series, None, lambda: Later(build))


def _own_table(kit: Kit, state: Any) -> Any:
    """The table in a stream, without what its metadata says about the order of rows."""
    try:
        table = table_of(kit, checked(state, bytes, "the state of a frame"))
    except kit.arrow.ArrowNotImplementedError as exc:
        raise UnsafeFileError(
            f"safe=True does not build columns of polars that Arrow cannot hold: {exc}"
        ) from exc
    return _checked_table(kit, table.replace_schema_metadata(None))


FAMILY: Family = {
    Name("polars.dataframe.frame", "DataFrame"): _own_frame,
    Name("polars.series.series", "Series"): _own_series,
    Name("lightwork.parcel.rebuild_polars", "frame"): _frame,
    Name("lightwork.parcel.rebuild_polars", "series"): _series,
}
