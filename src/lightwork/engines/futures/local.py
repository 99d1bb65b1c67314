"""Batches for threads of this process that somebody else has made: nothing is pickled."""

from collections import deque
from collections.abc import Sequence
from contextvars import Context, copy_context
from queue import SimpleQueue

from ...protocols import Batch, Event, SessionRequest, Told
from ...system.computing import CANCELLATION, WORKER, Cancellation
from ..threads import Work, drain, refuse, run_work
from .session import Load, Packed

__all__ = ["LocalPacker"]


class LocalPacker:
    """A `Packer` whose loads put their events into `heard` while they run, and return nothing.

    Tasks see the context variables of the caller. The runner is started and stopped around each batch, since
    the threads do other things in between.
    """

    def __init__(self, request: SessionRequest, heard: "SimpleQueue[Event | None]") -> None:
        self._request = request
        self._heard = heard
        self._cancellation = Cancellation()
        self._context = copy_context()
        self._context.run(CANCELLATION.set, self._cancellation)
        self._sent: deque[Work] = deque()

    def pack(self, slot: int, batch: Batch) -> Packed:
        """One load."""
        while self._sent and not self._sent[0].calls:
            self._sent.popleft()
        work = Work(batch)
        self._sent.append(work)
        args = (self._context.copy(), slot, self._request, work, self._heard)
        return Packed([Load(batch.start, batch.start + len(batch.calls), _enter, args)])

    def unpack(self, slot: int, answer: None) -> Sequence[Event]:
        """Nothing: it was heard before."""
        return ()

    def close(self) -> None:
        """No further task begins, and those that run are told if they ask."""
        self._cancellation.on = True
        for work in self._sent:
            drain(work.calls)


def _enter(
    context: Context, slot: int, request: SessionRequest, work: Work, events: "SimpleQueue[Event | None]"
) -> None:
    context.run(_run, slot, request, work, events)


def _run(slot: int, request: SessionRequest, work: Work, events: "SimpleQueue[Event | None]") -> None:
    WORKER.set(slot)
    try:
        run = request.runner.start(lambda index, what: events.put(Told(slot, index, what)))
    except Exception as error:  # noqa: BLE001 - a runner starts users' code; each task reports it
        run_work(slot, refuse(error), work, events, timed=request.timed)
        return
    try:
        run_work(slot, run, work, events, timed=request.timed)
    finally:
        request.runner.stop()
