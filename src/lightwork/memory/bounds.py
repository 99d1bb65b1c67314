"""The limits of a `Memory`, as users give them, checked. Pure."""

from datetime import timedelta

from ..errors import InvalidOption
from ..protocols import Limits, Store, SupportsLimits, supports
from ..system.figures import whole
from ..system.units import parse_bytes, parse_seconds

__all__ = ["bounds", "hot_size"]


def bounds(
    max_bytes: int | str | None,
    max_items: int | None,
    max_age: float | str | timedelta | None,
    store: Store | None,
) -> Limits:
    """The limits that puts into `store` have to keep.

    Raises
    ------
    InvalidOption
        A limit cannot be one, or the store cannot hold limits; the message names it.
    """
    items = whole(max_items)
    if max_items is not None and (items is None or items < 1):
        raise InvalidOption(f"max_items={max_items!r} is not a number of items: give 1 or more")
    limits = Limits(
        None if max_bytes is None else parse_bytes(max_bytes, name="max_bytes"),
        items,
        None if max_age is None else parse_seconds(max_age, name="max_age"),
    )
    if limits.max_bytes == 0:
        raise InvalidOption(f"max_bytes={max_bytes!r} leaves room for nothing: give location=None instead")
    if store is not None and not supports(store, SupportsLimits):
        raise InvalidOption(
            f"store={store!r} cannot keep max_bytes=, max_items= or max_age=: it is no "
            "lightwork.protocols.SupportsLimits (a bucket is kept small by rules of its own, local copies "
            "by backend_options={'local_bytes': ...})"
        )
    return limits


def hot_size(hot_bytes: int | str) -> int:
    """Bytes from ``hot_bytes=``. Raises `InvalidOption`."""
    return parse_bytes(hot_bytes, name="hot_bytes")
