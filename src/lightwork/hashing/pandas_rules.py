"""Rules for pandas: frames by their columns, so that block layout, slicing and copying leave no trace.

Values under the mask of a nullable array do not count: nobody can see them.
"""

from typing import Any

from .. import hashing
from ..system.optional import loaded
from ..system.threads import HELPERS
from .digests import TREE
from .names import public_name
from .numpy_rules import encode_content, encode_whole
from .walk import RAW, Rule, Walk, frame

__all__ = ["RULES"]

# Any: pandas is optional, its types have no name here.


def _frame(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_frame)


def _encode_frame(walk: Walk, value: Any) -> bytes:
    # Without the attributes, of which each column would get a deep copy.
    bare = loaded("pandas").DataFrame(value, copy=False)
    columns = [column.array for _, column in bare.items()]
    walk.keep(columns)
    tokens = _by_threads(walk, columns)
    rest = [tokens.get(place) or walk.token(column) for place, column in enumerate(columns)]
    return frame(b"F", [*_common(walk, value), walk.temporary(value.columns), *rest])


def _by_threads(walk: Walk, columns: list[Any]) -> dict[int, bytes]:
    """The tokens, by place, of columns that are too small to be cut and large enough to be shared out."""
    arrays = {place: column.to_numpy() for place, column in enumerate(columns) if _is_numpy_backed(column)}
    chosen = {
        place: array
        for place, array in arrays.items()
        if RAW <= array.nbytes < TREE and not array.dtype.hasobject
    }
    if not chosen:
        return {}
    contents = HELPERS.map(lambda array: encode_content(walk, array), chosen.values())
    whole = [encode_whole(walk, *pair) for pair in zip(chosen.values(), contents, strict=True)]
    return {
        place: walk.seal(_wrapped(walk, walk.seal(each))) for place, each in zip(chosen, whole, strict=True)
    }


def _is_numpy_backed(column: Any) -> bool:
    return type(column).__name__ == "NumpyExtensionArray"


def _series(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_series)


def _encode_series(walk: Walk, value: Any) -> bytes:
    return frame(b"F", [*_common(walk, value), walk.temporary(value.name), walk.temporary(value.array)])


def _common(walk: Walk, value: Any) -> list[bytes]:
    """Class, rows, and what users attach to frames and series."""
    attached = {
        name: getattr(value, name, None) for name in type(value)._metadata if name not in ("_name", "name")
    }
    return [
        walk.token(public_name(type(value))),
        walk.temporary(value.index),
        walk.temporary(value.attrs),
        walk.token(value.flags.allows_duplicate_labels),
        walk.temporary(attached),
    ]


def _index(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_index)


def _encode_index(walk: Walk, value: Any) -> bytes:
    """An index by names and labels; a range and the same integers spelled out are one index."""
    steps = _as_range(value)
    labels = walk.temporary(value.array) if steps is None else walk.seal(frame(b"r", walk.tokens(steps)))
    return frame(b"J", [walk.temporary(list(value.names)), labels])


def _as_range(index: Any) -> tuple[int, int, int] | None:
    """First label, step and length, if the labels are 64-bit integers at equal distances.

    A range is never spelled out for its key: that would take 8 bytes per row, and pandas would keep them.
    """
    if type(index).__name__ == "RangeIndex":
        return _canonical_range(index.start, index.step, len(index))
    if str(index.dtype) != "int64":
        return None
    labels = index.to_numpy()
    count = len(labels)
    if count < 2:
        return _canonical_range(int(labels[0]) if count else 0, 1, count)
    first, step = int(labels[0]), int(labels[1]) - int(labels[0])
    if (
        step == 0
        or int(labels[-1]) - first != step * (count - 1)
        or not (labels[1:] - labels[:-1] == step).all()
    ):
        return None
    return _canonical_range(first, step, count)


def _canonical_range(first: int, step: int, count: int) -> tuple[int, int, int]:
    return (first if count else 0, step if count > 1 else 1, count)


def _multi_index(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_multi_index)


def _encode_multi_index(walk: Walk, value: Any) -> bytes:
    """A hierarchical index by the labels of each level, not by how they are coded."""
    labels = [walk.temporary(value.get_level_values(level).array) for level in range(value.nlevels)]
    return frame(b"I", [walk.temporary(list(value.names)), *labels])


def _numpy_backed(walk: Walk, value: Any) -> bytes:
    """An extension array that only wraps a numpy array."""
    return walk.seal(_wrapped(walk, walk.temporary(value.to_numpy())))


def _wrapped(walk: Walk, array: bytes) -> bytes:
    return frame(b"j", [walk.token("numpy"), array])


def _masked(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_masked)


def _encode_masked(walk: Walk, value: Any) -> bytes:
    """Nullable numbers and booleans: dtype, where they are missing, the values with hidden ones zeroed."""
    missing = value.isna()
    shown = value.to_numpy(dtype=value.dtype.numpy_dtype, na_value=value.dtype.numpy_dtype.type(0))
    return frame(b"j", [walk.token(str(value.dtype)), walk.temporary(missing), walk.temporary(shown)])


def _dates(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_dates)


def _encode_dates(walk: Walk, value: Any) -> bytes:
    """Dates, spans: dtype (unit, zone, frequency of periods) and the integers behind them."""
    zone = _unnamed_zone(getattr(value.dtype, "tz", None))
    return frame(b"j", [walk.token(str(value.dtype)), walk.temporary(value.asi8), *map(walk.temporary, zone)])


def _categorical(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_categorical)


def _encode_categorical(walk: Walk, value: Any) -> bytes:
    parts = [value.categories, bool(value.ordered), value.codes]
    return frame(b"j", [walk.token("category"), *map(walk.temporary, parts)])


def _intervals(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_intervals)


def _encode_intervals(walk: Walk, value: Any) -> bytes:
    return frame(b"j", [walk.token(str(value.closed)), *map(walk.temporary, (value.left, value.right))])


def _strings(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_strings)


def _encode_strings(walk: Walk, value: Any) -> bytes:
    """Text in any storage: what stands for a missing one, where it does, and the texts."""
    missing = value.isna()
    texts = value.to_numpy(dtype=object, na_value="").tolist()
    return frame(
        b"j",
        [
            walk.token("str"),
            walk.token(_missing_text(value.dtype)),
            walk.temporary(missing),
            walk.temporary(texts),
        ],
    )


def _missing_text(dtype: Any) -> str:
    """What a missing text looks like: ``nan`` in the default type, ``<NA>`` in the nullable one."""
    return str(getattr(dtype, "na_value", "<NA>"))


def _sparse(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_sparse)


def _encode_sparse(walk: Walk, value: Any) -> bytes:
    """A sparse column: what fills it, and the places and values that differ from that."""
    places, held, fill = value.sp_index.to_int_index().indices, value.sp_values, value.fill_value
    differ = (held == held) if fill != fill else held != fill  # NaN fills what is missing
    parts = (value.dtype.subtype, fill, len(value), places[differ], held[differ])
    return frame(b"j", [walk.token("sparse"), *map(walk.temporary, parts)])


def _arrow_backed(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_arrow_backed)


def _encode_arrow_backed(walk: Walk, value: Any) -> bytes:
    """A column in arrow's memory: its type and rows, however they are cut into chunks."""
    column = value.__arrow_array__()
    chunks = column.chunks if hasattr(column, "chunks") else [column]
    rows = hashing.arrow_rules.encode_column(walk, column.type, lambda: iter(chunks))
    return frame(b"j", [walk.token("arrow"), walk.temporary(column.type), walk.seal(rows)])


def _timestamp(walk: Walk, value: Any) -> bytes:
    zone = None if value.tz is None else str(value.tz)
    return walk.part(
        value, lambda walk, v: walk.facts("timestamp", v.asm8, zone, v.fold, *_unnamed_zone(v.tz))
    )


def _unnamed_zone(zone: Any) -> list[Any]:
    """A zone that its text does not tell: one with a text of the user's own, or of a class of theirs."""
    library = type(zone).__module__.partition(".")[0]
    if zone is None or library in ("zoneinfo", "pytz", "dateutil"):
        return []
    is_offset = library == "datetime" and str(zone) == str(type(zone)(zone.utcoffset(None)))
    return [] if is_offset else [zone]


def _timedelta(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: walk.facts("timedelta", v.asm8))


def _missing(walk: Walk, value: Any) -> bytes:
    """``NaT`` and ``NA``, of which there is one each."""
    return walk.seal(walk.facts("missing", str(value)))


def _period(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: walk.facts("period", v.ordinal, v.freqstr))


def _interval(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: walk.facts("interval", v.left, v.right, v.closed))


def _dtype(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: walk.facts("dtype", *_dtype_facts(v)))


def _dtype_facts(dtype: Any) -> tuple[Any, ...]:
    """What makes up a dtype of pandas' own; its text says it all for most."""
    name = type(dtype).__name__
    if name == "CategoricalDtype":
        return (name, dtype.categories, dtype.ordered)
    if name == "ArrowDtype":
        return (name, dtype.pyarrow_dtype)
    if name == "SparseDtype":
        return (name, dtype.subtype, dtype.fill_value)
    if name == "StringDtype":
        return (name, _missing_text(dtype))
    return (name, str(dtype), *_unnamed_zone(getattr(dtype, "tz", None)))


RULES: dict[str, Rule] = {
    "pandas:DataFrame": _frame,
    "pandas:Series": _series,
    "pandas:MultiIndex": _multi_index,
    "pandas:Index": _index,
    "pandas:NumpyExtensionArray": _numpy_backed,
    "pandas:BaseMaskedArray": _masked,
    "pandas:DatetimeLikeArrayMixin": _dates,
    "pandas:Categorical": _categorical,
    "pandas:IntervalArray": _intervals,
    "pandas:BaseStringArray": _strings,
    "pandas:ArrowStringArray": _strings,
    "pandas:ArrowExtensionArray": _arrow_backed,
    "pandas:SparseArray": _sparse,
    "pandas:Timestamp": _timestamp,
    "pandas:Timedelta": _timedelta,
    "pandas:NaTType": _missing,
    "pandas:NAType": _missing,
    "pandas:Period": _period,
    "pandas:Interval": _interval,
    "pandas:ExtensionDtype": _dtype,
}
"""By top-level package and qualified name, which stay when pandas moves a class between its modules."""
