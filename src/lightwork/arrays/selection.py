"""What an index takes from an array: which positions of each axis, and how they become the answer."""

import operator
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from ..system.optional import loaded

__all__ = ["Positions", "Selection", "select"]

# Any: numpy is optional and never imported here, so its types have no name here.
Positions: TypeAlias = "range | Any"
"""Ascending, each once: a range, or an array of integers."""


class Selection(NamedTuple):
    """If `box` is the array of the elements at these positions, the answer is ``box[local]``."""

    positions: list[Positions]
    """One for each axis."""

    local: tuple[Any, ...]


def select(index: Any, shape: Sequence[int]) -> Selection:
    """What ``array[index]`` takes from an array of this shape.

    Parameters
    ----------
    index
        Integers, slices, an ellipsis, ``numpy.newaxis``, and at most one array (or list) of integers, or
        of as many booleans as its axis is long; alone or in a tuple.

    Raises
    ------
    IndexError
        Not of these kinds, or beyond the array.
    """
    positions: list[Positions] = []
    local: list[Any] = []
    arrays = 0
    for part in _one_per_axis(index if isinstance(index, tuple) else (index,), len(shape)):
        if part is None or part is Ellipsis:
            local.append(part)  # an ellipsis that stands for no axis still makes an array of a single item
            continue
        axis = len(positions)
        taken, rest = _on_axis(part, axis, shape[axis])
        arrays += not isinstance(taken, range)
        positions.append(taken)
        local.append(rest)
    if arrays > 1:
        raise IndexError(
            "at most one axis of an array in a file is indexed by an array: read the rows first, "
            "as in array[rows][:, columns]"
        )
    return Selection(positions, tuple(local))


def _one_per_axis(index: tuple[Any, ...], ndim: int) -> list[Any]:
    """The index with slices behind its ellipsis, or at its end, for the axes that it does not name."""
    given = sum(part is not None and part is not Ellipsis for part in index)
    if given > ndim:
        raise IndexError(f"too many indices: the array has {ndim} dimensions, {given} were indexed")
    dots = [at for at, part in enumerate(index) if part is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can have one ellipsis ('...') only")
    at = dots[0] + 1 if dots else len(index)
    return [*index[:at], *[slice(None)] * (ndim - given), *index[at:]]


def _on_axis(part: Any, axis: int, length: int) -> tuple[Positions, Any]:
    if isinstance(part, slice):
        taken = range(length)[part]
        return (taken, slice(None)) if taken.step > 0 else (taken[::-1], slice(None, None, -1))
    if not isinstance(part, bool | loaded("numpy").bool_):
        try:
            number = operator.index(part)
        except TypeError:
            return _by_array(part, axis, length)
        return range(length)[_checked(number, axis, length) :][:1], 0
    raise IndexError(f"{part!r} is no index of an array in a file: give integers, slices or one array")


def _by_array(part: Any, axis: int, length: int) -> tuple[Positions, Any]:
    numpy = loaded("numpy")
    values = numpy.asarray(part)
    if not values.size and not isinstance(part, numpy.ndarray):
        values = values.astype("p")
    if values.dtype.kind == "b" and values.shape == (length,):
        values = values.nonzero()[0]
    if values.dtype.kind == "b":
        raise IndexError(
            f"a mask of shape {values.shape} does not fit axis {axis} of length {length}: "
            "a mask has one boolean for each position of one axis"
        )
    if values.dtype.kind not in "iu":
        raise IndexError(f"{part!r} is no index of an array in a file: give integers, slices or one array")
    if values.size:
        _checked(int(values.min()), axis, length)
        _checked(int(values.max()), axis, length)
    values = values.astype("p")
    unique, inverse = numpy.unique(numpy.where(values < 0, values + length, values), return_inverse=True)
    return unique, inverse.reshape(values.shape)


def _checked(number: int, axis: int, length: int) -> int:
    if not -length <= number < length:
        raise IndexError(f"index {number} is out of bounds for axis {axis} of length {length}")
    return number + length if number < 0 else number
