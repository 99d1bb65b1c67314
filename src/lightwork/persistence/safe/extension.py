"""Constructors for the dtypes, arrays and scalars of pandas, through its public functions.

In blocks of a frame several columns of dates lie in one array of two dimensions, which pandas has no public
constructor for: such an array is kept as `Rows` until the frame asks for its columns.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from ...errors import CorruptFileError
from ...system.optional import require
from .arrays import checked_array
from .constructors import Constructor, Family, Kit, Later, checked, checked_all, checked_class
from .plain import check_zone
from .scan import Name

# Any: values of a file, and what a library that may not be installed makes of them.
__all__ = ["FAMILY", "Rows", "checked_strings", "columns_of"]

_RESOLUTIONS = {7: "s", 8: "ms", 9: "us", 10: "ns"}
_UNITS = frozenset(_RESOLUTIONS.values())
_OFFSETS = (
    *("Day", "Hour", "Minute", "Second", "Milli", "Micro", "Nano", "MonthBegin", "MonthEnd"),
    *("QuarterBegin", "QuarterEnd", "YearBegin", "YearEnd", "Week", "BusinessDay"),
)


class Rows(NamedTuple):
    """Columns of one dtype, each a row of `array`."""

    dtype: Any
    array: Any


def columns_of(kit: Kit, rows: Rows) -> list[Any]:
    """Each row as an array of pandas."""
    make = _periods if isinstance(rows.dtype, kit.pandas.PeriodDtype) else _dates
    return [make(kit, rows.dtype, row) for row in rows.array]


# ---------------------------------------------------------------------------------------------------------
# Dtypes
# ---------------------------------------------------------------------------------------------------------


def _categorical_dtype(kit: Kit) -> Constructor:
    kind = kit.pandas.CategoricalDtype

    def build(state: Any) -> Any:
        categories, ordered = state["categories"], state["ordered"]
        if categories is not None and not isinstance(categories, kit.pandas.Index):
            raise CorruptFileError(f"a {type(categories).__name__} is no list of categories")
        return kind(categories, checked(ordered, (bool, type(None)), "whether categories are ordered"))

    return Constructor(kind, None, lambda: Later(build))


def _zone_dtype(kit: Kit) -> Constructor:
    kind = kit.pandas.DatetimeTZDtype

    def build(state: Any) -> Any:
        if checked(state["unit"], str, "a unit of time") not in _UNITS:
            raise CorruptFileError(f"{state['unit']!r} is no unit of time")
        check_zone(state["tz"])
        return kind(state["unit"], state["tz"])

    return Constructor(kind, None, lambda: Later(build))


def _period_dtype(kit: Kit) -> Constructor:
    kind = kit.pandas.PeriodDtype
    return Constructor(kind, lambda text: kind(checked(text, str, "a frequency")[:100]))


def _string_dtype(kit: Kit) -> Constructor:
    kind, missing = kit.pandas.StringDtype, kit.pandas.NA

    def call(storage: Any, na_value: Any = missing) -> Any:
        checked(na_value, (float, type(missing)), "a missing value")
        if storage == "pyarrow":
            require("pyarrow", purpose="texts that Arrow keeps", extra="all")
        return kind(checked(storage, str, "a storage"), na_value)

    return Constructor(kind, call)


def _plain_dtype(name: str) -> Callable[[Kit], Constructor]:
    def constructor(kit: Kit) -> Constructor:
        kind = getattr(kit.pandas, name)
        return Constructor(kind, kind, kind, stateless=True)

    return constructor


# ---------------------------------------------------------------------------------------------------------
# Arrays
# ---------------------------------------------------------------------------------------------------------


def _backed(kit: Kit) -> Constructor:
    """An array of pandas that is an array of numpy and a dtype: both come as its state."""
    pandas = kit.pandas
    builders: dict[Any, Callable[..., Any]] = {
        pandas.Categorical: _categorical,
        pandas.arrays.DatetimeArray: _dates,
        pandas.arrays.TimedeltaArray: _dates,
        pandas.arrays.PeriodArray: _periods,
        pandas.arrays.StringArray: _strings,
    }

    def call(kind: Any, checksum: Any, nothing: Any) -> Any:
        if nothing is not None:
            raise CorruptFileError("an array of pandas begins with more than its class")
        return Later(partial(build, builders[checked_class(kind, builders, "a class of arrays")]))

    def build(builder: Callable[..., Any], state: Any) -> Any:
        dtype, array = checked(state, tuple, "the state of an array")[:2]
        return builder(kit, dtype, checked_array(kit, array))

    return Constructor(None, call)


def _categorical(kit: Kit, dtype: Any, codes: Any) -> Any:
    checked(dtype, kit.pandas.CategoricalDtype, "a dtype")
    own = kit.claims.own(checked_array(kit, codes, 1, "i"))  # a category is looked up by its code, unchecked
    return kit.pandas.Categorical.from_codes(own, dtype=dtype)


def _dates(kit: Kit, dtype: Any, array: Any) -> Any:
    if array.ndim == 2:
        return Rows(dtype, array)
    pandas = kit.pandas
    checked_array(kit, array, 1, "mM")
    if isinstance(dtype, pandas.DatetimeTZDtype):
        return pandas.DatetimeIndex(array).tz_localize("UTC").tz_convert(dtype.tz).array
    if not isinstance(dtype, kit.numpy.dtype) or dtype != array.dtype:
        raise CorruptFileError(f"an array of {array.dtype} is said to be of another dtype")
    make = pandas.DatetimeIndex if array.dtype.kind == "M" else pandas.TimedeltaIndex
    return make(array).array


def _periods(kit: Kit, dtype: Any, ordinals: Any) -> Any:
    if ordinals.ndim == 2:
        return Rows(dtype, ordinals)
    checked_array(kit, ordinals, 1, "i")
    if not isinstance(dtype, kit.pandas.PeriodDtype):
        raise CorruptFileError(f"a {type(dtype).__name__} is no dtype of periods")
    return kit.pandas.PeriodIndex.from_ordinals(ordinals, freq=dtype.freq).array


def _strings(kit: Kit, dtype: Any, array: Any) -> Any:
    checked(dtype, kit.pandas.StringDtype, "a dtype")
    if array.ndim == 2:  # one column of a frame, of an old pandas
        array = array.reshape(-1)
    return kit.pandas.array(checked_strings(kit, array), dtype=dtype)


def checked_strings(kit: Kit, array: Any) -> Any:
    """`array`, if it holds texts and missing values only."""
    if array.dtype.kind != "T":
        kinds = (str, float, type(None), type(kit.pandas.NA))
        checked_all(checked_array(kit, array, 1, "O"), kinds, "a text")
    return array


def _nullable(name: str) -> Callable[[Kit], Constructor]:
    """Numbers and a mask."""

    def constructor(kit: Kit) -> Constructor:
        kind = getattr(kit.pandas.arrays, name)

        def build(state: Any) -> Any:
            data = checked_array(kit, state["_data"], 1, "biuf")
            mask = checked_array(kit, state["_mask"], 1, "b")
            if len(data) != len(mask):
                raise CorruptFileError(f"a mask of {len(mask)} does not fit {len(data)} numbers")
            return kind(data, mask)

        return Constructor(kind, None, lambda: Later(build))

    return constructor


def _interval_dtype(kit: Kit) -> Constructor:
    kind = kit.pandas.IntervalDtype

    def build(state: Any) -> Any:
        subtype, closed = state["subtype"], state["closed"]
        if not isinstance(subtype, kit.pandas.api.extensions.ExtensionDtype | kit.numpy.dtype | None):
            raise CorruptFileError(f"a {type(subtype).__name__} is no dtype of the ends of intervals")
        return kind(subtype, checked(closed, (str, type(None)), "which ends are closed"))

    return Constructor(kind, None, lambda: Later(build))


def _intervals(kit: Kit) -> Constructor:
    """Two arrays of ends and a dtype, as a state of Cython's."""
    pandas = kit.pandas

    def call(kind: Any, checksum: Any, nothing: Any) -> Any:
        checked_class(kind, [pandas.arrays.IntervalArray], "a class of arrays")
        if nothing is not None:
            raise CorruptFileError("an array of pandas begins with more than its class")
        return Later(build)

    def build(state: Any) -> Any:
        (held,) = checked(state, tuple, "the state of an array")
        ends = [
            _ends(kit, checked(held, dict, "the state of an array")[name]) for name in ("_left", "_right")
        ]
        dtype = checked(held["_dtype"], pandas.IntervalDtype, "a dtype")
        made = pandas.arrays.IntervalArray.from_arrays(*ends, closed=dtype.closed)
        if made.dtype != dtype:
            raise CorruptFileError(f"intervals of {made.dtype} are said to be of {dtype}")
        return made

    return Constructor(None, call)


def _ends(kit: Kit, array: Any) -> Any:
    dates = kit.pandas.arrays.DatetimeArray, kit.pandas.arrays.TimedeltaArray
    return array if isinstance(array, dates) else checked_array(kit, array, 1, "iuf")


# ---------------------------------------------------------------------------------------------------------
# Scalars
# ---------------------------------------------------------------------------------------------------------


def _timestamp(kit: Kit) -> Constructor:
    def call(value: Any, freq: Any, zone: Any, resolution: Any = 10) -> Any:
        if freq is not None:
            raise CorruptFileError("a timestamp has a frequency")
        moment = kit.numpy.datetime64(
            checked(value, int, "a date"), _RESOLUTIONS[checked(resolution, int, "a unit of time")]
        )
        found = kit.pandas.Timestamp(moment)
        if zone is not None:
            check_zone(zone)
        return found if zone is None else found.tz_localize("UTC").tz_convert(zone)

    return Constructor(None, call)


def _timedelta(kit: Kit) -> Constructor:
    def call(value: Any, resolution: Any) -> Any:
        length = kit.numpy.timedelta64(
            checked(value, int, "a time"), _RESOLUTIONS[checked(resolution, int, "a unit of time")]
        )
        return kit.pandas.Timedelta(length)

    return Constructor(None, call)


def _offset(name: str) -> Callable[[Kit], Constructor]:
    def constructor(kit: Kit) -> Constructor:
        kind = getattr(kit.pandas.offsets, name)

        # How much later than at midnight a business day begins; at midnight it is no time, not ``None``.
        kinds = (int, bool, type(None), *((timedelta,) if name == "BusinessDay" else ()))

        def call(*arguments: Any) -> Any:
            return kind(*checked_all(arguments, kinds, "a frequency"))

        return Constructor(kind, call)

    return constructor


def _value(name: str) -> Callable[[Kit], Constructor]:
    def constructor(kit: Kit) -> Constructor:
        value: Any = kit.pandas
        for part in name.split("."):
            value = getattr(value, part)
        return Constructor(value)

    return constructor


def _interval(kit: Kit) -> Constructor:
    pandas = kit.pandas

    def call(left: Any, right: Any, closed: Any) -> Any:
        checked_all((left, right), (int, float, pandas.Timestamp, pandas.Timedelta), "an end")
        return pandas.Interval(left, right, checked(closed, str, "which ends are closed"))

    return Constructor(pandas.Interval, call)


def _missing_time(kit: Kit) -> Constructor:
    return Constructor(None, lambda _: kit.pandas.NaT)


def _both(home: str, *names: str) -> list[Name]:
    """Names of pandas, which are ``pandas.X`` from pandas 3 on and ``pandas.core.home.X`` before."""
    return [Name(module, name) for name in names for module in ("pandas", "pandas.arrays", f"pandas.{home}")]


_ARRAYS = "core.arrays"
_DTYPES = "core.dtypes.dtypes"
_NUMBERS = {"IntegerArray": "integer", "FloatingArray": "floating", "BooleanArray": "boolean"}
_BACKED = {"Datetime": "datetimes", "Timedelta": "timedeltas", "Period": "period", "String": "string_"}
_PLAIN = {
    "integer": [f"{kind}{bits}Dtype" for kind in ("Int", "UInt") for bits in (8, 16, 32, 64)],
    "floating": ["Float32Dtype", "Float64Dtype"],
    "boolean": ["BooleanDtype"],
}

FAMILY: Family = {
    **dict.fromkeys(_both(_DTYPES, "CategoricalDtype"), _categorical_dtype),
    **dict.fromkeys(_both(_DTYPES, "DatetimeTZDtype"), _zone_dtype),
    **dict.fromkeys(_both(_DTYPES, "PeriodDtype"), _period_dtype),
    **dict.fromkeys(_both(f"{_ARRAYS}.string_", "StringDtype"), _string_dtype),
    **{
        name: _plain_dtype(name.name)
        for home, names in _PLAIN.items()
        for name in _both(f"{_ARRAYS}.{home}", *names)
    },
    **dict.fromkeys(_both(_DTYPES, "IntervalDtype"), _interval_dtype),
    Name("pandas._libs.arrays", "__pyx_unpickle_NDArrayBacked"): _backed,
    Name("pandas._libs.interval", "__pyx_unpickle_IntervalMixin"): _intervals,
    **dict.fromkeys(_both(f"{_ARRAYS}.interval", "IntervalArray"), _value("arrays.IntervalArray")),
    **dict.fromkeys(_both(f"{_ARRAYS}.categorical", "Categorical"), _value("Categorical")),
    **{
        name: _value(f"arrays.{name.name}")
        for kind, home in _BACKED.items()
        for name in _both(f"{_ARRAYS}.{home}", f"{kind}Array")
    },
    **{
        name: _nullable(name.name)
        for kind, home in _NUMBERS.items()
        for name in _both(f"{_ARRAYS}.{home}", kind)
    },
    Name("pandas._libs.tslibs.timestamps", "_unpickle_timestamp"): _timestamp,
    Name("pandas._libs.tslibs.timedeltas", "_timedelta_unpickle"): _timedelta,
    Name("pandas._libs.tslibs.nattype", "_nat_unpickle"): _missing_time,
    **dict.fromkeys(_both("_libs.missing", "NA"), _value("NA")),
    **dict.fromkeys(_both("_libs.interval", "Interval"), _interval),
    **{Name("pandas._libs.tslibs.offsets", name): _offset(name) for name in _OFFSETS},
}
