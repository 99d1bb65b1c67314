"""Carries out what the flow decides, against one session of an engine.

::

    input ──read──► calls (Window) ──send──► session ──wait──► results (Window) ──emit──► whoever drives
                                       ▲                 │
                                       └── Flow.feed ◄───┘

One thread at a time drives: the caller's for lists, a pump thread for generators (`results.py`). The input
is advanced by that thread only. Per event there are a handful of slices; per task there is nothing.
"""

import time
from collections.abc import Callable, Iterator, Sequence, Sized
from heapq import heappop, heappush
from itertools import chain, islice
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from ..protocols import (
    Batch,
    Call,
    Done,
    Event,
    Report,
    Session,
    SupportsCost,
    SupportsFlush,
    SupportsMemory,
    Told,
    supports,
)
from ..system.signals import at_a_time
from .cancelling import Switch
from .failures import Failure, add_note, all_of, describe, not_a_call
from .flow import Flow
from .moves import (
    Abort,
    Arrived,
    Consumed,
    Due,
    Emit,
    End,
    FlowEvent,
    Later,
    Read,
    Send,
    Settle,
    TakeBack,
)
from .recall import CachedCalls, Recall, read
from .retrying import Retry, chance
from .sheet import Sheet
from .window import Window

if TYPE_CHECKING:
    from .mutations import MutationCheck
    from .weighing import Weighing

__all__ = ["Driver", "Examine", "Listener", "Observer", "OnError", "checked", "total_of"]

OnError: TypeAlias = Literal["raise", "return", "skip", "group"]

Observer: TypeAlias = Callable[[int, int | None, int], object]
"""Called with (tasks done, tasks in all if known, tasks failed), failed ones being done as well."""

Listener: TypeAlias = Callable[[int, object], None]
"""Called with the index of a task and what the runner said of it, before its result is emitted."""

Examine: TypeAlias = Callable[[Sequence[Call], int], None]
"""Called with tasks that were read, and the index of the first."""

_SKIPPED = object()

_READING = 5e-3
"""Seconds of reading after which what was read is sent, and results are handed on, before more is read."""

_GULP = 16
"""Tasks that are read without a look at the clock: if the input stalls, those before it wait with it."""


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
        ``"return"`` puts a `Failure` in the place of a failed task, ``"skip"`` leaves it out; ``"group"`` as
        well, and raises all errors together at the end. With ``"raise"`` the flow must be fatal.
    retry
        Says how long the flow's next attempts wait.
    switch
        Gives up the call, from any thread.
    sheet
        Where the time that all of it takes is written down.
    observer
        Told at the start and of each change in the number of finished tasks, in the driving thread.
    listener
        Gets what the runner of the session says of tasks, in the driving thread.
    recall
        Asked for results before tasks are sent, and told those of tasks that were. Without one, functions
        that remember their results are asked.
    asks
        Whether functions that remember are asked where there is no `recall`. Not if what they depend on is
        set in the workers: then only those can tell what is known.
    examine
        Gets the calls as they are read; what it raises ends the call.
    check
        Gets them as well, and looks at them again at the end.
    weighing
        Looks at the workers for a flow that has a budget of memory.
    """

    def __init__(
        self,
        tasks: Iterator[Call] | Sequence[Call],
        session: Session,
        flow: Flow,
        *,
        on_error: OnError,
        sheet: Sheet,
        retry: Retry | None = None,
        switch: Switch | None = None,
        observer: Observer | None = None,
        listener: Listener | None = None,
        recall: Recall | None = None,
        asks: bool = True,
        examine: Examine | None = None,
        check: "MutationCheck | None" = None,
        weighing: "Weighing | None" = None,
        total: int | None = None,
    ) -> None:
        self._tasks = tasks
        self._is_slow = False  # the last read has taken long
        self._put_off: Read | None = None  # asked for by the flow, and not done before others were heard
        self._session = session
        self._flush = session.flush if supports(session, SupportsFlush) else _nothing
        self._cost = session.cost if supports(session, SupportsCost) else _nothing
        self._flow = flow
        self._on_error = on_error
        self._retry = retry or Retry(0)
        self._later: list[tuple[float, int]] = []  # a heap: when the next attempts are due
        self._switch = switch or Switch()
        self._switch.wake = session.wake
        self._errors: list[BaseException] = []  # of failed tasks, for the group
        self._sheet = sheet
        if supports(session, SupportsMemory):
            sheet.memory = session.memory
        self._observer = observer
        self._listener = listener
        self._recall = recall
        self._asks = asks
        self._cached = CachedCalls()
        self._examine = examine
        self._check = check
        self._weighing = weighing
        self._total = total
        self._calls: Window[Call] = Window()
        self._results: Window[Any] = Window()  # Any: what users' functions return
        self._read = self._done = self._failed = 0
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
        self._switch.check()
        tasks = self._tasks
        if self._flow.limit() is None and not isinstance(tasks, list | tuple):
            begin = self._sheet.clock()
            tasks = list(tasks)  # pre_dispatch="all"
            self._total = len(tasks)
            self._sheet.read(0, len(tasks), begin, exhausted=False)
        if self._observer is not None:
            self._observer(0, self._total, 0)
        if isinstance(tasks, list | tuple) and self._asked_first(checked(tasks, 0)) is None:
            self._sheet.exhausted(len(tasks))
            self._put(0, tasks)
            self._read = len(tasks)
            self._feed([Arrived(len(tasks), exhausted=True)])
        else:
            # What is looked up may be large: a list is read as it is needed, like any other input.
            self._tasks = iter(tasks)
            self._feed([Arrived(0, exhausted=False)])
        self._observe(0)

    def step(self, timeout: float | None = None) -> bool:
        """Wait for events, at most `timeout` seconds, and act on them; whether there were any.

        In the main thread the wait is shorter, so that no signal is overheard.

        Raises the error of a task if the flow is fatal, `CallCancelled`, and what input or observer raise.
        """
        put_off, self._put_off = self._put_off, None
        events = self._heard(self._session.wait(self._patience(timeout) if put_off is None else 0.0))
        cost = self._cost()
        if cost is not None:
            self._flow.weigh(cost)
        self._switch.check()
        before = self._done
        self._sheet.take_in(events, self._calls)
        for event in events:
            if type(event) is Done:
                start, values = event.start, event.values
                count = len(values)
                self._results.put(start, values)
                self._calls.drop(start, start + count)
                self._done += count
                if self._recall is not None:
                    self._recall.keep(start, values, event.seconds)
        try:
            self._feed([*events, *self._due()] if self._later else events)
        finally:  # an error ends the call; what has ended before it counts all the same
            self._observe(before)
        if put_off is not None:
            before = self._done
            self._feed([self._read_more(put_off)])
            self._observe(before)
        return bool(events)

    def consumed(self, count: int) -> None:
        """Tell the flow that the reader took `count` of the emitted tasks."""
        before = self._done
        try:
            self._feed([Consumed(count)])
        finally:  # now there is room for more of the input, of which some may be known
            self._observe(before)

    def release(self) -> None:
        """Let go of all tasks and results: a traceback that somebody keeps shall not keep them."""
        self._calls, self._results, self.out, self._tasks = Window(), Window(), [], ()
        self._errors = []
        if self._check is not None:
            self._check.let_go()

    def _patience(self, timeout: float | None) -> float | None:
        """Seconds until the next attempt of a task is due, or a look at the workers, at most `timeout`."""
        next = self._sheet.due if self._sheet.memory is not None else inf
        if self._later:
            next = min(next, self._later[0][0])
        if next == inf:
            return at_a_time(timeout)
        left = max(0.0, next - time.monotonic())
        return at_a_time(left if timeout is None else min(left, timeout))

    def _due(self) -> list[FlowEvent]:
        now, due = time.monotonic(), list[FlowEvent]()
        while self._later and self._later[0][0] <= now:
            due.append(Due(heappop(self._later)[1]))
        return due

    def _observe(self, before: int) -> None:
        if self._observer is not None and self._done != before:
            self._observer(self._done, self._total, self._failed)

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
        if self._weighing is not None:
            following = [*events, *self._weighing.look()]
        while following is not None:
            actions, following = self._flow.feed(following), None
            for action in actions:
                kind = type(action)
                if kind is Send:
                    self._send(action)  # type: ignore[arg-type]  # just tested
                elif kind is Emit:
                    self._emit(action)  # type: ignore[arg-type]  # just tested
                elif kind is Read and self._is_slow:
                    self._put_off = action  # type: ignore[assignment]  # just tested
                elif kind is Read:
                    following = [self._read_more(action)]  # type: ignore[arg-type]  # just tested
                else:
                    self._act(action)

    def _act(self, action: object) -> None:
        match action:
            case TakeBack(slot):
                self._session.take_back(slot)
            case Later(index, failures):
                pause = self._retry.pause(failures, chance())
                heappush(self._later, (time.monotonic() + pause, index))
            case Settle():
                self._settle(action)
            case Abort(index, error):
                self._fail(index, error)
                raise error
            case End():
                self.ended = True
                if self._errors:
                    raise all_of(self._errors, self._read)
                if self._check is not None:
                    self._check.verify()

    def _send(self, action: Send) -> None:
        slot, start, stop = action
        batch = Batch(start, self._calls.get(start, stop))
        begin = self._sheet.clock()
        self._session.send(slot, batch)
        self._sheet.sent(slot, batch, begin)

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

    def _read_more(self, action: Read) -> Arrived:
        self._flush()
        start = self._read
        self.reading = True
        begin, until = self._sheet.clock(), time.monotonic() + _READING
        try:
            calls, exhausted = ([], True) if self.cancelled else self._some(action.count, until)
            recall = self._asked_first(calls)
            if recall is not None:
                return self._look(recall, calls, action, begin, until)
        finally:
            self.reading = False
            self._is_slow = time.monotonic() > until
        self._sheet.read(start, len(calls), begin, exhausted=exhausted)
        self._put(start, checked(calls, start))
        return self._arrived(len(calls), exhausted)

    def _some(self, count: int, until: float) -> tuple[list[Any], bool]:  # Any: they were not looked at yet
        """Up to `count` tasks, fewer if reading them takes long; and whether there are no more."""
        calls: list[Any] = []
        while len(calls) < count:
            wanted = min(count - len(calls), max(1, len(calls)), _GULP)
            some = list(islice(self._tasks, wanted))
            calls += some
            if len(some) < wanted:
                return calls, True
            if time.monotonic() > until:
                break
        return calls, False

    def _arrived(self, count: int, exhausted: bool, known: Sequence[tuple[int, int]] = ()) -> Arrived:
        self._read += count
        if exhausted:
            self._total = self._read
        return Arrived(count, exhausted, known)

    def _asked_first(self, calls: Sequence[Any]) -> Recall | None:  # Any: they were not looked at yet
        """Who is asked before these calls are sent; the first of them tells of all."""
        if self._recall is not None:
            return self._recall
        first = calls[0] if calls else None
        if self._asks and isinstance(first, tuple) and first and self._cached.can_tell(first):
            return self._cached
        return None

    def _look(
        self, recall: Recall, begun: Sequence[Any], action: Read, begin: float, until: float
    ) -> Arrived:
        """Read tasks of which some may be known, after those that were begun with.

        To look for them is part of reading them. Any: they were not looked at yet.
        """
        tasks = chain(begun, self._tasks)
        least, most = len(begun), action.most
        calls, known, exhausted = read(
            recall, tasks, self._read, count=action.count, least=least, most=most, until=until
        )
        self._sheet.read(self._read, len(calls), begin, exhausted=exhausted)
        self._put(self._read, calls)
        ranges = [(start, start + len(values)) for start, values in known]
        for (start, stop), (_, values) in zip(ranges, known, strict=True):
            self._calls.drop(start, stop)
            self._results.put(start, values)
            self._done += stop - start
            self._sheet.known += stop - start
        return self._arrived(len(calls), exhausted, ranges)

    def _put(self, start: int, calls: Sequence[Call]) -> None:
        self._calls.put(start, calls)
        if self._examine is not None:
            self._examine(calls, start)
        if self._check is not None:
            self._check.examine(calls, start)

    def _settle(self, action: Settle) -> None:
        index, error, attempts = action
        self._fail(index, error)
        self._calls.drop(index, index + 1)
        if self._on_error == "return":
            self._results.put(index, [Failure(index, error, attempts)])
        else:
            self._results.put(index, [_SKIPPED])
            self._skipped = True
        if self._on_error == "group":
            self._errors.append(error)
        self._done += 1
        self._failed += 1

    def _fail(self, index: int, error: BaseException) -> None:
        call = self._calls.get(index, index + 1)[0]
        add_note(error, describe(index, call))
        self._sheet.fail(index, call, error)


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
