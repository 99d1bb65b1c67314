"""Constructors for numpy's arrays and scalars: shapes are held against the bytes that are there."""

import warnings
from functools import partial
from math import prod
from typing import Any

from ...errors import CorruptFileError
from ...parcel.rebuild import masked_array
from .constructors import Constructor, Family, Kit, Later, checked, checked_all, checked_class, checked_shape
from .scan import Name

# Any: values of a file, arrays of a library that may not be installed.
__all__ = ["FAMILY", "checked_array", "count_of"]

_BUFFERS = (memoryview, bytearray, bytes)
_DEPTH = 100  # arrays of objects in arrays of objects; they are freed without a limit and overrun the stack
_EMPTY_ITEMS = 1 << 16  # most items of no bytes: nothing in the file stands for them


def checked_array(kit: Kit, value: Any, ndim: int | None = None, kinds: str = "") -> Any:
    """`value`, if it is a plain array, of `ndim` dimensions and with items of one of `kinds`."""
    if type(value) not in (kit.numpy.ndarray, kit.numpy.memmap):
        raise CorruptFileError(f"a {type(value).__name__} is no array")
    if ndim not in (None, value.ndim) or (kinds and value.dtype.kind not in kinds):
        raise CorruptFileError(f"an array has dtype {value.dtype} and {value.ndim} dimensions")
    return value


def _dtype(kit: Kit, dtype: Any) -> Any:
    if not isinstance(dtype, kit.numpy.dtype):
        raise CorruptFileError(f"a {type(dtype).__name__} is no dtype")
    return dtype


def count_of(kit: Kit, shape: Any, dtype: Any) -> int:
    """How many items an array of a shape has, both of which are checked."""
    _dtype(kit, dtype)
    count: int = prod(checked_shape(shape))
    if not dtype.itemsize and count > _EMPTY_ITEMS:
        raise CorruptFileError(f"{shape} is no shape of an array of {dtype}")
    return count


def _array(kit: Kit) -> Any:
    """In the place of ``numpy.ndarray`` in skeletons."""

    def make(
        shape: Any, dtype: Any, buffer: Any, offset: Any = 0, strides: Any = None, order: Any = "C"
    ) -> Any:
        nbytes = count_of(kit, shape, dtype) * dtype.itemsize
        if strides is not None or order not in ("C", "F") or dtype.hasobject:
            raise CorruptFileError(f"an array of {dtype} is not written in this way")
        room = memoryview(checked(buffer, _BUFFERS, "a buffer")).nbytes
        if not 0 <= checked(offset, int, "an offset") <= offset + nbytes <= room:
            raise CorruptFileError(f"an array of {nbytes} bytes is not in a buffer of {room} bytes")
        kit.claims.share(buffer)
        if not dtype.isnative:  # it may be turned, which makes a copy
            kit.spend(nbytes)
        return kit.make_array(shape, dtype, buffer, offset, strides, order)

    return Constructor(None, make, views=True)


def _array_type(kit: Kit) -> Constructor:
    made = _array(kit)
    return Constructor(None, lambda: made)


def _ndarray(kit: Kit) -> Constructor:
    return Constructor(kit.numpy.ndarray)


def _memmap(kit: Kit) -> Constructor:
    return Constructor(kit.numpy.memmap)  # not to be called, whoever is trusted: it opens files


def _view_as(kit: Kit) -> Constructor:
    def call(array: Any, kind: Any) -> Any:
        numpy = kit.numpy
        known = [numpy.matrix, numpy.recarray]
        if getattr(kind, "__name__", None) == "chararray":
            known.append(_texts(kit))
        checked_class(kind, known, "a class of arrays")
        if kind is numpy.matrix:
            return checked_array(kit, array, 2).view(kind)
        # numpy believes the dtype of a class of its own: texts have one, records are structures.
        return checked_array(kit, array, None, "V" if kind is numpy.recarray else "SU").view(kind)

    return Constructor(None, call)


def _matrix(kit: Kit) -> Constructor:
    return Constructor(kit.numpy.matrix)


def _recarray(kit: Kit) -> Constructor:
    return Constructor(kit.numpy.recarray)


def _chararray(kit: Kit) -> Constructor:
    return Constructor(_texts(kit))


def _texts(kit: Kit) -> Any:  # Any: a class of numpy
    """The class of arrays of texts. numpy 2.5 warns whoever names it; here it is the file that does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return kit.numpy.char.chararray


def _reconstruct(kit: Kit) -> Constructor:
    """The way of numpy itself: an empty array, and a state of shape, dtype, order and content."""
    numpy = kit.numpy

    def call(kind: Any, shape: Any, code: Any) -> Any:
        checked_class(kind, [numpy.ndarray, numpy.recarray], "a class of arrays")
        return Later(partial(_filled, kit, kind))

    return Constructor(None, call)


def _filled(kit: Kit, kind: Any, state: Any) -> Any:
    _, shape, dtype, fortran, content = checked(state, tuple, "the state of an array")
    count = count_of(kit, shape, dtype)
    if dtype.kind in "OT":
        return _of_items(kit, shape, dtype, fortran, content, count)
    if dtype.hasobject or len(checked(content, bytes, "the content of an array")) != count * dtype.itemsize:
        raise CorruptFileError(f"{count} items of {dtype} are not {len(content)} bytes or items")
    array = kit.numpy.ndarray(shape, dtype, bytearray(content), order="F" if fortran else "C")
    return array if kind is kit.numpy.ndarray else array.view(kind)


def _of_items(kit: Kit, shape: Any, dtype: Any, fortran: Any, content: Any, count: int) -> Any:
    if len(checked(content, list, "the items of an array")) != count:
        raise CorruptFileError(f"an array of shape {shape} has {len(content)} items")
    if dtype.kind == "T":
        checked_all(content, (str, float, type(None)), "a string")
    array = kit.numpy.ndarray((0,), dtype)
    kit.nest(array, content, _DEPTH)
    array.__setstate__((1, shape, dtype, bool(fortran), content))
    return array


def _from_buffer(kit: Kit) -> Constructor:
    """The way of numpy with buffers that it has put into the pickle."""

    def call(buffer: Any, dtype: Any, shape: Any, order: Any, *_: Any) -> Any:
        return _array(kit).call(shape, dtype, buffer, 0, None, order)

    return Constructor(None, call)


def _scalar(kit: Kit) -> Constructor:
    numpy = kit.numpy

    def call(dtype: Any, content: Any) -> Any:
        if _dtype(kit, dtype).hasobject or len(checked(content, bytes, "a scalar")) != dtype.itemsize:
            raise CorruptFileError(f"a scalar of {dtype} is not written in this way")
        return numpy.ndarray((), dtype, bytearray(content))[()]

    return Constructor(None, call)


def _masked_class(kit: Kit) -> Constructor:
    return Constructor(kit.numpy.ma.MaskedArray)


def _masked(kit: Kit) -> Constructor:
    numpy = kit.numpy

    def call(kind: Any, base: Any, shape: Any, code: Any) -> Any:
        checked_class(kind, [numpy.ma.MaskedArray], "a class of arrays")
        checked_class(base, [numpy.ndarray], "a class of arrays")
        return Later(build)

    def build(state: Any) -> Any:
        _, shape, dtype, fortran, content, mask, fill = checked(state, tuple, "the state of an array")
        data = _filled(kit, numpy.ndarray, (1, shape, dtype, fortran, content))
        hidden = _filled(kit, numpy.ndarray, (1, shape, numpy.ma.make_mask_descr(dtype), fortran, mask))
        array = numpy.ma.MaskedArray(data, hidden)
        if fill is not None:
            array.fill_value = _fill_value(kit, fill)
        return array

    return Constructor(None, call)


def _masked_array(kit: Kit) -> Constructor:
    def call(data: Any, mask: Any, fill: Any, hard: Any) -> Any:
        if checked_array(kit, data).dtype.hasobject:
            raise CorruptFileError(f"a masked array of {data.dtype} is not written in this way")
        if mask is not None:
            expected = kit.numpy.ma.make_mask_descr(data.dtype)
            if checked_array(kit, mask).dtype != expected or mask.shape != data.shape:
                raise CorruptFileError(
                    f"a mask of shape {mask.shape} does not fit data of shape {data.shape}"
                )
        value = None if fill is None else _fill_value(kit, fill)
        return masked_array(data, mask, value, checked(hard, bool, "whether a mask is hard"))

    return Constructor(None, call, views=True)


def _fill_value(kit: Kit, value: Any) -> Any:
    if isinstance(value, kit.numpy.generic) or (isinstance(value, kit.numpy.ndarray) and not value.ndim):
        return value
    return checked(value, (bool, int, float, complex, str, bytes), "a fill value")


def _scalar_class(name: str) -> Any:
    return lambda kit: Constructor(getattr(kit.numpy, name))


_CORES = ("numpy._core", "numpy.core")
_SCALARS = (
    *("bool", "bool_", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble"),
    *("str_", "bytes_", "void", "datetime64", "timedelta64", "object_"),
)

FAMILY: Family = {
    Name("lightwork.parcel.rebuild", "array_type"): _array_type,
    Name("lightwork.parcel.rebuild", "view_as"): _view_as,
    Name("lightwork.parcel.rebuild", "masked_array"): _masked_array,
    Name("numpy", "ndarray"): _ndarray,
    Name("numpy", "matrix"): _matrix,
    Name("numpy", "memmap"): _memmap,
    **{Name(home, "recarray"): _recarray for home in ("numpy", "numpy.rec")},
    **{Name(home, "chararray"): _chararray for home in ("numpy", "numpy.char")},
    Name("numpy.ma", "MaskedArray"): _masked_class,
    Name("numpy.ma.core", "MaskedArray"): _masked_class,
    Name("numpy.ma.core", "_mareconstruct"): _masked,
    **{Name("numpy", name): _scalar_class(name) for name in _SCALARS},
    **{Name(f"{core}.multiarray", "_reconstruct"): _reconstruct for core in _CORES},
    **{Name(f"{core}.multiarray", "scalar"): _scalar for core in _CORES},
    **{Name(f"{core}.numeric", "_frombuffer"): _from_buffer for core in _CORES},
}
