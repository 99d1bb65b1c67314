"""polars: names, types and rows, however they are cut into chunks."""

from datetime import date
from typing import Any

import polars as pl
import pytest

from lightwork.errors import UnhashableError
from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key


def frame() -> pl.DataFrame:
    """One column of each common kind."""
    return pl.DataFrame(
        {
            "int": [1, None, 3, 4],
            "small": pl.Series([1, 2, 3, 4], dtype=pl.UInt8),
            "float": [0.5, 1.5, None, -0.0],
            "text": ["a", None, "", "é" * 20],
            "bytes": [b"a", b"", None, b"x" * 20],
            "truth": [True, None, False, True],
            "day": [date(2020, 1, day) for day in range(1, 5)],
            "zoned": pl.Series([1, 2, None, 3], dtype=pl.Datetime("us", "Europe/Paris")),
            "list": [[1, 2], None, [], [None]],
            "texts": [["a"], None, [], [None]],
            "pair": pl.Series([[1, 2], None, [3, 4], [5, None]], dtype=pl.Array(pl.Int8, 2)),
            "record": [{"a": 1, "b": "x"}, None, {"a": None, "b": "y"}, {"a": 2, "b": None}],
            "category": pl.Series(["u", "v", None, "u"], dtype=pl.Categorical),
            "enum": pl.Series(["u", "v", None, "u"], dtype=pl.Enum(["v", "u"])),
            "nothing": [None] * 4,
        }
    )


@pytest.mark.slow
def test_equal_frames_have_one_key() -> None:
    """Chunks, slices, copies and the order in which categories were met leave no trace."""
    whole = frame()
    pl.Series(["v", "u"], dtype=pl.Categorical)
    pieces = pl.concat([whole[:1], whole[1:3], whole[3:]], rechunk=False)
    assert pieces["int"].n_chunks() == 3
    assert_copies_agree(frame)
    same = [
        whole,
        pieces,
        pieces.rechunk(),
        pl.concat([whole, whole])[4:],
        whole.filter(True),
        whole.select(pl.all()),
    ]
    assert_one_key(same)
    for name in whole.columns:
        assert_one_key([whole[name], pieces[name]])


def test_different_frames_are_apart() -> None:
    """Rows, names, types and the order of columns count."""
    whole = frame()
    turned = [whole.with_columns(pl.col(name).reverse()) for name in whole.columns if name != "nothing"]
    assert_apart(
        [
            whole,
            whole[:3],
            whole.rename({"int": "INT"}),
            whole.select(reversed(whole.columns)),
            whole.with_columns(pl.col("int").cast(pl.Int32)),
            whole.with_columns(pl.col("category").cast(pl.String)),
            whole.with_columns(pl.col("enum").cast(pl.Enum(["u", "v"]))),
            pl.DataFrame(),
            pl.DataFrame({"a": []}),
            pl.DataFrame({"a": []}, schema={"a": pl.Int8}),
            *whole,
            *turned,
        ]
    )


def test_types_count_by_what_they_are_made_of() -> None:
    """A class and its instance are equal for polars."""
    kinds: list[Any] = [pl.Int8, pl.Int16, pl.List(pl.Int8), pl.List(pl.Int16), pl.Array(pl.Int8, 2),
                        pl.Array(pl.Int8, 3), pl.Datetime("us"), pl.Datetime("ns"), pl.Datetime("us", "UTC"),
                        pl.Struct({"a": pl.Int8}), pl.Struct({"b": pl.Int8}), pl.Enum(["a"]), pl.Enum(["b"]),
                        pl.Decimal(10, 2), pl.Decimal(10, 3), pl.Categorical()]  # fmt: skip
    assert_apart(kinds)
    assert_one_key([pl.Int8, pl.Int8()])


def test_lazy_frames_count_by_their_plan() -> None:
    """What was asked for, and of which frame."""

    def query(limit: int) -> pl.LazyFrame:
        return frame().lazy().filter(pl.col("int") > limit).select("text")

    assert_copies_agree(lambda: query(1))
    assert_apart([query(1), query(2), query(1).collect(), frame().lazy(), pl.col("a"), pl.col("a") + 1])


def test_types_that_arrow_does_not_have() -> None:
    """Their rows count all the same."""
    wide = pl.Series([1, None, 2**100], dtype=pl.Int128)
    assert_one_key([wide, pl.concat([wide[:1], wide[1:]], rechunk=False)])
    assert_apart([wide, wide.reverse(), pl.Series([1, None, 2], dtype=pl.Int64)])


def test_objects_count_by_content() -> None:
    """A column of Python objects; one that has no key is named."""
    assert key_of(pl.Series([{1}, {2}], dtype=pl.Object)) == key_of(pl.Series([{1}, {2}], dtype=pl.Object))
    with pytest.raises(UnhashableError):
        key_of(pl.Series([(place for place in "a")], dtype=pl.Object))
