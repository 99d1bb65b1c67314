"""What travels between a session on futures and the workers of somebody else. Both ends import this.

All of it can be pickled by any pickler, by reference, and says nothing of how it travels.
"""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final, NamedTuple

from .blobs import Blob

__all__ = ["RUNNER", "WHOLES", "Answer", "Apart", "Left", "Packet", "Part", "Posted", "StandIn", "Whole"]

RUNNER: Final = -1
"""The number of the part that is the runner."""


class Part(NamedTuple):
    """What many batches of a session need: its runner, a function, or a large buffer of arguments."""

    number: int
    """`RUNNER`, or that by which frames name the function or the buffer."""

    skeleton: bytes | None
    """``None``: this is a buffer, the only one in `buffers`."""

    buffers: Sequence[Blob]

    def nbytes(self) -> int:
        """About how much it has to travel."""
        return len(self.skeleton or b"") + sum(blob.view().nbytes for blob in self.buffers)


class Whole(NamedTuple):
    """An object that the user has scattered: all tasks of a worker share it, and must not change it."""

    name: bytes
    value: Any  # Any: the user's


WHOLES: ContextVar[Mapping[bytes, Any]] = ContextVar("lightwork_wholes")
"""What the batch that runs has of those, by name. Any: the user's."""


class StandIn:
    """Travels in the place of a scattered object: what is unpickled is the object."""

    __slots__ = ("_name",)

    def __init__(self, name: bytes) -> None:
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return _whole, (self._name,)


def _whole(name: bytes) -> Any:  # Any: the user's object
    return WHOLES.get()[name]


class Packet(NamedTuple):
    """Tasks ``start .. start + length - 1`` as a frame of `lightwork.engines.workers.wire`."""

    session: bytes
    """Names the session in all processes."""

    slot: int
    timed: bool
    read_only: bool
    """Arrays that travel beside the pickle of their task cannot be written to."""

    kind: int
    start: int
    length: int
    body: bytes
    buffers: Sequence[Blob | int]
    """By number those that are parts."""

    def nbytes(self) -> int:
        """About how much it has to travel, without its parts."""
        blobs = [blob for blob in self.buffers if not isinstance(blob, int)]
        return len(self.body) + sum(blob.view().nbytes for blob in blobs)


class Posted(NamedTuple):
    """A frame of an answer, as `lightwork.engines.workers.answers` makes them."""

    kind: int
    flag: int
    start: int
    length: int
    body: bytes
    buffers: Sequence[Blob]


class Left(NamedTuple):
    """A frame of results that has stayed with the workers, in the place that it has in the answer."""

    start: int
    length: int
    times: Any  # Any: `lightwork.engines.workers.answers.Times`, which would import much here
    nbytes: int


class Answer(NamedTuple):
    """What became of a packet."""

    frames: Sequence[Posted | Left]
    boot: str
    """Which run of which machine its times are of."""


class Apart(NamedTuple):
    """An answer, and what brings the frames that it leaves out: blocks, and raises what keeps them away."""

    answer: Answer
    bring: Callable[[], Sequence[Posted]]
