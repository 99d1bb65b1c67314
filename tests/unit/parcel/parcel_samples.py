"""Arrays of every kind that leaves the pickle, and of some that must not."""

from typing import Any

import numpy as np

_DOUBLES = np.arange(10.0)
_LARGE = np.arange(20_000.0)


def _read_only() -> "np.ndarray[Any, Any]":
    array = _LARGE.copy()
    array.flags.writeable = False
    return array


# Any: arrays of all types
ARRAYS: dict[str, Any] = {
    "small": _DOUBLES,
    "small, strided": _DOUBLES[::2],
    "small, reversed": _DOUBLES[::-1],
    "small, Fortran": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "small, broadcast": np.broadcast_to(_DOUBLES, (3, 10)),
    "small, transposed cube": np.arange(60.0).reshape(3, 4, 5).transpose(1, 0, 2),
    "large": _LARGE,
    "large, strided": _LARGE[::2],
    "large, Fortran": _LARGE.reshape(100, -1).T,
    "large, cut": _LARGE.reshape(100, -1)[:, 3:],
    "large, read-only": _read_only(),
    "matrix": np.arange(6).reshape(2, 3).view(np.matrix),
    "large matrix": _LARGE.reshape(2, -1).view(np.matrix),
    "dates": np.array(["2020-01-01", "NaT"], "M8[s]"),
    "many dates": np.arange(5000).astype("M8[s]"),
    "spans, Fortran": np.asfortranarray(np.arange(12).reshape(3, 4).astype("m8[ms]")),
    "structured": np.array([(1, 2.0), (3, 4.0)], [("a", "i4"), ("b", "f8")]),
    "structured, aligned": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "texts": np.array(["a", "bcd"]),
    "byte strings": np.array([b"a", b"bcd"]),
    "long double": np.array([1, 2], np.longdouble),
    "complex": np.arange(3) + 1j,
    "half": np.array([1.5, 2.5], "e"),
    "booleans": np.array([True, False]),
    "bytes": np.arange(40_000, dtype="u1"),
    "no dimension": np.array(5),
    "one date": np.array(np.datetime64("2020-01-01")),
    "empty": np.zeros((0, 3)),
    "empty texts": np.zeros(0, "U3"),
    "items of no size": np.zeros(3, "S0"),
    "objects": np.array([None, 3, "x"], object),
    "masked": np.ma.masked_array([1, 2, 3], [False, True, False]),
    "variable texts": np.array(["x", "y" * 100], np.dtypes.StringDType()),
}
FOREIGN = {
    "integers": np.arange(3, dtype=">i4" if np.little_endian else "<i4"),
    "many": np.arange(20_000, dtype=">f8" if np.little_endian else "<f8"),
    "fields": np.zeros(2, [("a", ">i4"), ("b", ">f8")] if np.little_endian else [("a", "<i4"), ("b", "<f8")]),
}


def same(left: Any, right: Any) -> bool:
    """Whether two arrays have the same class, dtype, shape, order and elements."""
    return (
        type(left) is type(right)
        and left.dtype == right.dtype
        and left.shape == right.shape
        and left.flags.fnc == right.flags.fnc
        and bool(np.all((left == right) | (left != left)))
    )
