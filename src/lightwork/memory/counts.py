"""Counting calls: one `Counts` for each cached function, all of them in the `Ledger` of their store.

A hit pays half a microsecond for it. Threads may lose a count to each other; nothing depends on one.
"""

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING

from .. import memory
from ..protocols import Record
from .facts import read_facts

if TYPE_CHECKING:
    from .stats import CallStats

__all__ = ["Counts", "Ledger", "summed"]

_DURATION = b'{"duration":'  # facts begin with it: no JSON is read on a hit
_FROM = len(_DURATION)
_COMMA = ord(",")
_EVERY = 1023  # in binary all ones
_LEAST_LOSS = 5.0  # seconds


class Counts:
    """What the calls of one cached function came to so far; see `CallStats`."""

    __slots__ = (
        "__weakref__",
        "asked",
        "hashing",
        "hits",
        "invalid",
        "loaded",
        "loading",
        "misses",
        "saved",
        "seconds",
        "storing",
        "unreadable",
    )

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
        hits = self.hits = self.hits + 1
        return not hits & _EVERY

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
            {"not kept": max(self.misses - sum(causes.values()), 0), **causes},
            self.saved,
            self.hashing,
            self.loading,
            self.storing,
            self.loaded,
        )


class Ledger:
    """The counts of all cached functions of a store in this process, also of those that are gone."""

    def __init__(self) -> None:
        self._open: dict[int, tuple[str, Counts]] = {}
        self._closed: dict[str, CallStats] = {}

    def open(self, owner: object, function_id: str) -> Counts:
        """New counts of a function, which are summed up when `owner` is gone."""
        counts = Counts()
        self._open[id(counts)] = function_id, counts
        weakref.finalize(owner, self._close, id(counts)).atexit = False
        return counts

    def by_function(self) -> "dict[str, CallStats]":
        """The figures of each function that was called."""
        sums = dict(self._closed)
        for function_id, counts in list(self._open.values()):
            sums[function_id] = summed([sums.get(function_id, memory.CallStats()), counts.stats()])
        return {name: stats for name, stats in sorted(sums.items()) if stats.hits or stats.misses}

    def _close(self, number: int) -> None:
        function_id, counts = self._open.pop(number)
        if counts.hits or counts.misses:
            self._closed[function_id] = summed(
                [self._closed.get(function_id, memory.CallStats()), counts.stats()]
            )


def summed(figures: "Iterable[CallStats]") -> "CallStats":
    """The sums of all figures."""
    listed = list(figures)
    causes: dict[str, int] = {}
    for stats in listed:
        for cause, count in stats.causes.items():
            causes[cause] = causes.get(cause, 0) + count
    return memory.CallStats(
        hits=sum(stats.hits for stats in listed),
        misses=sum(stats.misses for stats in listed),
        seconds=sum(stats.seconds for stats in listed),
        causes=causes,
        saved=sum(stats.saved for stats in listed),
        hashing=sum(stats.hashing for stats in listed),
        loading=sum(stats.loading for stats in listed),
        storing=sum(stats.storing for stats in listed),
        loaded=sum(stats.loaded for stats in listed),
    )
