"""All that a worker process writes to its descriptors 1 and 2, by C code and child processes too.

::

    print, printf, children ──► descriptor 1 ──► memfd ──► the tail (a thread) ──► tell
                                                       └──► the end of the task ──► tell

A file in memory, since nobody who writes may ever wait: a pipe that is full would stop C code that holds the
interpreter, and with it the thread that reads the pipe. No event tells of writes to it, so while a task runs
the tail looks 20 times a second. A task ends when all of its output was told.
"""

import ctypes
import fcntl
import io
import os
import sys
import threading
from typing import Any, Final

from ..protocols import Call, Run, Tell
from .output import Printed

__all__ = ["CapturedDescriptors"]

_INTERVAL: Final = 0.05
"""Seconds between two looks."""

_LARGE: Final = 4 << 20
"""Bytes of output from which on the file begins anew with the next task."""


class CapturedDescriptors:
    """The output of a worker process. A `Layer` for one thread."""

    __slots__ = ("_capture",)

    def __init__(self) -> None:
        self._capture: _Capture | None = None

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Redirect both descriptors; what runs a task is `inner`, its last output told at its end."""
        capture = self._capture = _Capture(tell)

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            capture.begin(index)
            try:
                return inner(index, call)
            finally:
                capture.finish()

        return run

    def leave(self) -> None:
        """Bring the descriptors back."""
        if self._capture is not None:
            self._capture.close()
            self._capture = None


class _Capture:
    """Both descriptors, and the thread that looks at them while a task runs."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._index = 0
        self._running = threading.Event()
        self._over = threading.Event()
        self._lock = threading.Lock()
        _flush()
        self._tails = [_Tail("stdout", 1), _Tail("stderr", 2)]
        self._buffered = [
            stream
            for stream in (sys.stdout, sys.stderr)
            if isinstance(stream, io.TextIOWrapper) and not stream.line_buffering
        ]
        for stream in self._buffered:
            stream.reconfigure(line_buffering=True)
        self._thread = threading.Thread(target=self._watch, name="lightwork-tail", daemon=True)
        self._thread.start()

    def begin(self, index: int) -> None:
        """Task `index` starts."""
        self._index = index
        self._running.set()

    def finish(self) -> None:
        """Tell all that is left: the task has ended."""
        self._running.clear()
        _flush()
        self._look(ends=True)

    def close(self) -> None:
        """Let the descriptors be what they were."""
        self._over.set()
        self._running.set()
        self._thread.join()
        _flush()
        for stream in self._buffered:
            stream.reconfigure(line_buffering=False)
        for tail in self._tails:
            tail.close()

    def _watch(self) -> None:
        while not self._over.wait(_INTERVAL):
            self._running.wait()
            self._look(ends=False)

    def _look(self, *, ends: bool) -> None:
        with self._lock:
            for tail in self._tails:
                text = tail.read(ends=ends)
                if text:
                    self._tell(self._index, Printed(tail.name, text))


class _Tail:
    """One descriptor, led into a file whose lines are read as they come."""

    def __init__(self, name: str, descriptor: int) -> None:
        self.name = name
        self._descriptor = descriptor
        self._real = os.dup(descriptor)
        self._file = os.memfd_create(f"lightwork-{name}")
        # Whoever inherits the descriptor appends, also after the file was cut.
        fcntl.fcntl(self._file, fcntl.F_SETFL, os.O_APPEND)
        self._read = 0
        self._rest = b""
        os.dup2(self._file, descriptor)

    def read(self, *, ends: bool) -> str:
        """The lines since the last time; if the task `ends`, a line that was not ended too."""
        pieces = [self._rest]
        while data := os.pread(self._file, 1 << 20, self._read):
            self._read += len(data)
            pieces.append(data)
        whole, end, rest = b"".join(pieces).rpartition(b"\n")
        if ends:
            rest, end, whole = b"", b"", whole + end + rest
            if self._read > _LARGE:
                os.ftruncate(self._file, 0)
                self._read = 0
        self._rest = rest
        return (whole + end).decode("utf-8", "replace")

    def close(self) -> None:
        os.dup2(self._real, self._descriptor)
        os.close(self._real)
        os.close(self._file)


def _flush() -> None:
    """Empty the buffers of Python and of C."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            stream.flush()
    ctypes.CDLL(None).fflush(None)
