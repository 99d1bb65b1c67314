"""Values of every kind that `load(safe=True)` builds."""

import collections
import datetime
import decimal
import fractions
import pathlib
import uuid
import zoneinfo
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import scipy.sparse as sp

from tests.unit.parcel import family_samples

_RNG = np.random.default_rng(0)
_BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
_FRAME = pd.DataFrame(
    {
        "whole": [1, 2],
        "text": ["x", "y"],
        "real": [1.0, 2.0],
        "day": pd.date_range("2020", periods=2),
        "night": pd.date_range("2021", periods=2),
        "berlin": pd.date_range("2020", periods=2, tz="Europe/Berlin"),
        "category": pd.Categorical(["u", "v"]),
        "nullable": pd.array([1, None], dtype="Int64"),
        "truth": [True, False],
        "object": [None, (1, 2)],
        "length": pd.to_timedelta([1, 2]),
        "month": pd.period_range("2020", periods=2, freq="M"),
        "string": pd.array(["a", None], dtype="string[python]"),
    }
)


def _labelled() -> pd.DataFrame:
    frame = _FRAME.set_index("text")
    frame.index.name = "label"
    frame.attrs = {"source": "here"}
    return frame


# Any: values of all types
PLAIN: dict[str, Any] = {
    "none": None,
    "integers": [0, 1, 255, 256, 65536, -1, 2**31, 2**70, -(2**70)],
    "reals": [1.5, float("inf"), -0.0],
    "texts": ["", "ü", "\ud800", "x" * 300, "y" * 70_000],
    "bytes": [b"", b"a" * 300, b"q" * 70_000, bytearray(b"abc")],
    "nested": {"a": [{"b": (1, 2, 3, 4, ())}], ("t", 1): True},
    "sets": [{1, 2}, frozenset({1}), set(), {(1, 2), frozenset({(3,)})}],
    "uuid": uuid.UUID(int=5),
    "paths": [pathlib.Path("/a/b"), pathlib.PurePosixPath("x"), pathlib.PureWindowsPath("c:/x")],
    "zone": _BERLIN,
    "dates": [
        datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
        datetime.datetime(2020, 1, 1, 2, fold=1, tzinfo=_BERLIN),
        datetime.date(2020, 1, 1),
        datetime.time(1, 2, 3, 4),
        datetime.timedelta(1, 2, 3),
        datetime.timezone(datetime.timedelta(hours=1), "X"),
    ],
    "numbers": [decimal.Decimal("1.50"), fractions.Fraction(1, 3), 1 + 2j],
    "ordered": collections.OrderedDict(a=1),
    "deque": collections.deque([1], 3),
    "defaultdict": collections.defaultdict(list, {1: [2]}),
    "counter": collections.Counter("aab"),
    "ranges": [slice(1, 2), range(3), ...],
    "classes": [int, float, np.float64, np.ndarray],
}
ARRAYS: dict[str, Any] = {
    "small": np.arange(3),
    "large": np.arange(100_000.0).reshape(100, 1000),
    "Fortran": np.asfortranarray(_RNG.random((300, 200))),
    "small Fortran": np.asfortranarray(_RNG.random((3, 2))),
    "structured": np.zeros(2, dtype=[("a", "f4"), ("b", "i8", (2,))]),
    "aligned": np.zeros(2, dtype=np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "titled": np.zeros(2, dtype=[(("title", "a"), "f4")]),
    "dtypes": [np.dtype(x) for x in ("f8", ">i4", "U5", "S3", "V7", "M8[25s]", "m8", "O", "?", "c16")],
    "scalars": [
        np.float32(2),
        np.int8(1),
        np.datetime64("2020", "D"),
        np.bool_(True),
        np.str_("a"),
        np.void(b"abc"),
    ],
    "objects": np.array([1, "a", None, [1, 2]], object),
    "objects, Fortran": np.asfortranarray(np.array([[1, "a"], ["b", 2]], object)),
    "matrix": np.matrix([[1, 2]]),
    "masked": np.ma.array([[1.0, 2.0]], mask=[[False, True]], fill_value=7),
    "texts": np.array(["a", "bb"]),
    "dates": np.array(["2020", "NaT"], dtype="M8[D]"),
    "no dimension": np.array(5),
    "no item": np.zeros((0, 3)),
    "strings": np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)),
    "records": np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)]),
}
SPARSE: dict[str, Any] = {
    "csr": sp.random(5, 6, 0.3, "csr", rng=_RNG),
    "csc": sp.random(5, 6, 0.3, "csc", rng=_RNG),
    "coo": sp.random_array((5, 6), density=0.3, rng=_RNG),
    "dia": sp.dia_array(np.eye(3)),
    "bsr": sp.bsr_matrix(np.eye(4), blocksize=(2, 2)),
    "empty": sp.csr_array((3, 4)),
    "one dimension": sp.coo_array(np.array([1, 0, 2])),
}
FRAMES: dict[str, Any] = {
    "every kind": _FRAME,
    "labelled": _labelled(),
    "one block": pd.DataFrame(np.eye(3)),
    "one text": pd.DataFrame({"a": ["x"]}),
    "empty": pd.DataFrame(),
    "tuples as columns": pd.DataFrame([[1, 2]], columns=pd.Index([("a", 1), ("b", 2)], tupleize_cols=False)),
    "levels as columns": pd.DataFrame(
        [[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["p", "q"])
    ),
    "columns of one name": pd.DataFrame([[1, "x", 2]], columns=["a", "a", "b"]),
    "no duplicates": pd.DataFrame([[1]]).set_flags(allows_duplicate_labels=False),
    "series": pd.Series([1, 2], name="n", index=["a", "b"]),
    "series of objects": pd.Series(["a", None], dtype=object),
    "series of dates": pd.Series(pd.date_range("2020", periods=2, tz="UTC")),
    "series of nothing": pd.Series([], dtype=float),
}
INDEXES: dict[str, Any] = {
    "days": pd.date_range("2020", periods=3, freq="D", name="d"),
    "month ends": pd.date_range("2020", periods=3, freq="ME"),
    "business days": pd.bdate_range("2020", periods=3),
    "late business days": pd.date_range(
        "2020", periods=3, freq=pd.offsets.BDay(2, offset=datetime.timedelta(hours=3))
    ),
    "lengths": pd.timedelta_range("1D", periods=3),
    "periods": pd.period_range("2020", periods=2, freq="M"),
    "levels": pd.MultiIndex.from_tuples([(1, "a"), (2, "b")], names=["x", "y"]),
    "categories": pd.CategoricalIndex(["a", "b"], ordered=True, name="c"),
    "range": pd.RangeIndex(3, name="r"),
    "intervals": pd.interval_range(0, 2),
}
EXTENSION: dict[str, Any] = {
    "integers": pd.array([1, None]),
    "truths": pd.array([True, None]),
    "reals": pd.array([1.5, None]),
    "scalars": [
        pd.Timestamp("2020", tz="UTC"),
        pd.Timestamp("2020-01-01 12:00:00.123456789"),
        pd.Timestamp("2020", tz="Europe/Berlin"),
        pd.Timedelta(1),
        pd.NaT,
        pd.NA,
        pd.Interval(1, 2),
    ],
    "dtypes": [
        pd.StringDtype("python"),
        pd.CategoricalDtype(["a"]),
        pd.Int64Dtype(),
        pd.DatetimeTZDtype("ns", "UTC"),
        pd.BooleanDtype(),
    ],
}
SCATTERED: dict[str, Any] = {
    "integers": pd.arrays.SparseArray([0, 0, 1, 2]),
    "runs": pd.arrays.SparseArray([0, 3, 4, 0, 1], kind="block"),
    "reals": pd.Series(pd.arrays.SparseArray([0.0, np.nan, 1, 2]), name="s"),
    "truths": pd.arrays.SparseArray([True, False, True], fill_value=False),
    "nothing": pd.arrays.SparseArray(np.zeros(0)),
    "dtype": pd.SparseDtype("int8", 5),
    "frame": pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1]), "b": [1, 2, 3]}),
}
INTERVALS: dict[str, Any] = {
    "integers": pd.arrays.IntervalArray.from_breaks([0, 1, 3], closed="left"),
    "reals": pd.Series(pd.interval_range(0.5, 2.5)),
    "dates": pd.arrays.IntervalArray.from_breaks(pd.date_range("2020", periods=3, tz="UTC")),
    "lengths": pd.DataFrame({"a": pd.interval_range(pd.Timedelta(0), pd.Timedelta(3, "D"))}),
    "dtype": [pd.IntervalDtype("int64", "both"), pd.IntervalDtype()],
}
_TIME = datetime.datetime(2020, 1, 1)
_PRICE = decimal.Decimal("1.25")
ARROW: dict[str, Any] = {
    "nothing": pa.nulls(2),
    "truths": pa.array([True, None]),
    "halves": pa.array([1.5], pa.float16()),
    "times": [
        pa.array([_TIME], pa.timestamp("us", "Europe/Berlin")),
        pa.array([_TIME], pa.timestamp("us", "+01:00")),
        pa.array([_TIME.date(), None]),
        pa.array([_TIME.time()]),
        pa.array([datetime.timedelta(1)]),
        pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
    ],
    "decimals": [pa.array([_PRICE]), pa.array([_PRICE], pa.decimal256(50, 3))],
    "bytes": [pa.array([b"ab"], pa.binary(2)), pa.array([b"", b""], pa.binary(0)), pa.array([b"a", None])],
    "lists": [
        pa.array([[1, 2], None]),
        pa.array([["a"], ["b", "c"]])[1:],
        pa.array([[1, 2, 3], [4, 5, 6]], pa.list_(pa.int8(), 3))[1:],
        pa.array([[1]], pa.large_list(pa.int64())),
        pa.array([], pa.list_(pa.string())),
    ],
    "structures": [pa.array([{"a": [{"b": "c"}]}, None]), pa.array([{"a": 1}, {"a": 2}])[1:]],
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    "dictionary": pa.array(["a", "b", None, "a"]).dictionary_encode(),
    "views": pa.array(["a", "b" * 20, None], pa.string_view()),
    "unions": [
        pa.UnionArray.from_dense(
            pa.array([0, 1, 0], "int8"), pa.array([0, 0, 1], "int32"), [pa.array([1, 2]), pa.array(["x"])]
        )[1:],
        pa.UnionArray.from_sparse(
            pa.array([5, 7], "int8"), [pa.array([1, 2]), pa.array(["x", "y"])], ["a", "b"], [5, 7]
        ),
    ],
    "list views": [
        pa.array([[1, 2], None, [3]], pa.list_view(pa.int64())),
        pa.array([["x"], [], ["y", None]], pa.large_list_view(pa.string()))[1:],
    ],
    "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2, 5], "int32"), pa.array(["a", None]))[1:4],
    "extensions": [
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16))),
        pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], "int8")),
        pa.ExtensionArray.from_storage(pa.opaque(pa.string(), "a", "b"), pa.array(["x"])),
        pa.array(["{}", None], pa.json_()),
        pa.ExtensionArray.from_storage(
            pa.fixed_shape_tensor(pa.int32(), [2, 2], ["a", "b"], [1, 0]),
            pa.array([[1, 2, 3, 4]], pa.list_(pa.int32(), 4)),
        ),
        pa.ListArray.from_arrays(
            pa.array([0, 1], "int32"), pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], "int8"))
        ),
    ],
    "scalars": [
        *(pa.scalar(value) for value in (5, "x", b"y", None, True, 1.5, _TIME, _PRICE)),
        pa.scalar([{"a": 1}, None]),
        pa.scalar(3, pa.timestamp("ns")),
    ],
    "tables": [
        pa.table({"a": [1]}, metadata={"x": "y"}),
        pa.table({}),
        pa.table({"a": pa.chunked_array([], pa.int8())}),
        pa.record_batch({"a": [1], "b": ["x"]}),
    ],
    "types": [pa.schema([pa.field("a", pa.int8(), False, {"k": "v"})]), pa.string(), pa.py_buffer(b"abc")],
    "columns": pd.DataFrame(
        {
            "whole": pd.array([1, None], dtype="int64[pyarrow]"),
            "lists": pd.Series([[1], None], dtype=pd.ArrowDtype(pa.list_(pa.int8()))),
        }
    ),
}
_KINDS: dict[str, tuple[list[Any], Any]] = {
    "categories": (["u", None, "u"], pl.Categorical),
    "enumeration": (["u", "v"], pl.Enum(["v", "u"])),
    "nested categories": ([["u"], []], pl.List(pl.Categorical)),
    "arrays": ([[1, 2], None], pl.Array(pl.Int32, 2)),
    "structures": ([{"a": [1]}, None], pl.Struct({"a": pl.List(pl.Int8)})),
    "zone": ([_TIME], pl.Datetime("us", "Europe/Berlin")),
    "price": ([_PRICE, None], pl.Decimal(10, 2)),
    "nothing": ([None, None], pl.Null),
}
POLARS: dict[str, Any] = {
    "frame": pl.DataFrame({"a": [1, 2], "b": ["x", None], "": [b"", b"y" * 40]}),
    "series": pl.Series("s", [1.5, None]),
    "sorted": pl.Series([3, 1]).sort(),
    "no column": pl.DataFrame(),
    "no row": pl.DataFrame(schema={"a": pl.Int8, "b": pl.String}),
    "chunks": pl.concat([pl.Series("c", [1]), pl.Series("c", [2])], rechunk=False),
    **{name: pl.Series(name, values, kind) for name, (values, kind) in _KINDS.items()},
    **{
        f"frame of {name}": pl.DataFrame({name: pl.Series(v, dtype=kind)})
        for name, (v, kind) in _KINDS.items()
    },
}
LARGE: dict[str, Any] = {
    f"{library} {name}": make()
    for library, makers in {
        "numpy": family_samples.NUMPY,
        "pandas": family_samples.FRAMES,
        "scipy": family_samples.SPARSE,
        "pyarrow": family_samples.ARROW,
        "polars": family_samples.POLARS,
    }.items()
    for name, make in makers.items()
}
FAMILIES = {
    "arrow": ARROW,
    "large": LARGE,
    "plain": PLAIN,
    "arrays": ARRAYS,
    "sparse": SPARSE,
    "frames": FRAMES,
    "indexes": INDEXES,
    "ext": EXTENSION,
    "scattered": SCATTERED,
    "intervals": INTERVALS,
    "polars": POLARS,
}
SAMPLES: dict[str, Any] = {
    f"{family}: {name}": value for family, values in FAMILIES.items() for name, value in values.items()
}


def same(left: Any, right: Any) -> bool:
    """Whether two values agree in type, content, and what else there is to tell them apart."""
    if type(left) is not type(right):
        return False
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(left, right, check_freq=True, check_flags=True)
        return bool(left.attrs == right.attrs and (left.dtypes == right.dtypes).all())
    if isinstance(left, pd.Series):
        pd.testing.assert_series_equal(left, right)
        return True
    if isinstance(left, pd.Index):
        pd.testing.assert_index_equal(left, right, exact=True)
        return bool(getattr(left, "freq", None) == getattr(right, "freq", None))
    if sp.issparse(left):
        return bool(left.dtype == right.dtype and (left.toarray() == right.toarray()).all())
    if isinstance(left, pl.DataFrame | pl.Series):
        kind = "schema" if isinstance(left, pl.DataFrame) else "dtype"
        return bool(left.equals(right) and getattr(left, kind) == getattr(right, kind)) and repr(
            left.head()
        ) == repr(right.head())
    if isinstance(left, pa.Array | pa.ChunkedArray | pa.Table | pa.RecordBatch):
        return bool(left.equals(right)) and str(getattr(left, "schema", "")) == str(
            getattr(right, "schema", "")
        )
    if isinstance(left, pa.Buffer):
        return bool(left.equals(right))
    if isinstance(left, np.ma.MaskedArray):
        return bool(left.fill_value == right.fill_value) and str(left) == str(right)
    if isinstance(left, np.ndarray):
        return (
            (left.dtype, left.dtype.isalignedstruct, left.shape, left.flags.writeable, left.flags.fnc)
            == (right.dtype, right.dtype.isalignedstruct, right.shape, right.flags.writeable, right.flags.fnc)
        ) and repr(left) == repr(right)
    return left is right or repr(left) == repr(right)
