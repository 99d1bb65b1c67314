"""What skeletons call to build values again. The names are part of the file format: never move them.

An array is ``array_type()(shape, dtype, buffer, offset, strides, order)``: the first call happens once per
skeleton and returns ``numpy.ndarray`` itself, so each array is built at the speed of C. A reader that wants
something else in the place of plain arrays (mapped ones, ones in native byte order) puts its own function
in the place of `array_type`, and meets no other use of ``numpy.ndarray``.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from math import prod
from operator import attrgetter
from typing import Any

from ..protocols import Buffer
from ..system.optional import require

__all__ = [
    "ARRAY_TYPE",
    "NAMED",
    "ArrayMaker",
    "array_type",
    "masked_array",
    "named",
    "text_array",
    "view_as",
]

_AT_ONCE = 256 << 10  # bytes of text; a million short ones load a tenth faster than in one piece
_LOOKED_AT = 4096


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


# Any: arrays of a library that may not be installed.
def masked_array(data: Any, mask: Any, fill_value: Any, hard: bool) -> Any:
    """A ``numpy.ma.MaskedArray`` with the memory of two arrays. ``None``: no mask, the default fill value."""
    masked = require("numpy.ma", purpose="a value that holds masked arrays", extra="numpy")
    made = masked.MaskedArray(data, masked.nomask if mask is None else mask, copy=False, hard_mask=hard)
    if fill_value is not None:
        made.fill_value = fill_value
    return made


def text_array(
    shape: tuple[int, ...],
    dtype: Any,
    order: str,
    content: Buffer,
    separator: str,
    missing: tuple[tuple[object, Any], ...],
) -> Any:
    """An array of ``str`` objects or of ``StringDType``.

    Parameters
    ----------
    order
        ``"C"`` or ``"F"``: in which order the texts follow each other, and lie in the array.
    content
        The texts in UTF-8 (lone surrogates too), with `separator` between them.
    missing
        What takes the place of the (empty) text at some positions: pairs of a value and the positions.
    """
    numpy = require("numpy", purpose="a value that holds arrays", extra="numpy")
    array, count = numpy.empty(prod(shape), dtype), 0
    for part in _text_parts(memoryview(content), separator.encode()):
        texts = part.split(separator)
        array[count : count + len(texts)] = texts
        count += len(texts)
    if count != array.size:
        raise ValueError(f"{count} texts are no array of shape {shape}")
    for value, places in missing:
        array[places] = value
    return array.reshape(shape, order=order)


def _text_parts(content: memoryview, separator: bytes) -> Iterator[str]:
    """The texts of `content`, many in each part, so that no second copy of all is held."""
    start = 0
    while start <= len(content):
        end = start + _AT_ONCE
        while end < len(content):
            found = bytes(content[end : end + _LOOKED_AT]).find(separator)
            if found >= 0:
                end += found
                break
            end += _LOOKED_AT
        end = min(end, len(content))
        yield str(content[start:end], "utf-8", "surrogatepass")
        start = end + 1


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
