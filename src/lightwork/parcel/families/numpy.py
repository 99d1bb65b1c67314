"""The array classes that numpy has besides ``ndarray``: their own way copies them into the pickle."""

from collections.abc import Callable
from typing import Any

from ...system.optional import loaded
from ..rebuild import masked_array, view_as

__all__ = ["find"]

_VIEWS = frozenset({"matrix", "recarray", "chararray"})


# Any: arrays of a library that may not be installed.
def find(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """The reducer of a class of numpy."""
    if issubclass(kind, loaded("numpy").ndarray):
        if kind.__name__ in _VIEWS:
            return _reduce_view
        if kind.__name__ == "MaskedArray":
            return _reduce_masked
    return None


def _reduce_view(array: Any) -> tuple[Any, ...]:
    """A class that adds behaviour only: the plain array, and the class."""
    return view_as, (array.view(loaded("numpy").ndarray), type(array))


def _reduce_masked(array: Any) -> tuple[Any, ...]:
    """Data, mask and fill value."""
    if array.dtype.hasobject:
        own: tuple[Any, ...] = array.__reduce_ex__(5)
        return own
    return masked_array, (array.data, _mask(array), _fill_value(array), array.hardmask)


def _mask(array: Any) -> Any:
    """``None`` where there is no mask at all, which is not the same as a mask of ``False``."""
    return None if array.mask is loaded("numpy").ma.nomask else array.mask


def _fill_value(array: Any) -> Any:
    """``None`` for the default, which follows the dtype of what is computed from the array."""
    numpy = loaded("numpy")
    fill = numpy.asarray(array.fill_value, array.dtype)
    default = numpy.asarray(numpy.ma.default_fill_value(array.dtype), array.dtype)
    return None if fill.tobytes() == default.tobytes() else array.fill_value
