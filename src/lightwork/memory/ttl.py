"""How long results live, as users say it, and why one lives no more; `validity` decides."""

import math
from typing import TYPE_CHECKING

from .. import memory
from ..system import units
from .facts import Metadata
from .validity import is_alive, shorter

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["expiry", "parse_ttl"]


def parse_ttl(ttl: "float | str | timedelta | None") -> float | None:
    """Seconds, ``> 0``, from ``ttl=``: seconds, a `timedelta` or a text like ``"1h"``.

    ``math.inf`` is for ever; ``None`` is left to another option.
    """
    if ttl is None or ttl == math.inf:
        return ttl  # type: ignore[return-value]  # one of the two
    return units.parse_seconds(ttl, name="ttl")


def expiry(facts: Metadata, ttl: float | None, now: float) -> str:
    """Why a result is not alive, after "its result is kept, "; empty if it is."""
    if is_alive(facts, ttl, now):
        return ""
    limit, written = shorter(facts.get("ttl"), ttl), facts.get("time")
    if limit is None or not isinstance(written, int | float):
        return "without the time at which it was written"
    if written > now:
        return "and was written in the future: the clock of its machine was ahead of ours"
    how_long = memory.reasons.how_long
    return f"and has expired: written {how_long(now - written)} ago, ttl {how_long(limit)}"
