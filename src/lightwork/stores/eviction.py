"""Which records have to go. Pure: figures in, keys out; no store, no clock.

Two rules. `least_recent` is the plain one, for limits that the user sets by hand. `least_worth` is for limits
that hold by themselves: it keeps what is expensive per byte and was used not long ago. The worth of a record
is the time that it can be expected to save per byte that it takes and per second that it stays::

    worth = (seconds + 0.1 ms) / (bytes + 256) / (seconds since its last use)

since a record that nobody asked for in the last hour will be asked for about once in the next, if ever. Equal
records go in the order of their last use; one that took a hundred times as long stays a hundred times as
long, and then goes too, which is what the clock of GreedyDual-Size is for. Nothing has to be counted at a
hit and nothing written but the time of the last use.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..protocols import Entry

__all__ = ["Candidate", "least_recent", "least_worth"]

_CALL = 1e-4
"""Seconds that any miss costs, however short the call: of two free results the smaller one stays."""

_ROW = 256
"""Bytes that any record costs beside its content."""

_SHORTEST = 1e-3
"""Seconds; shorter ago, or in the future of a clock that was set back, is now."""


class Candidate(NamedTuple):
    """A record that may go."""

    number: int
    accessed: float
    """Seconds since the epoch."""

    nbytes: int
    seconds: float
    """How long the call took."""


def least_worth(
    candidates: Sequence[tuple[int, float, int, float]], *, nbytes: int, items: int, now: float
) -> list[int]:
    """The numbers of the records that are worth least, as many as free `nbytes` and are `items`.

    Parameters
    ----------
    candidates
        As `Candidate`.
    nbytes, items
        What to free at least. All go if that is not enough.
    now
        Seconds since the epoch.
    """
    # Rows and not Candidates: a round looks at some ten thousand while others wait for the database.
    ordered = sorted(
        [
            ((seconds + _CALL) / (size + _ROW) / max(now - accessed, _SHORTEST), number, size)
            for number, accessed, size, seconds in candidates
        ]
    )
    doomed: list[int] = []
    freed = 0
    for _, number, size in ordered:
        if freed >= nbytes and len(doomed) >= items:
            break
        doomed.append(number)
        freed += size
    return doomed


def least_recent(
    entries: Iterable[Entry],
    *,
    max_bytes: int | None = None,
    max_items: int | None = None,
    accessed_since: float | None = None,
) -> list[bytes]:
    """The keys of the least recently used entries that have to go until all limits hold."""
    ordered = sorted(entries, key=lambda entry: (entry.accessed, entry.nbytes))
    items, nbytes = len(ordered), sum(entry.nbytes for entry in ordered)
    doomed = []
    for entry in ordered:
        too_many = max_items is not None and items > max_items
        too_much = max_bytes is not None and nbytes > max_bytes
        too_old = accessed_since is not None and entry.accessed < accessed_since
        if not (too_many or too_much or too_old):
            break
        doomed.append(entry.key)
        items, nbytes = items - 1, nbytes - entry.nbytes
    return doomed
