"""`load(safe=True)`: what was checked cannot be changed through another value of the same file."""

import importlib.util
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import scipy.sparse as sp

from lightwork import dumps, loads
from tests.unit.persistence.hostile_buffers import BUFFER, of_arrow, of_numpy, sealed_around
from tests.unit.persistence.hostile_skeletons import MEMO


def reloaded(value: Any) -> Any:  # Any: a value of any library
    return loads(dumps(value), safe=True)


def test_an_array_cannot_change_the_ends_of_texts() -> None:
    """The array came first, so Arrow gets a copy of the bytes in which it lies."""
    ends, texts = loads(sealed_around(of_numpy(BUFFER + MEMO), of_arrow(b"h\x00")), safe=True)
    ends[:] = 10**6
    texts.validate(full=True)
    assert texts.to_pylist() == ["xyz"]


@pytest.mark.parametrize("layout", ["csr", "csc", "bsr", "coo", "dia"])
def test_an_array_cannot_change_where_the_items_of_a_matrix_lie(layout: str) -> None:
    """Neither the same array, nor one that an honest file has in common with the matrix."""
    matrix = sp.eye_array(4).asformat(layout)
    names = {"coo": ["coords"], "dia": ["offsets"]}.get(layout, ["indices", "indptr"])
    arrays = [getattr(matrix, name) for name in names]
    found, again = reloaded([arrays, matrix])
    for array in found[0] if layout == "coo" else found:
        array[:] = 10**6
    assert (again.toarray() == np.eye(4)).all()


def test_an_array_cannot_change_the_codes_of_categories() -> None:
    """Nor those of the levels of an index."""
    column = pd.Categorical(["a", "b"])
    levels = pd.MultiIndex.from_tuples([(1, "a"), (2, "b")])
    codes, found, index = reloaded([[np.asarray(column.codes), *levels.codes], column, levels])
    for array in codes:
        array[:] = 100
    assert list(found) == ["a", "b"]
    assert list(index) == [(1, "a"), (2, "b")]


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_numbers_cannot_change_truths() -> None:
    """Two tensors in the same bytes: what is no truth value makes native code go astray."""
    torch: Any = importlib.import_module("torch")
    truths = torch.tensor([True, False])
    numbers, found = reloaded([truths.view(torch.uint8), truths])
    numbers[:] = 77
    assert found.view(torch.uint8).tolist() == [1, 0]


def test_arrays_may_share_a_buffer() -> None:
    """Small ones do; and texts of Arrow that lie in the same bytes may too."""
    texts = pa.array(["x", "yz"])
    first, second, again = reloaded([np.arange(3), np.arange(4), [texts, texts[1:]]])
    assert (first.sum(), second.sum()) == (3, 6)
    assert [part.to_pylist() for part in again] == [["x", "yz"], ["yz"]]
