"""Counting calls: one `Counts` for each cached function, all of them in the `Ledger` of their store.

A hit pays 0.8 µs for it. Threads may lose a count to each other; nothing depends on one.
"""

import time
import weakref
from typing import TYPE_CHECKING

from .. import memory
from ..protocols import Record
from .facts import read_facts

if TYPE_CHECKING:
    from .course import Course, Marks
    from .stats import CallStats

__all__ = ["Counts", "Ledger"]

_DURATION = b'{"duration":'  # facts begin with it: no JSON is read on a hit
_FROM = len(_DURATION)
_COMMA = ord(",")
_EVERY = 1023  # in binary all ones
_LEAST_LOSS = 5.0  # seconds


_FIGURES = (
    "hits",
    "misses",
    "asked",
    "invalid",
    "unreadable",
    "seconds",
    "saved",
    "hashing",
    "loading",
    "storing",
    "loaded",
    "unkept",
)


class Counts:
    """What the calls of one cached function came to so far; see `CallStats`."""

    __slots__ = (*_FIGURES, "_due", "_saved")

    def __init__(self) -> None:
        self.hits = 0
        self.misses = 0
        self.asked = 0
        self.invalid = 0
        self.unreadable = 0
        self.seconds = 0.0
        self.saved = 0.0
        self.hashing = 0.0
        self.loading = 0.0
        self.storing = 0.0
        self.loaded = 0
        self.unkept = 0
        self._saved: Course | None = None
        self._due = 0.0  # when `saved` is to be noted (s of the clock of hits)

    def hit(self, begun: float, keyed: float, ended: float, record: Record) -> bool:
        """A call that found `record`; three moments of it (s). Whether it is time to look at `is_loss`."""
        self.hashing += keyed - begun
        self.loading += ended - keyed
        skeleton, buffers, facts = record
        try:
            self.saved += float(facts[_FROM : facts.index(_COMMA, _FROM)])
        except ValueError:  # facts of another store
            self.saved += read_facts(facts).get("duration", 0.0)
        self.loaded += len(skeleton)
        if buffers:
            self.loaded += sum(memoryview(buffer).nbytes for buffer in buffers)
        if ended > self._due:
            self._mark(ended)
        hits = self.hits = self.hits + 1
        return not hits & _EVERY

    def add(self, other: "Counts") -> None:
        """Add the figures of others."""
        if other.saved:
            together = memory.course.summed([self.course(), other.course()])
            self._saved = memory.course.Course(together)
        for name in _FIGURES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def course(self) -> "Marks":
        """The seconds saved until some moments of `time.perf_counter`, the last of which is now."""
        if self._saved is None:
            return ()
        marks, now = self._saved.marks, time.perf_counter()
        return marks if marks[-1][1] == self.saved else [*marks, (now, self.saved)]

    def _mark(self, moment: float) -> None:
        if self._saved is None:
            self._saved = memory.course.Course()
        self._due = self._saved.mark(moment, self.saved)

    @property
    def is_loss(self) -> bool:
        """Whether keeping results has cost five seconds more than it saved."""
        return self.hashing + self.loading + self.storing > self.saved + _LEAST_LOSS

    def stats(self) -> "CallStats":
        """The figures as they are now."""
        causes = {"invalid": self.invalid, "unreadable": self.unreadable, "asked for": self.asked}
        return memory.CallStats(
            self.hits,
            self.misses,
            self.seconds,
            {"new": max(self.misses - sum(causes.values()), 0), **causes},
            self.saved,
            self.hashing,
            self.loading,
            self.storing,
            self.loaded,
            self.unkept,
        )


class Ledger:
    """The counts of all cached functions of a store in this process, also of those that are gone."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str, Counts]] = {}
        self._closed: dict[str, Counts] = {}

    def open(self, owner: object, function_id: str) -> Counts:
        """New counts of a function, which are summed up when `owner` is gone."""
        counts = Counts()
        self._open[id(counts)] = function_id, counts
        weakref.finalize(owner, self._close, id(counts)).atexit = False
        return counts

    def by_function(self) -> dict[str, Counts]:
        """The sums for each function that was called."""
        sums: dict[str, Counts] = {}
        for function_id, counts in [*self._closed.copy().items(), *self._open.values()]:
            if counts.hits or counts.misses:
                sums.setdefault(function_id, Counts()).add(counts)
        return dict(sorted(sums.items()))

    def _close(self, number: int) -> None:
        function_id, counts = self._open.pop(number)
        self._closed.setdefault(function_id, Counts()).add(counts)
