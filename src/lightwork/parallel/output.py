"""What tasks print, sent line by line to the call they belong to.

In a worker process the streams of the process are replaced (`CapturedOutput`), in the caller's process each
thread has its own behind those that are there (`routed_output`).
"""

import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TextIO

from ..protocols import Call, Run, Tell

__all__ = ["CapturedOutput", "Printed", "Streams"]

_LONGEST: Final = 64 << 10
"""Bytes of a line that are sent before its end is there."""


class Printed(NamedTuple):
    """What a task has printed: whole lines, but for the end of a line that the task never ended."""

    stream: str
    """``"stdout"`` or ``"stderr"``."""

    text: str


class Streams:
    """A pair of text streams whose lines are told, with the index of the task that is running."""

    __slots__ = ("_raw", "err", "index", "out")

    def __init__(self, tell: Callable[[int, object], object], out: TextIO, err: TextIO) -> None:
        """`out`, `err`: those that they stand for, which get what a forked child of the task prints."""
        self.index = 0
        self._raw = [_Lines(self, name, tell, real) for name, real in (("stdout", out), ("stderr", err))]
        self.out, self.err = (
            io.TextIOWrapper(raw, encoding=raw.encoding, errors="backslashreplace", line_buffering=True)  # type: ignore[type-var]  # a raw stream without a buffer will do
            for raw in self._raw
        )

    def finish(self) -> None:
        """Tell the rest: the task has ended."""
        for stream, raw in ((self.out, self._raw[0]), (self.err, self._raw[1])):
            if not stream.closed:
                stream.flush()
                raw.finish()


class _Lines(io.RawIOBase):
    """Takes bytes and tells lines. Safe to use from several threads of a task."""

    def __init__(
        self, streams: Streams, name: str, tell: Callable[[int, object], object], real: TextIO
    ) -> None:
        super().__init__()
        self.encoding = getattr(real, "encoding", None) or "utf-8"
        self._streams = streams
        self._name = name
        self._tell = tell
        self._real = real
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._rest = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # Any: whatever exports a buffer
        data = bytes(data)
        if os.getpid() != self._pid:  # a child that the task has forked must not use the worker's connection
            self._real.write(data.decode(self.encoding, "replace"))
            self._real.flush()
            return len(data)
        with self._lock:
            whole, end, rest = (self._rest + data).rpartition(b"\n")
            if len(rest) > _LONGEST:
                whole, end, rest = whole + end + rest, b"", b""
            self._rest = rest
        if whole or end:
            self._say(whole + end)
        return len(data)

    def finish(self) -> None:
        with self._lock:
            rest, self._rest = self._rest, b""
        if rest:
            self._say(rest)

    def _say(self, data: bytes) -> None:
        self._tell(self._streams.index, Printed(self._name, data.decode(self.encoding, "replace")))


class CapturedOutput:
    """The output of a worker process. A `Layer` for one thread."""

    __slots__ = ("_before",)

    def __init__(self) -> None:
        self._before: tuple[TextIO, TextIO] | None = None

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Replace both streams; what runs a task is `inner`, with the rest of its lines told at its end."""
        self._before = sys.stdout, sys.stderr
        streams = Streams(tell, *self._before)
        sys.stdout, sys.stderr = streams.out, streams.err

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            streams.index = index
            try:
                return inner(index, call)
            finally:
                streams.finish()

        return run

    def leave(self) -> None:
        """Bring the streams back."""
        if self._before is not None:
            (sys.stdout, sys.stderr), self._before = self._before, None
