"""Frames over a stream socket: how parent and worker exchange messages of any size.

::

    header (32 bytes) │ sizes of the buffers (8 bytes each) │ body │ buffer 0 │ buffer 1 │ ...

Small frames are read many at a time into one store and handed out as views on it. What is too large for
the store is received straight into its final memory, one copy less. The parent's sockets do not block (an
`Outbox` keeps what the kernel would not take), the worker's do.

A size whose highest bit is set stands for no bytes here: it names a published segment.
"""

import array
import contextlib
import os
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeAlias

from ...system.optional import loaded

__all__ = ["SEGMENT_BIT", "Frame", "Inbox", "Outbox", "Piece", "make_frame", "send_all"]

_HEADER = struct.Struct("<BBHIqIIQ")
_STORE = 256 << 10
_DESCRIPTORS = 16
"""Descriptors that one receive can take. One frame carries at most one, and the kernel joins no two."""

_VECTOR = 512
"""Buffers handed to the kernel at once; it takes at most 1,024."""

SEGMENT_BIT: Final = 1 << 63


class Frame(NamedTuple):
    """One message. `body` may be a view on the store: it is valid until the next `Inbox.receive`."""

    kind: int
    flag: int
    session: int
    start: int
    length: int
    body: memoryview
    buffers: Sequence[memoryview | int]
    """Bytes of their own, writable, or the number of a segment."""


Piece: TypeAlias = "bytes | bytearray | memoryview"


def make_frame(
    kind: int,
    session: int,
    body: Piece,
    *,
    flag: int = 0,
    start: int = 0,
    length: int = 0,
    buffers: Sequence[memoryview | int] = (),
) -> list[Piece]:
    """The pieces of a frame, in the order in which they travel. Buffers are not copied."""
    header = _HEADER.pack(kind, flag, 0, session, start, length, len(buffers), len(body))
    if not buffers:
        return [header + body]
    sizes = [item | SEGMENT_BIT if isinstance(item, int) else item.nbytes for item in buffers]
    inline = [item for item in buffers if not isinstance(item, int) and item.nbytes]
    return [header + struct.pack(f"<{len(sizes)}Q", *sizes) + body, *inline]


class Outbox:
    """Pieces on their way into a socket that does not block."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._queue: deque[tuple[Piece, int | None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._queue)

    def put(self, pieces: Sequence[Piece], *, descriptor: int | None = None) -> None:
        """Queue pieces. `descriptor` travels with the first one and must stay open until it has left."""
        self._queue.append((pieces[0], descriptor))
        for piece in pieces[1:]:
            self._queue.append((piece, None))

    def flush(self) -> None:
        """Send what the kernel takes now.

        Raises
        ------
        BrokenPipeError, ConnectionResetError
            Nobody will read it any more.
        """
        queue = self._queue
        while queue:
            try:
                sent = self._send_some()
            except BlockingIOError:
                return
            while queue and sent >= len(queue[0][0]):
                sent -= len(queue.popleft()[0])
            if sent:
                queue[0] = (memoryview(queue[0][0])[sent:], None)

    def _send_some(self) -> int:
        queue = self._queue
        piece, descriptor = queue[0]
        if descriptor is not None:
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
            return self._socket.sendmsg([piece], rights)
        if len(queue) == 1:
            return self._socket.send(piece)
        pieces: list[Piece] = []
        for piece, descriptor in queue:
            if descriptor is not None or len(pieces) == _VECTOR:
                break
            pieces.append(piece)
        return self._socket.sendmsg(pieces)


def send_all(connection: socket.socket, pieces: list[Piece]) -> None:
    """Send pieces over a socket that blocks."""
    if len(pieces) == 1:
        connection.sendall(pieces[0])
        return
    views = deque(memoryview(piece) for piece in pieces)
    while views:
        sent = connection.sendmsg([views[k] for k in range(min(len(views), _VECTOR))])
        while views and sent >= views[0].nbytes:
            sent -= views.popleft().nbytes
        if sent:
            views[0] = views[0][sent:]


class _Partial:
    """A frame that is being received into its own memory: sizes and body first, then the buffers."""

    __slots__ = ("_fields", "_head", "_sizes", "_started", "buffers", "targets")

    def __init__(self, fields: tuple[int, ...]) -> None:
        self._fields = fields
        self._head = memoryview(bytearray(8 * fields[6] + fields[7]))
        self._started = False
        self.buffers: list[memoryview | int] = []
        self.targets: deque[memoryview] = deque([self._head] if self._head.nbytes else [])

    def advance(self, received: int) -> None:
        """Note that `received` bytes of the first target are there now."""
        rest = self.targets[0][received:]
        if rest.nbytes:
            self.targets[0] = rest
        else:
            self.targets.popleft()

    def finish(self) -> Frame | None:
        """The frame if it is complete. Opens the second stage when the first is."""
        if self.targets:
            return None
        if not self._started:
            self._started = True
            for size in struct.unpack_from(f"<{self._fields[6]}Q", self._head):
                self.buffers.append(_new_buffer(size))
            self.targets.extend(item for item in self.buffers if not isinstance(item, int) and item.nbytes)
            if self.targets:
                return None
        kind, flag, _, session, start, length, number, _ = self._fields
        return Frame(kind, flag, session, start, length, self._head[8 * number :], self.buffers)


def _new_buffer(size: int) -> memoryview | int:
    """Memory for a buffer of a frame, or the number of the segment that stands for it."""
    if size & SEGMENT_BIT:
        return size & ~SEGMENT_BIT
    numpy = loaded("numpy")
    if numpy is not None:
        # Not filled with zeros first, which would cost as much as receiving.
        view: memoryview = numpy.empty(size, numpy.uint8).data
        return view
    return memoryview(bytearray(size))


class Inbox:
    """Reads frames from a socket, as many as there are."""

    def __init__(self, connection: socket.socket, *, takes_descriptors: bool) -> None:
        """With `takes_descriptors` those that arrive are kept in `descriptors`, for the caller to close."""
        self._socket = connection
        self._store = memoryview(bytearray(_STORE))
        self._begin = 0
        self._end = 0
        self._partial: _Partial | None = None
        self._ancillary = socket.CMSG_SPACE(4 * _DESCRIPTORS) if takes_descriptors else 0
        self.descriptors: deque[int] = deque()

    def receive(self) -> list[Frame] | None:
        """Receive once; the frames that this completed, ``None`` at the end of the stream.

        Raises
        ------
        BlockingIOError
            The socket does not block and has nothing to read.
        ConnectionResetError
            The other side closed without reading all.
        """
        if self._partial is not None:
            return self._fill(self._partial)
        if self._begin:
            # Only the torn frame at the end is moved: less than a store.
            rest = self._end - self._begin
            self._store[:rest] = self._store[self._begin : self._end]
            self._begin, self._end = 0, rest
        received = self._read(self._store[self._end :])
        if received == 0:
            return None
        self._end += received
        return list(self._parse())

    def _read(self, target: memoryview) -> int:
        if not self._ancillary:
            return self._socket.recv_into(target)
        received, ancillary, _, _ = self._socket.recvmsg_into([target], self._ancillary)
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self.descriptors.extend(array.array("i", data))
        return received

    def _parse(self) -> Iterator[Frame]:
        while self._end - self._begin >= _HEADER.size:
            fields = _HEADER.unpack_from(self._store, self._begin)
            kind, flag, _, session, start, length, number, size = fields
            if number:
                frame = self._take_large(fields)
                if frame is None:
                    return
                yield frame
                continue
            stop = self._begin + _HEADER.size + size
            if stop > self._end:
                if size + _HEADER.size > _STORE:
                    self._take_large(fields)
                return
            body = self._store[self._begin + _HEADER.size : stop]
            self._begin = stop
            yield Frame(kind, flag, session, start, length, body, ())

    def _take_large(self, fields: tuple[int, ...]) -> Frame | None:
        """Move on to memory of its own for the frame that begins in the store."""
        partial = _Partial(fields)
        position = self._begin + _HEADER.size
        frame = partial.finish()
        while frame is None and position < self._end:
            target = partial.targets[0]
            size = min(target.nbytes, self._end - position)
            target[:size] = self._store[position : position + size]
            position += size
            partial.advance(size)
            frame = partial.finish()
        self._begin = position
        if frame is None:
            self._partial = partial
            self._begin = self._end = 0
        return frame

    def _fill(self, partial: _Partial) -> list[Frame] | None:
        # Exactly as much as is missing: descriptors of the next frame must meet `recvmsg`.
        received = self._socket.recv_into(partial.targets[0])
        if received == 0:
            return None
        partial.advance(received)
        frame = partial.finish()
        if frame is None:
            return []
        self._partial = None
        return [frame]

    def is_midway(self) -> bool:
        """Whether a large frame has begun to arrive, and more of it will follow soon."""
        return self._partial is not None

    def close(self) -> None:
        """Close descriptors that nobody took."""
        while self.descriptors:
            with contextlib.suppress(OSError):
                os.close(self.descriptors.popleft())
