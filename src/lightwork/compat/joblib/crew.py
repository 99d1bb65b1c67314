"""Workers of an engine behind futures: what joblib's backends submit to.

::

    submit (any thread) ──► waiting (deque) + wake ──► pump (a thread) ── send ──► session
                                                       pump ◄── wait ── session
    callbacks of futures ◄── set_result ── pump        (they may submit: no wake is needed then)

The session belongs to the pump alone. A slot has one call, and a second one behind it; what waits behind a
long one is taken back for a slot that has nothing.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from ...errors import WorkerDied
from ...parallel.initializing import Broken
from ...protocols import Batch, Call, Done, Engine, Event, Failed, Lost, Returned, SessionRequest, Told

__all__ = ["Answer", "Crew"]

_DEPTH: Final = 2
"""Calls that a worker has at once: without a second one it would wait for the pump, and for large arguments
to be pickled, between any two (30 fits of 12 ms with 640 KB each: 245 ms, not 219)."""

_PATIENCE: Final = 5.0
"""Seconds to wait for the pump when the crew is dismissed: it may be in the user's iterator, for any time."""


class Answer(Future[Any]):  # Any: what users' functions return
    """What `Crew.submit` gives: a future, and what pools give too."""

    def get(self, timeout: float | None = None) -> Any:
        """As `result`."""
        return self.result(timeout)


class _Job:
    """A call on its way."""

    __slots__ = ("call", "future", "index", "slot")

    def __init__(self, index: int, call: Call) -> None:
        self.index = index
        self.call: Call | None = call
        self.future = Answer()
        self.slot = -1


class Crew:
    """Workers for as long as somebody has calls for them. Rules: a future is set by the pump alone, unless
    the crew is dismissed first; a dismissed crew takes no more calls.

    Parameters
    ----------
    engine, request
        Where, and with how many workers.
    explain
        What to raise for an error of the engine's own, such as `WorkerDied`.
    """

    def __init__(
        self,
        engine: Engine,
        request: SessionRequest,
        *,
        explain: Callable[[BaseException], BaseException],
    ) -> None:
        self._explain = explain
        self._session = engine.open(request)
        self._numbers = itertools.count()
        self._waiting: deque[_Job] = deque()
        self._sent: dict[int, _Job] = {}
        self._loads = [0] * request.n_jobs
        self._asked = [False] * request.n_jobs
        self._lock = threading.Lock()
        self._ending = False
        self._aborted = False
        self._error: BaseException | None = None
        # A daemon: a generator that nobody consumes must not keep the interpreter from leaving.
        self._pump = threading.Thread(target=self._run, name="lightwork-crew", daemon=True)
        self._started = False

    def submit(self, call: Call) -> Answer:
        """Have a call run by the next worker that has nothing to do.

        Raises
        ------
        RuntimeError
            The crew was dismissed, or broke.
        """
        job = _Job(next(self._numbers), call)
        with self._lock:
            if self._ending or self._error is not None:
                raise self._error or RuntimeError("cannot schedule new futures after shutdown")
            self._waiting.append(job)
            starts, self._started = not self._started, True
        if starts:
            self._pump.start()
        elif threading.get_ident() != self._pump.ident:
            self._session.wake()
        return job.future

    def is_idle(self) -> bool:
        """Whether all that was submitted has ended."""
        return not (self._waiting or self._sent)

    def is_broken(self) -> bool:
        """Whether nothing can be submitted any more."""
        return self._ending or self._error is not None

    def dismiss(self, *, abort: bool) -> None:
        """Let the workers go when all is done; with `abort` at once, killing those that can be killed."""
        with self._lock:
            self._ending = True
            self._aborted = self._aborted or abort
            started, self._started = self._started, True
        if not started:
            self._session.close(abort=False)
        elif threading.get_ident() != self._pump.ident:
            self._session.wake()
            self._pump.join(_PATIENCE if abort else None)

    # -- the pump ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not self._is_over():
                self._assign()
                for event in self._session.wait(None):
                    self._take(event)
                    del event  # its values are the user's now
        except BaseException as error:  # noqa: BLE001 - the last stop of this thread: all futures get it
            self._break(self._explain(error))
        self._session.close(abort=self._aborted or self._error is not None)
        self._break(self._error or RuntimeError("the workers were dismissed"))

    def _is_over(self) -> bool:
        if self._aborted or self._error is not None:
            return True
        with self._lock:
            return self._ending and not self._waiting and not self._sent

    def _break(self, error: BaseException) -> None:
        """Nothing will be answered any more."""
        with self._lock:
            self._error = self._error or error
            jobs = [*self._sent.values(), *self._waiting]
            self._sent.clear()
            self._waiting.clear()
        for job in jobs:
            if not job.future.cancel() and not job.future.done():
                job.future.set_exception(error)

    def _assign(self) -> None:
        """Give what waits to those who have least."""
        while self._waiting:
            # One that was asked to give work back gets none before it has reported: it has a long task.
            free = [slot for slot, asked in enumerate(self._asked) if not asked]
            slot = min(free, key=self._loads.__getitem__, default=None)
            if slot is None or self._loads[slot] >= _DEPTH or self._aborted:
                return
            job = self._waiting.popleft()
            if job.slot < 0 and not job.future.set_running_or_notify_cancel():
                continue
            assert job.call is not None, "a call that waits was not answered"
            job.slot = slot
            self._sent[job.index] = job
            self._loads[slot] += 1
            self._session.send(slot, Batch(job.index, [job.call]))
        if 0 in self._loads:
            for slot, load in enumerate(self._loads):
                if load > 1 and not self._asked[slot]:
                    self._asked[slot] = True
                    self._session.take_back(slot)

    def _take(self, event: Event) -> None:
        match event:
            case Done(start=start, values=values):
                for index, value in enumerate(values, start):
                    self._answered(index).future.set_result(value)
            case Failed(index=index, error=error):
                self._answered(index).future.set_exception(error)
            case Returned(slot=slot, start=start, stop=stop):
                for index in reversed(range(start, stop)):
                    self._waiting.appendleft(self._parted(index))
                self._asked[slot] = self._asked[slot] and self._loads[slot] > 0  # it may have begun none
            case Lost(slot=slot, running=running, error=error):
                self._lose(slot, running, error)
            case Told(what=Broken() as broken):
                self._error = self._explain(broken.error)
            case _:
                raise AssertionError(f"nobody asked for {event!r}")

    def _parted(self, index: int) -> _Job:
        job = self._sent.pop(index)
        self._loads[job.slot] -= 1
        return job

    def _answered(self, index: int) -> _Job:
        job = self._parted(index)
        self._asked[job.slot] = False  # not before: a session that gives nothing back answers at once
        job.call = None  # arguments need not live as long as results
        return job

    def _lose(self, slot: int, running: int | None, error: WorkerDied | BaseException) -> None:
        """The worker's task fails. If none ran, all that it had do: it may never come to run one."""
        self._asked[slot] = False
        lost = [index for index, job in self._sent.items() if job.slot == slot]
        for index in lost:
            if running is None or index == running:
                self._answered(index).future.set_exception(self._explain(error))
            else:
                self._waiting.appendleft(self._parted(index))
