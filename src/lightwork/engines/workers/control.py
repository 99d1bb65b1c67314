"""What the parent and the template process say to each other, and what a worker is started with.

::

    parent                                         template
    ──────                                         ────────
    FORK number + [socket, page, tokens]  ───────►  forks a worker that owns these three
    KILL number                           ───────►  SIGKILL for the worker's process group
    LOOK number                           ───────►  has the worker write its stack into its page
    LEAVE                                 ───────►  kills every descendant and exits
                                          ◄───────  ENDED number, pid, status, peak memory
                                          ◄───────  REFUSED number, errno: the fork failed

The socket keeps message boundaries (``SOCK_SEQPACKET``), so a message is one fixed structure. That a KILL
goes through the template makes it safe: only who reaps a process knows that its number is still its own.
"""

import signal
import struct
from typing import Final, NamedTuple

__all__ = [
    "ENDED",
    "FORK",
    "KILL",
    "LEAVE",
    "LOOK",
    "LOOK_SIGNAL",
    "MESSAGE_SIZE",
    "REFUSED",
    "Message",
    "decode",
    "encode",
]

FORK: Final = 1
KILL: Final = 2
LEAVE: Final = 3
ENDED: Final = 4
REFUSED: Final = 5
LOOK: Final = 6

LOOK_SIGNAL: Final = signal.SIGRTMAX - 5
"""Has a worker write its stack. Nobody is known to use this one; programs take the lowest ones."""

_LAYOUT = struct.Struct("<BIIiQ")
MESSAGE_SIZE = _LAYOUT.size


class Message(NamedTuple):
    """One message in either direction; fields that a kind has no use for are 0."""

    kind: int
    number: int
    """The parent's number for the worker, never used twice."""

    pid: int = 0
    status: int = 0
    """ENDED: as `os.wait` gives it. REFUSED: the error number."""

    peak_bytes: int = 0


def encode(message: Message) -> bytes:
    return _LAYOUT.pack(*message)


def decode(data: bytes) -> Message:
    return Message(*_LAYOUT.unpack(data))
