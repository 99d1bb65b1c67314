"""A value as a small skeleton and a few large buffers.

The skeleton is a pickle of protocol 5, the buffers are the bytes of its arrays. Disk, cache and workers move
parcels; only the place of the buffers differs.
"""

import io
import pickle
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from ..errors import UnpicklableError
from ..protocols import Buffer
from .pickling import PROTOCOL, locate_unpicklable, make_packer, needs_value_pickling
from .rebuild import ARRAY_TYPE, NAMED
from .reducers import Source, as_bytes

__all__ = ["Parcel", "join", "join_with", "split", "split_small", "unpicklable"]

_SCALARS = frozenset((int, float, complex, bool, str, type(None)))


class Parcel(NamedTuple):
    """A value taken apart."""

    skeleton: bytes
    buffers: list[memoryview]
    """C-contiguous, shape ``(nbytes,)``, format ``'B'``; many refer to the memory of the value itself."""


def split(value: object, *, by_value: bool = False, path: str = "value") -> Parcel:
    """Take a value apart without copying its large contiguous arrays.

    Parameters
    ----------
    by_value
        Put functions and classes that no other process can import (of ``__main__``, lambdas, closures)
        into the skeleton. Costs nothing for values that have none.
    path
        What an error message calls the value.

    Raises
    ------
    UnpicklableError
        A part cannot be pickled. The message names it, the cause is the original error.
    """
    if type(value) in _SCALARS:
        return Parcel(pickle.dumps(value, PROTOCOL), [])  # a pickler with reducers takes 4 µs to make
    try:
        parcel = _split(value, by_value=False)
        if not by_value or not needs_value_pickling(parcel.skeleton):
            return parcel
    except MemoryError:
        raise
    except Exception as exc:  # taking a value apart runs users' code, which may raise anything
        if not by_value:
            raise unpicklable(value, path, exc, by_value=False) from exc
    try:
        return _split(value, by_value=True)
    except MemoryError:
        raise
    except Exception as exc:
        raise unpicklable(value, path, exc, by_value=True) from exc


def split_small(value: object, limit: int) -> Parcel | None:
    """As `split` by value, if that works and gives at most `limit` bytes; else ``None``, and soon.

    It is given up where the skeleton passes the limit, and nobody looks for the part that is to blame.
    """
    for by_value in (False, True):
        try:
            parcel = _split(value, by_value=by_value, file=_Limited(limit))
        except _TooLarge:
            return None
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - users' code, and `None` says all
            continue
        if by_value or not needs_value_pickling(parcel.skeleton):
            nbytes = len(parcel.skeleton) + sum(buffer.nbytes for buffer in parcel.buffers)
            return parcel if nbytes <= limit else None
    return None


class _TooLarge(Exception):
    """A skeleton has passed its limit."""


class _Limited(io.BytesIO):
    """Takes so many bytes and no more."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._left = limit

    def write(self, data: Any, /) -> int:  # Any: whatever exports a buffer
        self._left -= len(data)
        if self._left < 0:
            raise _TooLarge
        return super().write(data)


def _split(value: object, *, by_value: bool, file: io.BytesIO | None = None) -> Parcel:
    sources: list[Source] = []
    file = io.BytesIO() if file is None else file
    make_packer(file, sources.append, by_value=by_value).dump(value)
    return Parcel(file.getvalue(), [as_bytes(source) for source in sources])


def unpicklable(value: object, path: str, exc: Exception, *, by_value: bool) -> UnpicklableError:
    """The error to raise when pickling `value` failed with `exc`: one that names the part."""
    if isinstance(exc, RecursionError):
        return UnpicklableError(f"cannot pickle {path}: it is nested too deeply ({exc})")
    place = locate_unpicklable(value, path, by_value=by_value)
    return UnpicklableError(f"cannot pickle {place}: {type(exc).__name__}: {exc}")


def join(skeleton: Buffer, buffers: Iterable[Buffer]) -> Any:  # Any: the user's value
    """The value of a parcel. Its arrays are views on `buffers`, writable if those are.

    Runs what the skeleton says, as every unpickler does, and raises what that raises.
    """
    return pickle.loads(skeleton, buffers=buffers)


def join_with(
    skeleton: Buffer,
    buffers: Iterable[Any],
    *,
    make_array: Callable[..., Any] | None = None,
    rename: Callable[[str, str], tuple[str, str]] | None = None,
) -> Any:
    """As `join`, otherwise than as plain views.

    Parameters
    ----------
    skeleton, buffers
        Those of a parcel.
    make_array
        Makes the arrays: ``make_array(shape, dtype, buffer, offset=0, strides=None, order="C")``, where
        `buffer` is one of `buffers`, or a memoryview of one.
    rename
        Gives the module and the name to look up in the place of those in the skeleton.
    """
    # Any: the user's value, and arrays of a library that may not be installed
    if make_array is None and rename is None:
        return join(skeleton, buffers)  # a lookup in C for each name
    unpickler = _Unpickler(skeleton, buffers, make_array, rename)
    try:
        return unpickler.load()
    finally:
        # It holds what it has built, and some of that holds it: arrays, and the file that they map, would
        # stay until the garbage collector comes by.
        unpickler.memo.clear()


class _Unpickler(pickle.Unpickler):
    """Looks up some names otherwise than they are written."""

    def __init__(
        self,
        skeleton: Buffer,
        buffers: Iterable[Any],
        make_array: Callable[..., Any] | None,
        rename: Callable[[str, str], tuple[str, str]] | None,
    ) -> None:
        super().__init__(io.BytesIO(skeleton), buffers=buffers)
        self._make_array = make_array
        self._rename = rename

    def find_class(self, module: str, name: str, /) -> Any:
        if self._make_array is not None and (module, name) == ARRAY_TYPE:
            return lambda: self._make_array
        if (module, name) == NAMED:
            return self.find_class
        if self._rename is not None:
            module, name = self._rename(module, name)
        return super().find_class(module, name)
