"""Rules for types of the standard library whose reduction copies, differs between releases, or is missing."""

import sys
from array import array
from pickle import PickleBuffer
from typing import Any

from .walk import NotHashable, Rule, Walk, frame

__all__ = ["RULES"]


def _array(walk: Walk, value: "array[Any]") -> bytes:
    return walk.part(value, _encode_array)


def _encode_array(walk: Walk, value: "array[Any]") -> bytes:
    """An ``array``: class, type code, size of an item, bytes, and what a subclass adds."""
    items = value
    if sys.byteorder == "big":
        items = value[:]
        items.byteswap()
    tokens = [
        walk.token(type(value)),
        walk.token(value.typecode),
        walk.token(value.itemsize),
        walk.seal(walk.raw(PickleBuffer(items).raw())),
        walk.token(getattr(value, "__dict__", None)),
    ]
    return frame(b"X", [walk.token("array"), *tokens])


def _mapping(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_mapping)


def _encode_mapping(walk: Walk, value: Any) -> bytes:
    """A mapped file or memory: its bytes. Not held longer than needed, since it could not be closed then."""
    try:
        view = memoryview(value)
    except ValueError as exc:
        raise NotHashable(value, str(exc)) from exc
    with view:
        return frame(b"X", [walk.token("mmap"), walk.seal(walk.raw(view))])


def _path(walk: Walk, value: Any) -> bytes:
    """A path: its class and parts. From Python 3.13 on its reduction gives the texts that it was made of."""
    return walk.part(value, _encode_path)


def _encode_path(walk: Walk, value: Any) -> bytes:
    head = frame(b"R", [walk.token(type(value)), walk.temporary(value.parts)])
    return head + frame(b"", [walk.token(None)])


def _fraction(walk: Walk, value: Any) -> bytes:
    return walk.part(value, lambda walk, v: walk.facts("fraction", type(v), v.numerator, v.denominator))


def _zone(walk: Walk, value: Any) -> bytes:
    return walk.part(value, _encode_zone)


def _encode_zone(walk: Walk, value: Any) -> bytes:
    """A time zone: its name. One that was read from a file has none."""
    if value.key is None:
        raise NotHashable(value, "a zone that was read from a file without key= has no name")
    return walk.facts("zone", type(value), value.key)


def _special_form(walk: Walk, value: Any) -> bytes:
    """``typing.Union`` and its like: by their names."""
    return walk.seal(walk.facts("typing", repr(value)))


RULES: dict[str, Rule] = {
    "array:array": _array,
    "fractions:Fraction": _fraction,
    "mmap:mmap": _mapping,
    "pathlib:PurePath": _path,
    "typing:_SpecialForm": _special_form,
    "zoneinfo:ZoneInfo": _zone,
}
"""By top-level module and qualified name: importing these modules would take longer than all of ours."""
