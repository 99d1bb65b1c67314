"""A cluster on paper: the real flow and the real driver, against workers that exist in virtual time only.

``python benchmarks/simulate.py --workers 10000 --tasks 10000000`` says what scheduling costs per task
(processor time of the one thread that drives a call), how many tasks were read and not finished at most, and
how much of the workers' time was used. No task runs: a worker takes a batch, and reports it when its virtual
time is over.

The tasks come from a generator, of which the driver holds no more than its read-ahead, as it does with
``Parallel(return_as="generator")``. With ``--flow`` the flow is alone, without a driver and without tasks.
"""

import argparse
import random
import resource
import time
from collections import deque
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from itertools import repeat
from typing import Any, NamedTuple

from lightwork.parallel.batching import BATCH_SECONDS, BatchSizes
from lightwork.parallel.driver import Driver
from lightwork.parallel.flow import Flow
from lightwork.parallel.moves import Arrived, Consumed, Emit, End, FlowEvent, Read, Send, TakeBack
from lightwork.parallel.sheet import Sheet
from lightwork.protocols import Batch, Call, Done, Event, Returned

__all__ = ["Outcome", "simulate", "simulate_flow"]


TICK = 1e-3
"""Seconds of virtual time between two looks."""


class Outcome(NamedTuple):
    """What a simulated call has cost."""

    tasks: int
    seconds: float
    """Processor time of all scheduling, and of the workers in virtual time."""

    virtual: float
    """Seconds that the call would have taken."""

    busy: float
    """The part of the workers' time in which they ran tasks."""

    unfinished: int
    """Tasks that were read and not finished, at most."""

    peak: int
    """Bytes by which the memory of this process has grown."""

    @property
    def per_task(self) -> float:
        """Seconds of scheduling."""
        return self.seconds / self.tasks


class Cluster:
    """Workers in virtual time. `next` moves the clock on to the next report.

    A worker runs its batches one after the other, and reports each as a whole. Reports that come within a
    millisecond are there together, as they are where somebody takes a millisecond to deal with those before.
    """

    def __init__(self, workers: int, mean: float, *, seed: int = 0, spread: float = 0.5) -> None:
        self.now = 0.0
        self.busy = 0.0
        self.running = 0
        """Tasks that were sent and not reported."""
        self._mean = mean
        self._spread = spread
        self._random = random.Random(seed)
        self._queues: list[deque[tuple[int, int]]] = [deque() for _ in range(workers)]
        self._ends: list[tuple[float, int]] = []  # a heap: when the first batch of a worker ends
        self._begun = [0.0] * workers
        self._given: list[Returned] = []

    def send(self, slot: int, start: int, stop: int) -> None:
        """Queue a batch."""
        queue = self._queues[slot]
        queue.append((start, stop))
        self.running += stop - start
        if len(queue) == 1:
            self._begin(slot, self.now)

    def take_back(self, slot: int) -> None:
        """Give back the last batch, unless it has begun."""
        queue = self._queues[slot]
        start, stop = queue.pop() if len(queue) > 1 else (0, 0)
        self.running -= stop - start
        self._given.append(Returned(slot, start, stop))

    def next(self) -> list[tuple[int, int, int, float]] | list[Returned]:
        """Slot, start, stop and seconds of the batches that end next; or what was given back."""
        if self._given:
            given, self._given = self._given, []
            return given
        done = []
        if self._ends:
            self.now = self._ends[0][0] + TICK
        while self._ends and self._ends[0][0] <= self.now:
            ended, slot = heappop(self._ends)
            start, stop = self._queues[slot].popleft()
            seconds = ended - self._begun[slot]
            self.busy += seconds
            self.running -= stop - start
            done.append((slot, start, stop, seconds))
            if self._queues[slot]:
                self._begin(slot, ended)
        return done

    def _begin(self, slot: int, now: float) -> None:
        start, stop = self._queues[slot][0]
        self._begun[slot] = now
        lots = self._random.uniform(1 - self._spread, 1 + self._spread)
        heappush(self._ends, (now + self._mean * lots * (stop - start), slot))


class VirtualSession:
    """A `Session` whose workers are those of a `Cluster`."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def send(self, slot: int, batch: Batch) -> None:
        self._cluster.send(slot, batch.start, batch.start + len(batch.calls))

    def take_back(self, slot: int) -> None:
        self._cluster.take_back(slot)

    def wait(self, timeout: float | None) -> Sequence[Event]:
        return [_event(found) for found in self._cluster.next()]

    def wake(self) -> None:
        pass

    def close(self, *, abort: bool) -> None:
        pass


def _event(found: Any) -> Done | Returned:
    if isinstance(found, Returned):
        return found
    slot, start, stop, seconds = found
    return Done(slot, start, [None] * (stop - start), seconds)


def simulate(
    workers: int,
    tasks: int,
    *,
    mean: float = 1.0,
    batch_size: int | None = None,
    ahead: int = 2,
    seed: int = 0,
) -> Outcome:
    """A call with the driver, whose tasks come from a generator and whose results are taken at once."""
    cluster, read = Cluster(workers, mean, seed=seed), 0

    def calls() -> Iterator[Call]:
        nonlocal read
        call: Call = (abs, (1,), {})
        for each in repeat(call, tasks):
            read += 1
            yield each

    flow = Flow(
        workers, ahead * workers, sizes=BatchSizes(batch_size), ordered=False, bounded=True, fatal=True
    )
    sheet = Sheet(workers, clock=lambda: cluster.now)
    driver = Driver(calls(), VirtualSession(cluster), flow, on_error="raise", sheet=sheet)
    unfinished = taken = 0
    before, begin = _memory(), time.process_time()
    driver.start()
    while True:
        found, driver.out = len(driver.out), []
        if found:
            taken += found
            unfinished = max(unfinished, read - taken + found)
            driver.consumed(found)
        elif driver.ended:
            break
        else:
            driver.step()
    seconds = time.process_time() - begin
    assert (read, taken) == (tasks, tasks)
    busy = cluster.busy / (cluster.now * workers)
    return Outcome(tasks, seconds, cluster.now, busy, unfinished, _memory() - before)


def simulate_flow(
    workers: int,
    tasks: int,
    *,
    mean: float = 1.0,
    batch_size: int | None = None,
    ahead: int = 2,
    seed: int = 0,
) -> Outcome:
    """The same with the flow alone."""
    cluster = Cluster(workers, mean, seed=seed)
    flow = Flow(
        workers, ahead * workers, sizes=BatchSizes(batch_size), ordered=False, bounded=True, fatal=True
    )
    read = taken = unfinished = 0
    ended = False
    before, begin = _memory(), time.process_time()
    events: list[FlowEvent] = [Arrived(0, exhausted=False)]
    while not ended:
        actions, events = flow.feed(events), []
        for action in actions:
            if isinstance(action, Send):
                cluster.send(*action)
            elif isinstance(action, Emit):
                taken += action.stop - action.start
                events.append(Consumed(action.stop - action.start))
            elif isinstance(action, Read):
                count = min(action.count, tasks - read)
                read += count
                events.append(Arrived(count, exhausted=count < action.count))
            elif isinstance(action, TakeBack):
                cluster.take_back(action.slot)
            elif isinstance(action, End):
                ended = True
        unfinished = max(unfinished, read - taken)
        if not events and not ended:
            events = [_event(found) for found in cluster.next()]
    seconds = time.process_time() - begin
    assert (read, taken) == (tasks, tasks)
    busy = cluster.busy / (cluster.now * workers)
    return Outcome(tasks, seconds, cluster.now, busy, unfinished, _memory() - before)


def _cost_of_cluster(workers: int, tasks: int, mean: float) -> float:
    """Processor time that a cluster takes for so many tasks, each in a batch of its own."""
    cluster, begin, sent = Cluster(workers, mean), time.process_time(), 0
    for slot in range(2 * workers):
        cluster.send(slot % workers, sent, sent + 1)
        sent += 1
    while sent < tasks:
        for slot, *_ in cluster.next():
            cluster.send(slot, sent, sent + 1)
            sent += 1
    return time.process_time() - begin


def _memory() -> int:
    """Bytes of the largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def main() -> None:
    """Simulate as the command line says, and print what it cost."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=10_000)
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--mean", type=float, default=1.0, help="seconds of a task")
    parser.add_argument("--batch-size", type=int, default=None, help="default: automatic")
    parser.add_argument("--flow", action="store_true", help="the flow alone")
    chosen = parser.parse_args()
    run = simulate_flow if chosen.flow else simulate
    found = run(chosen.workers, chosen.tasks, mean=chosen.mean, batch_size=chosen.batch_size)
    if chosen.mean >= BATCH_SECONDS or chosen.batch_size == 1:  # each task is a batch
        most = min(chosen.tasks, 1_000_000)
        share = _cost_of_cluster(chosen.workers, most, chosen.mean) / most
        found = found._replace(seconds=found.seconds - share * found.tasks)
    print(
        f"{found.tasks} tasks of {chosen.mean:g} s, {chosen.workers} workers: "
        f"{found.per_task * 1e6:.2f} µs of scheduling per task, {found.virtual:,.0f} s in all, "
        f"workers busy {100 * found.busy:.1f} %, at most {found.unfinished} tasks unfinished, "
        f"{found.peak / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
