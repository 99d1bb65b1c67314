"""Starting the template process, and the parent's end of the conversation with it (`control`)."""

import contextlib
import fcntl
import os
import socket
import sys
from collections.abc import Iterator

from ...errors import EngineError
from .. import interpreters
from ..workers.control import FORK, KILL, LEAVE, LOOK, MESSAGE_SIZE, Message, decode, encode

__all__ = ["Template"]


class Template:
    """A running template process. It ends when `close` is called, when this process ends, or when killed.

    Raises
    ------
    EngineError
        This platform or this interpreter cannot have one. Linux only: elsewhere workers are spawned
        (`lightwork.engines.spawned`).
    """

    def __init__(self) -> None:
        _check_platform()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket = ours
        try:
            with theirs:
                self.pid = _spawn(theirs.fileno())
        except BaseException:  # Ctrl-C too; a template that has begun sees that nobody is there, and leaves
            ours.close()
            raise

    def fileno(self) -> int:
        """Readable when there are messages, or when the template has ended."""
        return self._socket.fileno()

    def fork(self, number: int, descriptors: list[int]) -> None:
        """Ask for a worker that owns copies of socket, page and token counter."""
        socket.send_fds(self._socket, [encode(Message(FORK, number))], descriptors)

    def kill(self, number: int) -> None:
        """Ask for the end of a worker and its process group. Harmless if it has ended."""
        # A template that is gone took its workers along.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.send(encode(Message(KILL, number)))

    def look_at(self, number: int) -> None:
        """Ask for a worker's stack. A template that has just ended cannot ask, and need not."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.send(encode(Message(LOOK, number)))

    def messages(self) -> Iterator[Message | None]:
        """What has arrived, without waiting; ``None`` if the template has ended."""
        while True:
            try:
                data = self._socket.recv(MESSAGE_SIZE, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            if not data:
                yield None
                return
            yield decode(data)

    def close(self) -> int | None:
        """End the template with all its workers, and wait for it; its exit status if that can be told."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.send(encode(Message(LEAVE, 0)))
        self._socket.close()
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:  # someone else in this process waits for all children
            return None

    def abandon(self) -> None:
        """Close our end without a word: this is a forked copy of the process that the template belongs to."""
        # `detach` first: the object must not close the number again when it belongs to something else.
        os.close(self._socket.detach())


def _check_platform() -> None:
    if not sys.platform.startswith("linux"):
        raise EngineError(
            f"these worker processes need Linux, and this is {sys.platform!r}: use backend='processes'"
        )
    interpreters.check()


def _spawn(descriptor: int) -> int:
    """Start an interpreter whose only inherited descriptors are the standard ones and a copy of this one."""
    # Where this process has no standard output, the number may belong to anything; what the template opens
    # must not get it either, or tasks would print into its sockets.
    missing = [number for number in (1, 2) if not _is_inheritable(number)]
    descriptor = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    null = os.open(os.devnull, os.O_RDWR)
    try:
        return os.posix_spawn(
            sys.executable,
            _command(descriptor),
            interpreters.variables(),
            # Duplicating a descriptor onto itself makes it inheritable in the child alone.
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                *[(os.POSIX_SPAWN_DUP2, null, number) for number in missing],
                (os.POSIX_SPAWN_DUP2, descriptor, descriptor),
            ],
            setsid=True,
        )
    except OSError as error:
        raise EngineError(f"cannot start {sys.executable!r} as a template for workers: {error}") from error
    finally:
        os.close(null)
        os.close(descriptor)


def _is_inheritable(number: int) -> bool:
    try:
        return os.get_inheritable(number)
    except OSError:
        return False


def _command(descriptor: int) -> list[str]:
    return interpreters.command(
        "from lightwork.engines.workers.template import serve; "
        f"serve({descriptor}, {os.getpid()}, {sys.prefix!r}, {sys.exec_prefix!r})"
    )
