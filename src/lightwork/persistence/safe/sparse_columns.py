"""Constructors for the sparse arrays of pandas.

The places of their items are checked here, in numbers that do not overflow, since native code goes where they
point.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from ...errors import CorruptFileError
from ...system.optional import require
from .arrays import checked_array
from .constructors import Constructor, Family, Kit, Later, checked
from .scan import Name

# Any: values of a file, and what a library that may not be installed makes of them.
__all__ = ["FAMILY"]

_KINDS = "biufcmM"
_MOST = 1 << 31  # items; pandas counts them with 32 bits


class _Places(NamedTuple):
    """Where the items lie in an array of `length`, of which pandas notes single ones or runs."""

    kind: str
    length: int
    indices: Any


def _checked_places(kit: Kit, kind: str, length: Any, indices: Any) -> _Places:
    """`indices` is an array of our own."""
    if not 0 <= checked(length, int, "a length") < _MOST:
        raise CorruptFileError(f"a sparse array has a length of {length}")
    if len(indices) and (indices[0] < 0 or indices[-1] >= length or (indices[1:] <= indices[:-1]).any()):
        raise CorruptFileError("the places of a sparse array are not in order, or beyond its end")
    return _Places(kind, length, indices.astype("i4"))


def _single(kit: Kit) -> Constructor:
    def call(length: Any, indices: Any, *_: Any) -> _Places:
        own = kit.claims.own(checked_array(kit, indices, 1, "i"))
        return _checked_places(kit, "integer", length, own)

    return Constructor(None, call)


def _runs(kit: Kit) -> Constructor:
    def call(length: Any, starts: Any, lengths: Any) -> _Places:
        begin, count = (checked_array(kit, each, 1, "i").astype("i8") for each in (starts, lengths))
        if len(begin) != len(count) or (len(begin) and not 0 <= count.min() <= count.max() < _MOST):
            raise CorruptFileError("the runs of a sparse array have no lengths")
        total = int(count.sum())
        kit.spend(16 * total)
        within = kit.numpy.arange(total) - kit.numpy.repeat(count.cumsum() - count, count)
        return _checked_places(kit, "block", length, kit.numpy.repeat(begin, count) + within)

    return Constructor(None, call)


def _dtype(kit: Kit) -> Constructor:
    kind = kit.pandas.SparseDtype

    def build(state: Any) -> Any:
        plain, fill = checked(state, dict, "the state of a dtype")["_dtype"], state["_fill_value"]
        if not isinstance(plain, kit.numpy.dtype) or plain.kind not in _KINDS:
            raise CorruptFileError("it gives as a dtype of a sparse array what is none")
        if not isinstance(fill, kit.numpy.generic):
            checked(fill, (bool, int, float, complex, type(None), type(kit.pandas.NaT)), "a fill value")
        return kind(plain, fill)

    return Constructor(kind, None, lambda: Later(build))


def _array(kit: Kit) -> Constructor:
    kind = kit.pandas.arrays.SparseArray

    def build(state: Any) -> Any:
        state = checked(state, dict, "the state of an array")
        places = checked(state["_sparse_index"], _Places, "the places of a sparse array")
        values = checked_array(kit, state["_sparse_values"], 1, _KINDS)
        dtype = checked(state["_dtype"], kit.pandas.SparseDtype, "a dtype")
        if len(values) != len(places.indices) or values.dtype != dtype.subtype:
            raise CorruptFileError(f"a sparse array has {len(values)} items for {len(places.indices)} places")
        return _made(kit, kind, values, places, dtype)

    return Constructor(kind, None, lambda: Later(build))


def _made(kit: Kit, kind: Any, values: Any, places: _Places, dtype: Any) -> Any:
    fill = dtype.fill_value
    if hasattr(kind, "from_indices"):  # from pandas 3.1 on
        return kind.from_indices(values, places.indices, places.length, fill, places.kind, dtype.subtype)
    index = require("pandas._libs.sparse", purpose="sparse arrays", extra="all").IntIndex(
        places.length, places.indices
    )
    made = index if places.kind == "integer" else index.to_block_index()
    return kind(values, sparse_index=made, fill_value=fill, dtype=dtype)


def _class(make: Callable[[Kit], Constructor], home: str, name: str) -> Family:
    return {Name(module, name): make for module in ("pandas", "pandas.arrays", f"pandas.{home}")}


FAMILY: Family = {
    **_class(_array, "core.arrays.sparse.array", "SparseArray"),
    **_class(_dtype, "core.dtypes.dtypes", "SparseDtype"),
    Name("pandas._libs.sparse", "IntIndex"): _single,
    Name("pandas._libs.sparse", "BlockIndex"): _runs,
}
