"""Single calls on their way: what a `Crew` holds of each, and in which order they go.

A job is in one place at a time: it *waits*, was *sent* to a worker, pauses before another attempt (*later*),
or was *claimed* by a thread that would otherwise wait for it.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from heapq import heappop, heappush
from typing import Any, TypeVar

from ..protocols import Call

__all__ = ["Answer", "Job", "Jobs"]

T = TypeVar("T")


class Answer(Future[T]):
    """What `Crew.submit` gives: a future, and what pools give too."""

    def __init__(self) -> None:
        super().__init__()
        self.before_waiting: Callable[[float | None], None] | None = None
        """Called by who asks for the result, with the timeout, as long as there is none."""

    def result(self, timeout: float | None = None) -> T:
        """As that of `concurrent.futures.Future`."""
        self._prepare(timeout)
        return super().result(timeout)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """As that of `concurrent.futures.Future`."""
        self._prepare(timeout)
        return super().exception(timeout)

    def get(self, timeout: float | None = None) -> T:
        """As `result`."""
        return self.result(timeout)

    def _prepare(self, timeout: float | None) -> None:
        prepare = self.before_waiting
        if prepare is not None and not self.done():
            prepare(timeout)


class Job:
    """A call on its way."""

    __slots__ = (
        "call",
        "crashes",
        "errors",
        "future",
        "index",
        "is_claimed",
        "is_running",
        "losses",
        "priority",
        "slot",
    )

    def __init__(self, index: int, call: Call, priority: int = 0) -> None:
        self.index = index
        self.call: Call | None = call
        self.priority = priority
        self.future: Answer[Any] = Answer()  # Any: what the user's function returns
        self.slot = -1
        """The worker that has it, -1 if none."""
        self.is_running = False
        """For its future it has begun, so nobody can cancel it any more."""
        self.is_claimed = False
        self.errors = self.crashes = 0
        self.losses = 0
        """Workers that were lost with it, none of which was seen to run it."""

    def __lt__(self, other: "Job") -> bool:
        """Whether it goes before another one."""
        return (-self.priority, self.index) < (-other.priority, other.index)

    def begin(self) -> bool:
        """Whether it may run: nobody has cancelled it."""
        if not self.is_running:
            self.is_running = self.future.set_running_or_notify_cancel()
        return self.is_running

    def end(self) -> Answer[Any]:
        """Its future, to be set now. Arguments need not live as long as results."""
        self.call = None
        self.future.before_waiting = None
        return self.future


class Jobs:
    """All jobs of a crew that have not ended. Safe to use from several threads.

    What was claimed stays where it was until it is met there.
    """

    def __init__(self) -> None:
        # Of a kind that the same thread may take twice: a finalizer may submit in the middle of anything.
        self.lock = threading.RLock()
        self._waiting: list[Job] = []  # a heap
        self._later: list[tuple[float, Job]] = []  # a heap: when they are due
        self._sent: dict[int, Job] = {}

    def __bool__(self) -> bool:
        return bool(self._waiting or self._later or self._sent)

    def add(self, job: Job) -> None:
        """Let a job wait for its turn."""
        with self.lock:
            job.slot = -1
            heappush(self._waiting, job)

    def postpone(self, job: Job, seconds: float) -> None:
        """Let it wait after a pause."""
        with self.lock:
            job.slot = -1
            heappush(self._later, (time.monotonic() + seconds, job))

    def ripen(self) -> None:
        """Let those wait for a worker whose pause is over."""
        with self.lock:
            now = time.monotonic()
            while self._later and self._later[0][0] <= now:
                heappush(self._waiting, heappop(self._later)[1])

    def pause(self) -> float | None:
        """Seconds until the next of those that pause is due; ``None`` if none does."""
        with self.lock:
            return max(0.0, self._later[0][0] - time.monotonic()) if self._later else None

    def next(self, slot: int) -> Job | None:
        """The job that a worker gets now, noted as sent to it."""
        with self.lock:
            while self._waiting:
                job = heappop(self._waiting)
                if job.is_claimed:
                    continue
                if job.begin():
                    job.slot = slot
                    self._sent[job.index] = job
                    return job
                job.end()  # it was cancelled
        return None

    def claim(self, job: Job) -> bool:
        """Whether the calling thread may run a job: no worker has it, and nobody else has claimed it."""
        with self.lock:
            if job.slot >= 0 or job.is_claimed or job.call is None:
                return False
            job.is_claimed = True
        return job.begin()

    def part(self, index: int) -> Job:
        """A job that was sent, which its worker has no more."""
        with self.lock:
            return self._sent.pop(index)

    def of(self, slot: int) -> list[Job]:
        """What a worker has, in the order sent."""
        with self.lock:
            return [job for job in self._sent.values() if job.slot == slot]

    def unsent(self) -> list[Job]:
        """Those that no worker has."""
        with self.lock:
            return [*self._waiting, *(job for _, job in self._later)]

    def drop(self) -> list[Job]:
        """Forget all jobs; those that were not claimed."""
        with self.lock:
            jobs = [*self._sent.values(), *self.unsent()]
            self._waiting, self._later, self._sent = [], [], {}
        return [job for job in jobs if not job.is_claimed]
