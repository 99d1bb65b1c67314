"""Frames and series of polars, as the arrow table that they are inside; nothing is copied either way.

Needs pyarrow. Without it, for small frames and for types that arrow has no word for, they go polars' own way,
which copies.
"""

from collections.abc import Callable
from typing import Any

from ...system.optional import installed, loaded
from ..rebuild_polars import frame, series

__all__ = ["find"]

_WORTH_ARROW = 64 << 10  # bytes from which pyarrow may be imported for it (0.1 s once)


# Any: values of libraries that may not be installed.
def find(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """The reducer of a type of polars."""
    polars = loaded("polars")
    return _reduce_frame if kind is polars.DataFrame else _reduce_series if kind is polars.Series else None


def _reduce_frame(value: Any) -> tuple[Any, ...]:
    """The table of a ``polars.DataFrame``."""
    table = _table(value)
    return _own_way(value) if table is None else (frame, (table,))


def _reduce_series(value: Any) -> tuple[Any, ...]:
    """The table of a ``polars.Series``, with one column."""
    table = _table(value.alias("values").to_frame())  # a column without a name would be given one
    return _own_way(value) if table is None else (series, (table, value.name))


def _own_way(value: Any) -> tuple[Any, ...]:
    own: tuple[Any, ...] = value.__reduce_ex__(5)
    return own


def _table(value: Any) -> Any:
    """The table, ``None`` if it would not come back as the same types."""
    if value.estimated_size() < _WORTH_ARROW or installed("pyarrow") is None:
        return None
    polars = loaded("polars")
    try:
        newest = polars.CompatLevel.newest()
        if frame(value.clear().to_arrow(compat_level=newest)).schema != value.schema:
            return None
        return value.to_arrow(compat_level=newest)
    except (ValueError, TypeError, NotImplementedError, polars.exceptions.PolarsError):
        return None  # arrow has no such type (ArrowInvalid is a ValueError)
