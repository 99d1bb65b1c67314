"""The thread engine: tasks share the caller's memory.

::

    driver ──send──► _Worker.inbox (SimpleQueue) ──► thread ──► events (SimpleQueue) ──wait──► driver
       └───take_back──► Work.calls (deque): the thread takes from the left, take_back from the right

Both ends of a deque are atomic, so each task has one taker, and nothing is locked per task.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import Any

from ..errors import EngineError, InvalidOption
from ..protocols import Batch, Call, Done, Event, Failed, Returned, Run, SessionRequest, Told
from ..system.computing import CANCELLATION, WORKER, Cancellation
from ..system.cpu import workers_for
from ..system.signals import begin

__all__ = ["ThreadEngine", "Work", "drain", "refuse", "run_work"]

REPORT_SECONDS = 10e-3
"""Results are reported after at most so much work, and before the task that follows it."""


class ThreadEngine:
    """Runs tasks in threads of this process. Each session starts its own threads and ends them.

    Threads of their own make nested calls safe (nobody waits for a thread that waits for him) and leave
    nothing behind that a fork could break; starting one costs about 50 µs.
    """

    name = "threads"
    shares_memory = True

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As many threads as asked for; negative numbers count back from the number of cores.

        In a task at most the task's share of the cores.
        """
        return workers_for(n_jobs)

    def open(self, request: SessionRequest) -> "ThreadSession":
        """Begin a session.

        Raises
        ------
        InvalidOption
            Options were given: there are none.
        """
        if request.options:
            raise InvalidOption(f'backend="threads" has no option {", ".join(request.options)}')
        return ThreadSession(request)

    def shutdown(self) -> None:
        """Nothing to end: threads belong to sessions."""


class Work:
    """A batch on its way: `calls` shrinks from both ends, ``start + len(...)`` as sent is `stop`."""

    __slots__ = ("calls", "start", "stop")

    def __init__(self, batch: Batch) -> None:
        self.start = batch.start
        self.calls: deque[Call] = deque(batch.calls)
        self.stop = batch.start + len(self.calls)
        """The end of what was not taken back. Only the driver's thread reads and writes it."""


class ThreadSession:
    """Threads that are started with the first batch of their slot. A `Session`."""

    def __init__(self, request: SessionRequest) -> None:
        self._request = request
        self._events: SimpleQueue[Event | None] = SimpleQueue()  # None: woken up
        self._workers: list[_Worker | None] = [None] * request.n_jobs
        self._cancellation = Cancellation()
        self._closed = False

    def send(self, slot: int, batch: Batch) -> None:
        """Queue a batch, and start the slot's thread if it has none."""
        if self._closed:
            raise EngineError("the session is closed")
        worker = self._workers[slot]
        if worker is None:
            # Noted before it is started: an interrupt in between must not leave a thread that nobody ends.
            worker = self._workers[slot] = _Worker(slot, self._request, self._events, self._cancellation)
            begin(worker.thread)
        worker.add(batch)

    def take_back(self, slot: int) -> None:
        """Take what has not started of the last batch that has such tasks; the answer is there at once."""
        worker = self._workers[slot]
        start, stop = worker.take_back() if worker else (0, 0)
        self._events.put(Returned(slot, start, stop))

    def wait(self, timeout: float | None) -> Sequence[Event]:
        """All events that are there, after waiting for the first."""
        try:
            found = [self._events.get(timeout=timeout)]
            while not self._events.empty():
                found.append(self._events.get_nowait())
        except Empty:
            return []
        return [event for event in found if event is not None]

    def wake(self) -> None:
        """Let `wait` return. Safe from any thread, signal handlers and finalizers too."""
        self._events.put(None)

    def close(self, *, abort: bool) -> None:
        """Let the threads end. With `abort`, tasks that run are abandoned: threads cannot be killed.

        Those that ask `is_cancelled` are told.
        """
        self._closed = True
        self._cancellation.on = self._cancellation.on or abort
        workers = [worker for worker in self._workers if worker is not None]
        for worker in workers:
            worker.end()
        if not abort:
            for worker in workers:
                worker.thread.join()  # all have been started: without an abort nothing was interrupted


class _Worker:
    """One slot: a thread, its inbox, and what was sent to it and may still hold unstarted tasks."""

    def __init__(
        self,
        slot: int,
        request: SessionRequest,
        events: "SimpleQueue[Event | None]",
        cancellation: Cancellation,
    ) -> None:
        self._inbox: SimpleQueue[Work | None] = SimpleQueue()  # None: end
        self._sent: deque[Work] = deque()
        # Tasks see the context variables of the caller; each thread has its own copy of them.
        # Daemon threads, so that a task that was abandoned does not keep the interpreter from leaving.
        self.thread = threading.Thread(
            target=copy_context().run,
            args=(_serve, slot, request, self._inbox, events, cancellation),
            name=f"lightwork-{slot}",
            daemon=True,
        )

    def add(self, batch: Batch) -> None:
        while self._sent and not self._sent[0].calls:
            self._sent.popleft()
        work = Work(batch)
        self._sent.append(work)
        self._inbox.put(work)

    def take_back(self) -> tuple[int, int]:
        while self._sent:
            work = self._sent[-1]
            stop = work.stop
            work.stop -= drain(work.calls)
            if work.stop < stop:
                return work.stop, stop
            self._sent.pop()
        return 0, 0

    def end(self) -> None:
        for work in self._sent:
            drain(work.calls)
        self._inbox.put(None)


def drain(calls: "deque[Call]") -> int:
    """Take from the right until nothing is left; how many there were."""
    count = 0
    try:
        while True:
            calls.pop()
            count += 1
    except IndexError:  # empty now; asking for the length first would be a race
        return count


def _serve(
    slot: int,
    request: SessionRequest,
    inbox: "SimpleQueue[Work | None]",
    events: "SimpleQueue[Event | None]",
    cancellation: Cancellation,
) -> None:
    """The life of a thread."""
    runner, stop = request.runner, request.runner.stop
    WORKER.set(slot)
    CANCELLATION.set(cancellation)
    try:
        run = runner.start(lambda index, what: events.put(Told(slot, index, what)))
    except Exception as error:  # noqa: BLE001 - a runner starts users' code; each task reports it
        run, stop = refuse(error), _nothing
    while (work := inbox.get()) is not None:
        run_work(slot, run, work, events, timed=request.timed)
        del work  # not kept alive while waiting for the next
    stop()


def _nothing() -> None:
    """What was not started has no end."""


def refuse(error: Exception) -> Run:
    """What fails each task with the error of its runner."""

    def fail(index: int, call: Call) -> None:
        raise error

    return fail


def run_work(slot: int, run: Run, work: Work, events: "SimpleQueue[Event | None]", *, timed: bool) -> None:
    """Run what is left of a batch, and report it as it ends."""
    take, clock = work.calls.popleft, time.monotonic
    index = start = slowest = work.start
    values: list[Any] = []  # Any: what users' functions return
    ends: list[int] = []
    longest = 0.0
    begin = now = clock()

    def report(end: float) -> None:
        """Tell what was gathered, if there is any."""
        if values:
            known = ends if timed else None
            events.put(Done(slot, start, values, end - begin, begin, (slowest, longest), known))

    failed: BaseException | None
    while True:
        try:
            call = take()
        except IndexError:  # the end, or the rest was taken back
            break
        before = now
        try:
            values.append(run(index, call))
        except BaseException as error:  # noqa: BLE001 - a task's error is its result, and reported as such
            failed = error
        else:
            failed = None
        del call
        now = clock()
        if failed is not None:
            report(before)
            # This frame is left out of the traceback: it would keep the results before it alive.
            failed.__traceback__ = failed.__traceback__ and failed.__traceback__.tb_next
            events.put(Failed(slot, index, failed, now - before, before))
            start, values, ends, begin, longest, failed = index + 1, [], [], now, 0.0, None
        else:
            if now - before > longest:
                slowest, longest = index, now - before
            if timed:
                ends.append(int(now * 1e9))
            if now - begin > REPORT_SECONDS:
                report(now)
                start, values, ends, begin, longest = index + 1, [], [], now, 0.0
        index += 1
    report(now)
