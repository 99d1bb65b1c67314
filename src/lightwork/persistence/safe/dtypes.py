"""Constructors for dtypes. A crafted state makes numpy read beyond its memory, so none is ever given to it.

Every dtype comes from ``numpy.dtype`` with a description that numpy checks itself, and with sizes that are
checked here, since numpy's own check of them overflows.
"""

import re
from functools import partial
from math import prod
from typing import Any

from ...errors import CorruptFileError
from .constructors import Constructor, Family, Kit, Later, checked, checked_all, checked_shape
from .scan import Name

# Any: values of a file, dtypes of a library that may not be installed.
__all__ = ["FAMILY", "described"]

_CODE = re.compile(r"(b1|[iufc](1|2|4|8|16|32)|O8|O4|[SUV][0-9]{1,9}|[mM]8?)")
_UNITS = frozenset(["Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic"])
_ALIGNED = 0x80  # flag of a structured dtype whose fields lie as a C compiler would put them
_SIZE = 1 << 31  # bytes of an item; numpy adds and multiplies them as C integers, which overflow
_DEPTH = 20  # structures in structures


def described(numpy: Any, code: Any, state: Any) -> Any:
    """The dtype of a code and a state, in which the dtypes of parts are such already.

    Raises
    ------
    CorruptFileError
        They contradict themselves, or are not how a pickle writes a dtype.
    """
    return _finished(numpy, _checked_code(code), state)


def _checked_code(code: Any) -> str:
    if not _CODE.fullmatch(checked(code, str, "a dtype")):
        raise CorruptFileError(f"{code[:40]!r} is not how a pickle writes a dtype")
    return str(code)


def _dtype(kit: Kit) -> Constructor:
    numpy = kit.numpy

    def call(code: Any, align: Any = False, copy: Any = True) -> Any:
        if code is numpy.record:
            return Later(partial(_record, numpy))
        return Later(partial(_finished, numpy, _checked_code(code)))

    return Constructor(numpy.dtype, call)


def _record(numpy: Any, state: Any) -> Any:
    return numpy.dtype((numpy.record, _finished(numpy, "V", state)))


def _finished(numpy: Any, code: str, state: Any) -> Any:
    """The dtype that `code` and `state` describe."""
    if len(checked(state, tuple, "the state of a dtype")) not in (8, 9):
        raise CorruptFileError("the state of a dtype has a wrong length")
    order, subarray, names, fields = state[1:5]
    if checked(order, str, "a byte order") not in ("<", ">", "|", "="):
        raise CorruptFileError(f"{order!r} is no byte order")
    if subarray is not None:
        found = _subarray(numpy, *subarray)
    elif names is not None:
        found = _structure(numpy, names, fields, state[5], state[7])
    elif code[0] in "mM":
        found = _ordered(numpy.dtype(f"{code[0]}8{_unit(state)}"), order)
    else:
        found = _ordered(numpy.dtype(code), order)
    depth = _depth(found)
    if depth > _DEPTH:
        raise CorruptFileError(f"a dtype is nested {depth} levels deep")
    return found


def _ordered(dtype: Any, order: str) -> Any:
    """`dtype` in a byte order; itself if it has it already, since numpy knows its own dtypes by identity."""
    found = dtype.newbyteorder(order)
    return dtype if found == dtype else found


def _subarray(numpy: Any, base: Any, shape: Any) -> Any:
    if _known(numpy, base).itemsize * prod(checked_shape(shape)) >= _SIZE:
        raise CorruptFileError(f"{shape} is no shape of a part of an item")
    return numpy.dtype((base, shape))


def _structure(numpy: Any, names: Any, fields: Any, itemsize: Any, flags: Any) -> Any:
    checked_all(checked(names, tuple, "field names"), str, "a field name")
    checked(fields, dict, "fields")
    description: dict[str, Any] = {"names": list(names), "formats": [], "offsets": [], "titles": []}
    for name in names:
        dtype, offset, *title = fields[name]
        description["formats"].append(_known(numpy, dtype))
        description["offsets"].append(checked(offset, int, "the offset of a field"))
        if (
            not 0
            <= offset
            <= offset + dtype.itemsize
            <= checked(itemsize, int, "the size of an item")
            < _SIZE
        ):
            raise CorruptFileError(f"a field at {offset} lies outside of items of {itemsize} bytes")
        description["titles"].append(checked(title[0], str, "the title of a field") if title else None)
    if not any(description["titles"]):
        del description["titles"]
    description["itemsize"] = itemsize
    description["aligned"] = bool(checked(flags, int, "the flags of a dtype") & _ALIGNED)
    return numpy.dtype(description)


def _known(numpy: Any, dtype: Any) -> Any:
    if not isinstance(dtype, numpy.dtype):
        raise CorruptFileError(f"a {type(dtype).__name__} is no dtype")
    return dtype


def _unit(state: Any) -> str:
    _, (unit, count, numerator, denominator) = state[8]
    name = checked(unit, bytes, "a unit of time").decode("ascii")
    checked_all((count, numerator, denominator), int, "a unit of time")
    if name not in _UNITS or denominator != 1 or count < 1:  # numpy divides by the count
        raise CorruptFileError(f"{count} {name!r} is no unit of time")
    return "" if name == "generic" else f"[{count}{name}]"


def _depth(dtype: Any) -> int:
    if dtype.subdtype is not None:
        return 1 + _depth(dtype.subdtype[0])
    return 1 + max((_depth(dtype[name]) for name in dtype.names), default=0) if dtype.names else 0


def _string_dtype(kit: Kit) -> Constructor:
    numpy = kit.numpy

    def call(coerce: Any, *missing: Any) -> Any:
        checked(coerce, (int, bool), "a choice")
        for value in missing:
            checked(value, (str, float, type(None)), "a missing value")
        known = {"na_object": missing[0]} if missing else {}
        return numpy.dtypes.StringDType(coerce=bool(coerce), **known)

    return Constructor(None, call)


def _record_class(kit: Kit) -> Constructor:
    return Constructor(kit.numpy.record)


FAMILY: Family = {
    Name("numpy", "dtype"): _dtype,
    Name("numpy", "record"): _record_class,
    Name("numpy._core._internal", "_convert_to_stringdtype_kwargs"): _string_dtype,
}
