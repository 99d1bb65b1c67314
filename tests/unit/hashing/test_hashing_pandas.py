"""pandas and scikit-learn: frames by their columns, estimators by their state."""

import copy
import pickle
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key


def frame() -> pd.DataFrame:
    """One column of each common kind, nine rows."""
    return pd.DataFrame(
        {
            "int": range(9),
            "float": np.linspace(0, 1, 9),
            "second float": np.arange(9.0),
            "text": [*"abcdefgh", None],
            "object": [[1], {2: 3}, None] * 3,
            "category": pd.Categorical(list("uvw") * 3),
            "date": pd.date_range("2020", periods=9),
            "zoned": pd.date_range("2020", periods=9, tz="Europe/Paris"),
            "span": pd.to_timedelta(range(9), "D"),
            "period": pd.period_range("2020", periods=9, freq="M"),
            "nullable": pd.array([1, None, 3] * 3, "Int64"),
            "nullable float": pd.array([1.5, None, 3] * 3, "Float64"),
            "truth": pd.array([True, False, None] * 3, "boolean"),
            "interval": pd.arrays.IntervalArray.from_breaks(range(10)),
            "sparse": pd.arrays.SparseArray([0, 0, 1, 0, 2, 0, 0, 0, 3]),
            "sparse float": pd.arrays.SparseArray([np.nan, 1.5, np.nan] * 3),
            "arrow": pd.array([1, None, 3] * 3, "int64[pyarrow]"),
            "arrow text": pd.array(["a", None, "b" * 20] * 3, "string[pyarrow]"),
            "nullable text": pd.array(["a", None, "b"] * 3, "string"),
        }
    )


SAME: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda df: pickle.loads(pickle.dumps(df)),
    "slice of a longer one": lambda df: pd.concat([df, df], ignore_index=True).iloc[:9],
    "every second row": lambda df: (
        df.loc[df.index.repeat(2)].reset_index(drop=True).iloc[::2].set_axis(df.index)
    ),
    "joined columns": lambda df: pd.concat([df[[name]] for name in df], axis=1),
    "column by column": lambda df: pd.DataFrame({name: df[name] for name in df}),
    "reordered twice": lambda df: df[list(df)[::-1]][list(df)],
    "spelled out index": lambda df: df.set_axis(pd.Index(list(range(9)))),
    "filtered": lambda df: df[df["int"] >= 0],
    "without duplicates": lambda df: pd.concat([df, df]).drop_duplicates("int"),
    "taken": lambda df: df.take(range(9)),
    "joined rows": lambda df: pd.concat([df[:4], df[4:]]),
    "shallow": lambda df: df.copy(deep=False),
    "inserted": lambda df: _inserted(df),
}


def _inserted(df: pd.DataFrame) -> pd.DataFrame:
    """The same columns, in as many blocks."""
    other = pd.DataFrame(index=df.index)
    for name in df:
        other[name] = df[name]
    return other


@pytest.mark.parametrize("way", SAME)
def test_equal_frames_have_one_key(way: str) -> None:
    """However a frame was built: block layout, slicing and copying leave no trace."""
    df = frame()
    other = SAME[way](df)
    pd.testing.assert_frame_equal(df, other)
    assert key_of(other) == key_of(df)
    for name in df:
        assert key_of(other[name]) == key_of(df[name]), name


def test_different_frames_have_different_keys() -> None:
    """A cell, a label, a name, an order, a dtype, an attribute: each counts."""
    df = frame()
    changed: list[Any] = [
        df,
        df.rename(columns={"int": "INT"}),
        df.set_axis(range(1, 10)),
        df.iloc[:8],
        df.iloc[::-1],
        df[list(df)[::-1]],
        df.astype({"int": "i4"}),
        df.astype({"int": "float"}),
        df.rename_axis("rows"),
        df.rename_axis(columns="c"),
        df.drop(columns="text"),
        df.assign(text="x"),
        df.assign(nullable=df.nullable.fillna(0)),
        df["int"],
        df["int"].rename("other"),
        df["int"].to_frame(),
        df["int"].array,
        df["int"].to_numpy(),
        df.index,
        pd.Index([0, 1]),
        pd.Index([0, 2]),
        pd.Index([0, 2, 3]),
        pd.Index([0.0, 1]),
        pd.Index(["a"]),
        pd.MultiIndex.from_product([[1, 2], ["a", "b"]]),
        pd.MultiIndex.from_product([[1, 2], ["a", "c"]]),
        pd.Series(pd.Categorical(["a"], ["a", "b"])),
        pd.Series(pd.Categorical(["a"], ["a"])),
        pd.Series(["a"]),
        pd.Series(pd.Categorical(["a"], ["a", "b"], ordered=True)),
        pd.Timestamp("2020"),
        pd.NaT,
        pd.NA,
        pd.Timedelta(1),
        pd.DataFrame(),
        pd.DataFrame(index=[1]),
        pd.DataFrame(columns=["a"]),
        pd.Series(dtype="f8"),
    ]
    with_attrs = df.copy()
    with_attrs.attrs["unit"] = "m"
    changed.append(with_attrs)
    for name in df:
        changed.append(df.assign(**{str(name): df[name].iloc[::-1].to_numpy()}))
    keys: dict[str, Any] = {}
    for value in changed:
        key = key_of(value)
        assert key not in keys, f"{value!r} and {keys[key]!r} have one key"
        keys[key] = value


def test_hidden_values_do_not_count() -> None:
    """What lies under the mask of a nullable array cannot be seen."""
    mask = np.array([False, True])
    one = pd.arrays.IntegerArray(np.array([1, 1]), mask)
    two = pd.arrays.IntegerArray(np.array([1, 5]), mask)
    assert key_of(one) == key_of(two)
    assert key_of(pd.Series(one)) == key_of(pd.Series(two))


def test_a_range_is_not_spelled_out() -> None:
    """An index of 10**12 rows has a key at once, and agrees with equal shorter ones."""
    assert key_of(pd.RangeIndex(10**12)) != key_of(pd.RangeIndex(10**12 - 1))
    assert key_of(pd.RangeIndex(0, 9, 3)) == key_of(pd.Index([0, 3, 6])) == key_of(pd.RangeIndex(0, 7, 3))


def test_unused_levels_do_not_count() -> None:
    """A hierarchical index is its labels, not how they are coded."""
    index = pd.MultiIndex.from_product([[1, 2], ["a", "b"]])
    assert key_of(index[:2]) == key_of(index[:2].remove_unused_levels())


STORAGES: list[Any] = ["python", "pyarrow"]


def test_text_counts_in_any_storage() -> None:
    """Whether pyarrow is installed decides where pandas keeps text: no key may depend on it."""
    missings: list[Any] = [np.nan, pd.NA]
    for missing in missings:
        kept = [pd.array(["a", None], pd.StringDtype(where, missing)) for where in STORAGES]
        assert_one_key(kept)
        assert_one_key([each.dtype for each in kept])
    assert_apart(pd.array(["a", None], pd.StringDtype("python", missing)) for missing in missings)


def test_sparse_columns_count_by_what_they_show() -> None:
    """How the places are kept, and stored values that are the filling, are layout."""
    kept: list[Any] = ["integer", "block"]
    one, two = (pd.arrays.SparseArray([0, 1, 1, 0], kind=kind) for kind in kept)
    three = pd.arrays.SparseArray([0, 1, 5, 0])
    spelled = pd.arrays.SparseArray([0, 0, 0, 0, 1, 1, 0])[3:]
    assert_one_key([one, two, spelled])
    assert_apart([one, three, pd.arrays.SparseArray([0, 1, 1, 0], fill_value=1), np.asarray(one)])


def test_arrow_columns_do_not_see_chunks() -> None:
    """Types of arrow count by their rows."""
    one = pd.Series([1, None, 3], dtype="int64[pyarrow]")
    two = pd.concat([one[:1], one[1:]])
    assert_one_key([one, two, pd.Series([0, 1, None, 3], dtype="int64[pyarrow]")[1:].reset_index(drop=True)])
    assert_apart([one, one.astype("int32[pyarrow]"), one.astype("Int64"), one.fillna(0)])


SCALARS: list[Callable[[], Any]] = [
    lambda: pd.Timestamp("2020").as_unit("ns"),
    lambda: pd.Timestamp("2020").as_unit("s"),
    lambda: pd.Timestamp("2020", tz="Europe/Paris"),
    lambda: pd.Timestamp("2020", tz="UTC"),
    lambda: pd.Timedelta(1, "D").as_unit("s"),
    lambda: pd.Timedelta(2, "D").as_unit("s"),
    lambda: pd.Period("2020-01", "M"),
    lambda: pd.Period("2020-01", "D"),
    lambda: pd.Interval(1, 2),
    lambda: pd.Interval(1, 2, "both"),
    lambda: pd.NaT,
    lambda: pd.NA,
    lambda: pd.offsets.MonthEnd(2),
    lambda: pd.offsets.MonthEnd(3),
    lambda: pd.Int64Dtype(),
    lambda: pd.Int32Dtype(),
    lambda: pd.CategoricalDtype(["a", "b"]),
    lambda: pd.CategoricalDtype(["b", "a"]),
    lambda: pd.CategoricalDtype(["a", "b"], ordered=True),
    lambda: pd.SparseDtype("i8", 0),
    lambda: pd.SparseDtype("i8", 1),
    lambda: pd.DatetimeTZDtype("ns", "UTC"),
    lambda: pd.PeriodDtype("M"),
    lambda: pd.IntervalDtype("i8", "left"),
    lambda: pd.IntervalDtype("i8", "right"),
    lambda: pd.Series([1], dtype="int64[pyarrow]").dtype,
    lambda: pd.date_range("2020", periods=3),
    lambda: pd.date_range("2020", periods=3, tz="UTC"),
    lambda: pd.timedelta_range("1D", periods=3),
    lambda: pd.period_range("2020", periods=3, freq="M"),
    lambda: pd.IntervalIndex.from_breaks(range(4)),
    lambda: pd.IntervalIndex.from_breaks(range(4), closed="both"),
    lambda: pd.CategoricalIndex(["a", "b"]),
    lambda: pd.CategoricalIndex(["a", "b"], name="c"),
    lambda: pd.Index(["a", "b"]),
]


def test_scalars_types_and_indexes() -> None:
    """Copies agree, and each is apart from all others."""
    for make in SCALARS:
        assert_copies_agree(make)
    assert_apart(make() for make in SCALARS)


def test_attributes_are_not_copied_for_each_column() -> None:
    """What users attach to a frame may be large, or refuse to be copied."""
    df = pd.DataFrame({"a": [1], "b": [2]})

    class Single:
        def __deepcopy__(self, memo: object) -> Any:
            raise AssertionError("copied")

    bare = key_of(df)
    df.attrs["single"] = Single()
    assert key_of(df) != bare


def test_estimators_count_by_state() -> None:
    """Fitted models agree with their copies, and differ when fitted otherwise."""
    x, y = np.random.default_rng(0).random((40, 3)), np.arange(40) % 2
    forest = RandomForestClassifier(5, random_state=0).fit(x, y)
    again = RandomForestClassifier(5, random_state=0).fit(x, y)
    other = RandomForestClassifier(5, random_state=1).fit(x, y)
    assert (
        key_of(forest)
        == key_of(again)
        == key_of(pickle.loads(pickle.dumps(forest)))
        == key_of(copy.deepcopy(forest))
    )
    pipe = make_pipeline(StandardScaler(), FunctionTransformer(np.log1p), LinearRegression())
    assert key_of(pipe) == key_of(copy.deepcopy(pipe))
    assert len({key_of(model) for model in (forest, other, pipe, LinearRegression(), StandardScaler())}) == 5


def test_zones_of_one_name_and_other_offsets_differ() -> None:
    """The text of a zone may be anything; where it does not tell the offset, the zone itself counts."""
    zones = [timezone(timedelta(hours=hours), "here") for hours in (1, 2)]
    index = pd.DatetimeIndex(["2024-01-01"], tz="UTC")
    for zone in (
        index.tz_convert,
        lambda zone: index.tz_convert(zone).dtype,
        lambda zone: index.tz_convert(zone)[0],
    ):
        assert_apart(map(zone, zones))
        assert_one_key([zone(zones[0]), zone(timezone(timedelta(hours=1), "here"))])
