"""Carries out what the flow decides, against one session of an engine.

::

    input ──read──► calls (Window) ──send──► session ──wait──► results (Window) ──emit──► whoever drives
                                       ▲                 │
                                       └── Flow.feed ◄───┘

One thread at a time drives: the caller's for lists, a pump thread for generators (`results.py`). The input
is advanced by that thread only. Per event there are a handful of slices; per task there is nothing.
"""

from collections.abc import Callable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Literal, TypeAlias

from ..protocols import Batch, Call, Done, Event, Report, Session, SupportsFlush, Told
from .failures import Failure, add_note, describe, not_a_call
from .flow import Flow
from .moves import Abort, Arrived, Consumed, Emit, End, FlowEvent, Read, Send, Settle, TakeBack
from .window import Window

__all__ = ["Driver", "Examine", "Listener", "Observer", "OnError", "checked", "total_of"]

OnError: TypeAlias = Literal["raise", "return", "skip"]

Observer: TypeAlias = Callable[[int, int | None, int], object]
"""Called with (tasks done, tasks in all if known, tasks failed), failed ones being done as well."""

Listener: TypeAlias = Callable[[int, object], None]
"""Called with the index of a task and what the runner said of it, before its result is emitted."""

Examine: TypeAlias = Callable[[Sequence[Call], int], None]
"""Called with tasks that were read, and the index of the first."""

_SKIPPED = object()


class Driver:
    """One parallel call from its first task to its last.

    Parameters
    ----------
    tasks
        The input. A list or tuple is taken as read; anything else is read as the flow asks for it.
    session
        Where tasks run. The driver uses it; who made it closes it.
    flow
        Decides. It must be new.
    on_error
        ``"return"`` puts a `Failure` in the place of a failed task, ``"skip"`` leaves it out. With
        ``"raise"`` the flow must be fatal.
    observer
        Told of each change in the number of finished tasks, in the driving thread.
    listener
        Gets what the runner of the session says of tasks, in the driving thread.
    examine
        Gets the calls as they are read; what it raises ends the call.
    """

    def __init__(
        self,
        tasks: Iterator[Call] | Sequence[Call],
        session: Session,
        flow: Flow,
        *,
        on_error: OnError,
        observer: Observer | None = None,
        listener: Listener | None = None,
        examine: Examine | None = None,
        total: int | None = None,
    ) -> None:
        self._tasks = tasks
        self._session = session
        self._flush = session.flush if isinstance(session, SupportsFlush) else _nothing
        self._flow = flow
        self._on_error = on_error
        self._observer = observer
        self._listener = listener
        self._examine = examine
        self._total = total
        self._calls: Window[Call] = Window()
        self._results: Window[Any] = Window()  # Any: what users' functions return
        self._read = 0
        self._done = 0
        self._failed = 0
        self._skipped = False
        self.out: list[Any] = []
        """Emitted values that nobody has taken. The driving thread may replace the list."""
        self.emitted = 0
        """Tasks emitted so far, those that were skipped included."""
        self.dropped = 0
        """Those of them that were skipped."""
        self.ended = False
        self.cancelled = False
        """Set by any thread: the input is not advanced any more."""
        self.reading = False
        """The input is being advanced right now, which may take as long as its author likes."""

    def start(self) -> None:
        """Send the first tasks. Raises what the input raises."""
        tasks = self._tasks
        if self._flow.limit() is None and not isinstance(tasks, list | tuple):
            tasks = list(tasks)  # pre_dispatch="all"
            self._total = len(tasks)
        if isinstance(tasks, list | tuple):
            self._put(0, tasks)
            self._feed([Arrived(len(tasks), exhausted=True)])
        else:
            self._feed([Arrived(0, exhausted=False)])

    def step(self, timeout: float | None = None) -> bool:
        """Wait for events, at most `timeout` seconds, and act on them; whether there were any.

        Raises the error of a task if the flow is fatal, and whatever the input or the observer raises.
        """
        events = self._heard(self._session.wait(timeout))
        before = self._done
        for event in events:
            if type(event) is Done:
                start, values = event.start, event.values
                count = len(values)
                self._results.put(start, values)
                self._calls.drop(start, start + count)
                self._done += count
        self._feed(events)
        if self._observer is not None and self._done != before:
            self._observer(self._done, self._total, self._failed)
        return bool(events)

    def consumed(self, count: int) -> None:
        """Tell the flow that the reader took `count` of the emitted tasks."""
        self._feed([Consumed(count)])

    def release(self) -> None:
        """Let go of all tasks and results: a traceback that somebody keeps shall not keep them."""
        self._calls, self._results, self.out, self._tasks = Window(), Window(), [], ()

    def _heard(self, events: Sequence[Event]) -> list[Report]:
        """What became of tasks, after what the runners said was passed on."""
        reports: list[Report] = []
        for event in events:
            if not isinstance(event, Told):
                reports.append(event)
            elif self._listener is not None:
                self._listener(event.index, event.what)
        return reports

    def _feed(self, events: Sequence[FlowEvent]) -> None:
        following: Sequence[FlowEvent] | None = events
        while following is not None:
            actions, following = self._flow.feed(following), None
            for action in actions:
                kind = type(action)
                if kind is Send:
                    self._send(action)  # type: ignore[arg-type]  # just tested
                elif kind is Emit:
                    self._emit(action)  # type: ignore[arg-type]  # just tested
                elif kind is Read:
                    following = [self._read_more(action.count)]  # type: ignore[arg-type]  # just tested
                else:
                    self._act(action)

    def _act(self, action: object) -> None:
        match action:
            case TakeBack(slot):
                self._session.take_back(slot)
            case Settle():
                self._settle(action)
            case Abort(index, error):
                add_note(error, self._describe(index))
                raise error
            case End():
                self.ended = True

    def _send(self, action: Send) -> None:
        slot, start, stop = action
        self._session.send(slot, Batch(start, self._calls.get(start, stop)))

    def _emit(self, action: Emit) -> None:
        values = self._results.take(*action)
        count = len(values)
        self.emitted += count
        if self._skipped:
            values = [value for value in values if value is not _SKIPPED]
            self.dropped += count - len(values)
        if self.out:
            self.out += values
        else:
            self.out = values

    def _read_more(self, count: int) -> Arrived:
        self._flush()
        self.reading = True
        try:
            calls = [] if self.cancelled else list(islice(self._tasks, count))
        finally:
            self.reading = False
        self._put(self._read, calls)
        self._read += len(calls)
        exhausted = len(calls) < count
        if exhausted:
            self._total = self._read
        return Arrived(len(calls), exhausted)

    def _put(self, start: int, calls: Sequence[Any]) -> None:  # Any: what the input gave
        self._calls.put(start, checked(calls, start))
        if self._examine is not None:
            self._examine(calls, start)

    def _settle(self, action: Settle) -> None:
        index, error, attempts = action
        add_note(error, self._describe(index))
        self._calls.drop(index, index + 1)
        if self._on_error == "return":
            self._results.put(index, [Failure(index, error, attempts)])
        else:
            self._results.put(index, [_SKIPPED])
            self._skipped = True
        self._done += 1
        self._failed += 1

    def _describe(self, index: int) -> str:
        return describe(index, self._calls.get(index, index + 1)[0])


def _nothing() -> None:
    """For sessions that keep nothing back."""


def total_of(tasks: object) -> int | None:
    """The number of tasks, if the input knows it."""
    return len(tasks) if isinstance(tasks, Sized) else None


def checked(calls: Sequence[Any], start: int) -> Sequence[Call]:  # Any: this is the test
    """The calls, all of which have the form that `delayed` gives them.

    Raises
    ------
    TypeError
        One has not; the message names the first. Usually ``delayed`` was forgotten.
    """
    # Two sets made in C cost 40 ns per task; looking at each task in Python would cost as much as running it.
    if set(map(type, calls)) <= {tuple} and set(map(len, calls)) <= {3}:
        return calls
    for index, call in enumerate(calls, start):
        if not isinstance(call, tuple) or len(call) != 3:
            raise not_a_call(index, call)
    return calls
