"""Figures about calls."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from .. import memory
from ..system.units import counted

if TYPE_CHECKING:
    from .history import History

__all__ = ["CallStats", "MemoryStats"]


class CallStats(NamedTuple):
    """What the calls of cached functions came to in this process (with several threads: nearly)."""

    hits: int = 0
    misses: int = 0
    """Calls that ran the function."""

    seconds: float = 0.0
    """Time spent in the function itself."""

    causes: Mapping[str, int] = MappingProxyType({})
    """Misses by cause: ``"new"``, nothing was kept for the call; ``"invalid"``, refused by
    ``cache_validation_callback`` or too old; ``"unreadable"``; ``"asked for"`` with ``.call``. The
    ``.explain`` of a cached function tells more of one call."""

    saved: float = 0.0
    """Seconds that the calls which were hits took when they were computed."""

    hashing: float = 0.0
    """Seconds spent on keys."""

    loading: float = 0.0
    """Seconds spent on reading results that were kept."""

    storing: float = 0.0
    """Seconds spent on keeping results."""

    loaded: int = 0
    """Bytes of the results of hits; large arrays are mapped, and read when they are used."""

    unkept: int = 0
    """Results that were returned, and not kept: the cache could not be written, or was cleared meanwhile."""

    def __str__(self) -> str:
        found = [(cause, count) for cause, count in self.causes.items() if count]
        is_one = len(found) == 1 and found[0][1] == self.misses
        causes = found[0][0] if is_one else ", ".join(f"{count:,} {cause}" for cause, count in found)
        causes = causes and f" ({causes})"
        unkept = f", {counted(self.unkept, 'result')} not kept" if self.unkept else ""
        return (
            f"{counted(self.hits, 'hit')}, {counted(self.misses, 'miss')}{causes}{unkept}; "
            f"saved {self.saved:.3g} s, computed {self.seconds:.3g} s; "
            f"hashing {self.hashing:.3g} s, loading {self.loading:.3g} s, storing {self.storing:.3g} s"
        )

    def _repr_html_(self) -> str:
        return memory.picture.fragment_of_calls(self)


class MemoryStats(NamedTuple):
    """What a cache holds, and what the calls of its functions came to in this process."""

    calls: CallStats
    """Of all functions together."""

    functions: Mapping[str, CallStats]
    """Of each function that was called, by ``module:qualname``."""

    records: int
    """Results that are kept, by whatever process."""

    nbytes: int
    """Their size (bytes); what several of them share is counted once if the store can tell."""

    mappings: int
    """Live mappings of files in this process."""

    most_mappings: int
    """Beyond so many, large arrays are read instead of mapped."""

    history: "History | None" = None
    """How all of it grew, which is read from the cache when a page is saved."""

    def __str__(self) -> str:
        lines = [f"{counted(self.records, 'result')}, {counted(self.nbytes, 'byte')}", str(self.calls)]
        return "\n".join([*lines, *(f"  {name}: {stats}" for name, stats in self.functions.items())])

    def _repr_html_(self) -> str:
        return memory.picture.fragment_of(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write one HTML file that needs nothing else: size and seconds saved by function over time.

        The size is that of the results which the cache holds now, of which each is looked at (0.7 s per
        100,000). The seconds saved are those of this process.

        Parameters
        ----------
        path
            Its name, which ends in ``.html``. An older file gives way when the new one is whole.

        Raises
        ------
        InvalidOption
            The name does not end in ``.html`` or ``.htm``, or its folder is not there.
        OSError
            As from `open` and `write`.
        """
        memory.picture.save_page(path, memory.picture.page_of_stats(self))
