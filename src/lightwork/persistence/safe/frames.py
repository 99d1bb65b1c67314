"""Constructors for frames, series and indexes of pandas.

What a pickle of pandas says about its blocks is kept as plain tuples; the frame is then made of columns and
indexes by ``pandas.DataFrame`` itself, which compares their lengths.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from ...errors import CorruptFileError
from .arrays import checked_array
from .constructors import Constructor, Family, Kit, Later, checked, checked_all, checked_class
from .extension import Rows, columns_of
from .scan import Name

# Any: values of a file, and what a library that may not be installed makes of them.
__all__ = ["FAMILY"]

_COLUMN = 10_000  # bytes that a column counts as, besides its items: making it takes about 50 µs
_KINDS = "biufcmMO"  # of items that columns have; texts are objects or an array of pandas


class _Block(NamedTuple):
    """Some columns of a frame, and their positions in it."""

    values: Any
    places: Any


class _Manager(NamedTuple):
    """The inside of a frame."""

    blocks: Any
    axes: Any


class _Single(NamedTuple):
    """The inside of a series."""

    values: Any
    index: Any


# ---------------------------------------------------------------------------------------------------------
# Indexes
# ---------------------------------------------------------------------------------------------------------


def _new_index(kit: Kit) -> Constructor:
    pandas = kit.pandas
    builders: dict[Any, Callable[..., Any]] = {
        pandas.Index: _index,
        pandas.RangeIndex: _range_index,
        pandas.MultiIndex: _multi_index,
        pandas.CategoricalIndex: partial(_index_of, kind=pandas.Categorical),
        pandas.PeriodIndex: partial(_index_of, kind=pandas.arrays.PeriodArray),
        pandas.DatetimeIndex: partial(_index_of, kind=pandas.arrays.DatetimeArray),
        pandas.TimedeltaIndex: partial(_index_of, kind=pandas.arrays.TimedeltaArray),
        pandas.IntervalIndex: _interval_index,
    }

    def call(kind: Any, state: Any) -> Any:
        build = builders[checked_class(kind, builders, "a class of indexes")]
        return build(kit, checked(state, dict, "the state of an index"))

    return Constructor(None, call)


def _label(kit: Kit, state: dict[str, Any]) -> Any:
    name = state.get("name")
    kit.keys.check(kit, (name,))
    return name


def _index(kit: Kit, state: dict[str, Any]) -> Any:
    data = _column(kit, state["data"])
    if data.dtype == object:
        kit.keys.check(data, data)
    return kit.pandas.Index(data, dtype=data.dtype, name=_label(kit, state), copy=False)


def _range_index(kit: Kit, state: dict[str, Any]) -> Any:
    ends = [checked(state[name], int, "an end of a range") for name in ("start", "stop", "step")]
    return kit.pandas.RangeIndex(*ends, name=_label(kit, state))


def _index_of(kit: Kit, state: dict[str, Any], *, kind: Any) -> Any:
    data = checked(state["data"], kind, "the data of an index")
    index = kit.pandas.Index(data, name=_label(kit, state))
    frequency = state.get("freq")
    if isinstance(frequency, kit.pandas.offsets.BaseOffset):
        index.freq = frequency  # compared with the dates
    elif frequency is not None:
        raise CorruptFileError(f"a {type(frequency).__name__} is no frequency")
    return index


def _multi_index(kit: Kit, state: dict[str, Any]) -> Any:
    levels, codes = state["levels"], state["codes"]
    for level, code in zip(levels, codes, strict=True):
        _check_index(kit, level)
        checked_array(kit, code, 1, "i")
    codes = [kit.claims.own(code) for code in codes]  # labels are looked up by them, unchecked
    kit.keys.check(kit, state["names"])
    return kit.pandas.MultiIndex(
        levels=list(levels),
        codes=codes,
        sortorder=checked(state.get("sortorder"), (int, type(None)), "an order"),
        names=list(state["names"]),
    )


def _interval_index(kit: Kit, state: dict[str, Any]) -> Any:
    left, right = _check_index(kit, state["left"]), _check_index(kit, state["right"])
    closed = checked(state["closed"], str, "which ends are closed")
    return kit.pandas.IntervalIndex.from_arrays(left, right, closed=closed, name=_label(kit, state))


def _check_index(kit: Kit, index: Any) -> Any:
    if not isinstance(index, kit.pandas.Index):
        raise CorruptFileError(f"a {type(index).__name__} is no index")
    return index


# ---------------------------------------------------------------------------------------------------------
# Series and frames
# ---------------------------------------------------------------------------------------------------------


def _column(kit: Kit, values: Any) -> Any:
    """An array of numpy or of pandas, of one dimension."""
    if isinstance(values, kit.pandas.api.extensions.ExtensionArray):
        return values
    return checked_array(kit, values, 1, _KINDS)


def _columns(kit: Kit, values: Any) -> list[Any]:
    """The columns that a block has."""
    if type(values) is Rows:
        return columns_of(kit, values)
    if isinstance(values, kit.pandas.api.extensions.ExtensionArray):
        return [values]
    return list(checked_array(kit, values, 2, _KINDS))


def _block(kit: Kit) -> Constructor:
    return Constructor(None, lambda values, places, ndim: _Block(values, places))


def _places(kit: Kit, places: Any, count: int) -> Any:
    if type(places) is slice:
        return range(count)[places]
    return checked_array(kit, places, 1, "i").tolist()


def _manager(kit: Kit) -> Constructor:
    return Constructor(None, lambda blocks, axes, *_: _Manager(blocks, axes))


def _single_manager(kit: Kit) -> Constructor:
    def build(state: Any) -> Any:
        inside = checked(state, tuple, "the state of a series")[3]["0.14.1"]
        (block,), (index,) = inside["blocks"], inside["axes"]
        return _Single(_column(kit, block["values"]), _check_index(kit, index))

    return Constructor(None, None, lambda: Later(build))


def _series(kit: Kit) -> Constructor:
    kind = kit.pandas.Series

    def build(state: Any) -> Any:
        values, index = checked(state["_mgr"], _Single, "the inside of a series")
        name = state.get("_name", state.get("name"))
        kit.keys.check(kit, (name,))
        return _finished(kind(values, index, dtype=values.dtype, name=name, copy=False), state)

    return Constructor(kind, None, lambda: Later(build))


def _frame(kit: Kit) -> Constructor:
    kind = kit.pandas.DataFrame

    def build(state: Any) -> Any:
        blocks, (labels, index) = checked(state["_mgr"], _Manager, "the inside of a frame")
        for axis in (labels, index):
            _check_index(kit, axis)
        return _finished(_assembled(kit, blocks, labels, index), state)

    return Constructor(kind, None, lambda: Later(build))


def _assembled(kit: Kit, blocks: Any, labels: Any, index: Any) -> Any:
    pandas = kit.pandas
    checked_all(checked(blocks, tuple, "blocks"), _Block, "a block")
    kit.spend(_COLUMN * len(labels))
    if len(blocks) == 1 and _is_whole(kit, blocks[0], len(labels)):
        values = checked_array(kit, blocks[0].values, 2, _KINDS)
        return pandas.DataFrame(values.T, index, labels, dtype=values.dtype, copy=False)
    found: dict[int, Any] = {}
    for block in blocks:
        columns = _columns(kit, block.values)
        found.update(zip(_places(kit, block.places, len(labels)), columns, strict=True))
    if len(found) != len(labels) or sorted(found) != list(range(len(labels))):
        raise CorruptFileError(f"a frame of {len(labels)} columns has blocks for {len(found)}")
    whole = {
        place: pandas.Series(found[place], index, dtype=found[place].dtype, copy=False)
        for place in range(len(labels))
    }
    frame = pandas.DataFrame(whole, index, copy=False)
    frame.columns = labels
    return frame


def _is_whole(kit: Kit, block: _Block, count: int) -> bool:
    """Whether a block is all of a frame: no column needs to be taken out of it."""
    plain = isinstance(block.values, kit.numpy.ndarray)
    return plain and type(block.places) is slice and block.places == slice(0, count, 1)


def _finished(value: Any, state: dict[str, Any]) -> Any:
    """With what the caller has attached."""
    if state.get("attrs"):
        value.attrs = checked(state["attrs"], dict, "attributes")
    flags = state.get("_flags") or {}
    if not checked(flags.get("allows_duplicate_labels", True), bool, "a flag"):
        value.flags.allows_duplicate_labels = False
    return value


_INDEXES = {
    "Index": "base",
    "RangeIndex": "range",
    "MultiIndex": "multi",
    "CategoricalIndex": "category",
    "DatetimeIndex": "datetimes",
    "TimedeltaIndex": "timedeltas",
    "PeriodIndex": "period",
    "IntervalIndex": "interval",
}
_MODULES = "pandas.core.indexes"


def _index_class(name: str) -> Callable[[Kit], Constructor]:
    return lambda kit: Constructor(getattr(kit.pandas, name))


FAMILY: Family = {
    **{
        Name(module, name): _index_class(name)
        for name, home in _INDEXES.items()
        for module in ("pandas", f"{_MODULES}.{home}")
    },
    Name(f"{_MODULES}.base", "_new_Index"): _new_index,
    Name(f"{_MODULES}.datetimes", "_new_DatetimeIndex"): _new_index,
    Name(f"{_MODULES}.timedeltas", "_new_TimedeltaIndex"): _new_index,
    Name(f"{_MODULES}.interval", "_new_IntervalIndex"): _new_index,
    Name("pandas._libs.internals", "_unpickle_block"): _block,
    Name("pandas.core.internals.managers", "BlockManager"): _manager,
    Name("pandas.core.internals.managers", "SingleBlockManager"): _single_manager,
    **{Name(module, "Series"): _series for module in ("pandas", "pandas.core.series")},
    **{Name(module, "DataFrame"): _frame for module in ("pandas", "pandas.core.frame")},
}
