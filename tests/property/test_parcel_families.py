"""Texts of any kind, slices of any arrow array: what leaves the pickle comes back."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.parcel.families.texts import reduce_texts
from lightwork.parcel.parcels import join, split

SURROGATES = st.text(st.characters(exclude_categories=()), max_size=5)
SEPARATORS = st.text("a\0\x1f\x1e\n\x01", max_size=3)
ITEMS = SURROGATES | SEPARATORS | st.none() | st.just(float("nan")) | st.just(pd.NA)


def alike(found: Any, item: Any) -> bool:
    if type(found) is not type(item):
        return False
    return found is item or (found != found if item != item else bool(found == item))


@pytest.mark.slow
@given(st.lists(ITEMS, min_size=1, max_size=40), st.sampled_from(["C", "F"]), st.booleans())
def test_texts_survive(items: list[Any], order: Any, flat: bool) -> None:
    """Any characters, any gaps, in both orders; or the reducer says that this is not for it."""
    array: Any = np.empty(len(items), object)  # Any: of one dimension or two
    array[:] = items
    if not flat and len(items) % 2 == 0:
        array = array.reshape(2, -1).copy(order)
    reduced = reduce_texts(array)
    if reduced is None:
        return
    make, arguments = reduced
    found = make(*arguments)
    assert found.shape == array.shape
    assert all(alike(one, other) for one, other in zip(found.ravel(), array.ravel(), strict=True))


COLUMNS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1) | st.none()),
    st.lists(st.text(max_size=30) | st.none()),
    st.lists(st.booleans() | st.none()),
    st.lists(st.lists(st.integers(0, 9), max_size=3) | st.none()),
    st.lists(st.fixed_dictionaries({"a": st.integers(0, 9), "b": st.text(max_size=3)})),
)


@pytest.mark.slow
@given(COLUMNS, st.integers(0, 10), st.integers(0, 10), st.booleans())
def test_slices_of_arrow_arrays_survive(items: list[Any], start: int, count: int, large: bool) -> None:
    """Whole or cut, in large buffers (which are cut) or small ones."""
    array = pa.array(items)
    if large:
        array = pa.concat_arrays([array] * (1 + 20_000 // (len(array) + 1)))
    array = array.slice(start, count)
    parcel = split(array)
    found = join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])
    assert found.equals(array)
    found.validate(full=True)
    assert sum(map(len, parcel.buffers)) < 200_000
