"""Sizes and spans of time as people write them, ``"1.5GB"``, ``"7 days"``, and read them, ``"4.2 ms"``."""

import re
from typing import TYPE_CHECKING, Any

from ..errors import InvalidOption
from .figures import real
from .optional import loaded

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["counted", "duration", "parse_bytes", "parse_seconds", "size"]

# joblib counts K, M and G in powers of 1024; so do we, whichever way the unit is spelled.
_BYTES = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TIMES = (("h", 6e4, 3600.0), ("min", 1e3, 60.0), ("s", 1.0, 1.0), ("ms", 1e-3, 1e-3), ("µs", 1e-6, 1e-6))
_SPAN = {"sec": "s", "second": "s", "min": "m", "minute": "m", "hour": "h", "day": "d", "week": "w"}


def parse_bytes(size: int | float | str, *, name: str) -> int:
    """A number of bytes, ``>= 0``, from a number or a text such as ``"500M"``, ``"1.5 GB"``, ``"2GiB"``.

    Units are powers of 1024. `name` is the option that the error message speaks of.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([kmgt]?)i?b?\s*", size.lower())
        if not match:
            raise InvalidOption(
                f'{name}={size!r} is not a size: give bytes, or a text like "500M" or "1.5GB"'
            )
        return int(float(match[1]) * _BYTES[match[2]])
    number = real(size)
    if number is None or not 0 <= number < float("inf"):
        raise InvalidOption(f"{name}={size!r} is not a size: give a number of bytes that is not negative")
    return int(size)


def parse_seconds(span: "float | str | timedelta", *, name: str) -> float:
    """A number of seconds, ``> 0``, from a number, a `timedelta` or a text like ``"90s"``, ``"7 days"``."""
    seconds = _seconds(span)
    if seconds is None or not 0 < seconds < float("inf"):
        raise InvalidOption(
            f'{name}={span!r} is not a positive span of time: give seconds, a timedelta, or a text like "1h"'
        )
    return seconds


def _seconds(span: Any) -> float | None:  # Any: this is the test
    datetime = loaded("datetime")  # or nobody has a timedelta
    if datetime is not None and isinstance(span, datetime.timedelta):
        return float(span.total_seconds())
    if isinstance(span, str):
        match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]+?)s?\s*", span.lower())
        factor = _SECONDS.get(_SPAN.get(match[2], match[2])) if match else None
        return float(match[1]) * factor if match and factor else None
    return real(span)


def counted(count: int, what: str) -> str:
    """``"1 result"``, ``"1,200 results"``, ``"2 misses"``."""
    return f"{count:,} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


def duration(seconds: float) -> str:
    """A time in the unit that fits: ``"3 µs"``, ``"4.2 ms"``, ``"12 s"``; from 1,000 s on ``"25 min"``."""
    for unit, least, step in _TIMES:
        if seconds >= least:
            return f"{seconds / step:.3g} {unit}"
    return f"{seconds * 1e6:.2g} µs"


def size(nbytes: float) -> str:
    """Bytes in the unit that fits, in powers of 1024 as they are read: ``"512 B"``, ``"76.3 MB"``."""
    for unit, step in (("TB", 1 << 40), ("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if nbytes >= step:
            return f"{nbytes / step:.3g} {unit}" if nbytes < 1000 * step else f"{nbytes / step:,.0f} {unit}"
    return f"{nbytes:.0f} B"
