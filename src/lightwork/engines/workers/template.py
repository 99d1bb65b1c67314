"""The template process: workers are forked from it, and it sees to it that none outlives the parent.

It holds lightwork's worker modules and cloudpickle, never the user's code, never ``__main__``, no threads.
It leads its own session, so a Ctrl-C in the terminal reaches neither it nor the workers; it is the
subreaper of all that its workers start; it watches the parent through a pidfd, because an end of file on
a socket can be held off by any other process that inherited the socket::

    parent ──── control socket ────► template ──── fork ────► worker 1 (own process group) ──► grandchildren
       ▲                               │  ▲                   worker 2 ...
       └──── ENDED (reaped by wait4) ──┘  └── SIGCHLD, orphans

Messages: `control`.
"""

import contextlib
import gc
import os
import select
import signal
import site
import socket
import sys
from typing import NoReturn

from ...system.optional import installed
from ...system.processes import (
    become_subreaper,
    close_inherited,
    die_with_parent,
    kill_descendants,
    kill_group,
    open_pidfd,
    reap,
)
from .control import (
    ENDED,
    FORK,
    KILL,
    LEAVE,
    LOOK,
    LOOK_SIGNAL,
    MESSAGE_SIZE,
    REFUSED,
    Message,
    decode,
    encode,
)
from .worker import work

__all__ = ["serve"]

_WITHOUT_PIDFD = 500
"""Milliseconds between two looks at the parent where the kernel cannot tell of its end."""

_QUIET = 20
"""Milliseconds without a request after which cloudpickle is imported. The first workers do not wait for it:
it takes as long as all the rest together (20 ms), and importable functions do without."""

_LAST_WORDS = 1.5
"""Seconds to end all descendants; two are promised."""


def serve(descriptor: int, parent: int, prefix: str, exec_prefix: str) -> NoReturn:
    """The life of the template.

    Parameters
    ----------
    descriptor
        Its end of the control socket.
    parent
        The process whose end is the template's own.
    prefix, exec_prefix
        ``sys.prefix`` and ``sys.exec_prefix`` of the parent: without ``site`` (``-S``) an interpreter does
        not know that it is in a virtual environment.
    """
    close_inherited(keep=descriptor)
    sys.prefix, sys.exec_prefix = prefix, exec_prefix
    site.setquit()  # `exit()` and `quit()` are there in every other interpreter
    become_subreaper()
    template = _Template(socket.socket(fileno=descriptor), parent)
    gc.freeze()
    template.run()
    kill_descendants(seconds=_LAST_WORDS)
    os._exit(0)


class _Template:
    def __init__(self, control: socket.socket, parent: int) -> None:
        self._control = control
        self._parent = parent
        self._pids: dict[int, int] = {}  # worker number -> pid
        self._alarm, self._bell = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _note)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._ready = False  # whether cloudpickle is there

    def run(self) -> None:
        """Serve requests until the parent is gone or asks to leave."""
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(self._alarm, select.POLLIN)
        try:
            pidfd = open_pidfd(self._parent)
        except ProcessLookupError:
            return
        if pidfd is not None:
            poller.register(pidfd, select.POLLIN)
        # The parent may have ended, and its number been given away, before the pidfd was opened.
        while os.getppid() == self._parent:
            ready = {fd for fd, _ in poller.poll(self._patience(pidfd))}
            if pidfd in ready:
                return
            if self._alarm in ready:
                self._reap()
            if self._control.fileno() in ready and not self._obey():
                return
            if not ready and not self._ready:
                installed("cloudpickle")
                gc.freeze()
                self._ready = True

    def _patience(self, pidfd: int | None) -> int | None:
        if not self._ready:
            return _QUIET
        return None if pidfd is not None else _WITHOUT_PIDFD

    def _obey(self) -> bool:
        """Carry out one request; whether there will be more."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, MESSAGE_SIZE, 3)
        except ConnectionResetError:  # the parent closed without reading our last reports
            return False
        message = decode(data) if data else Message(LEAVE, 0)
        if message.kind == FORK:
            self._fork(message.number, descriptors)
        elif message.kind == KILL and message.number in self._pids:
            kill_group(self._pids[message.number])
        elif message.kind == LOOK and message.number in self._pids:
            os.kill(self._pids[message.number], LOOK_SIGNAL)  # not reaped yet, so the number is still its own
        return message.kind != LEAVE

    def _fork(self, number: int, descriptors: list[int]) -> None:
        sys.stdout.flush()
        try:
            pid = os.fork()
        except OSError as error:
            self._report(Message(REFUSED, number, status=error.errno or 0))
            pid = -1
        if pid == 0:
            self._become_worker(descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        if pid > 0:
            # Both sides say it, so that neither can act before it is true.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.setpgid(pid, pid)
            self._pids[number] = pid

    def _become_worker(self, descriptors: list[int]) -> NoReturn:
        template = os.getppid()
        die_with_parent()
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A SIGINT that someone sends to a worker ends it: it must not go on with the next task.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for descriptor in (self._control.detach(), self._alarm, self._bell):
            os.close(descriptor)
        if os.getppid() != template:  # it died before the kernel was asked to tell us
            os._exit(0)
        gc.unfreeze()
        work(*descriptors)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._alarm, 4096)
        numbers = {pid: number for number, pid in self._pids.items()}
        while (ended := reap()) is not None:
            number = numbers.get(ended.pid)
            if number is None:
                continue  # an orphan that some worker left behind
            del self._pids[number]
            self._report(Message(ENDED, number, ended.pid, ended.status, ended.peak_bytes))

    def _report(self, message: Message) -> None:
        # The parent may be gone; its pidfd says so in the next round.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._control.send(encode(message))


def _note(signum: int, frame: object) -> None:
    """A handler must be there for SIGCHLD to ring the bell."""
