"""Where a container is written to: a file, a pipe, a socket, in one forward pass."""

import errno
import io
from typing import Protocol

from ..protocols import Buffer

__all__ = ["Output", "Sink"]

_WOULD_BLOCK = "the file is in non-blocking mode and full: call os.set_blocking(file.fileno(), True) first"


class Sink(Protocol):
    """Where bytes go: a file, a pipe, a socket."""

    def write(self, data: Buffer, /) -> int | None:
        """Take bytes, perhaps only some of them; how many, or ``None`` for all."""


class Output:
    """A sink, with a position, and knowing whether it was the one that failed."""

    def __init__(self, sink: Sink, *, position: int = 0) -> None:
        self._sink = sink
        self.position = position
        self.failed = False

    def write(self, data: Buffer) -> int:
        """All of `data`; how many bytes that were."""
        content = rest = memoryview(data)
        try:
            while rest:
                count = self._sink.write(rest)
                if count is None and isinstance(self._sink, io.RawIOBase):
                    # A raw file says so when it took nothing; other sinks, when they took everything.
                    raise BlockingIOError(errno.EAGAIN, _WOULD_BLOCK)
                if count is not None and count <= 0:
                    raise OSError(errno.EIO, f"its write() took {count} of {len(rest)} bytes")
                rest = rest[len(rest) if count is None else count :]
        except BaseException:
            self.failed = True
            raise
        self.position += len(content)
        return len(content)
