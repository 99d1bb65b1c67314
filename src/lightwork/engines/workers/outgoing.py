"""Frames on their way from a worker to its parent, over their socket: from any thread, whole and in order."""

import pickle
import socket
import sys
import threading
from collections import deque
from collections.abc import Sequence

from .channel import Piece, make_frame, send_all
from .wire import TOLD, Placed

__all__ = ["Outgoing"]


class Outgoing:
    """What leaves a worker in one session. `put` and `send` are called by its own thread, `tell` by any."""

    def __init__(self, connection: socket.socket, session: int) -> None:
        self._socket = connection
        self._session = session
        self._pieces: list[Piece] = []
        self._told: deque[Sequence[Piece]] = deque()
        self._sending = threading.Lock()

    def put(
        self,
        kind: int,
        body: Piece,
        *,
        flag: int = 0,
        start: int = 0,
        length: int = 0,
        buffers: Sequence[Placed] = (),
    ) -> None:
        """Keep a frame for the next `send`. Its buffers are not copied."""
        self._pieces += make_frame(
            kind, self._session, body, flag=flag, start=start, length=length, buffers=buffers
        )

    def send(self) -> None:
        """Send what was put. What tasks printed goes out before their results."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        pieces, self._pieces = self._pieces, []
        if pieces:
            with self._sending:
                self._send_told()
                send_all(self._socket, _joined(pieces))
            self._pass_on()

    def tell(self, index: int, what: object) -> None:
        """Send what the runner says of task `index`, at once. From any thread, signal handlers too.

        Raises whatever pickling it raises.
        """
        body = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        self._told.append(make_frame(TOLD, self._session, body, start=index))
        self._pass_on()

    def _pass_on(self) -> None:
        # Nobody waits for the lock here: who holds it may be the very code that a signal has interrupted.
        # Instead the holder looks again when it has let go, so nothing stays behind.
        while self._told and self._sending.acquire(blocking=False):
            try:
                self._send_told()
            finally:
                self._sending.release()

    def _send_told(self) -> None:
        while self._told:
            send_all(self._socket, list(self._told.popleft()))


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Small pieces side by side: one piece costs the kernel more than copying a few hundred bytes."""
    if all(len(piece) < 4096 for piece in pieces):
        return [b"".join(pieces)]
    return pieces
