"""Batches for workers that share no memory with this process: packets out, answers back."""

import os
import pickle
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from ...parcel.parcels import Parcel, split
from ...protocols import Batch, Done, Event, Failed, SessionRequest, Told
from ...system.boot import boot_id
from ..processes.encoding import EncodedTasks, TaskEncoder
from ..processes.functions import Shipyard
from ..workers.answers import Outcome, outcomes, scalars
from ..workers.channel import Frame
from ..workers.wire import TOLD, VALUES, Placed, StreamWriter
from .blobs import Blob
from .leaving import Leftover
from .packets import RUNNER, Answer, Apart, Left, Packet, Part, Posted
from .remote import run
from .session import Load, Packed

__all__ = ["Carrier", "RemotePacker", "WithEachBatch"]


class Carrier(Protocol):
    """How the parts of a session get to its workers, where they may be better kept than with each batch."""

    def begin(self, batch: Batch) -> Batch:
        """A batch that is about to be packed, with what is to be pickled of it."""

    def carry(self, part: Part) -> object:
        """What stands for a part among the arguments of `run`; the part itself when `run` is called."""

    def place(self, buffer: pickle.PickleBuffer) -> Placed:
        """The bytes of a buffer of arguments, to travel with their batch; or a number, and it is a part."""

    def placed(self, numbers: Iterable[int]) -> Sequence[object]:
        """What stands for the parts that `place` has numbered in this batch, and for what else it needs."""

    def close(self) -> None:
        """The session is over: no part is needed any more."""


class WithEachBatch:
    """The `Carrier` for workers of which nobody knows where they are, nor which one gets a batch."""

    def begin(self, batch: Batch) -> Batch:
        """The batch itself."""
        return batch

    def carry(self, part: Part) -> object:
        """The part itself."""
        return part

    def place(self, buffer: pickle.PickleBuffer) -> Placed:
        """The bytes."""
        return buffer.raw()

    def placed(self, numbers: Iterable[int]) -> Sequence[object]:
        """There are none."""
        return ()

    def close(self) -> None:
        """Nothing to let go of."""


class RemotePacker:
    """A `Packer` for workers that run `lightwork.engines.futures.remote.run` with what it is given, pickled.

    Parameters
    ----------
    request
        What the call has asked for. Its option ``read_only`` is for the workers.
    carrier
        Closed with the session.
    """

    def __init__(self, request: SessionRequest, carrier: Carrier | None = None) -> None:
        self._session: Final = os.urandom(16)
        self._timed = request.timed
        self._read_only = bool(request.options.get("read_only", False))
        self._shipyard = Shipyard()
        self._carrier = carrier or WithEachBatch()
        self._encoder = TaskEncoder(self._shipyard, StreamWriter(self._carrier.place))
        runner = split(request.runner, by_value=True, path="runner")
        self._runner = _part(RUNNER, runner)
        self._functions: dict[int, Part] = {}

    def pack(self, slot: int, batch: Batch) -> Packed:
        """One load, unless some of the tasks cannot travel."""
        if not batch.calls:
            return Packed(())
        encoded = self._encoder.encode(self._carrier.begin(batch))
        return Packed([self._load(slot, tasks) for tasks in encoded.frames], encoded.failures)

    def unpack(self, slot: int, answer: Answer | Apart) -> Sequence[Event]:
        """The events of an answer. Times of another machine's clock are left out."""
        leftover: Leftover | None = None
        if isinstance(answer, Apart):
            leftover = Leftover(answer.bring, _outcomes)
            answer = answer.answer
        is_ours = answer.boot == boot_id()
        events: list[Event] = []
        for posted in answer.frames:
            if isinstance(posted, Left):
                assert leftover is not None  # who leaves something out says how to bring it
                events.append(_event(slot, leftover.results(posted), is_ours))
            elif posted.kind == TOLD:
                events.append(Told(slot, posted.start, pickle.loads(posted.body)))
            else:
                events += [_event(slot, outcome, is_ours) for outcome in _outcomes(posted)]
        return events

    def close(self) -> None:
        """Let go of the parts."""
        self._functions = {}
        self._carrier.close()

    def _load(self, slot: int, tasks: EncodedTasks) -> Load:
        numbers = [item for item in tasks.buffers if isinstance(item, int)]
        packet = Packet(
            session=self._session,
            slot=slot,
            timed=self._timed,
            read_only=self._read_only,
            kind=tasks.kind,
            start=tasks.start,
            length=tasks.length,
            body=bytes(tasks.body),
            buffers=[item if isinstance(item, int) else Blob(item) for item in tasks.buffers],
        )
        parts = map(self._carrier.carry, (self._runner, *map(self._function, tasks.functions)))
        buffers = self._carrier.placed(dict.fromkeys(numbers))
        return Load(tasks.start, tasks.start + tasks.length, run, (packet, *parts, *buffers))

    def _function(self, number: int) -> Part:
        part = self._functions.get(number)
        if part is None:
            part = self._functions[number] = _part(number, self._shipyard.parcel(number))
        return part


def _part(number: int, parcel: Parcel) -> Part:
    return Part(number, parcel.skeleton, [Blob(buffer) for buffer in parcel.buffers])


def _outcomes(posted: Posted) -> Sequence[Outcome]:
    kind, flag, start, length, body, buffers = posted
    frame = Frame(kind, flag, 0, start, length, memoryview(body), [blob.owned() for blob in buffers])
    if kind == VALUES:
        return [scalars(frame)]
    return list(outcomes(frame))


def _event(slot: int, outcome: Outcome, is_ours: bool) -> Event:
    start, values, error, (seconds, began, slowest, ends) = outcome
    known = began if is_ours else None
    if error is not None:
        return Failed(slot, start, error, seconds, known)
    return Done(slot, start, values, seconds, known, slowest, ends if is_ours else None)
