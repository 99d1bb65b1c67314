"""Rules for polars: frames and series by names, types and the rows that can be seen, lazy frames by plan.

The rows are read as arrow arrays, which copies nothing; that takes pyarrow.
"""

from typing import Any

from .. import arrays, hashing
from ..system.optional import loaded, require
from .walk import NotHashable, Rule, Walk, frame

__all__ = ["RULES"]

# Any: polars is optional, its types have no name here.


def _frame(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_frame)


def _encode_frame(walk: Walk, value: Any) -> bytes:
    columns = [_column(walk, series) for series in value.iter_columns()]
    return frame(b"X", [walk.token("polars frame"), walk.token(value.height), *columns])


def _series(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: frame(b"X", [walk.token("polars series"), _column(walk, v)]))


def _column(walk: Walk, series: Any) -> bytes:
    """Name, type and rows of a column."""
    head = [walk.temporary(series.name), walk.temporary(series.dtype)]
    if any(kind in str(series.dtype) for kind in _UNKNOWN):
        return walk.seal(frame(b"", [*head, walk.temporary(series.to_list())]))
    require("pyarrow", purpose="the key of a polars frame", extra="arrow")
    levels = loaded("polars").CompatLevel
    # Texts as polars has them, without a copy; inside of lists and structures arrow can do little with those.
    is_text = str(series.dtype) in ("String", "Binary")
    level = levels.newest() if is_text and arrays.arrow.reads_views() else levels.oldest()
    column = series.to_frame().to_arrow(compat_level=level).column(0)
    rows = hashing.arrow_rules.encode_column(walk, column.type, lambda: iter(column.chunks))
    return walk.seal(frame(b"", [*head, walk.seal(rows)]))


_UNKNOWN = ("Object", "Int128")
"""Types that arrow does not have: their rows are hashed as a list."""


def _lazy(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_lazy)


def _encode_lazy(walk: Walk, value: Any) -> bytes:
    """A query that was not run, as polars writes it down: another release may write it in another way."""
    try:
        plan = value.serialize()
    except Exception as exc:
        raise NotHashable(value, f"polars cannot write its plan down: {exc}; collect() it") from exc
    return walk.facts("polars plan", plan)


def _expression(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_expression)


def _encode_expression(walk: Walk, value: Any) -> bytes:
    try:
        plan = value.meta.serialize()
    except Exception as exc:
        raise NotHashable(value, f"polars cannot write the expression down: {exc}") from exc
    return walk.facts("polars expression", plan)


def _type(walk: Walk, value: Any) -> bytes:
    """A type, as a class or an instance: polars holds ``pl.Int64`` and ``pl.Int64()`` for equal."""
    return walk.part(value, _encode_type)


def _encode_type(walk: Walk, value: Any) -> bytes:
    if isinstance(value, type):
        return walk.facts("polars type", value.__name__)
    name = type(value).__name__
    if name == "Categorical":
        return walk.facts("polars type", repr(value))
    told = {part: getattr(value, part) for part in _TYPE_PARTS if hasattr(value, part)}
    if "fields" in told:
        told["fields"] = [(field.name, field.dtype) for field in told["fields"]]
    if "categories" in told:
        told["categories"] = told["categories"].to_list()
    return walk.facts("polars type", name, *([told] if told else []))


_TYPE_PARTS = ("inner", "size", "fields", "time_unit", "time_zone", "precision", "scale", "categories")

RULES: dict[str, Rule] = {
    "polars:DataFrame": _frame,
    "polars:Series": _series,
    "polars:LazyFrame": _lazy,
    "polars:Expr": _expression,
    "polars:DataType": _type,
    "polars:DataTypeClass": _type,
}
"""By top-level package and qualified name, looked for along the bases of a type."""
