"""What skeletons call to build frames of polars. The names are part of the file format: never move them."""

from typing import Any

from ..system.optional import require

__all__ = ["frame", "series"]


# Any: values of libraries that may not be installed.
def frame(table: Any) -> Any:
    """A ``polars.DataFrame`` with the memory of an arrow table."""
    polars = require("polars", purpose="a value that holds frames of polars", extra="all")
    return polars.from_arrow(table, rechunk=False)


def series(table: Any, name: str) -> Any:
    """The ``polars.Series`` that is the only column of an arrow table, under its own name."""
    return frame(table).to_series(0).alias(name)
