"""Limits as users give them, checked. Pure: no store, no clock."""

from datetime import timedelta
from typing import NamedTuple

from ..errors import InvalidOption
from ..system.figures import whole
from ..system.units import parse_bytes, parse_seconds

__all__ = ["Limits", "parse_limits"]


class Limits(NamedTuple):
    """What has to hold; ``None`` sets no limit."""

    max_bytes: int | None = None
    max_items: int | None = None
    accessed_since: float | None = None
    """Seconds since the epoch; what was used last before it goes."""


def parse_limits(
    bytes_limit: int | str | None,
    items_limit: int | None,
    age_limit: float | str | timedelta | None,
    now: float,
) -> Limits:
    """Limits as users give them, checked.

    Raises
    ------
    InvalidOption
        A limit is negative or of another type; the message names it.
    """
    items = whole(items_limit)
    if items_limit is not None and (items is None or items < 0):
        raise InvalidOption(f"items_limit={items_limit!r} is not a number of items: give 0 or more")
    return Limits(
        None if bytes_limit is None else parse_bytes(bytes_limit, name="bytes_limit"),
        items,
        None if age_limit is None else now - _seconds(age_limit),
    )


def _seconds(age_limit: float | str | timedelta) -> float:
    """As for ``max_age=``, and none at all: then everything goes."""
    if isinstance(age_limit, timedelta) and not age_limit:
        return 0.0
    return parse_seconds(age_limit, name="age_limit")
