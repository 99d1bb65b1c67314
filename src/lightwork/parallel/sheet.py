"""Where the time of a call goes: written down per batch by whoever drives it, added up when asked.

The time of a worker is cut where its batches are sent and where it begins and ends them, by its own clock:

::

    ─ idle, pickling, input ─┤─ queue ─┤─ run ─┤─ transfer ─┤─ run ─┤─ transfer ─┤─ idle, pickling, input ─┤
                            sent     began   ended        began   ended    the parent looked             sent

A gap before a batch that was sent already is transfer. Before one that was not, the worker had nothing to do:
then the time in which the parent pickled tasks or read the input counts as that, whether it looked before or
after. The parts add up to the time of the call; what an engine does not tell is found in a neighbouring part.
"""

import copy
import heapq
import time
from collections import deque
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING, Final, TypeAlias

from .. import parallel
from ..errors import CallCancelled, TaskTimeout
from ..protocols import Batch, Call, Done, Failed, Lost, Report
from .batching import result_bytes
from .failures import brief, kind_of
from .stretches import MOST_PIECES, Run, Stretches
from .window import Window

if TYPE_CHECKING:
    from .capsules import Capsules
    from .gauge import Gauge, MemoryCourse
    from .trace import Recording

__all__ = ["Account", "Sheet"]

Clock = Callable[[], float]

_NOTHING: Final = (0.0, 0.0)
_SLOWEST: Final = 5
_NOTED: Final = 2e-4
"""Seconds. Pickling and reading that takes less is not looked for between an end and the next look."""

_LONG: Final = 0.05
"""Seconds. In shorter calls nobody looks at the memory of the workers."""

_ALL_PIECES: Final = 64_000
"""Pieces of what all workers ran together: 13 MB. Of ten thousand workers nobody sees more."""

_FEWEST_PIECES: Final = 16

_WEIGHED: Final = 64
"""One batch in so many is looked at for how large its arguments are."""


Slow: TypeAlias = tuple[float, int, str, str]
"""Seconds, index and text of a call, and the error that it ended with, if any."""

_Parent: TypeAlias = tuple[float, float]
"""Seconds that the parent has spent on pickling and on the input, up to some moment."""


class _Sent:
    """A batch that was sent: its tasks that are not reported, when it left, and what the parent had done."""

    __slots__ = ("count", "moment", "parent")

    def __init__(self, count: int, moment: float, parent: _Parent) -> None:
        self.count = count
        self.moment = moment
        self.parent = parent


class Account:
    """The time of one slot, in seconds. The first six parts add up to the time of the call so far."""

    __slots__ = (
        "_began", "_ended", "_late", "_looked", "_parent", "_runs_still", "_sent", "_stretches",
        "here", "idle", "input", "pickling", "queue", "run", "tail", "tasks", "transfer",
    )  # fmt: skip

    def __init__(self, now: float, most: int = MOST_PIECES) -> None:
        """With at most so many pieces of what the slot ran."""
        self.pickling = 0.0
        self.input = 0.0
        self.queue = 0.0
        self.run = 0.0
        self.transfer = 0.0
        self.idle = 0.0
        self.tail = 0.0
        """The part of `idle` after the input had ended."""
        self.tasks = 0
        self.here = 0.0
        """Seconds of tasks that ran in the thread that reads the input, to be added to `run` at the end."""
        self._sent: deque[_Sent] = deque()
        self._stretches = Stretches(most)
        self._runs_still = False  # in a copy that was settled while a task ran
        self._began = self._ended = now  # when the tasks of the last report began, and ended
        self._looked = now  # when the parent heard of it
        self._parent: _Parent = 0.0, 0.0  # when it ended
        self._late = 0.0  # seconds of pickling and input from there until the parent looked

    def send(self, count: int, now: float, parent: _Parent) -> None:
        """The slot got `count` tasks."""
        self._sent.append(_Sent(count, now, parent))

    def took(self, count: int, seconds: float, began: float, busy: "_Busy", exhausted: float) -> float:
        """`count` tasks were reported, that ran for `seconds` from `began` on; when they ended."""
        if not self._sent:  # a defect of the engine, which the flow is about to find
            return began + seconds
        batch, over = self._sent[0], began + seconds
        if batch.moment > self._ended:
            self._rest(batch.moment, batch.parent, exhausted)
            began = max(began, batch.moment)
            self.queue += began - batch.moment
        else:
            gap = max(began - self._ended, 0.0)
            began = self._ended + gap
            if gap > _NOTED:
                pickling, input = busy.between(self._ended, began)
                self.pickling += pickling
                self.input += input
                gap -= pickling + input
            self.transfer += gap
        self._began = began
        # The worker may have begun before the parent had noted that it sent, or heard of what was before.
        seconds = max(over - began, 0.0)
        self.run += seconds
        self.tasks += count
        batch.count -= count
        if batch.count <= 0:
            self._sent.popleft()
        self._ended = ended = began + seconds
        return ended

    def looked(self, now: float, parent: _Parent, late: _Parent) -> None:
        """The parent heard of it now. `late`: what it did after the last task had ended."""
        self._looked = now
        if late is _NOTHING:
            self._parent, self._late = parent, 0.0
        else:
            self._parent = parent[0] - late[0], parent[1] - late[1]
            self._late = late[0] + late[1]

    def ran(self, began: float, ended: float, count: int, index: int) -> None:
        """`count` tasks from `index` on ran in the thread that reads the input."""
        self.tasks += count
        self.here += ended - began
        self._stretches.add(began, ended, count, index)

    @property
    def last(self) -> float:
        """Seconds of what `took` or `lost` was last told of."""
        return self._ended - self._began

    def note(self, count: int, index: int) -> None:
        """Keep what `took` was told of as a piece of the course, with the index of its first task."""
        self._stretches.add(self._began, self._ended, count, index)

    def runs(self, origin: float) -> tuple[Run, ...]:
        """What ran when, as far as it was reported; times counted from `origin` (s)."""
        runs = tuple(self._stretches.runs(origin))
        if self._runs_still and self._ended > self._began:
            runs += (Run(self._began - origin, self._ended - origin, self._ended - self._began, 0, -1, -1),)
        return runs

    def gave_back(self, count: int) -> None:
        """The last `count` tasks were taken back."""
        while count > 0 and self._sent:
            batch = self._sent[-1]
            taken = min(count, batch.count)
            count -= taken
            batch.count -= taken
            if not batch.count:
                self._sent.pop()

    def lost(self, now: float, busy: "_Busy", exhausted: float) -> None:
        """The worker is gone; what it did since its last answer counts as work."""
        if self._sent:
            begin = max(self._sent[0].moment, self._ended)
            self.took(0, max(now - begin, 0.0), begin, busy, exhausted)
        self._sent.clear()

    def settled(self, now: float, parent: _Parent, busy: "_Busy", exhausted: float) -> "Account":
        """The account as it would be if the call ended now."""
        account = copy.copy(self)
        account._sent = deque(account._sent)
        account.run += account.here
        account._ended += account.here  # what is between those tasks remains
        account._looked += account.here
        if account._sent:
            account.lost(now, busy, exhausted)
            account._runs_still = True
        else:
            account._rest(now, parent, exhausted)
        return account

    def _rest(self, now: float, parent: _Parent, exhausted: float) -> None:
        """The worker had nothing to do since it ended its last task."""
        rest = max(now - self._ended, 0.0)
        # Not below 0: what follows may have been sent before the parent heard of the end of what was before.
        pickling = min(max(parent[0] - self._parent[0], 0.0), rest)
        input = min(max(parent[1] - self._parent[1], 0.0), rest - pickling)
        self.pickling += pickling
        self.input += input
        rest -= pickling + input
        transfer = min(max(self._looked - self._ended - self._late, 0.0), rest)
        self.transfer += transfer
        self.idle += rest - transfer
        self.tail += min(rest - transfer, max(now - max(self._looked, exhausted), 0.0))


class _Busy:
    """When the parent was last at work for so long that workers may have waited for it."""

    def __init__(self) -> None:
        self._spans: deque[tuple[float, float, bool]] = deque(maxlen=64)  # begin, end, whether it pickled

    def add(self, begin: float, end: float, *, pickling: bool) -> None:
        """It pickled, or read the input."""
        self._spans.append((begin, end, pickling))

    def between(self, begin: float, end: float) -> _Parent:
        """What it did in a span of time that is not long ago."""
        pickling = input = 0.0
        for first, last, is_pickling in reversed(tuple(self._spans)):  # another thread may ask
            if last <= begin:
                break
            seconds = max(min(last, end) - max(first, begin), 0.0)
            if is_pickling:
                pickling += seconds
            else:
                input += seconds
        return pickling, input


class Sheet:
    """The times of one call. Written by the thread that drives it; `settled` may be asked from any.

    Parameters
    ----------
    slots
        Number of workers.
    recording
        Keeps what is needed to draw each task.
    clock
        Seconds, as `time.monotonic` counts them.
    """

    def __init__(
        self, slots: int, recording: "Recording | None" = None, clock: Clock = time.monotonic
    ) -> None:
        self.clock = clock
        self.recording = recording
        self.began = now = clock()
        self.ended: float | None = None
        most = max(_FEWEST_PIECES, min(MOST_PIECES, _ALL_PIECES // max(slots, 1)))
        self.accounts = [Account(now, most) for _ in range(slots)]
        self.pickling = 0.0
        self.input = 0.0
        self.weighed = 0
        """Batches that were looked at, ..."""
        self.weight = 0
        """... and the bytes of the arguments of the first task of each."""
        self.failed: list[int] = []
        self.known = 0
        """Tasks whose results were found, so that they did not run."""
        self.spoilt = 0
        """Attempts that ended without a result, ..."""
        self.late: list[float] = []
        """... and the seconds of those among them that ran into their time limit."""
        self.total: int | None = None
        """Tasks of the whole input, once all of it was read."""
        self.capsules: Capsules | None = None
        """Keeps the tasks that failed, if that was asked for."""
        self._exhausted = inf  # when
        self._busy = _Busy()
        self._batches = 0
        self._slowest: list[Slow] = []  # a heap
        self._gauge: Gauge | None = None
        self.due = now + _LONG
        """When the memory of the workers is to be looked at."""
        self.memory: Callable[[], Sequence[int]] | None = None
        """Gives the bytes that the worker of each slot has, if the engine can tell."""
        self.floor = 0.0
        """Seconds. No shorter call is one of the slowest."""

    # -- written by a driver of workers ---------------------------------------------------------------------

    def sent(self, slot: int, batch: Batch, begin: float) -> None:
        """A batch was handed to the session, from `begin` until now."""
        now = self.clock()
        self.pickling += now - begin
        if now - begin > _NOTED:
            self._busy.add(begin, now, pickling=True)
        if self._batches % _WEIGHED == 0:
            _, args, kwargs = batch.calls[0]
            self.weighed += 1
            self.weight += sum(result_bytes([value]) for value in (*args, *kwargs.values()))
        self._batches += 1
        self.accounts[slot].send(len(batch.calls), now, (self.pickling, self.input))
        if self.recording is not None:
            self.recording.sent(batch, begin, now)

    def read(self, start: int, count: int, begin: float, *, exhausted: bool) -> None:
        """The tasks ``start .. start + count - 1`` were read from the input, from `begin` until now."""
        now = self.clock()
        self.input += now - begin
        if now - begin > _NOTED:
            self._busy.add(begin, now, pickling=False)
        if exhausted:
            self.exhausted(start + count)
        if self.recording is not None:
            self.recording.read(start, count, begin, now)

    def exhausted(self, total: int) -> None:
        """All of the input was read: so many tasks."""
        self.total = total
        self._exhausted = self.clock()

    def take_in(self, reports: Sequence[Report], calls: Window[Call]) -> None:
        """Workers reported. `calls` still holds the tasks of the reports."""
        now = self.clock()
        if now >= self.due:
            self._look()
        parent = self.pickling, self.input
        for report in reports:
            account = self.accounts[report.slot]
            if isinstance(report, Done):  # nearly always: about a microsecond for all of it
                _, index, values, seconds, began, slowest, _ = report
                if began is None:
                    began = now - seconds
                count = len(values)
                ended = account.took(count, seconds, began, self._busy, self._exhausted)
                account.note(count, index)
                if slowest is not None:
                    index, seconds = slowest
                if seconds > self.floor and (count == 1 or slowest is not None):
                    self._note_slow(seconds, index, calls)
            elif isinstance(report, Failed):
                seconds = report.seconds
                began = now - seconds if report.began is None else report.began
                ended = account.took(1, seconds, began, self._busy, self._exhausted)
                account.note(1, report.index)
                self.spoilt += 1
                self._note_slow(seconds, report.index, calls, report.error)
            elif isinstance(report, Lost):
                account.lost(now, self._busy, self._exhausted)
                if report.running is not None:
                    account.note(0, report.running)
                    self._note_lost(account, report.running, calls, report.error)
                ended = now
            else:
                account.gave_back(report.stop - report.start)
                continue
            late = self._busy.between(ended, now) if now - ended > _NOTED else _NOTHING
            account.looked(now, parent, late)
            if self.recording is not None:
                self.recording.took(report, calls, now)

    # -- written by anybody -------------------------------------------------------------------------------

    def ran(
        self, index: int, call: Call, begin: float, error: BaseException | None = None, *, attempts: int = 1
    ) -> None:
        """A task ran in the thread that reads the input, from `begin` until now, with all its attempts."""
        now = self.clock()
        seconds = now - begin
        self.ran_some(begin, now, 1, index)
        self.accounts[0].tasks += attempts - 1
        self.spoilt += attempts - 1
        if seconds > self.floor:
            self.note_slow(seconds, index, brief(call, seconds), error)
        if error is not None:
            self.spoilt += 1
            self.fail(index, call, error)
        if self.recording is not None:
            self.recording.ran(index, call, begin, now, error)

    def passed(self, index: int, call: Call, begin: float, *, attempts: int = 1) -> float:
        """As `ran`, for a task that ended well: at a third of the price if it was a short one. In s."""
        now = self.clock()
        if now - begin > self.floor or self.recording is not None or attempts > 1:
            self.ran(index, call, begin, attempts=attempts)
        else:
            self.ran_some(begin, now, 1, index)
        return now - begin

    def ran_some(self, begin: float, end: float, count: int, index: int) -> None:
        """`count` tasks from `index` on ran in the thread that reads the input, from `begin` to `end`."""
        self.accounts[0].ran(begin, end, count, index)
        if end >= self.due:
            self._look()

    def fail(self, index: int, call: Call, error: BaseException) -> None:
        """A task failed for good."""
        self.failed.append(index)
        if self.capsules is not None and not isinstance(error, CallCancelled | KeyboardInterrupt):
            self.capsules.save(index, call, error)

    def note_slow(self, seconds: float, index: int, text: str, error: BaseException | None = None) -> None:
        """Keep a call if it is one of the slowest: of the attempts at one task, the longest."""
        if seconds <= self.floor:
            return
        item = seconds, index, text, "" if error is None else kind_of(error)
        for place, slow in enumerate(self._slowest):
            if slow[1] == index:
                self._slowest[place] = max(slow, item)
                heapq.heapify(self._slowest)
                break
        else:
            self._keep_slow(item)
        if len(self._slowest) == _SLOWEST:
            self.floor = self._slowest[0][0]

    def _keep_slow(self, item: Slow) -> None:
        if len(self._slowest) < _SLOWEST:
            heapq.heappush(self._slowest, item)
        else:
            heapq.heapreplace(self._slowest, item)

    def end(self) -> None:
        """The call has ended. Safe to call twice."""
        if self.ended is None:
            self.ended = self.clock()
            self.memory = None  # it belongs to the session

    def slowest(self) -> list[Slow]:
        """The slowest calls, the slowest first."""
        return sorted(self._slowest, reverse=True)

    def settled(self) -> tuple[float, list[Account]]:
        """Seconds since the beginning, and the accounts as if the call ended now (or as it ended)."""
        now = self.clock() if self.ended is None else self.ended
        parent = self.pickling, self.input
        accounts = [account.settled(now, parent, self._busy, self._exhausted) for account in self.accounts]
        return now - self.began, accounts

    def courses(self) -> "tuple[MemoryCourse, ...]":
        """The memory of this process and the workers as it was seen, if the call was long enough."""
        return () if self._gauge is None else self._gauge.courses(self.began)

    def _look(self) -> None:
        if self._gauge is None:
            self._gauge = parallel.gauge.Gauge(self.clock)
        self.due = self._gauge.look(self.memory)

    def _note_lost(self, account: Account, index: int, calls: Window[Call], error: BaseException) -> None:
        """The attempt at a task ended with its worker, as the account has it."""
        account.tasks += 1
        self.spoilt += 1
        seconds = account.last
        if isinstance(error, TaskTimeout):
            self.late.append(seconds)
        self._note_slow(seconds, index, calls, error)

    def _note_slow(
        self, seconds: float, index: int, calls: Window[Call], error: BaseException | None = None
    ) -> None:
        if seconds > self.floor:
            for call in filter(None, calls.get(index, index + 1)):  # nothing if the engine counts wrongly
                self.note_slow(seconds, index, brief(call, seconds), error)
