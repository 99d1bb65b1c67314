"""What skeletons call to build values again. The names are part of the file format: never move them.

An array is ``array_type()(shape, dtype, buffer, offset, strides, order)``: the first call happens once per
skeleton and returns ``numpy.ndarray`` itself, so each array is built at the speed of C. A reader that wants
something else in the place of plain arrays (mapped ones, ones in native byte order) puts its own function
in the place of `array_type`, and meets no other use of ``numpy.ndarray``.
"""

from collections.abc import Callable
from importlib import import_module
from operator import attrgetter
from typing import Any

from ..system.optional import require

__all__ = ["ARRAY_TYPE", "NAMED", "ArrayMaker", "array_type", "named", "view_as"]


def array_type() -> Any:  # Any: a class of a library that may not be installed
    """``numpy.ndarray``.

    Raises
    ------
    MissingDependency
        numpy is not installed.
    """
    return require("numpy", purpose="a value that holds arrays", extra="numpy").ndarray


def view_as(array: Any, kind: type) -> Any:  # Any: a numpy array
    """The same elements as an array of another class, such as ``numpy.matrix``."""
    return array.view(kind)


def named(module: str, name: str) -> Any:  # Any: whatever it is
    """A class or function. Only skeletons of parts have this call, which are never written (`outline`)."""
    return attrgetter(name)(import_module(module))


class ArrayMaker:
    """Stands for ``numpy.ndarray`` in a skeleton; unpickled it is the class that `array_type` returns."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make

    def __call__(self, *arguments: Any) -> Any:  # Any: what the class takes and makes
        """Make an array; picklers only ask whether this can be called."""
        return self._make(*arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return array_type, ()


ARRAY_TYPE = (array_type.__module__, array_type.__qualname__)
"""How a skeleton names `array_type`, for readers with an own ``find_class``."""

NAMED = (named.__module__, named.__qualname__)
"""How it names `named`: such readers put their ``find_class`` in its place."""
