"""Arrays otherwise than as plain copies: mapped from the file, or turned to the byte order of the machine."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from .. import parcel
from ..protocols import Buffer
from ..system.optional import loaded, require
from .options import MmapMode
from .renames import Rename

if TYPE_CHECKING:
    from ..parcel.reader import Content, Mapped

# Any: values of the user, and arrays of a library that may not be installed.
__all__ = ["Join", "join_mapped", "join_native", "join_trusted", "map_file", "mapped_array", "turned"]

_FOREIGN, _FOREIGN_MARK = (">", b"\x8c\x01>") if sys.byteorder == "little" else ("<", b"\x8c\x01<")


Join: TypeAlias = "Callable[[Callable[..., Any] | None, Buffer, Iterable[Any]], Any]"
"""Makes a value of a skeleton and buffers, and its arrays with the function if there is one."""


def join_trusted(rename: Rename | None) -> Join:
    """Makes values by unpickling: runs what the file says."""

    def join(make_array: Callable[..., Any] | None, skeleton: Buffer, buffers: Iterable[Any]) -> Any:
        return parcel.parcels.join_with(skeleton, buffers, make_array=make_array, rename=rename)

    return join


def join_native(content: "Content", join: Join) -> Any:
    """The value, with numeric arrays in the byte order of this machine.

    A structured array is turned only if all of its fields are of the other order.
    """
    # No arrays, or no dtype of the other order, as far as a search can tell?
    turn = bool(content.buffers) and _FOREIGN_MARK in content.skeleton
    make_array = _native_array if turn else None
    return join(make_array, content.skeleton, content.buffers)


def _native_array(shape: Any, dtype: Any, buffer: Any, *layout: Any) -> Any:
    array = loaded("numpy").ndarray(shape, dtype, buffer, *layout)
    if _is_foreign(dtype):
        # Not in place: in a crafted file another array, checked already, may lie in the same bytes.
        array = array.byteswap().view(dtype.newbyteorder("="))
    return array


def turned(array: Any) -> Any:
    """A writable array in the byte order of this machine: turned in place if it is of the other one."""
    if not _is_foreign(array.dtype):
        return array
    return array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))


def _is_foreign(dtype: Any) -> bool:
    if dtype.subdtype is not None:
        return _is_foreign(dtype.subdtype[0])
    if dtype.names is not None:
        return all(_is_foreign(dtype[name]) for name in dtype.names)
    return bool(dtype.byteorder == _FOREIGN)


def join_mapped(mapped: "Mapped", file: BinaryIO, mode: MmapMode, join: Join) -> Any:
    """The value, with arrays that are ``numpy.memmap`` views on one mapping of `file`.

    The mapping lives as long as one of the arrays; `file` may be closed.
    """
    if not mapped.places:
        return join(None, mapped.skeleton, ())
    whole = map_file(file, mode)
    segments = [_segment(whole, *place) for place in mapped.places]
    return join(_array_in_segment, mapped.skeleton, segments)


def map_file(file: BinaryIO, mode: MmapMode) -> Any:
    """All bytes of a file, as one ``numpy.memmap``. It stays when the file is closed."""
    numpy = require("numpy", purpose="mapping arrays", extra="numpy")
    return numpy.memmap(file, "u1", "r+" if mode == "w+" else mode)


def mapped_array(whole: Any, start: int, shape: Any, dtype: Any, order: str = "C") -> Any:
    """An array that lies in a mapping of `map_file` from byte `start` on, as a ``numpy.memmap``."""
    nbytes = dtype.itemsize
    for length in shape:
        nbytes *= length
    array = whole[start : start + nbytes].view(dtype).reshape(shape, order=order)
    if nbytes:  # numpy gives a plain array for an empty slice of a mapping
        array.offset = whole.offset + start
    return array


def _segment(whole: Any, start: int, nbytes: int) -> Any:
    segment = whole[start : start + nbytes]
    if nbytes:
        segment.offset = start
    return segment


def _array_in_segment(
    shape: Any, dtype: Any, buffer: Any, start: int = 0, strides: None = None, order: str = "C"
) -> Any:
    segment: Any = buffer.obj if isinstance(buffer, memoryview) else buffer
    return mapped_array(segment, start, shape, dtype, order)
