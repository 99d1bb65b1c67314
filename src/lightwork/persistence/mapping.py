"""Arrays otherwise than as plain copies: mapped from the file, or turned to the byte order of the machine."""

import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from .. import parcel
from ..protocols import Buffer
from ..system.optional import loaded, require
from .options import MmapMode

if TYPE_CHECKING:
    from ..parcel.reader import Content, Mapped

# Any: values of the user, and arrays of a library that may not be installed.
__all__ = ["Join", "join_mapped", "join_native", "join_trusted"]

_FOREIGN, _FOREIGN_MARK = (">", b"\x8c\x01>") if sys.byteorder == "little" else ("<", b"\x8c\x01<")


Join: TypeAlias = "Callable[[Callable[..., Any] | None, Buffer, Iterable[Any]], Any]"
"""Makes a value of a skeleton and buffers, and its arrays with the function if there is one."""


def join_trusted(make_array: Callable[..., Any] | None, skeleton: Buffer, buffers: Iterable[Any]) -> Any:
    """The value, by unpickling: runs what the file says."""
    if make_array is None:
        return parcel.parcels.join(skeleton, buffers)
    return parcel.parcels.join_with(make_array, skeleton, buffers)


def join_native(content: "Content", join: Join) -> Any:
    """The value, with numeric arrays in the byte order of this machine.

    A structured array is turned only if all of its fields are of the other order.
    """
    if _FOREIGN_MARK not in content.skeleton:  # no dtype of the other order, as far as a search can tell
        return join(None, content.skeleton, content.buffers)
    return join(_native_array, content.skeleton, content.buffers)


def _native_array(shape: Any, dtype: Any, buffer: Any, *layout: Any) -> Any:
    array = loaded("numpy").ndarray(shape, dtype, buffer, *layout)
    if _is_foreign(dtype):
        # Not in place: in a crafted file another array, checked already, may lie in the same bytes.
        array = array.byteswap().view(dtype.newbyteorder("="))
    return array


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
    numpy = require("numpy", purpose="mapping arrays", extra="numpy")
    whole = numpy.memmap(file, "u1", "r+" if mode == "w+" else mode)
    segments = [_segment(whole, *place) for place in mapped.places]
    return join(_mapped_array, mapped.skeleton, segments)


def _segment(whole: Any, start: int, nbytes: int) -> Any:
    segment = whole[start : start + nbytes]
    if nbytes:  # numpy gives a plain array for an empty slice of a mapping
        segment.offset = start
    return segment


def _mapped_array(
    shape: Any, dtype: Any, buffer: Any, start: int = 0, strides: None = None, order: str = "C"
) -> Any:
    segment: Any = buffer.obj if isinstance(buffer, memoryview) else buffer
    nbytes = dtype.itemsize
    for length in shape:
        nbytes *= length
    array = segment[start : start + nbytes].view(dtype).reshape(shape, order=order)
    if nbytes:
        array.offset = segment.offset + start
    return array
