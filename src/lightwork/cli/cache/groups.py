"""The results of each function together. Pure."""

from collections.abc import Iterable
from typing import NamedTuple

from ...memory.entries import CacheEntry

__all__ = ["FunctionTotals", "by_function"]

_UNNAMED = "(not known)"


class FunctionTotals(NamedTuple):
    """What is kept of one function."""

    function: str
    results: int
    nbytes: int
    """Bytes; what several results share counts for each of them."""

    seconds: float
    """What it would cost to compute all of them again."""

    age: float
    """Seconds since the oldest one was written."""

    unused: float
    """Seconds since any of them was used."""

    @property
    def worth(self) -> float:
        """Seconds saved per MiB, by a hit on each."""
        return self.seconds / max(self.nbytes, 1) * (1 << 20)


def by_function(entries: Iterable[CacheEntry]) -> list[FunctionTotals]:
    """The totals of each function, the dearest first."""
    groups: dict[str, list[CacheEntry]] = {}
    for entry in entries:
        groups.setdefault(entry.function or _UNNAMED, []).append(entry)
    totals = [
        FunctionTotals(
            function,
            len(group),
            sum(entry.nbytes for entry in group),
            sum(entry.seconds for entry in group),
            max(entry.age for entry in group),
            min(entry.unused for entry in group),
        )
        for function, group in groups.items()
    ]
    return sorted(totals, key=lambda found: (-found.seconds, found.function))
