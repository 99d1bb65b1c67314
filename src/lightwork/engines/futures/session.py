"""One call's hold on workers that give futures: an executor's, a cluster's.

::

    driver ──send──► packer ──► slot.waiting ──► site.submit ──► future
       ▲                                                           │ done, in any thread
       └──wait──── events ◄── packer.unpack ◄── heard (SimpleQueue) ◄┘

A slot has one batch under way and keeps the others here, so batches of a slot run in the order sent, no more
slots run than were asked for, and what has not left can be taken back at once. How a batch becomes a function
with arguments, and what it returns becomes events, is the `Packer`'s; where that function runs is the
`Site`'s.
"""

import itertools
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, Protocol

from ...errors import EngineError, ParallelError, WorkerDied
from ...protocols import Batch, Done, Event, Failed, Lost, Returned

__all__ = ["FutureSession", "Load", "Loss", "Packed", "Packer", "Pending", "Site"]


class Pending(Protocol):
    """What a `Site` gives for something that runs: a ``concurrent.futures.Future``, or the like of it."""

    def add_done_callback(self, done: Callable[[Any], object], /) -> object:  # Any: itself
        """Call `done` once it has ended or was cancelled, in any thread; at once if that is so already."""

    def exception(self) -> BaseException | None:
        """Once ended: what it failed with. Raises if it was cancelled."""

    def result(self) -> Any:  # Any: what the function has returned
        """Once ended well: what the function has returned."""


class Loss(NamedTuple):
    """A function did not end because workers were lost; submitted again it runs on others."""

    error: WorkerDied
    is_innocent: bool = False
    """Whether that may have been the doing of another function."""


class Site(Protocol):
    """Where functions run, for one session. Used by the thread of the session alone."""

    def submit(self, function: Callable[..., Any], args: Sequence[Any]) -> Pending:
        """Have ``function(*args)`` run somewhere; does not wait for it. Raises what `explain` explains."""

    def withdraw(self, pending: Pending) -> bool:
        """Whether it has not begun, and now never will."""

    def explain(self, error: BaseException) -> ParallelError | Loss:
        """What it means that a function could not be submitted, or did not end. An error ends the call."""

    def leave(self, pendings: Sequence[Pending], *, abort: bool) -> None:
        """The session is over. Nobody waits for `pendings`: end them as far as that is possible."""


class Load(NamedTuple):
    """Tasks ``start .. stop - 1`` as a function call."""

    start: int
    stop: int
    function: Callable[..., Any]
    args: Sequence[Any]


class Packed(NamedTuple):
    """A batch as loads, in order, and the tasks of it that cannot travel."""

    loads: Sequence[Load]
    failures: Sequence[tuple[int, BaseException]] = ()


class Packer(Protocol):
    """Makes loads of batches, and events of what those return. For one session."""

    def pack(self, slot: int, batch: Batch) -> Packed:
        """A batch for a slot."""

    def unpack(self, slot: int, answer: Any) -> Sequence[Event]:  # Any: what its function has returned
        """What a load has to report: of all its tasks, in order."""

    def close(self) -> None:
        """The session is over; loads that have not ended need not go on."""


class _Flight(NamedTuple):
    """A load under way."""

    serial: int
    load: Load
    pending: Pending
    began: float
    """When it was submitted, by `time.monotonic`."""


class _Landed(NamedTuple):
    """A flight has ended. By number, so that no future refers to its own arguments in a circle."""

    slot: int
    serial: int
    ended: float


class _Slot:
    __slots__ = ("flight", "waiting")

    def __init__(self) -> None:
        self.flight: _Flight | None = None
        self.waiting: deque[Load] = deque()


class FutureSession:
    """A `lightwork.protocols.Session` over anything that gives futures.

    Parameters
    ----------
    slots
        How many loads may be under way at once.
    packer, site
        Its own: closed with the session.
    heard
        Where events may be put by others, the packer's threads for example; ``None`` wakes `wait`.
    engine
        Kept as long as the session.
    """

    def __init__(
        self,
        slots: int,
        packer: Packer,
        site: Site,
        *,
        heard: "SimpleQueue[Event | None] | None" = None,
        engine: object = None,
    ) -> None:
        self._packer = packer
        self._site = site
        self._engine = engine
        self._heard: SimpleQueue[Any] = heard or SimpleQueue()  # Any: events, None, and `_Landed`
        self._serials = itertools.count()
        self._cost: float | None = None
        self._slots = [_Slot() for _ in range(slots)]
        self._events: list[Event] = []
        self._closed = False

    def send(self, slot: int, batch: Batch) -> None:
        """Pack a batch, and submit it if nothing of its slot is under way.

        Raises
        ------
        EngineError
            Nothing can be submitted any more, or the session is closed.
        """
        self._check_open()
        packed = self._packer.pack(slot, batch)
        self._events += [Failed(slot, index, error, 0.0) for index, error in packed.failures]
        place = self._slots[slot]
        place.waiting.extend(packed.loads)
        self._launch(slot, place)

    def take_back(self, slot: int) -> None:
        """Give back the load that was sent last, if it has not begun; the next `wait` brings the answer."""
        place = self._slots[slot]
        load = place.waiting.pop() if place.waiting else self._recall(place)
        start, stop = (0, 0) if load is None else (load.start, load.stop)
        self._events.append(Returned(slot, start, stop))

    def wait(self, timeout: float | None) -> Sequence[Event]:
        """All events that are there, after waiting for the first.

        Raises
        ------
        EngineError
            The workers cannot go on, or the session is closed.
        """
        self._check_open()
        for item in self._listen(timeout):
            if type(item) is _Landed:
                self._land(*item)
            elif item is not None:
                self._events.append(item)
        events, self._events = self._events, []
        return events

    def cost(self) -> float | None:
        """Seconds that a load took beside its tasks, the least so far: others may keep the workers busy."""
        return self._cost

    def wake(self) -> None:
        """Let `wait` return. Safe from any thread, signal handlers and finalizers too."""
        self._heard.put(None)

    def close(self, *, abort: bool) -> None:
        """End the session. Loads that run are ended if the site can do that, and abandoned otherwise."""
        if self._closed:
            return
        self._closed = True
        self._heard.put(None)  # a `wait` in another thread is a mistake; it gets an error, not silence
        pendings = [place.flight.pending for place in self._slots if place.flight is not None]
        self._site.leave(pendings, abort=abort)  # before anything is let go of that functions under way use
        self._packer.close()
        self._slots = []
        self._events = []

    def _check_open(self) -> None:
        if self._closed:
            raise EngineError("this session is closed")

    def _listen(self, timeout: float | None) -> list[Any]:  # Any: as in `_heard`
        found = []
        try:
            found.append(self._heard.get(block=not self._events, timeout=timeout))
            while True:
                found.append(self._heard.get_nowait())
        except Empty:
            return found

    def _launch(self, slot: int, place: _Slot) -> None:
        """Submit what is next in a slot that has nothing under way."""
        if place.flight is not None or not place.waiting:
            return
        load, serial = place.waiting.popleft(), next(self._serials)
        began = time.monotonic()
        try:
            pending = self._site.submit(load.function, load.args)
        except Exception as error:  # the executor's own errors, of any kind
            meaning = self._site.explain(error)
            raise (meaning.error if isinstance(meaning, Loss) else meaning) from error
        place.flight = _Flight(serial, load, pending, began)
        heard = self._heard
        pending.add_done_callback(lambda _: heard.put(_Landed(slot, serial, time.monotonic())))

    def _recall(self, place: _Slot) -> Load | None:
        flight = place.flight
        if flight is None or not self._site.withdraw(flight.pending):
            return None
        place.flight = None
        return flight.load

    def _land(self, slot: int, serial: int, ended: float) -> None:
        place = self._slots[slot]
        flight = place.flight
        if flight is None or flight.serial != serial:
            return  # it was taken back
        place.flight = None
        try:
            error = flight.pending.exception()
        except Exception as cancelled:  # noqa: BLE001 - each library has its own error for that
            error = cancelled
        if error is not None:
            self._lose(slot, flight.load, error)
            return
        self._launch(slot, place)  # first: the worker has nothing to do
        events = self._packer.unpack(slot, flight.pending.result())
        self._events += events
        if events:
            ran = sum(event.seconds for event in events if isinstance(event, Done | Failed))
            cost = max(0.0, ended - flight.began - ran)
            self._cost = cost if self._cost is None else min(cost, self._cost)

    def _lose(self, slot: int, load: Load, error: BaseException) -> None:
        """A load did not end. With its worker goes what waits for the slot: the flow sends it again."""
        meaning = self._site.explain(error)
        if not isinstance(meaning, Loss):
            raise meaning from error
        alone = load.start if load.stop == load.start + 1 else None
        running = None if meaning.is_innocent else alone
        meaning.error.task = alone
        self._slots[slot].waiting.clear()
        self._events.append(Lost(slot, running, meaning.error))
