"""Columns of pandas that are arrow arrays: their own way copies them first, to put their chunks together."""

from collections.abc import Callable
from typing import Any

from ..rebuild_pandas import arrow_column

__all__ = ["find"]

_COLUMNS = frozenset({"ArrowExtensionArray", "ArrowStringArray"})


# Any: arrays of libraries that may not be installed.
def find(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """The reducer of a type of pandas; what else pandas has consists of arrays of numpy."""
    return _reduce_column if kind.__name__ in _COLUMNS else None


def _reduce_column(column: Any) -> tuple[Any, ...]:
    chunks = column.__arrow_array__()
    again = arrow_column(column.dtype, chunks[:0])
    if type(again) is not type(column) or again.dtype != column.dtype:  # in some older versions
        own: tuple[Any, ...] = column.__reduce_ex__(5)
        return own
    return arrow_column, (column.dtype, chunks)
