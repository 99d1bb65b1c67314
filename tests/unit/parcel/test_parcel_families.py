"""Values of every library leave the pickle: what is large is in buffers, and comes back as it was."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lightwork.parcel.parcels import Parcel, join, split
from tests.unit.parcel.family_samples import ARROW, FRAMES, GAPS, NUMPY, POLARS, SPARSE, TEXTS

SMALL = 5000  # bytes of a skeleton without anything large


def both(value: Any) -> tuple[Parcel, Any]:
    parcel = split(value)
    return parcel, join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])


def back(value: Any) -> Any:
    return both(value)[1]


@pytest.mark.parametrize("make", NUMPY.values(), ids=NUMPY)
def test_arrays_of_numpy(make: Callable[[], Any]) -> None:
    """Masked arrays, records and texts: class, dtype, order, elements and mask survive; all are writable."""
    value = make()
    parcel, found = both(value)
    assert len(parcel.skeleton) < SMALL
    assert type(found) is type(value)
    assert found.dtype == value.dtype
    assert found.flags.fnc == value.flags.fnc
    assert found.flags.writeable
    assert found.tolist() == value.tolist()


def test_a_masked_array_keeps_what_is_under_its_mask() -> None:
    """Data, fill value (or that it is the default) and the hardness of the mask are those of before."""
    value = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False], fill_value=5.0, hard_mask=True)
    found = back(value)
    assert found.data.tolist() == [1.0, 2.0, 3.0]
    assert found.mask.tolist() == [False, True, False]
    assert found.fill_value == 5.0
    assert found.hardmask
    plain = back(np.ma.masked_array([1.0, 2.0]))
    assert plain.mask is np.ma.nomask
    assert plain.fill_value == np.ma.masked_array([1.0]).fill_value


def test_none_and_nan_and_na_among_texts_keep_their_types() -> None:
    """What is no text comes back as the same kind of nothing, in its place."""
    value = np.array([pd.NA if row % 11 == 0 else item for row, item in enumerate(GAPS)], object)
    parcel, found = both(value)
    assert len(parcel.skeleton) < SMALL
    for before, after in zip(value, found, strict=True):
        assert type(before) is type(after)
        assert before is after or before == after or (before != before and after != after)


@pytest.mark.parametrize(
    "strange", [1.5, np.str_("x"), b"x", 3, pd.NaT], ids=["float", "str_", "bytes", "int", "NaT"]
)
def test_arrays_of_texts_and_something_else_are_left_to_numpy(strange: Any) -> None:
    """One number among the texts: the array comes back with every item of its own type."""
    value = np.array([*TEXTS, strange], object)
    found = back(value)
    assert [type(item) for item in found] == [type(item) for item in value]
    assert found[:-1].tolist() == TEXTS


def test_texts_that_contain_every_separator_are_left_to_numpy() -> None:
    """No separator can be chosen, and none is needed."""
    value = np.array([f"\0\x1f\x1e\n\x01{row}" for row in range(5000)], object)
    assert back(value).tolist() == value.tolist()


def test_one_text_many_times_stays_one_object() -> None:
    """A column of few texts takes no more memory after loading than before."""
    found = back(np.array(["red", "green"] * 5000, object))
    assert len(set(map(id, found))) == 2


def test_a_missing_text_that_is_a_text_is_told_from_its_twin() -> None:
    """``StringDType(na_object="x")``: nothing is taken for missing that was not."""
    dtype = np.dtypes.StringDType(na_object="x")
    found = back(np.array(TEXTS, dtype))
    assert found.dtype == dtype
    assert found.tolist() == TEXTS


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_frames_of_pandas(make: Callable[[], Any]) -> None:
    """Columns of every kind: no column is in the pickle, dtypes and values are the same."""
    value = make()
    parcel, found = both(value)
    assert len(parcel.skeleton) < SMALL
    pd.testing.assert_frame_equal(found, value)


@pytest.mark.parametrize("make", SPARSE.values(), ids=SPARSE)
def test_sparse_matrices(make: Callable[[], Any]) -> None:
    """Data and indices are buffers."""
    value = make()
    parcel, found = both(value)
    assert len(parcel.skeleton) < SMALL
    assert type(found) is type(value)
    assert (found != value).nnz == 0


@pytest.mark.parametrize("make", ARROW.values(), ids=ARROW)
def test_arrays_of_arrow(make: Callable[[], Any]) -> None:
    """Arrays, slices and tables are the same, and no slice takes its whole parent along."""
    value = make()
    parcel, found = both(value)
    assert len(parcel.skeleton) < SMALL
    assert found.equals(value)
    found.validate(full=True)
    assert sum(map(len, parcel.buffers)) < 1.3 * value.nbytes + 130_000


def test_arrow_buffers_are_not_copied() -> None:
    """The buffers of a parcel are the memory of the array; joined, the array is that of the buffers."""
    value = pa.array(np.arange(10_000))
    (buffer,) = split(value).buffers
    assert np.frombuffer(buffer, "u1").ctypes.data == value.buffers()[1].address
    content = bytearray(buffer)
    found = join(split(value).skeleton, [content])
    assert found.buffers()[1].address == np.frombuffer(content, "u1").ctypes.data


@pytest.mark.parametrize("make", POLARS.values(), ids=POLARS)
def test_frames_and_series_of_polars(make: Callable[[], Any]) -> None:
    """Every type comes back the same; slices are cut; nothing large is in the pickle."""
    value = make()
    parcel, found = both(value)
    assert len(parcel.skeleton) < SMALL
    assert type(found) is type(value)
    if isinstance(value, pl.Series):
        assert (found.name, found.dtype) == (value.name, value.dtype)
    assert found.equals(value)
    assert sum(map(len, parcel.buffers)) < 2 * value.estimated_size() + 130_000


@pytest.mark.parametrize(
    "value",
    [
        pl.DataFrame({"": np.arange(10_000)}),
        pl.Series("x", range(10_000), dtype=pl.Int128),
        pl.Series("x", [1, 2, 3]),
        pl.DataFrame({"a": np.arange(10_000)}).lazy(),
    ],
    ids=["no name", "Int128", "small", "lazy"],
)
def test_what_arrow_has_no_word_for_goes_the_way_of_polars(value: Any) -> None:
    """Such frames are the same afterwards, if not as fast."""
    found = back(value)
    assert type(found) is type(value)
    frames = [item.collect() if isinstance(item, pl.LazyFrame) else item for item in (found, value)]
    assert frames[0].equals(frames[1])
