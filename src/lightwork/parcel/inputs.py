"""Where a container is read from: a file at known positions, or a stream of bytes in one pass.

Both give out *deferred* reads, to be run by helper threads: a file reads when it is asked to, from several
threads at once; a stream has read already.
"""

import errno
import io
import os
from collections.abc import Callable
from typing import Protocol

from ..errors import CorruptFileError, InvalidOption

__all__ = ["FileInput", "Input", "RandomInput", "Readable", "StreamInput"]

_WOULD_BLOCK = "the file is in non-blocking mode and empty: call os.set_blocking(file.fileno(), True) first"
_STEP = 1 << 20  # a stream of unknown length must prove that it has the bytes it promises, step by step


class Readable(Protocol):
    """A file object opened for bytes."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end; ``None`` if there are none yet."""


class Input(Protocol):
    """A container as it is read from front to back."""

    position: int
    """Bytes read or skipped so far."""

    def read(self, nbytes: int) -> bytes:
        """The next bytes, fewer only at the end."""

    def expect(self, nbytes: int) -> None:
        """Raise `CorruptFileError` if it is known that fewer than `nbytes` bytes are left."""

    def take(self, nbytes: int) -> Callable[[], bytes]:
        """Step over the next bytes; the function gives them. `CorruptFileError` if they are not there."""

    def fill(self, out: memoryview, *, padding: int = 0) -> Callable[[], object]:
        """Step over `padding` bytes that must be zero and the ``len(out)`` that follow.

        These are in `out` when the function has been called.
        """


class RandomInput(Protocol):
    """A container of which any bytes can be read, by several threads at once."""

    def exactly(self, start: int, nbytes: int) -> bytes:
        """The `nbytes` bytes from `start` on; `CorruptFileError` if they are not there."""

    def into(self, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes from `start` on; `CorruptFileError` if they are not there."""


class FileInput:
    """A regular file, through its descriptor. The caller owns the descriptor and closes it afterwards."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._size = os.fstat(descriptor).st_size
        self.position = 0
        self._ahead = b""
        self._ahead_at = 0

    def read(self, nbytes: int) -> bytes:
        """As `Input.read`. Reads ahead a little, since frames are small."""
        start = self.position - self._ahead_at
        data = self._ahead[start : start + nbytes] if start >= 0 else b""
        if len(data) < nbytes:
            left = max(self._size - self.position, 0)  # lengths in files may be lies
            self._ahead = self._read_at(self.position, max(min(nbytes, left), 4096))
            self._ahead_at = self.position
            data = self._ahead[:nbytes]
        self.position += len(data)
        return data

    def expect(self, nbytes: int) -> None:
        """As `Input.expect`; a file always knows."""
        if nbytes > self._size - self.position:
            raise CorruptFileError(f"it ends after {self._size} bytes, {self.position + nbytes} are needed")

    def take(self, nbytes: int) -> Callable[[], bytes]:
        """As `Input.take`."""
        self.expect(nbytes)
        start = self.position
        self.position += nbytes
        return lambda: self.exactly(start, nbytes)

    def fill(self, out: memoryview, *, padding: int = 0) -> Callable[[], object]:
        """As `Input.fill`."""
        self.expect(padding + len(out))
        start = self.position
        self.position += padding + len(out)
        return lambda: self._padded(start, out, padding)

    def exactly(self, start: int, nbytes: int) -> bytes:
        """As `RandomInput.exactly`."""
        data = self._read_at(start, nbytes)
        if len(data) < nbytes:
            raise CorruptFileError("it became shorter while it was read")
        return data

    def _read_at(self, start: int, nbytes: int) -> bytes:
        parts = [os.pread(self._descriptor, nbytes, start)]
        while parts[-1] and sum(map(len, parts)) < nbytes:  # the kernel stops at 2 GiB and on signals
            done = sum(map(len, parts))
            parts.append(os.pread(self._descriptor, nbytes - done, start + done))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def into(self, start: int, out: memoryview) -> None:
        """As `RandomInput.into`."""
        self._padded(start, out, 0)

    def _padded(self, start: int, out: memoryview, padding: int) -> None:
        before = bytearray(b"?" * padding)  # one call of the system for both
        rest = [memoryview(before), out]
        while any(rest):
            count = os.preadv(self._descriptor, rest, start)
            if not count:
                raise CorruptFileError("it became shorter while it was read")
            start += count
            rest = [rest[0][count:], rest[1][max(0, count - len(rest[0])) :]]
        _check_padding(before)


class StreamInput:
    """A file object that can only be read forwards: a pipe, a socket, `io.BytesIO`, a decompressor.

    Parameters
    ----------
    head
        What was read from it before.
    size
        How many bytes it has in all, if that is known.
    """

    def __init__(self, file: Readable, head: bytes = b"", *, size: int | None = None) -> None:
        self._file = file
        self._readinto: Callable[[memoryview], int | None] | None = getattr(file, "readinto", None)
        self._head = head
        self._size = size
        self.position = 0

    def read(self, nbytes: int) -> bytes:
        """As `Input.read`."""
        parts: list[bytes] = []
        left = nbytes
        while left:
            part = self._head or self._read_some(min(left, _STEP))
            self._head = b""
            if not part:
                break
            parts.append(part)
            left -= len(part)
        self.position += nbytes - left
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_some(self, nbytes: int) -> bytes:
        part = self._file.read(nbytes)
        if part is None:
            raise BlockingIOError(errno.EAGAIN, _WOULD_BLOCK)
        if not isinstance(part, bytes | bytearray | memoryview):
            raise InvalidOption(f"its read() gives {type(part).__name__}, not bytes: open it for bytes")
        if len(part) > nbytes:
            raise InvalidOption(f"its read({nbytes}) gives {len(part)} bytes, more than it was asked for")
        return bytes(part)

    def expect(self, nbytes: int) -> None:
        """As `Input.expect`; mostly nothing is known beforehand of a stream."""
        if self._size is not None and nbytes > self._size - self.position:
            raise CorruptFileError(f"it ends after {self._size} bytes, {self.position + nbytes} are needed")

    def take(self, nbytes: int) -> Callable[[], bytes]:
        """As `Input.take`."""
        data = self.read(nbytes)
        if len(data) < nbytes:
            raise CorruptFileError(
                f"it ends after {self.position} bytes, {nbytes - len(data)} more are needed"
            )
        return lambda: data

    def fill(self, out: memoryview, *, padding: int = 0) -> Callable[[], object]:
        """As `Input.fill`."""
        _check_padding(self.take(padding)())
        rest = out
        while rest:
            count = self._fill_some(rest)
            if not count:
                raise CorruptFileError(f"it ends after {self.position} bytes, {len(rest)} more are needed")
            self.position += count
            rest = rest[count:]
        return lambda: None

    def _fill_some(self, out: memoryview) -> int:
        if self._readinto is not None:
            try:
                count = self._readinto(out)
            except io.UnsupportedOperation:
                self._readinto = None  # it has the method and not the ability
            else:
                if count is None:
                    raise BlockingIOError(errno.EAGAIN, _WOULD_BLOCK)
                return count
        data = self._read_some(min(len(out), _STEP))
        out[: len(data)] = data
        return len(data)


def _check_padding(found: bytes | bytearray) -> None:
    if any(found):
        raise CorruptFileError("the bytes before one of its buffers are damaged")
