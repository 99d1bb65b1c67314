"""An array in a file is indexed as numpy indexes it."""

import os
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import lightwork
from lightwork.persistence import LazyArray

EXAMPLES = 5_000 if os.environ.get("LIGHTWORK_TORTURE") == "long" else 100
CHANCE = np.random.default_rng(0)
ITEMS = [("a", "i4"), ("b", ">f8"), ("c", "S3")]
# Any: arrays of all types
ARRAYS: dict[str, Any] = {
    "doubles": CHANCE.random((300, 7, 130)),
    "rows of more than a block": CHANCE.integers(0, 9, (5, 200_000)),
    "Fortran": np.asfortranarray(CHANCE.integers(0, 99, (1500, 300))),
    "Fortran, cube": np.asfortranarray(CHANCE.random((30, 40, 50))),
    "structured": np.zeros((900, 100), ITEMS),
    "triples": CHANCE.bytes(3_000_000) and np.frombuffer(CHANCE.bytes(3_000_000), "S3"),
    "dates": np.arange(300_000).reshape(-1, 1000).astype("M8[s]"),
    "other byte order": np.arange(200_000, dtype=">i4").reshape(2, 1000, 100),
    "small": np.arange(24).reshape(2, 3, 4) > 5,
    "empty": np.zeros((0, 3)),
    "one item": np.array(3.5),
}


@pytest.fixture(scope="module")
def files() -> Iterator[list[lightwork.persistence.OpenedFile]]:
    with tempfile.TemporaryDirectory() as folder:
        opened = []
        for compress in (False, True):
            path = os.path.join(folder, f"{compress}.lw")
            lightwork.dump(ARRAYS, path, compress=compress)
            opened.append(lightwork.open(path))
        yield opened
        for file in opened:
            file.close()


@st.composite
def indices(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """Basic ones, and one array somewhere."""
    index = draw(hnp.basic_indices(shape, allow_newaxis=True, allow_ellipsis=True))
    if not shape or not shape[0] or draw(st.booleans()):
        return index
    axis = draw(st.integers(0, len(shape) - 1))
    length = shape[axis]
    if draw(st.booleans()):
        array: Any = draw(hnp.arrays("i8", st.integers(0, 6), elements=st.integers(-length, length - 1)))
        array = array.tolist() if draw(st.booleans()) else array
    else:
        array = np.zeros(length, bool)
        array[draw(st.lists(st.integers(0, length - 1), max_size=5))] = True
    before = [draw(st.sampled_from([slice(None), slice(1, 2), slice(None, None, -2)])) for _ in range(axis)]
    return (*before, array)


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data(), st.sampled_from(list(ARRAYS)), st.integers(0, 1))
@pytest.mark.slow
def test_any_index_gives_what_numpy_gives(
    files: list[lightwork.persistence.OpenedFile], data: st.DataObject, name: str, number: int
) -> None:
    """Integers, slices, ellipses, new axes, arrays, masks; every layout, raw and compressed."""
    lazy = files[number][name]
    assert isinstance(lazy, LazyArray)
    index = data.draw(indices(lazy.shape))
    expected, found = ARRAYS[name][index], lazy[index]
    assert found.shape == expected.shape
    assert type(found) is type(expected)
    assert (
        found.dtype == expected.dtype.newbyteorder("=")
        if name != "structured"
        else found.dtype == expected.dtype
    )
    assert np.all(found == expected)


@pytest.mark.parametrize(
    "index",
    [5, -6, (0, 0, 0, 0), (..., ...), "a", 1.5, True, [0.5], [[True]], ([0], [0]), [5], (0, [-200_001])],
)
def test_other_indices_are_refused(files: list[lightwork.persistence.OpenedFile], index: Any) -> None:
    """With an `IndexError`, as from numpy, and before anything is read."""
    with pytest.raises(IndexError):
        files[1]["rows of more than a block"][index]
