"""Tasks that take too long: found by a look at control pages, without a message from the worker."""

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from .link import WorkerLink

__all__ = ["Lateness", "Overdue"]

_AGAIN: Final = 0.001
"""Seconds between two looks."""

_WRITING: Final = 0.5
"""Seconds that a worker has for writing its stack before it is ended. It takes a millisecond, if it gets a
core and does not block signals."""


class Overdue:
    """A task that takes too long, as ``ControlPage.task`` gave it, and when the next step is taken."""

    __slots__ = ("doomed_at", "stack", "task", "until")

    def __init__(self, task: tuple[int, int], until: float) -> None:
        self.task = task
        self.until = until
        self.doomed_at: float | None = None
        """When the worker was told to write its stack. A signal can cut short what the task waits for in C
        code, so nothing that the worker says of this task or later ones counts any more."""
        self.stack = ""
        """What it had written at the last look."""

    @property
    def is_doomed(self) -> bool:
        """Whether the worker was told."""
        return self.doomed_at is not None


class _Place(Protocol):
    """What is looked at: a slot."""

    link: "WorkerLink | None"
    overdue: Overdue | None


class _Executioner(Protocol):
    """Who ends workers: the pool."""

    def look_at(self, link: "WorkerLink") -> None: ...

    def end_worker(self, link: "WorkerLink") -> None: ...


class Lateness:
    """The limit of a session, in seconds of a task's own time: waiting in a queue does not count.

    A task is late when two looks find it running. Its index and its start are not read at one moment, so a
    single look could take the next one for it.
    """

    def __init__(self, limit: float, pool: _Executioner) -> None:
        self.limit = limit
        self._pool = pool

    def look(self, places: Iterable[_Place], patience: float | None) -> float | None:
        """Do what is due now; seconds until the next look, at most `patience`."""
        now = time.monotonic()
        nearest = min(
            (self._look(place, now) for place in places if place.link is not None), default=math.inf
        )
        if patience is not None:
            nearest = min(nearest, patience)
        return None if nearest == math.inf else nearest

    def _look(self, place: _Place, now: float) -> float:
        link = place.link
        assert link is not None, "asked for places with a worker"
        task, overdue = link.page.task(), place.overdue
        if overdue is None or overdue.doomed_at is None:
            if task is None or task[1] * 1e-9 + self.limit > now:
                place.overdue = None
                # What starts now is late after the limit.
                return self.limit if task is None else task[1] * 1e-9 + self.limit - now
            if overdue is None or overdue.task != task:
                place.overdue = Overdue(task, now + _AGAIN)
                return _AGAIN
        if now < overdue.until:
            return overdue.until - now
        if overdue.doomed_at is None:
            self._pool.look_at(link)
            overdue.doomed_at = now
        elif self._has_written(overdue, link.page.stack()) or now - overdue.doomed_at >= _WRITING:
            self._pool.end_worker(link)
            overdue.until = math.inf  # its end will be reported
            return math.inf
        overdue.until = now + _AGAIN
        return _AGAIN

    def _has_written(self, overdue: Overdue, stack: str) -> bool:
        """Whether there is a stack, and it has not grown since the last look."""
        before, overdue.stack = overdue.stack, stack
        return bool(stack) and stack == before
