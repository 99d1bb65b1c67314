"""The engine without workers: `wait` runs the next task itself, in the thread that waits."""

import time
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from ..errors import EngineError, InvalidOption
from ..protocols import Batch, Call, Done, Event, Failed, Returned, Run, SessionRequest, Told

__all__ = ["SequentialEngine"]


class _Task(NamedTuple):
    slot: int
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    call: Call


class SequentialEngine:
    """Runs tasks one by one in the caller's thread, in the order in which they were sent.

    `Parallel` itself needs no session for this (it runs a plain loop); the engine is here so that whatever
    speaks to engines can speak to this one too.
    """

    name = "sequential"
    shares_memory = True

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Always 1."""
        return 1

    def open(self, request: SessionRequest) -> "SequentialSession":
        """Begin a session.

        Raises
        ------
        InvalidOption
            Options were given: there are none.
        """
        if request.options:
            raise InvalidOption(f'backend="sequential" has no option {", ".join(request.options)}')
        return SequentialSession(request)

    def shutdown(self) -> None:
        """Nothing to end."""


class SequentialSession:
    """A queue of tasks. A `Session`; each `wait` runs one task."""

    def __init__(self, request: SessionRequest) -> None:
        self._runner = request.runner
        self._queue: deque[_Task] = deque()
        self._ready: list[Event] = []
        self._run: Run | None = None
        self._closed = False

    def send(self, slot: int, batch: Batch) -> None:
        """Queue the tasks."""
        if self._closed:
            raise EngineError("the session is closed")
        self._queue.extend(_Task(slot, index, call) for index, call in enumerate(batch.calls, batch.start))

    def take_back(self, slot: int) -> None:
        """Give back the last run of consecutive tasks of the slot: none has started outside of `wait`."""
        mine = [task for task in self._queue if task.slot == slot]
        stop = start = mine[-1].index + 1 if mine else 0
        while mine and mine[-1].index == start - 1:
            start -= 1
            self._queue.remove(mine.pop())
        self._ready.append(Returned(slot, start, stop))

    def wait(self, timeout: float | None) -> Sequence[Event]:
        """Report what was taken back, or run the next task and report it. Never sleeps."""
        if self._queue and not self._ready:
            self._run_next()
        events, self._ready = self._ready, []
        return events

    def _run_next(self) -> None:
        task = self._queue.popleft()
        if self._run is None:
            self._run = self._runner.start(partial(self._tell, task.slot))
        begin = time.monotonic()
        try:
            value = self._run(task.index, task.call)
        except Exception as error:  # noqa: BLE001 - a task's error is its result, and reported as such
            self._ready.append(Failed(task.slot, task.index, error, time.monotonic() - begin, begin))
        else:
            seconds = time.monotonic() - begin
            self._ready.append(Done(task.slot, task.index, [value], seconds, begin, (task.index, seconds)))

    def _tell(self, slot: int, index: int, what: object) -> None:
        self._ready.append(Told(slot, index, what))

    def wake(self) -> None:
        """Nothing to do: `wait` never sleeps."""

    def close(self, *, abort: bool) -> None:
        """Forget the tasks that were not run."""
        self._queue.clear()
        if self._run is not None and not self._closed:
            self._runner.stop()
        self._closed = True
