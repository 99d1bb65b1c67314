"""A worker process: reads tasks from its socket, runs them, answers.

::

    parent ── frames (`wire`) ──► worker ── frames ──► parent
              ── tokens (eventfd) ──►      one is taken before each task that may be taken back
                                   worker ── control page ──► parent (no message: who runs, since when)

One thread. A worker serves one session at a time, from BEGIN to END; between sessions it waits, and leaves
after a while. It dies with the template process (see `template`). Libraries with random state of their own
(random, numpy) are imported here and not before the fork, so each worker's state is seeded by the system.
"""

import contextlib
import faulthandler
import os
import pickle
import select
import socket
import sys
import time
import types
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ...errors import EngineError
from ...parcel.parcels import join
from ...protocols import Call, Run, Runner, SupportsPreparation, supports
from ...system.computing import WORKER
from ...system.forks import after_fork_in_child
from ...system.processes import own_bytes
from .answers import Answers
from .calls import Broken, calls
from .channel import Frame, Inbox, make_frame, send_all
from .control import LOOK_SIGNAL
from .environment import apply_change
from .mapped import MappedSegments
from .outgoing import Outgoing
from .page import FINISHED, NOBODY, PID, PREPARING, RUNNING, STACK, STARTED, WORN, ControlPage
from .sources import SourceWatch
from .wire import BEGIN, COLUMNS, DROP, END, ENDED, FUNCTION, SCALARS, SEGMENT, STREAM

__all__ = ["work"]

_GATHER_NS: Final = 10_000_000
"""Results leave before the next task starts once this much work was done since the last ones left. So a
result waits for others of its batch for less than 10 ms and the task that runs at the end of them, however
long that takes: one thread cannot send while it runs a task. Batches of one task are sent at once."""


def work(connection: int, page: int, tokens: int) -> NoReturn:
    """The life of a worker, right after the fork.

    Parameters
    ----------
    connection, page, tokens
        Descriptors of its socket, its control page and its token counter, all its own.
    """
    # What looks into `__main__` must not find the template's.
    sys.modules["__main__"] = types.ModuleType("__main__")
    code = 0
    # Held to the very end, so that for the parent hanging up and ending are one event.
    link = socket.socket(fileno=connection)
    try:
        _Worker(link, page, tokens).run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the parent has closed: nobody waits for an answer
    except BaseException:  # noqa: BLE001 - the last stop: what comes here is told and ends the process
        sys.excepthook(*sys.exc_info())
        code = 1
    _leave(code)


class _Worker:
    def __init__(self, connection: socket.socket, page: int, tokens: int) -> None:
        self._socket = connection
        self._tokens = tokens
        self._inbox = Inbox(connection, takes_descriptors=True)
        self._page = ControlPage(page)
        self._words = self._page.words
        self._words[PID] = os.getpid()
        # A handler in C: it works while the task is in C code, and needs no lock.
        os.lseek(page, STACK, os.SEEK_SET)
        faulthandler.register(LOOK_SIGNAL, file=page, all_threads=False)
        self._segments = MappedSegments()
        self._place = self._segments.private
        self._sources = SourceWatch(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))
        self._patience: float | None = None
        self._most_bytes: int | None = None
        self._fresh = True
        self._is_copy = False
        after_fork_in_child(self._become_copy)
        self._leave_session()

    def _become_copy(self) -> None:
        """This process was forked by a task. If it comes back from there, it must not go on as the worker."""
        self._is_copy = True

    def _leave_session(self) -> None:
        """Forget everything of a session."""
        self._session = 0
        self._runner: Runner | None = None
        self._run_task: Run | None = None
        self._failure: Exception | None = None  # why no task of this session can run
        self._functions: dict[int, Any] = {}  # Any: users' functions, or _Broken
        self._began_ns = 0
        self._segments.clear()
        self._page.clear()
        self._open_answers(0)

    def _open_answers(self, session: int) -> None:
        self._outgoing = Outgoing(self._socket, session)
        self._answers = Answers(self._outgoing.put)

    def run(self) -> None:
        """Serve sessions until the parent closes the socket or nothing came for too long."""
        handlers: dict[int, Callable[[Frame], None]] = {
            BEGIN: self._begin,
            FUNCTION: self._function,
            SEGMENT: self._segment,
            DROP: self._drop,
            COLUMNS: self._tasks,
            STREAM: self._tasks,
            END: self._end,
        }
        while True:
            if self._session == 0 and not self._wait():
                return
            frames = self._inbox.receive()
            if frames is None:
                return
            for frame in frames:
                handlers[frame.kind](frame)
            self._outgoing.send()

    def _wait(self) -> bool:
        """Whether something came before the patience for idle workers was at its end."""
        if self._patience is None:
            return True
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        return bool(poller.poll(self._patience * 1000))

    # -- what belongs to a session ----------------------------------------------------------------------

    def _begin(self, frame: Frame) -> None:
        self._session = frame.session
        self._open_answers(frame.session)
        self._began_ns = time.time_ns()
        change, number, most_bytes, patience, timed, read_only, skeleton = pickle.loads(frame.body)
        self._most_bytes, self._patience = most_bytes, patience
        self._answers.is_timed = timed
        self._place = self._segments.read_only if read_only else self._segments.private
        WORKER.set(number)
        try:
            if change is not None:
                apply_change(change, first=self._fresh)
            self._fresh = False
            self._runner = runner = join(skeleton, map(self._segments.private, frame.buffers))
            if supports(runner, SupportsPreparation) and runner.preparation:
                self._words[STARTED] = time.monotonic_ns()
                self._words[RUNNING] = PREPARING
            self._run_task = runner.start(self._outgoing.tell)
        except Exception as error:  # noqa: BLE001 - a runner starts users' code; each task reports it
            self._failure = error
        finally:
            self._words[RUNNING] = NOBODY

    def _function(self, frame: Frame) -> None:
        buffers = [item for item in frame.buffers if not isinstance(item, int)]
        try:
            self._functions[frame.start] = join(frame.body, buffers)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - runs users' code; each task of the function reports it
            self._functions[frame.start] = Broken(error)

    def _segment(self, frame: Frame) -> None:
        descriptor = self._inbox.descriptors.popleft() if frame.flag else None
        self._segments.add(frame.start, frame.body, descriptor)

    def _drop(self, frame: Frame) -> None:
        self._segments.drop(frame.start)

    def _end(self, frame: Frame) -> None:
        if self._runner is not None and self._run_task is not None:
            self._runner.stop()
        self._outgoing.send()
        sources = self._sources.new(self._began_ns)
        self._leave_session()
        body = pickle.dumps([tuple(source) for source in sources])
        send_all(self._socket, make_frame(ENDED, frame.session, body))

    # -- tasks ------------------------------------------------------------------------------------------

    def _tasks(self, frame: Frame) -> None:
        """Run the tasks of a frame and gather their answers."""
        run = self._run_task
        if run is None:
            take, run = _raise(self._failure), _never
        else:
            take = calls(frame, self._functions, self._place)
        self._run(frame, take, run)
        # At once, even if more frames are here already: while the parent takes these answers the next tasks
        # run. Answering several frames together saves calls and costs more in waiting (15 against 25 µs).
        self._outgoing.send()

    def _run(self, frame: Frame, take: Callable[[], Call], run: Run) -> None:
        answers, words, clock = self._answers, self._words, time.monotonic_ns
        tokens = self._tokens if frame.flag else None
        answers.begin(frame.start)
        now = answers.began_ns
        ends = answers.ends
        patience = _GATHER_NS if self._most_bytes is None else 0  # looks at its memory after each task
        deadline = now + patience + 1
        finished = first = words[FINISHED]
        stop = frame.start if tokens is not None and words[WORN] else frame.start + frame.length
        for index in range(frame.start, stop):
            if now >= deadline:
                words[RUNNING] = NOBODY  # a death from here on is not the last task's doing
                is_worn = self._is_worn()
                answers.gather()
                self._outgoing.send()
                # Sending may wait for the parent: that is no time of the next task.
                answers.began_ns = now = clock()
                deadline = now + patience
                if is_worn and tokens is not None:
                    break  # those that are left will be taken back
            if tokens is not None and not _take_token(tokens):
                break  # this task and those after it were taken back
            words[STARTED] = before = now
            words[RUNNING] = index
            try:
                call = take()
                value = run(index, call)
            except BaseException as error:  # noqa: BLE001 - whatever a task raises is its failure
                if self._is_copy:
                    _end_copy(error)
                answers.fail(index, error, began=before)
            else:
                if self._is_copy:
                    _end_copy(None)
                # Here and not at the end of the batch: the next task may change what this one returned. And
                # who takes a value apart runs its code: if that kills the worker, this task did it.
                if type(value) in SCALARS:
                    answers.values.append(value)
                elif answers.add(index, value, began=before):
                    deadline = now
            call = value = None  # type: ignore[assignment]  # the next task's segments must find these unused
            finished += 1
            words[FINISHED] = finished
            now = clock()
            if now - before > answers.longest_ns:
                answers.note_slowest(index, now - before)
            if ends is not None:
                ends.append(now)
        words[RUNNING] = NOBODY
        if finished > first:
            self._is_worn()
        answers.gather()

    def _is_worn(self) -> bool:
        """Whether this worker has more memory than it may have.

        The answer that follows tells the parent to look, so this must not be asked where none follows.
        """
        if self._most_bytes is not None and (nbytes := own_bytes()) > self._most_bytes:
            self._words[WORN] = nbytes
        return bool(self._words[WORN])


def _end_copy(error: BaseException | None) -> NoReturn:
    """End a process that a task forked, as Python ends one: nothing of it may reach the parent's socket."""
    code = 0
    if isinstance(error, SystemExit) and isinstance(error.code, int | None):
        code = error.code or 0
    elif error is not None:
        sys.excepthook(type(error), error, error.__traceback__)
        code = 1
    _leave(code)


def _leave(code: int) -> NoReturn:
    with contextlib.suppress(OSError, ValueError, AttributeError):  # tasks close streams, or remove them
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code & 0xFF)


def _take_token(tokens: int) -> bool:
    """Whether the next task is ours; its token may have been taken back by the parent."""
    try:
        os.eventfd_read(tokens)
    except BlockingIOError:
        return False
    return True


def _raise(failure: Exception | None) -> Callable[[], Call]:
    def take() -> Call:
        raise failure or EngineError("a task came before its session began")

    return take


def _never(index: int, call: Call) -> None:
    raise AssertionError("no call was taken")
