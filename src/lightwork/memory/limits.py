"""Which records have to go. Pure: figures in, keys out; no store, no clock."""

from collections.abc import Iterable
from datetime import timedelta
from typing import NamedTuple

from ..errors import InvalidOption
from ..protocols import Entry
from ..system.units import parse_bytes

__all__ = ["Limits", "exceeding", "parse_limits"]


class Limits(NamedTuple):
    """What has to hold; ``None`` sets no limit."""

    max_bytes: int | None = None
    max_items: int | None = None
    accessed_since: float | None = None
    """Seconds since the epoch; what was used last before it goes."""


def parse_limits(
    bytes_limit: int | str | None, items_limit: int | None, age_limit: timedelta | None, now: float
) -> Limits:
    """Limits as users give them, checked.

    Raises
    ------
    InvalidOption
        A limit is negative or of another type; the message names it.
    """
    if items_limit is not None and (type(items_limit) is not int or items_limit < 0):
        raise InvalidOption(f"items_limit={items_limit!r} is not a number of items: give 0 or more")
    if age_limit is not None and not isinstance(age_limit, timedelta):
        raise InvalidOption(f"age_limit={age_limit!r} is not a span of time: give a datetime.timedelta")
    if age_limit is not None and age_limit < timedelta(0):
        raise InvalidOption(f"age_limit={age_limit!r} has to be a positive span of time")
    return Limits(
        None if bytes_limit is None else parse_bytes(bytes_limit, name="bytes_limit"),
        items_limit,
        None if age_limit is None else now - age_limit.total_seconds(),
    )


def exceeding(entries: Iterable[Entry], limits: Limits) -> list[bytes]:
    """The keys of the least recently used entries that have to go until all limits hold."""
    ordered = sorted(entries, key=lambda entry: (entry.accessed, entry.nbytes))
    items, nbytes = len(ordered), sum(entry.nbytes for entry in ordered)
    doomed = []
    for entry in ordered:
        too_many = limits.max_items is not None and items > limits.max_items
        too_much = limits.max_bytes is not None and nbytes > limits.max_bytes
        too_old = limits.accessed_since is not None and entry.accessed < limits.accessed_since
        if not (too_many or too_much or too_old):
            break
        doomed.append(entry.key)
        items, nbytes = items - 1, nbytes - entry.nbytes
    return doomed
