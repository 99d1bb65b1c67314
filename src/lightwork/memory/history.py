"""What is kept of each function, how that grew, and what it has saved; read from a store when asked for."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from ..protocols import FUNCTION_BYTES, Entry, Store, SupportsNotes, supports
from .course import Marks, thinned
from .facts import read_facts

if TYPE_CHECKING:
    from .entries import CacheEntry

__all__ = ["FunctionHistory", "History", "histories_of", "kept_by", "on_the_wall"]

_USED: Final = 1.0
"""Seconds from writing to the last use from which on it was one: file systems have clocks of their own."""


class FunctionHistory(NamedTuple):
    """The kept results of one function."""

    name: str
    """``module:qualname``; the first bytes of its keys where the store cannot tell."""

    records: int
    nbytes: int
    seconds: float
    """What it took to compute them."""

    sizes: Marks
    """Seconds since the epoch, and the bytes of those results which were written until then."""

    saved: Marks
    """Seconds since the epoch, and the seconds that results had saved until then."""


class History:
    """The histories of all functions of a store, read when `read` is called.

    Parameters
    ----------
    store
        ``None`` if nothing is kept anywhere.
    saved
        By function, how many seconds results have saved, as far as somebody has counted.
    """

    def __init__(self, store: Store | None, saved: Mapping[str, Marks]) -> None:
        self._store = store
        self.saved = saved

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def read(self) -> list[FunctionHistory]:
        """Look at all entries of the store now (0.7 s per 100,000); those with the most bytes first.

        The seconds saved are those that were counted.
        """
        found = [] if self._store is None else kept_by(self._store)
        known = {history.name for history in found}
        found += [FunctionHistory(name, 0, 0, 0.0, (), ()) for name in self.saved if name not in known]
        return [history._replace(saved=self.saved.get(history.name, ())) for history in found]


def histories_of(entries: "Iterable[CacheEntry]", now: float) -> list[FunctionHistory]:
    """As `kept_by`, of the entries that `Memory.entries` gave at the time `now` (s since the epoch)."""
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for one in entries:
        entry = Entry(one.key, one.nbytes, now - one.age, now - one.unused, one.seconds)
        by_name[one.function or one.key[:FUNCTION_BYTES].hex()].append(entry)
    return _histories(by_name)


def kept_by(store: Store) -> list[FunctionHistory]:
    """What a store holds of each function, those with the most bytes first. Nothing counts as used.

    A store does not count hits. So the seconds saved are the least that is certain: a result that was used
    since it was written has saved its computation once, when it was used last.
    """
    groups: dict[bytes, list[Entry]] = defaultdict(list)
    for entry in store.scan():
        groups[entry.key[:FUNCTION_BYTES]].append(entry)
    by_name: dict[str, list[Entry]] = defaultdict(list)
    for prefix, entries in groups.items():
        by_name[_name(store, prefix)] += entries
    return _histories(by_name)


def _name(store: Store, prefix: bytes) -> str:
    found = store.recent(prefix, 1) if supports(store, SupportsNotes) else ()
    name = read_facts(found[0]).get("function") if found else None
    return str(name or prefix.hex())


def _histories(by_name: Mapping[str, Sequence[Entry]]) -> list[FunctionHistory]:
    found = [_history(name, entries) for name, entries in by_name.items()]
    return sorted(found, key=lambda history: (-history.nbytes, history.name))


def _history(name: str, entries: Sequence[Entry]) -> FunctionHistory:
    used = [entry for entry in entries if entry.accessed > entry.written + _USED]
    return FunctionHistory(
        name,
        len(entries),
        sum(entry.nbytes for entry in entries),
        sum(entry.seconds for entry in entries),
        _growth([(entry.written, float(entry.nbytes)) for entry in entries]),
        _growth([(entry.accessed, entry.seconds) for entry in used]),
    )


def _growth(steps: list[tuple[float, float]]) -> list[tuple[float, float]]:
    steps.sort()
    sums = accumulate(step for _, step in steps)
    return thinned([(moment, sum) for (moment, _), sum in zip(steps, sums, strict=True)])


def on_the_wall(marks: Marks) -> list[tuple[float, float]]:
    """Marks by `time.perf_counter` as marks in seconds since the epoch."""
    offset = time.time() - time.perf_counter()
    return [(moment + offset, value) for moment, value in marks]
