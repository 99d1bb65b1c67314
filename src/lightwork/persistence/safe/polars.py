"""Constructors for frames and series of polars, which are tables of Arrow that have been checked."""

from collections.abc import Callable
from typing import Any

from ...errors import CorruptFileError
from ...parcel.rebuild_polars import frame, series
from .constructors import Constructor, Family, Kit, checked
from .scan import Name

# Any: values of a file, and what a library that may not be installed makes of them.
__all__ = ["FAMILY"]

_COLUMN = 10_000  # bytes that a column counts as, besides its items


def _checked_table(kit: Kit, table: Any) -> Any:
    checked(table, kit.arrow.Table, "a table")
    kit.spend(_COLUMN * (1 + table.num_columns))
    return table


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


FAMILY: Family = {
    Name("lightwork.parcel.rebuild_polars", "frame"): _frame,
    Name("lightwork.parcel.rebuild_polars", "series"): _series,
}
