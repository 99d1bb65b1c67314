"""Numbers as options take them: Python's own, numpy's and others of that kind, and never a truth value."""

import math
import operator
from typing import Any

from .optional import on_demand

__all__ = ["real", "whole"]


def whole(value: Any) -> int | None:  # Any: this is the test
    """The whole number that a value is; ``None`` if it is none. ``True`` is no number, nor is ``2.0``."""
    if isinstance(value, bool):
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def real(value: Any) -> float | None:  # Any: this is the test
    """The number that a value is, infinite if it is too large; ``None`` if it is none, such as ``True``."""
    if isinstance(value, bool):
        return None
    # The module is loaded for numbers that are not Python's own.
    if not isinstance(value, int | float) and not isinstance(value, on_demand("numbers").Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.copysign(math.inf, 1 if value > 0 else -1)
