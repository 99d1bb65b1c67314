"""scipy: matrices by their entries, whatever the order and the type of their indices."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import sparse, spatial, special

from lightwork.errors import UnhashableError
from lightwork.hashing import hash as key_of
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key

DENSE = np.array([[0, 1.0, 0, 4], [2, 0, 3, 0], [0, 0, 0, 5]])
FORMATS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
KINDS: dict[str, Callable[[Any], Any]] = {
    f"{name}_{kind}": getattr(sparse, f"{name}_{kind}") for name in FORMATS for kind in ("array", "matrix")
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_has_one_key_per_matrix(kind: str) -> None:
    """Copies agree; another entry, place, number type, shape or format has another key."""
    make = KINDS[kind]
    assert_copies_agree(lambda: make(DENSE))
    other = [DENSE * 2, DENSE.T, np.pad(DENSE, ((0, 1), (0, 0))), DENSE.astype("f4"), DENSE[::-1], 0 * DENSE]
    assert_apart([make(DENSE), *map(make, other)])


def test_formats_are_apart() -> None:
    """A matrix in another format is another value: not everything takes every format."""
    assert_apart(make(DENSE) for make in KINDS.values())


@pytest.mark.parametrize("name", ["csr", "csc", "bsr"])
def test_the_order_of_entries_and_the_index_type_do_not_count(name: str) -> None:
    """Unsorted indices, 64-bit indices and slack behind the entries are layout."""
    matrix = KINDS[f"{name}_array"](DENSE)
    unsorted = matrix.copy()
    for start, stop in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        unsorted.indices[start:stop] = matrix.indices[start:stop][::-1]
        unsorted.data[start:stop] = matrix.data[start:stop][::-1]
    unsorted.has_sorted_indices = False
    wide = matrix.copy()
    wide.indices, wide.indptr = wide.indices.astype("i8"), wide.indptr.astype("i8")
    slack = matrix.copy()
    slack.data = np.concatenate([matrix.data, matrix.data])
    slack.indices = np.concatenate([matrix.indices, matrix.indices])
    assert (unsorted.toarray() == DENSE).all()
    assert_one_key([matrix, unsorted, wide, slack])


def test_coordinates_have_no_order() -> None:
    """The same entries in another order."""
    matrix = sparse.coo_array(DENSE)
    order = [3, 0, 4, 1, 2]
    rows, columns = matrix.coords
    other = sparse.coo_array((matrix.data[order], (rows[order], columns[order])), shape=DENSE.shape)
    assert_one_key([matrix, other])


def test_what_is_stored_counts() -> None:
    """Explicit zeros and duplicates can be seen, and sums depend on their order."""
    once = sparse.csr_array(([3.0], [1], [0, 1]), shape=(1, 4))
    twice = sparse.csr_array(([1.0, 2.0], [1, 1], [0, 2]), shape=(1, 4))
    swapped = sparse.csr_array(([2.0, 1.0], [1, 1], [0, 2]), shape=(1, 4))
    zero = sparse.csr_array(([3.0, 0.0], [1, 2], [0, 2]), shape=(1, 4))
    assert_apart([once, twice, swapped, zero])


def test_hidden_parts_of_diagonals_do_not_count() -> None:
    """What is stored of a diagonal outside of the matrix; the order of diagonals; missing zeros."""
    one = sparse.dia_array((np.array([[1.0, 2, 3], [7, 4, 5]]), [0, 1]), shape=(2, 3))
    two = sparse.dia_array((np.array([[8.0, 4, 5], [1, 2, 9]]), [1, 0]), shape=(2, 3))
    assert (one.toarray() == two.toarray()).all()
    assert_one_key([one, two])


def test_what_was_asked_leaves_no_trace() -> None:
    """scipy notes what it has found out about a matrix in the matrix."""
    matrix = sparse.csr_array(DENSE)
    before = key_of(matrix)
    assert matrix.has_canonical_format
    assert key_of(matrix) == before


def test_search_trees_count_by_their_points() -> None:
    """What scipy pickles of a tree holds addresses."""
    points = np.random.default_rng(0).random((200, 2))
    assert_copies_agree(lambda: spatial.cKDTree(points, leafsize=4))
    assert_copies_agree(lambda: spatial.KDTree(points, leafsize=4))
    assert_apart([spatial.KDTree(points), spatial.KDTree(points, leafsize=4), spatial.KDTree(points + 1)])


def test_universal_functions_count_by_a_name_that_leads_to_them() -> None:
    """One that ``frompyfunc`` made hides its function: no key rather than a wrong one."""
    assert_apart([np.sin, np.cos, special.expit, special.gamma])
    with pytest.raises(UnhashableError, match="name"):
        key_of([np.frompyfunc(lambda x: x + 1, 1, 1)])
