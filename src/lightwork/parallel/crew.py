"""Workers of an engine behind futures: where single calls are submitted to.

::

    submit (any thread) ──► Jobs + wake ──► pump (a thread) ── send ──► session
                                            pump ◄── wait ── session
    callbacks of futures ◄── set_result ── pump        (they may submit: no wake is needed then)

The session belongs to the pump alone. It leaves when nothing is to be done and the next `submit` starts
another, so that a program that ends waits for what was submitted and for nothing else. A slot has one call,
and perhaps a second one behind it; what waits behind a long one is taken back for a slot that has nothing.
"""

import itertools
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import InvalidStateError
from contextlib import suppress
from contextvars import Context, ContextVar
from functools import partial
from typing import Any, Final

from ..errors import EngineError
from ..protocols import (
    Batch,
    Call,
    Done,
    Engine,
    Event,
    Failed,
    Lost,
    Returned,
    Run,
    SessionRequest,
    Tell,
    Told,
)
from ..system.optional import loaded
from ..system.signals import awaited, begin
from .driver import Listener
from .initializing import Broken
from .jobs import Answer, Job, Jobs
from .retrying import Retry, chance, is_crash

__all__ = ["DEPTH", "Answer", "Crew", "Member"]

DEPTH: Final = 2
"""Calls that a worker has at once: without a second one it would wait for the pump, and for large arguments
to be pickled, between any two (30 fits of 12 ms with 640 KB each: 245 ms, not 219)."""

_PATIENCE: Final = 5.0
"""Seconds to wait for the pump when the crew is dismissed: it may be in the user's iterator, for any time."""

_LINGER: Final = 0.05
"""Seconds that the pump stays with nothing to do: another one takes 0.1 ms to start, and a program that ends
waits for the rest of this time. A guess."""

_MAX_LOSSES: Final = 3
"""Workers that may be lost with a call that none of them was seen to run, before that is its fault."""

_MEMBERSHIPS: ContextVar["frozenset[Member]"] = ContextVar("lightwork_memberships", default=frozenset())


class Member:
    """A `Layer` by which a crew knows its threads, and those of calls and executors that its tasks make."""

    __slots__ = ()

    def enter(self, inner: Run, tell: Tell) -> Run:
        """From now on this thread belongs to the crew."""
        _MEMBERSHIPS.set(_MEMBERSHIPS.get() | {self})
        return inner

    def leave(self) -> None:
        """No more."""
        _MEMBERSHIPS.set(_MEMBERSHIPS.get() - {self})

    def is_inside(self) -> bool:
        """Whether the running code is in a task of the crew."""
        return self in _MEMBERSHIPS.get()


class Crew:
    """Workers for as long as somebody has calls for them. Rules: a future is set by the pump alone, unless
    its job was claimed, or the crew is dismissed first; a dismissed crew takes no more calls.

    Parameters
    ----------
    engine, request
        Where, and with how many workers.
    explain
        What to raise for an error of the engine's own, such as `WorkerDied`.
    hear
        Gets what the runner says of calls, in the pump. Its error breaks the crew.
    retry
        Which calls that failed are tried again.
    member
        The layer of the runner that makes threads known, if there is one. A call that one of them waits for,
        and that has not begun, is run by that thread.
    depth
        Calls that a worker has at once.
    context
        The variables that threads find, and what hears. Without one they find none.
    daemon
        Whether a program may end before its calls have.
    """

    def __init__(
        self,
        engine: Engine,
        request: SessionRequest,
        *,
        explain: Callable[[BaseException], BaseException],
        hear: Listener | None = None,
        retry: Retry | None = None,
        member: Member | None = None,
        depth: int = DEPTH,
        context: Context | None = None,
        daemon: bool = True,
    ) -> None:
        self._explain = explain
        self._hear = hear or _refuse_broken
        self._retry = retry or Retry(0)
        self._member = member
        self._depth = depth
        self._daemon = daemon
        self._process = os.getpid()
        self._context = context or Context()
        self._session = engine.open(request)
        self._numbers = itertools.count()
        self._jobs = Jobs()
        self._loads = [0] * request.n_jobs
        self._asked = [False] * request.n_jobs
        self._ending = False
        self._aborted = False
        self._error: BaseException | None = None
        self._pump: threading.Thread | None = None
        """``None`` if none runs."""
        self._rests = False
        self._closed = False
        self._over = threading.Event()

    @property
    def error(self) -> BaseException | None:
        """Why nothing can run any more."""
        return self._error

    def submit(
        self, call: Call, *, priority: int = 0
    ) -> Answer[Any]:  # Any: what the user's function returns
        """Have a call run by the next worker that has nothing to do, before those of lower priority.

        Raises
        ------
        RuntimeError
            The crew was dismissed, or broke, or belongs to the process that this one was forked from.
        """
        self._check_process()
        job = Job(next(self._numbers), call, priority)
        job.future.before_waiting = partial(self._before_waiting, job)
        with self._jobs.lock:
            if self._ending or self._error is not None:
                raise self._error or RuntimeError("cannot schedule new futures after shutdown")
            starts = self._pump is None
            if starts:
                self._start()  # which may fail, when the program ends
            self._jobs.add(job)
        if not starts and not self._is_pump():
            self._session.wake()
        return job.future

    def is_idle(self) -> bool:
        """Whether all that was submitted has ended."""
        return not self._jobs

    def is_broken(self) -> bool:
        """Whether nothing can be submitted any more."""
        return self._ending or self._error is not None

    def is_foreign(self) -> bool:
        """Whether it belongs to the process that this one was forked from."""
        return os.getpid() != self._process

    def cancel_waiting(self) -> None:
        """Cancel all calls that no worker has."""
        if not self.is_foreign():
            for job in self._jobs.unsent():
                job.future.cancel()

    def dismiss(self, *, abort: bool, wait: bool = True) -> None:
        """Let the workers go when all is done; with `abort` at once, killing those that can be killed.

        With `wait` not before that is done, unless a task or a callback of the crew asks for it.
        """
        if self.is_foreign():
            return  # the session has closed what this process has of it
        with self._jobs.lock:
            self._ending = True
            self._aborted = self._aborted or abort
            pump = self._pump
        if pump is None:
            self._close()
        elif not self._is_pump():
            self._session.wake()
            if wait and not (self._member is not None and self._member.is_inside()):
                # Not `join`, which in some Pythons takes the thread for dead after a Ctrl-C.
                awaited(self._over, _PATIENCE if abort else None)

    # -- who waits --------------------------------------------------------------------------------------

    def _before_waiting(self, job: Job, timeout: float | None) -> None:
        """Somebody is about to wait for a job. If all of us did, nobody would run it."""
        self._check_process()
        if self._member is not None and self._member.is_inside():
            if timeout is None and self._jobs.claim(job):
                self._run_claimed(job)
        elif self._is_pump():
            raise RuntimeError(
                "a callback of a future cannot wait for another call of its executor: the answer would come "
                "by the same thread. Submit in the callback, and wait elsewhere"
            )

    def _run_claimed(self, job: Job) -> None:
        """Run a job in this thread, which is one of ours, as a part of the task that waits for it."""
        sharing = loaded("lightwork.parallel.sharing")  # without it there are no handles
        while job.call is not None:
            function, args, kwargs = job.call if sharing is None else sharing.resolved(job.call)
            try:
                value = function(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - a task's error is its result
                if self._may_try_again(job, error, crashed=False):
                    time.sleep(self._retry.pause(job.errors, chance()))
                else:
                    job.end().set_exception(error)
            else:
                job.end().set_result(value)

    def _check_process(self) -> None:
        if self.is_foreign():
            raise EngineError(
                "these workers belong to the process that this one was forked from: make an executor here"
            )

    def _is_pump(self) -> bool:
        return self._pump is not None and threading.get_ident() == self._pump.ident

    # -- the pump ---------------------------------------------------------------------------------------

    def _start(self) -> None:
        pump = threading.Thread(
            target=self._context.copy().run, args=(self._run,), name="lightwork-crew", daemon=self._daemon
        )
        self._pump, self._rests = pump, False
        try:
            begin(pump)
        except BaseException:
            self._pump = None  # if it runs all the same, after an interrupt, it sees that it is not wanted
            raise

    def _run(self) -> None:
        with self._jobs.lock:  # who starts a pump holds it
            if not self._is_pump():
                return
        try:
            self._assign()
            while self._goes_on():
                for event in self._session.wait(_LINGER if self._rests else self._jobs.pause()):
                    self._take(event)
                    del event  # its values are the user's now
                self._assign()
        except BaseException as error:  # noqa: BLE001 - the last stop of this thread: all futures get it
            self._error = self._error or self._explain(error)
        if self._is_pump():
            self._close()

    def _goes_on(self) -> bool:
        with self._jobs.lock:
            if self._aborted or self._error is not None:
                return False
            is_idle = not self._jobs
            if is_idle and self._ending:
                return False
            if is_idle and self._rests:
                self._pump = None  # under the lock: who submits from now on starts another
                return False
            self._rests = is_idle
            return True

    def _close(self) -> None:
        """Nothing will be answered any more."""
        with self._jobs.lock:
            closed, self._closed = self._closed, True
            broken, self._error = self._error, self._error or RuntimeError("the workers were dismissed")
        if closed:
            return
        try:
            self._session.close(abort=self._aborted or broken is not None)
        finally:
            for job in self._jobs.drop():
                future = job.end()
                if broken is not None or not future.cancel():
                    with suppress(InvalidStateError):  # it was cancelled
                        future.set_exception(self._error)
            self._over.set()

    def _assign(self) -> None:
        """Give what waits to those who have least."""
        self._jobs.ripen()  # here alone: what waits for a worker was offered to all
        while not self._aborted and self._error is None:
            # One that was asked to give work back gets none before it has reported: it has a long task.
            free = [slot for slot, asked in enumerate(self._asked) if not asked]
            slot = min(free, key=self._loads.__getitem__, default=None)
            if slot is None or self._loads[slot] >= self._depth:
                return
            job = self._jobs.next(slot)
            if job is None:
                break
            assert job.call is not None, "a call that waits was not answered"
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
                    self._answered(index).end().set_result(value)
            case Failed(index=index, error=error):
                # After an initializer has failed so do the calls of its worker, for no reason of their own.
                self._fail(self._answered(index), error, self._error or error, crashed=False)
            case Returned(slot=slot, start=start, stop=stop):
                for index in range(start, stop):
                    self._jobs.add(self._parted(index))
                self._asked[slot] = self._asked[slot] and self._loads[slot] > 0  # it may have begun none
            case Lost(slot=slot, running=running, error=error):
                self._lose(slot, running, error)
            case Told(index=index, what=what):
                try:
                    self._hear(index, what)
                except BaseException as error:  # noqa: BLE001 - of the initializer, or of who hears
                    self._error = self._explain(error)
            case _:
                raise AssertionError(f"nobody asked for {event!r}")

    def _parted(self, index: int) -> Job:
        job = self._jobs.part(index)
        self._loads[job.slot] -= 1
        return job

    def _answered(self, index: int) -> Job:
        job = self._parted(index)
        self._asked[job.slot] = False  # not before: a session that gives nothing back answers at once
        return job

    def _fail(self, job: Job, error: BaseException, reported: BaseException, *, crashed: bool) -> None:
        if self._may_try_again(job, error, crashed=crashed):
            self._jobs.postpone(job, self._retry.pause(job.errors + job.crashes, chance()))
        else:
            job.end().set_exception(reported)

    def _may_try_again(self, job: Job, error: BaseException, *, crashed: bool) -> bool:
        job.crashes += crashed
        job.errors += not crashed
        return self._retry.allows(error, job.errors, job.crashes, crashed=crashed)

    def _lose(self, slot: int, running: int | None, error: BaseException) -> None:
        """The worker's task fails. If none ran, all that it had are suspects, and are sent again."""
        self._asked[slot] = False
        for job in self._jobs.of(slot):
            self._parted(job.index)
            job.losses += running is None
            if job.index == running or job.losses >= _MAX_LOSSES:
                self._fail(job, error, self._explain(error), crashed=is_crash(error))
            else:
                self._jobs.add(job)


def _refuse_broken(index: int, what: object) -> None:
    """For crews whose runner says nothing but that an initializer has failed."""
    if isinstance(what, Broken):
        raise what.error
