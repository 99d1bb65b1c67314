"""The parent's end of a worker."""

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

from ...errors import EngineError, WorkerDied
from .. import interpreters
from ..workers.environment import Environment, difference
from .serve import READY, Answer, Load, receive, send

__all__ = ["Worker"]

_LONGEST: Final = 2**31 - 1
"""Milliseconds; a C integer holds no more, and no `inf`."""


class Worker:
    """A process that runs one function at a time. It ends when it is killed, or this process ends.

    Parameters
    ----------
    births
        Variables that it has before it imports anything.
    patience
        Seconds without work after which it asks whether it may leave; may be set anew.
    dismiss
        Whom it asks.

    Raises
    ------
    EngineError
        It cannot be started.
    """

    def __init__(
        self, births: Mapping[str, str], patience: float, dismiss: Callable[["Worker"], bool]
    ) -> None:
        self.births = births
        self.patience = patience
        self._dismiss = dismiss
        interpreters.check()
        requests, self._sink = os.pipe()
        self._source, answers = os.pipe()
        try:
            self._process = subprocess.Popen(
                interpreters.command(
                    "from lightwork.engines.spawned.serve import serve; "
                    f"serve({requests}, {answers}, {sys.prefix!r}, {sys.exec_prefix!r})"
                ),
                env={**interpreters.variables(), **births},
                stdin=subprocess.DEVNULL,
                pass_fds=(requests, answers),
                start_new_session=True,  # a Ctrl-C in the terminal is the parent's business
            )
        except BaseException as error:
            self._close()
            if not isinstance(error, OSError):
                raise
            raise EngineError(f"cannot start {sys.executable!r} as a worker: {error}") from error
        finally:
            os.close(requests)
            os.close(answers)
        self._lock = threading.Lock()
        # Held while a descriptor may be written to: its number is not reused meanwhile.
        self._writing = threading.Lock()
        self._future: Future[Any] | None = None
        self._end: Exception | None = None
        self._environment: Environment | None = None
        self._listener = threading.Thread(target=self._listen, name="lightwork-spawned", daemon=True)
        self._listener.start()

    @property
    def is_alive(self) -> bool:
        """Whether it may still be given something."""
        return self._end is None

    # Any: what a function takes and returns is for who submits it.
    def run(self, environment: Environment, function: Callable[..., Any], args: Sequence[Any]) -> Future[Any]:
        """Have it run a function, in that environment. It must have nothing to do.

        The future fails with `WorkerDied` if the worker ends, and with `EngineError` if it had never begun.
        """
        wanted = environment._replace(variables={**environment.variables, **self.births})
        first = self._environment is None
        load = Load(difference(self._environment, wanted), first, function, args)
        self._environment = wanted
        data = pickle.dumps(load, 5)
        future: Future[Any] = Future()
        with self._lock:
            if self._end is not None:
                future.set_exception(self._end)
                return future
            self._future = future
        try:
            with self._writing, contextlib.suppress(OSError):  # that it has ended the listener will tell
                if self._end is None:
                    send(self._sink, data)
        except BaseException:  # Ctrl-C: half of it was written
            self.kill()
            raise
        return future

    def kill(self) -> None:
        """End it now, with all that its tasks have started."""
        with self._lock:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):  # it is ending already
                    os.killpg(self._process.pid, signal.SIGKILL)

    def join(self) -> None:
        """Wait until it has ended."""
        self._listener.join()

    def abandon(self) -> None:
        """Close our end without a word: this is a forked copy of the process that it belongs to."""
        self._close()

    def _close(self) -> None:
        os.close(self._sink)
        os.close(self._source)

    def _listen(self) -> None:
        is_ready = False
        # It has ended. Or its answer needs more memory than there is: then it has to.
        with contextlib.suppress(EOFError, OSError, MemoryError):
            is_ready = receive(self._source) == READY
            while is_ready and self._hears():
                self._settle(receive(self._source))
        self.kill()
        self._bury(is_ready=is_ready)

    def _hears(self) -> bool:
        """Wait until there is an answer, or an end; not if it shall leave."""
        poller = select.poll()
        poller.register(self._source, select.POLLIN)
        while not poller.poll(min(self.patience * 1e3, _LONGEST)):
            if self._dismiss(self):
                return False
        return True

    def _settle(self, data: bytearray) -> None:
        future = self._taken()
        try:
            answer: Answer = pickle.loads(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for it
            future.set_exception(error)
            return
        if answer.is_good:
            future.set_result(answer.value)
        else:
            future.set_exception(answer.value)

    def _taken(self) -> Future[Any]:
        with self._lock:
            future, self._future = self._future, None
        assert future is not None  # it answers what it was asked
        return future

    def _bury(self, *, is_ready: bool) -> None:
        with self._lock:
            status = self._process.wait()
            self._end = _ended(self._process.pid, status, is_ready=is_ready)
            future, self._future = self._future, None
        with self._writing:
            self._close()
        if future is not None:
            future.set_exception(self._end)


def _ended(pid: int, status: int, *, is_ready: bool) -> Exception:
    number = -status if status < 0 else None
    how = f"exit status {status}" if number is None else f"signal {number}"
    if not is_ready:
        return EngineError(f"a worker process ended before it could begin ({how}); what it said is above")
    return WorkerDied(
        f"worker process {pid} ended without an answer ({how})",
        pid=pid,
        signal=number,
        exitcode=status if number is None else None,
    )
