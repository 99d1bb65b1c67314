"""Constructors for scipy's sparse matrices: indices are checked, since native code goes where they point."""

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

from ...errors import CorruptFileError
from .arrays import checked_array
from .constructors import Constructor, Family, Kit, Later, checked, checked_shape
from .scan import Name

# Any: values of a file, matrices of a library that may not be installed.
__all__ = ["FAMILY"]

_NUMBERS = "biufc"


def _compressed(kit: Kit, kind: Any, state: dict[str, Any], shape: Any, *, by_rows: bool) -> Any:
    """csr, csc, bsr: ``indices[indptr[i]:indptr[i + 1]]`` are where the items of row `i` lie."""
    data = checked_array(kit, state["data"], None, _NUMBERS)
    indices, pointers = (_own_indices(kit, state[name]) for name in ("indices", "indptr"))
    block = data.shape[1:] if data.ndim == 3 else (1, 1)
    if data.ndim not in (1, 3) or 0 in block or len(shape) not in (1, 2):
        raise CorruptFileError(f"a matrix of shape {shape} has data of shape {data.shape}")
    rows, columns = shape if len(shape) == 2 else (1, *shape)
    lines, width = (rows // block[0], columns // block[1]) if by_rows else (columns, rows)
    if len(pointers) != lines + 1 or pointers[0] != 0 or (pointers[1:] < pointers[:-1]).any():
        raise CorruptFileError("the pointers of a sparse matrix are not in order")
    used = int(pointers[-1])
    if used > min(len(indices), len(data)) or indices.dtype != pointers.dtype:
        raise CorruptFileError("the pointers of a sparse matrix point beyond its items")
    _check_range(indices, width)
    return kind((data, indices, pointers), shape=shape)


def _own_indices(kit: Kit, indices: Any) -> Any:
    """A copy, so that no other value of the file shares them: who writes to that does not mean a matrix."""
    return kit.claims.own(checked_array(kit, indices, 1, "i"))


def _check_range(indices: Any, length: int) -> None:
    if len(indices) and not (indices.min() >= 0 and indices.max() < length):
        raise CorruptFileError(f"an index of a sparse matrix is not below {length}")


def _coordinates(kit: Kit, kind: Any, state: dict[str, Any], shape: Any) -> Any:
    data = checked_array(kit, state["data"], 1, _NUMBERS)
    places = state["coords"] if "coords" in state else (state["row"], state["col"])
    if len(checked(places, tuple, "coordinates")) != len(shape):
        raise CorruptFileError("a sparse matrix has too many or too few coordinates")
    places = tuple(_own_indices(kit, indices) for indices in places)
    for indices, length in zip(places, shape, strict=True):
        if len(indices) != len(data):
            raise CorruptFileError("a sparse matrix has more items than places, or fewer")
        _check_range(indices, length)
    return kind((data, places), shape=shape)


def _diagonals(kit: Kit, kind: Any, state: dict[str, Any], shape: Any) -> Any:
    data = checked_array(kit, state["data"], 2, _NUMBERS)
    offsets = _own_indices(kit, state["offsets"])
    if len(offsets) and max(-int(offsets.min()), int(offsets.max())) > max(shape):
        raise CorruptFileError("a diagonal of a sparse matrix lies outside of it")
    return kind((data, offsets), shape=shape)


_FORMATS: dict[str, Callable[..., Any]] = {
    "csr": partial(_compressed, by_rows=True),
    "csc": partial(_compressed, by_rows=False),
    "bsr": partial(_compressed, by_rows=True),
    "coo": _coordinates,
    "dia": _diagonals,
}
_FLAGS = ("_has_sorted_indices", "_has_canonical_format", "has_canonical_format")


def _matrix(layout: str, name: str) -> Callable[[Kit], Constructor]:
    def build(kit: Kit, kind: Any, state: Any) -> Any:
        shape = checked_shape(checked(state, dict, "the state of a matrix")["_shape"])
        if not shape or prod(shape) >= 1 << 62:
            raise CorruptFileError(f"{shape} is no shape of a matrix")
        return _FORMATS[layout](kit, kind, state, shape)

    def constructor(kit: Kit) -> Constructor:
        kind = getattr(kit.sparse, name)
        return Constructor(kind, None, lambda: Later(partial(build, kit, kind)))

    return constructor


FAMILY: Family = {
    Name(module, f"{layout}_{form}"): _matrix(layout, f"{layout}_{form}")
    for layout in _FORMATS
    for form in ("matrix", "array")
    for module in ("scipy.sparse", f"scipy.sparse._{layout}", f"scipy.sparse.{layout}")
}
