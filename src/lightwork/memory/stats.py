"""Figures about calls."""

from typing import NamedTuple

__all__ = ["CallStats"]


class CallStats(NamedTuple):
    """What the calls of one cached function came to in this process (with several threads: nearly)."""

    hits: int
    misses: int
    """Calls that ran the function."""

    seconds: float
    """Time spent in the function itself."""
