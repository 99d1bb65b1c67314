"""Whether hashing, pickling or reading values is quick enough to be done inside an event loop."""

import sys
from types import MemberDescriptorType
from typing import Any

from ..hashing.leaves import is_code, is_value, own_attributes
from ..hashing.states import is_written_in_c

__all__ = ["LARGE", "are_small"]

LARGE = 1 << 20
"""Bytes: hashing so many takes 0.3 ms, a thread to do it in 0.1 ms."""

_MOST_PARTS = 500
"""Walking over so many takes about as long as a thread."""


def are_small(*values: object, limit: float = LARGE) -> bool:
    """Whether all the values together hold at most `limit` bytes in few parts.

    False as well where it cannot be told without effort: frames, models, objects written in C or with slots,
    such as `File`, whose content is read for a key.
    """
    stack: list[Any] = list(values)
    nbytes, parts = 0.0, 0
    while stack:
        value = stack.pop()
        parts += 1
        inner, size = _opened(value)
        nbytes += size
        if nbytes > limit or parts + len(stack) + len(inner) > _MOST_PARTS:
            return False
        stack.extend(inner)
    return True


_NOTHING: tuple[Any, ...] = ()
_BEYOND = (_NOTHING, float("inf"))


def _opened(value: Any) -> tuple[Any, float]:
    """What a value consists of, and its own size in bytes."""
    kind = type(value)
    if kind in (int, str, float, bool, bytes, bytearray, type(None)):
        return _NOTHING, sys.getsizeof(value)
    if kind in (list, tuple, set, frozenset, dict):
        if len(value) > _MOST_PARTS:
            return _BEYOND
        return ([*value, *value.values()] if kind is dict else value), 0
    if is_value(value) or is_code(value):
        return _NOTHING, sys.getsizeof(value)
    if kind.__module__ == "numpy":
        is_plain = hasattr(value, "nbytes") and not value.dtype.hasobject
        return (_NOTHING, int(value.nbytes)) if is_plain else _BEYOND
    held = None if is_written_in_c(kind) or _has_slots(kind) else own_attributes(value)
    return _BEYOND if held is None or len(held) > _MOST_PARTS else ([*held.values()], 0)


def _has_slots(kind: type) -> bool:
    return any(type(held) is MemberDescriptorType for base in kind.__mro__ for held in vars(base).values())
