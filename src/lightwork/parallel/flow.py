"""The flow: a parallel map as a pure state machine. Events in, actions out; no I/O, no clock, no thread.

::

    Arrived ──┐                                  ┌──► Read       take more tasks from the input
    Done      │   ┌────────┐   ┌────────────┐    ├──► Send       a range of tasks to a slot
    Failed    ├──►│ backlog├──►│ slots      ├──► ├──► TakeBack   ask a slot for its unstarted tasks
    Lost      │   └────────┘   │ (sent)     │    ├──► Later      a task has failed and is tried again
    Returned  │     ▲    ▲     └─────┬──────┘    ├──► Settle     a task has failed for good
    Due       │     │    └───────────┘           ├──► Emit       results that are next to be handed out
    Consumed  │     └── attempts that wait       └──► Abort, End
    Memory   ─┘

`Flow.feed` is the only door. Events and actions carry ranges of tasks, never single ones, since what is done
per task in Python costs more than a small task may. Indices count the tasks of the input from 0.

What it promises, for any order of events that a correct session may report:

* each task is emitted exactly once, or the flow aborts; in input order if `ordered`;
* at most ``limit()`` tasks are read and not finished (`bounded`: nor consumed);
* what is known when it arrives is never sent;
* tasks that were queued at a lost worker are sent again; if it is not known which task ran when the worker
  was lost, its tasks are sent one by one, the last time with no other beside them, and given up after
  `MAX_LOSSES` losses;
* a task that failed is tried again as `Retry` says; one that ran out of memory then runs with no other
  beside it;
* a worker that idles while another has unstarted tasks is given those;
* with a budget no more workers have tasks than `MemoryBudget.workers` allows, and those beyond give back what
  they have not started;
* it ends when the input is exhausted and all tasks were emitted.
"""

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from ..errors import EngineError
from ..protocols import Done, Failed, Lost, Returned
from .batching import BatchSizes, result_bytes
from .budgeting import MemoryBudget
from .loads import Loads
from .moves import (
    Abort,
    Action,
    Arrived,
    Consumed,
    Due,
    Emit,
    End,
    FlowEvent,
    Later,
    Memory,
    Read,
    Send,
    Settle,
    TakeBack,
)
from .retrying import Retry, is_crash, ran_out_of_memory

__all__ = ["MAX_LOSSES", "Flow"]

MAX_LOSSES = 3

_MOST_KNOWN = 256
"""Tasks that are looked up in a row while workers may wait: 5 ms."""

# How a range came to lie in the backlog: from the input, taken back, or (1, 2, ...) so many losses ago.
_FRESH = 0
_RETURNED = -1


class _Span(NamedTuple):
    start: int
    stop: int
    history: int


_ANY = 1 << 60
_NOTHING = _Span(-1, -1, _FRESH)


def _without(span: _Span, start: int, stop: int) -> list[_Span]:
    """What is left of a span without the tasks ``start .. stop - 1``."""
    if stop <= span.start or span.stop <= start:
        return [span]
    parts = [span._replace(stop=max(start, span.start)), span._replace(start=min(stop, span.stop))]
    return [part for part in parts if part.start < part.stop]


class Flow:
    """The state of one parallel call.

    Parameters
    ----------
    slots
        Number of workers that may be sent to, ``>= 1``.
    ahead
        How many batches (tasks, as long as a batch is one task) may be read and not finished; ``None``: any.
    sizes
        The policy of batch sizes.
    ordered
        Emit in input order; otherwise as the tasks end.
    bounded
        Count emitted results that were not consumed as unfinished: a reader that lags stops the reading.
    fatal
        The first failure for good aborts; otherwise failures are settled.
    retry
        Which failures are not for good; ``None``: all are.
    budget
        Says how many workers may have tasks, as long as it is fed `Memory`; ``None``: all of them.
    """

    __slots__ = (
        "_ahead", "_arrived", "_asked", "_backlog", "_bounded", "_budget", "_ended", "_errors", "_exclusive",
        "_exhausted", "_fatal", "_finished", "_greedy", "_loads", "_next", "_ordered", "_postponed",
        "_readable", "_reading", "_retry", "_sent", "_sizes", "_slots", "_unread", "_waiting",
    )  # fmt: skip

    def __init__(
        self,
        slots: int,
        ahead: int | None,
        *,
        sizes: BatchSizes,
        ordered: bool,
        bounded: bool,
        fatal: bool,
        retry: Retry | None = None,
        budget: MemoryBudget | None = None,
    ) -> None:
        self._slots = slots
        self._ahead = ahead
        self._sizes = sizes
        self._ordered = ordered
        self._bounded = bounded
        self._fatal = fatal
        self._retry = retry
        self._budget = budget
        self._arrived = 0  # tasks read so far
        self._exhausted = False
        self._reading = False  # a Read was not answered yet
        self._backlog: list[_Span] = []  # read and not sent: a heap, the lowest index first
        self._waiting = 0  # tasks in _backlog
        self._sent: list[list[_Span]] = [[] for _ in range(slots)]  # unreported ranges of each slot, as sent
        # Tasks in each of them. Slots that hold one suspected task are barred there, and get no other.
        self._loads = Loads(slots)
        if budget is not None:
            self._loads.open(1)  # until it is known what a task needs
        self._asked: set[int] = set()  # slots that have not answered a TakeBack
        self._errors: dict[int, int] = {}  # of tasks that get another attempt: errors so far
        self._postponed: dict[int, int] = {}  # tasks whose next attempt is not due: losses so far
        self._greedy: set[int] = set()  # tasks that ran out of memory: they run with no other beside them
        self._exclusive: int | None = None  # the slot that runs one of those
        self._next = 0  # the next task to emit in order
        self._finished: dict[int, int] = {}  # start: stop of finished ranges after _next
        self._unread = 0  # finished and not consumed (bounded flows)
        self._readable = 0  # emitted and not consumed (bounded flows)
        self._ended = False

    def feed(self, events: Sequence[FlowEvent]) -> list[Action]:
        """Take in what happened; what is to be done now, in this order.

        Events that a session reports together are fed together: a worker that was lost after it had reported
        a result must not be sent more tasks in between, which would seem to be lost with it.
        """
        actions: list[Action] = []
        for event in events:
            if self._ended:
                return actions
            self._take_in(event, actions)
        if not self._ended:
            if self._budget is not None and not self._loads.total and not self._loads.is_open():
                self._loads.open(1)  # those that had no room beside others have ended
            self._dispatch(actions)
        return actions

    def _take_in(self, event: FlowEvent, actions: list[Action]) -> None:
        kind = type(event)
        # By far the most frequent first. Comparing types is what `match` would do, at half its price.
        if kind is Done:
            self._on_done(event, actions)  # type: ignore[arg-type]  # just tested
        elif kind is Arrived:
            self._on_arrived(event, actions)  # type: ignore[arg-type]  # just tested
        elif kind is Consumed:
            self._unread -= event.count  # type: ignore[operator]  # just tested
            self._readable -= event.count  # type: ignore[operator]  # just tested
        elif kind is Failed:
            self._on_failed(event, actions)  # type: ignore[arg-type]  # just tested
        elif kind is Returned:
            self._on_returned(event)  # type: ignore[arg-type]  # just tested
        elif kind is Due:
            self._on_due(event)  # type: ignore[arg-type]  # just tested
        elif kind is Memory:
            self._on_memory(event, actions)  # type: ignore[arg-type]  # just tested
        else:
            self._on_lost(event, actions)  # type: ignore[arg-type]  # the only kind that is left

    def limit(self) -> int | None:
        """How many tasks may be read and not finished at present, ``None`` for any number."""
        if self._ahead is None:
            return None
        return self._ahead * self._sizes.size + (self._slots if self._bounded else 0)

    def weigh(self, cost: float) -> None:
        """Learn what a batch costs beside its tasks, in seconds."""
        self._sizes.weigh(cost)

    # Events ----------------------------------------------------------------------------------------------

    def _on_arrived(self, event: Arrived, actions: list[Action]) -> None:
        self._reading = False
        self._exhausted = event.exhausted
        start = self._arrived
        self._arrived += event.count
        for known in event.known:
            self._queue(start, known[0])
            start = known[1]
            self._finish(*known, actions)
        self._queue(start, self._arrived)

    def _queue(self, start: int, stop: int) -> None:
        """Put tasks that were read behind all others."""
        if start < stop:
            self._backlog.append(_Span(start, stop, _FRESH))  # no index is higher, so it stays a heap
            self._waiting += stop - start

    def _on_done(self, event: Done, actions: list[Action]) -> None:
        count = len(event.values)
        self._forget(event.slot, event.start, event.start + count)
        nbytes = result_bytes(event.values) if self._sizes.adapts else 0
        self._sizes.record(count, event.seconds, nbytes)
        self._finish(event.start, event.start + count, actions)

    def _on_failed(self, event: Failed, actions: list[Action]) -> None:
        losses = self._forget(event.slot, event.index, event.index + 1)
        self._sizes.record(1, event.seconds)
        self._fail(event.index, event.error, max(losses, 0), actions, crashed=False)

    def _on_returned(self, event: Returned) -> None:
        self._asked.discard(event.slot)
        if event.start >= event.stop:
            return  # it has nothing to give; it is asked again after its next report at the earliest
        self._loads.reconsider(event.slot)
        losses = self._forget(event.slot, event.start, event.stop)
        self._requeue([_Span(event.start, event.stop, losses if losses > 0 else _RETURNED)])

    def _on_due(self, event: Due) -> None:
        losses = self._postponed.pop(event.index)
        self._requeue([_Span(event.index, event.index + 1, losses)])

    def _on_memory(self, event: Memory, actions: list[Action]) -> None:
        if self._budget is None:
            return
        loads = self._loads
        loads.open(self._budget.workers(event.own, [loads.of(slot) > 0 for slot in range(self._slots)]))
        for slot in loads.closed():
            if loads.of(slot) > 1 and slot not in self._asked:
                self._asked.add(slot)
                loads.set_aside(slot)
                actions.append(TakeBack(slot))

    def _on_lost(self, event: Lost, actions: list[Action]) -> None:
        slot, spans = event.slot, self._sent[event.slot]
        running = event.running
        if running is not None and not any(span.start <= running < span.stop for span in spans):
            running = None  # it was reported before: whatever ended the worker, it was not this task
        self._sent[slot] = []
        self._loads.add(slot, -self._loads.of(slot))
        self._loads.admit(slot)
        self._loads.reconsider(slot)
        self._asked.discard(slot)
        if self._exclusive == slot:
            self._exclusive = None
        again = []
        for start, stop, history in spans:
            if running is None:
                losses = max(history, 0) + 1
                if losses < MAX_LOSSES:
                    again.append(_Span(start, stop, losses))
                else:  # one task: suspects are sent alone
                    self._fail(start, event.error, losses, actions, crashed=is_crash(event.error))
            elif start <= running < stop:
                again += [_Span(start, running, history), _Span(running + 1, stop, history)]
                crashed = is_crash(event.error)
                self._fail(running, event.error, max(history, 0) + crashed, actions, crashed=crashed)
            else:
                again.append(_Span(start, stop, history))
            if self._ended:
                return
        self._requeue([span for span in again if span.start < span.stop])

    def _requeue(self, spans: list[_Span]) -> None:
        """Put ranges back among the others, so that what is needed first is sent first."""
        for span in spans:
            self._waiting += span.stop - span.start
            heappush(self._backlog, span)

    def _forget(self, slot: int, start: int, stop: int) -> int:
        """Strike a range from what a slot holds; how often its tasks were lost before (or `_RETURNED`)."""
        spans = self._sent[slot]
        loads = self._loads
        loads.add(slot, start - stop)
        if loads.aside and slot not in self._asked:
            loads.reconsider(slot)
        head = spans[0] if spans else _NOTHING
        if head.start == start and head.stop == stop:  # a whole batch: nearly always
            del spans[0]
            losses = head.history
        else:
            hit = [span for span in spans if span.start < stop and start < span.stop]
            if sum(min(stop, span.stop) - max(start, span.start) for span in hit) != stop - start:
                raise EngineError(
                    f"the engine reported tasks {start} to {stop - 1} at slot {slot}, which were not there: "
                    "this is a defect of the engine"
                )
            rest = [part for span in spans for part in _without(span, start, stop)]
            self._sent[slot] = spans = rest
            losses = max(span.history for span in hit)
        if not spans:
            loads.admit(slot)
            if self._exclusive == slot:
                self._exclusive = None
        return losses

    def _fail(
        self, index: int, error: BaseException, losses: int, actions: list[Action], *, crashed: bool
    ) -> None:
        """A task has failed, with this error if its worker has not `crashed`; so many were lost in all."""
        errors = self._errors.pop(index, 0) + (not crashed)
        attempts = errors + losses
        if self._retry is not None and self._retry.allows(error, errors, losses, crashed=crashed):
            self._errors[index] = errors
            self._postponed[index] = losses
            if crashed and ran_out_of_memory(error):
                self._greedy.add(index)
            actions.append(Later(index, attempts))
            return
        if self._fatal:
            self._ended = True
            actions.append(Abort(index, error))
            return
        actions.append(Settle(index, error, attempts))
        self._finish(index, index + 1, actions)

    def _finish(self, start: int, stop: int, actions: list[Action]) -> None:
        if self._bounded:
            self._unread += stop - start
        if not self._ordered:
            self._emit(start, stop, actions)
        elif start != self._next:
            self._finished[start] = stop
        else:
            while stop in self._finished:
                stop = self._finished.pop(stop)
            self._next = stop
            self._emit(start, stop, actions)

    def _emit(self, start: int, stop: int, actions: list[Action]) -> None:
        if self._bounded:
            self._readable += stop - start
        actions.append(Emit(start, stop))

    # Decisions -------------------------------------------------------------------------------------------

    def _dispatch(self, actions: list[Action]) -> None:
        while (slot := self._hungriest()) is not None:
            send = self._cut(slot) if self._backlog else None
            if send is None:
                break
            actions.append(send)
        else:
            return  # all have enough to do
        if not self._backlog and not self._exhausted:
            self._read(actions)
        if self._reading:
            return
        if self._exhausted and not self._loads.total and not self._backlog and not self._postponed:
            self._ended = True
            actions.append(End())
        else:
            self._balance(actions)

    def _hungriest(self) -> int | None:
        """The slot that holds least, if it should hold more."""
        if self._exclusive is not None:
            return None
        # A worker with a second batch would begin it by itself, whatever the budget has learnt meanwhile.
        return self._loads.least(0 if self._budget is not None else self._sizes.queued - self._sizes.size)

    def _cut(self, slot: int) -> Send | None:
        """Take the next batch for a slot from the front of the backlog; ``None`` if it has to wait."""
        start, stop, history = self._backlog[0]
        # A suspect on its last chance is alone in all: if a worker is lost once more, nobody else is to
        # blame.
        greedy = start in self._greedy or history == MAX_LOSSES - 1
        suspected = history > _FRESH or greedy
        if suspected and (self._loads.total if greedy else self._loads.of(slot)):
            return None
        if suspected:
            size = 1
        elif history == _RETURNED:
            size = self._sizes.split(stop - start, self._slots)
        elif self._exhausted:
            size = self._sizes.share(self._waiting, self._slots)
        else:
            size = self._sizes.size
        # A reader with nothing to read waits for the next task in order: that one may always go.
        if self._bounded and (start != self._next or self._readable):
            room = self._room()
            if room < 1:
                return None
            size = min(size, room)
        size = min(size, stop - start)
        if suspected:
            self._loads.bar(slot)
        if greedy:
            self._exclusive = slot
            self._greedy.discard(start)
        if start + size == stop:
            heappop(self._backlog)
        else:
            self._backlog[0] = _Span(start + size, stop, history)
        self._sent[slot].append(_Span(start, start + size, history))
        self._loads.add(slot, size)
        self._waiting -= size
        return Send(slot, start, start + size)

    def _room(self) -> int:
        """How many more tasks may be on their way now; may be negative after batches became smaller."""
        limit = self.limit()
        return _ANY if limit is None else limit - self._loads.total - len(self._postponed) - self._unread

    def _read(self, actions: list[Action]) -> None:
        room = self._room()
        if room > 0 and not self._reading:
            self._reading = True
            size = self._sizes.size
            if not self._loads.idle:  # nobody waits, so there is time to read for all who could do with more
                size = max(size, self._slots * self._sizes.queued - self._loads.total)
            count = min(size, room)
            # What is known takes no worker's time, and room only if a reader has to come for it.
            actions.append(Read(count, room if self._bounded else max(count, _MOST_KNOWN)))

    def _balance(self, actions: list[Action]) -> None:
        """With nothing more that may be sent, let idle slots have what others have queued."""
        idle = self._loads.idle - len(self._asked)
        while idle > 0:
            rich = self._loads.most()
            count = 0 if rich is None else self._loads.of(rich) - 1  # of those it has begun one
            if rich is None or count < 1 or not self._sizes.worth_moving(count):
                return
            self._asked.add(rich)
            self._loads.set_aside(rich)
            actions.append(TakeBack(rich))
            idle -= 1
