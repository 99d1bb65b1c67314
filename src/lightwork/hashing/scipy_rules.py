"""Rules for scipy: sparse matrices by their entries in order, search trees by their points.

The order of entries is layout, and so is the type of the index arrays. How many entries are stored is
content: explicit zeros and duplicates can be seen (``nnz``), and a sum of duplicates depends on their order.
"""

from collections.abc import Sequence
from typing import Any

from ..arrays.blocks import cast_blocks
from ..system.optional import loaded
from .names import public_name
from .walk import Rule, Walk, frame

__all__ = ["RULES"]

# Any: scipy is optional, its types have no name here.


def _compressed(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_compressed)


def _encode_compressed(walk: Walk, value: Any) -> bytes:
    """Rows (columns) by the number of entries; the entries, sorted within each."""
    count = int(value.indptr[-1])  # there may be slack behind
    indices, data = value.indices[:count], value.data[:count]
    if not value.has_sorted_indices:
        numpy = loaded("numpy")
        rows = numpy.repeat(numpy.arange(len(value.indptr) - 1), numpy.diff(value.indptr))
        indices, data = _sorted((indices,), (rows, indices), data)
    return _facts(walk, value, [value.indptr, indices], data)


def _coordinates(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_coordinates)


def _encode_coordinates(walk: Walk, value: Any) -> bytes:
    coordinates = value.coords if hasattr(value, "coords") else (value.row, value.col)
    *sorted_ones, data = _sorted(coordinates, coordinates, value.data)
    return _facts(walk, value, sorted_ones, data)


def _listed(walk: Walk, value: Any) -> bytes:
    """Rows as lists, or a dictionary of entries: as coordinates."""
    return walk.part(value, _encode_listed)


def _encode_listed(walk: Walk, value: Any) -> bytes:
    entries = value.tocoo()
    coordinates = entries.coords if hasattr(entries, "coords") else (entries.row, entries.col)
    *sorted_ones, data = _sorted(coordinates, coordinates, entries.data)
    return _facts(walk, value, sorted_ones, data)


def _diagonals(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_diagonals)


def _encode_diagonals(walk: Walk, value: Any) -> bytes:
    """The stored diagonals, each as far as it lies inside of the matrix."""
    numpy = loaded("numpy")
    rows, columns = value.shape
    order = numpy.argsort(value.offsets, kind="stable")
    shown = []
    for place in order:
        offset = int(value.offsets[place])
        first, last = max(0, offset), max(0, offset, min(columns, rows + offset))
        held = value.data[place, first:last]
        shown.append(numpy.concatenate([held, numpy.zeros(last - first - len(held), held.dtype)]))
    walk.keep(shown)
    return _facts(walk, value, [value.offsets[order]], shown)


def _sorted(arrays: Sequence[Any], keys: Sequence[Any], data: Any) -> tuple[Any, ...]:
    """`arrays` and `data` in the order of `keys` (the first one counts most), equal ones as they stood."""
    order = loaded("numpy").lexsort(tuple(keys)[::-1])
    return (*(array[order] for array in arrays), data[order])


def _facts(walk: Walk, value: Any, indices: Sequence[Any], data: Any) -> bytes:
    walk.keep((indices, data))
    whole_numbers = [walk.raw_pieces(cast_blocks(each, "<i8"), 8 * each.size) for each in indices]
    tokens = [
        walk.token(public_name(type(value))),
        walk.temporary(value.shape),
        walk.token(value.dtype),
        *map(walk.seal, whole_numbers),
        walk.token(data),
    ]
    return frame(b"X", [walk.token("sparse"), *tokens])


def _tree(walk: Walk, value: Any) -> bytes:
    """A search tree: its points and how they were cut up. What is pickled of it holds addresses."""
    return walk.part(value, _encode_tree)


def _encode_tree(walk: Walk, value: Any) -> bytes:
    name = public_name(type(value))
    return walk.facts("search tree", name, value.data, value.leafsize, value.boxsize, value.size)


RULES: dict[str, Rule] = {
    "scipy:_cs_matrix": _compressed,
    "scipy:_coo_base": _coordinates,
    "scipy:_lil_base": _listed,
    "scipy:_dok_base": _listed,
    "scipy:_dia_base": _diagonals,
    "scipy:cKDTree": _tree,
}
"""By top-level package and qualified name; the bases that arrays and matrices of a format have in common."""
