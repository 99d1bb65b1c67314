"""One lock per number, all in one file, freed by the kernel when their holder dies.

POSIX record locks belong to a process: a child that the holder forked does not keep them, so a lock is free
the moment its holder is gone, however it went. Their two traps are kept away here. Closing *any* descriptor
of the file drops all locks of the process: so a file is opened once and stays open while anyone in the
process uses it (`LOCK_FILES`). And they do not tell threads apart: that is left to a table of the caller.
"""

import errno
import fcntl
import os
import threading
import weakref
from collections.abc import Callable

from .forks import after_fork_in_child

__all__ = ["HOUSEKEEPING", "LOCK_FILES", "LockFile", "LockFiles"]

HOUSEKEEPING = 3 << 61
"""The offset of the lock for work that concerns the whole cache; beyond all keys and processes."""

_KEY_SPACE = 1 << 62  # offsets below are keys; those above belong to processes
_MARKS = 1 << 20


class LockFile:
    """The locks of one file, made by `LOCK_FILES.at` only. Opened when first used, closed with the object.

    Every method may raise `OSError`.

    Offsets ``0 .. 2**62 - 1`` are locks for keys, those above tell which processes are alive. The bytes of
    the file are counters of failures; no lock depends on them.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._opening = threading.Lock()
        self._descriptor = -1
        self._token = 0
        after_fork_in_child(self._forget)

    @property
    def token(self) -> int:
        """The number under which this process is seen alive by `is_alive`, until it ends."""
        if not self._token:
            descriptor = self._open()
            with self._opening:
                if not self._token:
                    token = int.from_bytes(os.urandom(8), "big") >> 3 or 1
                    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _KEY_SPACE + token)
                    self._token = token
        return self._token

    def renew(self) -> None:
        """Go over to the file that is at the path now, if the one that is open was removed.

        Locks of keys that are held stay behind on the removed file; the token is taken along.
        """
        with self._opening:
            if self._descriptor < 0 or _is_at(self._descriptor, self._path):
                return
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            try:
                # In one step, since other threads use the number meanwhile. A lock that one of them takes
                # before `close` is dropped by it: then a key may be computed twice.
                os.dup2(descriptor, self._descriptor, inheritable=False)
            finally:
                os.close(descriptor)
            if self._token:
                fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _KEY_SPACE + self._token)

    def is_alive(self, token: int) -> bool:
        """Whether a process with this token lives on this host."""
        if token == self._token:
            return True
        if not self.acquire(_KEY_SPACE + token):
            return True
        self.release(_KEY_SPACE + token)
        return False

    def acquire(self, offset: int) -> bool:
        """Take the lock of a key (``0 .. 2**62 - 1``), if no other process has it. Does not wait.

        A lock that this process has already is "taken" again: keep a table if threads compete.
        """
        descriptor = self._open()  # a file that may not be opened is an error, not a lock that is held
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, offset)
        except OSError as exc:
            # EDEADLK: the kernel sees processes, not threads, and suspects a circle where there is none.
            if exc.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                return False
            raise
        return True

    def release(self, offset: int) -> None:
        """Give a lock back."""
        fcntl.lockf(self._open(), fcntl.LOCK_UN, 1, offset)

    def failures(self, offset: int) -> bytes:
        """A mark that differs after `note_failure` was called for this number (or, rarely, for another)."""
        return os.pread(self._open(), 1, offset % _MARKS)

    def note_failure(self, offset: int) -> None:
        """Tell those who wait for this number that its holder failed, before it is released."""
        count = self.failures(offset) or b"\0"
        os.pwrite(self._open(), bytes([(count[0] + 1) % 256]), offset % _MARKS)

    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if self._descriptor >= 0:  # at the end of the interpreter `os` may be gone already
            close(self._descriptor)

    def _open(self) -> int:
        if self._descriptor < 0:
            with self._opening:
                if self._descriptor < 0:
                    self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        return self._descriptor

    def _forget(self) -> None:
        """In a forked child: it holds none of the locks, and is another process with another token."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
        self._token = 0
        self._opening = threading.Lock()


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


class LockFiles:
    """One `LockFile` per path and process, for as long as somebody holds it."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._files: weakref.WeakValueDictionary[str, LockFile] = weakref.WeakValueDictionary()
        after_fork_in_child(self._renew)

    def at(self, path: str) -> LockFile:
        """The locks of the file at `path`, the same object for the same path."""
        with self._adding:
            return self._files.setdefault(path, LockFile(path))

    def _renew(self) -> None:
        self._adding = threading.Lock()


LOCK_FILES = LockFiles()
"""The lock files of this process: the one place that opens them."""
