"""How many tasks travel together: a pure policy, fed with what batches cost.

A batch that is too small pays the way to the worker too often; one that is too large keeps other workers
waiting at the end, or holds too much memory. So a batch shall hold about `BATCH_SECONDS` of work and at most
`BATCH_BYTES` of results, whatever the tasks turn out to be, and sizes follow a change within a few reports:

* slower: a report decays what was learnt before by the time that *it* covers, so one slow task outweighs
  any number of fast ones before it;
* faster: a report four times below the mean restarts the mean;
* growth is bounded by the number of tasks that the mean rests on, so a lucky first task starts nothing.

The numbers were chosen with `benchmarks/bench_parallel.py` (empty tasks, 50 µs tasks) and the profiles
of `tests/property/test_parallel_flow.py`.
"""

import sys
from collections.abc import Sequence
from types import ModuleType

from ..protocols import Engine, ForeignWorkers, Unfetched, supports

__all__ = ["BatchSizes", "result_bytes", "sizes_for"]

BATCH_SECONDS = 5e-3  # two of them are queued per worker: 10 ms of work
BATCH_BYTES = 1 << 20
LARGEST = 4096  # tasks; beyond it nothing is gained, since the cost per batch has vanished
SMALLEST_SECONDS = 1e-4  # of the last batches of a call
MOVING_SECONDS = 3e-4  # of work that is worth taking back

_COSTS = 10
"""A batch holds so many times the work that sending it costs, where that is measured: a tenth is lost."""

_MOST_SECONDS = 60.0
"""Of work in a batch, however dear it is to send one: a call should show that it goes on."""

_HALF_LIFE = 10e-3  # seconds of work after which an older report counts half
_GROWTH = 4

_MOST_QUEUED = 64
"""Batches of a size that the user chose that one worker may have. With 16, two workers ran out of empty
tasks while the parent took in what they had reported (16 in place of 13.5 µs per task)."""


class BatchSizes:
    """The size of the next batch, learnt from the reports of earlier ones.

    Attributes
    ----------
    size
        Tasks of the next batch, ``>= 1``.
    queued
        A worker with this many unfinished tasks has enough to do.
    mean
        Seconds per task as far as known, else ``None``.
    adapts
        Whether `size` follows from reports; otherwise it was fixed.
    """

    __slots__ = (
        "_cost",
        "_count",
        "_fixed",
        "_least",
        "_nbytes",
        "_seconds",
        "_work",
        "adapts",
        "mean",
        "queued",
        "size",
    )

    def __init__(self, fixed: int | None = None, *, seconds: float = BATCH_SECONDS) -> None:
        """`fixed`: the size that the user chose. `seconds`: how much work a batch shall hold otherwise."""
        self._fixed = fixed
        self._least = self._work = seconds
        self._cost = 0.0
        self.adapts = fixed is None
        self._seconds = 0.0  # decayed sum of work
        self._count = 0.0  # decayed number of tasks
        self._nbytes = 0.0  # of one result, the largest of late
        self.mean: float | None = None
        self.size = fixed or 1
        self.queued = 2 * self.size

    def record(self, count: int, seconds: float, nbytes: int = 0) -> None:
        """Learn that `count` tasks took `seconds` of a worker's time and gave `nbytes` each."""
        if self.mean is None or seconds * 4 < self.mean * count:
            self._seconds, self._count = seconds, count
        else:
            decay = 0.5 ** (seconds / _HALF_LIFE)
            self._seconds = decay * self._seconds + seconds
            self._count = decay * self._count + count
        self.mean = mean = max(self._seconds / self._count, 1e-7)
        if self._fixed is None:
            self._nbytes = max(nbytes, 0.5 * self._nbytes)
            size = min(self._work / mean, _GROWTH * self._count, LARGEST)
            if self._nbytes:
                size = min(size, BATCH_BYTES / self._nbytes)
            self.size = max(1, int(size))
            self.queued = 2 * self.size
        else:
            # A size that the user chose stays; only the number of batches on the way adapts.
            enough = int(2 * self._work / mean)
            self.queued = min(max(enough, 2 * self._fixed), _MOST_QUEUED * self._fixed)

    def weigh(self, cost: float) -> None:
        """Learn that a batch costs so many seconds beside its tasks: none of less work is worth it."""
        self._cost = cost
        self._work = max(self._least, min(_COSTS * cost, _MOST_SECONDS))

    def share(self, remaining: int, slots: int) -> int:
        """The size of the next batch when only `remaining` tasks are left to give to `slots` workers.

        Guided self-scheduling: batches shrink towards the end, so that all workers end together.
        """
        if self._fixed is not None:
            return self._fixed
        return min(self.size, self.split(remaining, slots))

    def split(self, count: int, slots: int) -> int:
        """The size of the parts in which `count` tasks that were taken back are given out again."""
        guided = -(-count // (2 * slots))
        least = int(max(SMALLEST_SECONDS, self._cost) / self.mean) if self.mean else 1
        return max(1, guided, least)

    def worth_moving(self, count: int) -> bool:
        """Whether `count` queued tasks are enough work to ask their worker to give them back."""
        return self.mean is None or self.mean * count >= max(MOVING_SECONDS, self._cost)


def sizes_for(engine: Engine, fixed: int | None) -> BatchSizes:
    """The policy for a call on an engine. `fixed`: the size that the user chose."""
    seconds = engine.batch_seconds if supports(engine, ForeignWorkers) else BATCH_SECONDS
    return BatchSizes(fixed, seconds=seconds)


def result_bytes(values: Sequence[object]) -> int:
    """Roughly the bytes of the first value: exact for arrays and bytes, 0 for what is not known cheaply.

    Looks one level into tuples and lists; runs no code of users' types.
    """
    first = values[0]
    return first.nbytes if type(first) is Unfetched else _nbytes(first, sys.modules.get("numpy"), 1)


def _nbytes(value: object, numpy: ModuleType | None, levels: int) -> int:
    kind = type(value)
    if kind is int or kind is float or value is None or kind is bool:
        return 0
    if isinstance(value, bytes | bytearray | str):
        return len(value)
    if (kind is tuple or kind is list) and levels:
        items = value[:8]  # type: ignore[index]  # a tuple or a list
        return sum(_nbytes(item, numpy, levels - 1) for item in items)
    array = getattr(numpy, "ndarray", None)
    return int(value.nbytes) if array is not None and kind is array else 0  # type: ignore[attr-defined]  # an array
