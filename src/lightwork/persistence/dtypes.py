"""The dtypes of a file, as its outline describes them: made from what it says, never by it."""

import math
from typing import Any, NamedTuple

from .. import persistence
from ..errors import CorruptFileError
from ..parcel.outline import ArrayAt, Name, Node
from ..system.optional import require
from .mapping import turned

# Any: parts of an outline, and dtypes of a library that may not be installed.
__all__ = ["ArrayFacts", "array_facts"]

_NUMPY = ("numpy", "dtype")
_RECORD = ("numpy", "record")
_DEPTH = 20  # as under ``safe=True``


class ArrayFacts(NamedTuple):
    """What can be told of an array without building anything of the file."""

    shape: tuple[int, ...]
    dtype: Any
    """``None`` if it is of another library than numpy, or none that is known here."""

    nbytes: int | None
    """Its size when it is loaded."""


def array_facts(at: ArrayAt) -> ArrayFacts:
    """Shape, dtype in the byte order of this machine, and size.

    Raises
    ------
    CorruptFileError
        The file contradicts itself.
    MissingDependency
        numpy is not installed.
    """
    shape: Any = at.shape  # Any: whatever a crafted file says
    if not isinstance(shape, tuple) or not all(type(length) is int and length >= 0 for length in shape):
        raise CorruptFileError("an array in it has a shape that is none")
    numpy = require("numpy", purpose="an array in a file", extra="numpy")
    dtype = _dtype(numpy, at.dtype, 0)
    if dtype is None:
        return ArrayFacts(shape, None, None)
    native = turned(numpy.empty(0, dtype)).dtype
    return ArrayFacts(shape, native, math.prod(shape) * int(dtype.itemsize))


def _dtype(numpy: Any, part: Any, depth: int) -> Any:
    """The dtype that a part describes; ``None`` if it is not numpy's own way to write one."""
    if depth > _DEPTH:
        raise CorruptFileError(f"a dtype in it is nested more than {_DEPTH} levels deep")
    if not isinstance(part, Node) or not isinstance(part.maker, Name) or part.maker.path != _NUMPY:
        return None
    code, *_ = part.args or (None,)
    is_record = isinstance(code, Name) and code.path == _RECORD
    try:
        state = _with_dtypes(numpy, part.state, depth)
        found = persistence.safe.described(numpy, "V0" if is_record else code, state)
        return numpy.dtype((numpy.record, found)) if is_record else found
    except (TypeError, ValueError, LookupError, AttributeError) as exc:
        if isinstance(exc, CorruptFileError):
            raise
        raise CorruptFileError(f"a dtype in it contradicts itself: {exc}") from exc


def _with_dtypes(numpy: Any, state: Any, depth: int) -> Any:
    """A state with dtypes in the places of the parts that describe them."""
    if isinstance(state, tuple):
        return tuple(_with_dtypes(numpy, item, depth + 1) for item in state)
    if isinstance(state, dict):
        return {name: _with_dtypes(numpy, item, depth + 1) for name, item in state.items()}
    return _dtype(numpy, state, depth + 1) if isinstance(state, Node) else state
