"""How good batch sizes are, in simulated time: profiles of tasks against the best size one could have chosen.

The flow and the batch sizes are the real ones; workers, messages and the clock are simulated, so the figures
are the same on every machine.
"""

import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from itertools import count

import pytest

from lightwork.parallel.batching import BatchSizes
from lightwork.parallel.flow import Flow
from lightwork.parallel.moves import Action, Arrived, End, FlowEvent, Read, Send, TakeBack
from lightwork.protocols import Done, Returned

MESSAGE = 200e-6
"""Seconds that each batch costs its worker: two messages, two wake-ups."""

TASK = 2e-6
"""Seconds that each task costs beside its own time."""

GATHER = 10e-3
"""Seconds of work after which a worker reports before its batch is at its end."""

FIXED = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)


class Worker:
    """A slot: the tasks that it has, the one that it runs, and those that it has not reported."""

    def __init__(self) -> None:
        self.frames: deque[list[int]] = deque()  # [next task, stop]
        self.first = 0  # not reported
        self.ended = 0  # since then
        self.since = 0.0
        self.busy = False


class Simulation:
    """A call of tasks that take `durations` seconds each; `makespan` is the time that it took."""

    def __init__(self, durations: Sequence[float], slots: int, batch: int | None) -> None:
        self.durations = durations
        self.now = 0.0
        self.agenda: list[tuple[float, int, Callable[[], None]]] = []
        self.count = count()
        self.read = 0
        self.ended = False
        self.workers = [Worker() for _ in range(slots)]
        self.flow = Flow(slots, 2 * slots, sizes=BatchSizes(batch), ordered=True, bounded=False, fatal=True)
        self.feed(Arrived(0, exhausted=False))
        while not self.ended:
            self.now, _, happen = heapq.heappop(self.agenda)
            happen()
        self.makespan = self.now

    def at(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (self.now + seconds, next(self.count), happen))

    def feed(self, *events: FlowEvent) -> None:
        following: Sequence[FlowEvent] = events
        while following:
            actions, following = self.flow.feed(following), ()
            for action in actions:
                following = self.carry_out(action) or following

    def carry_out(self, action: Action) -> Sequence[FlowEvent]:
        match action:
            case Read(wanted):
                taken = min(wanted, len(self.durations) - self.read)
                self.read += taken
                return [Arrived(taken, taken < wanted)]
            case Send(slot, start, stop):
                worker = self.workers[slot]
                worker.frames.append([start, stop])
                if not worker.busy:
                    worker.busy = True
                    self.at(MESSAGE, lambda: self.begin(slot))
            case TakeBack(slot):
                self.at(MESSAGE / 4, lambda: self.give_back(slot))
            case End():
                self.ended = True
        return ()

    def begin(self, slot: int) -> None:
        worker = self.workers[slot]
        while worker.frames and worker.frames[0][0] >= worker.frames[0][1]:
            worker.frames.popleft()  # all of it was taken back
        if not worker.frames:
            worker.busy = False
            return
        worker.first, worker.ended, worker.since = worker.frames[0][0], 0, self.now
        self.run(slot)

    def run(self, slot: int) -> None:
        frame = self.workers[slot].frames[0]
        task, frame[0] = frame[0], frame[0] + 1
        self.at(TASK + self.durations[task], lambda: self.end(slot))

    def end(self, slot: int) -> None:
        worker = self.workers[slot]
        worker.ended += 1
        frame = worker.frames[0]
        if frame[0] >= frame[1] or self.now - worker.since >= GATHER:
            done = Done(slot, worker.first, [None] * worker.ended, self.now - worker.since)
            worker.first, worker.ended, worker.since = worker.first + worker.ended, 0, self.now
            self.feed(done)
        if frame[0] < frame[1]:
            self.run(slot)
        else:
            self.at(MESSAGE, lambda: self.begin(slot))

    def give_back(self, slot: int) -> None:
        """All that was not started, from the end on, as far as it is one range."""
        frames = self.workers[slot].frames
        start = stop = frames[-1][1] if frames else 0
        for frame in reversed(frames):
            if frame[1] != start:
                break
            start = frame[0]
            frame[1] = start
        while len(frames) > 1 and frames[-1][0] >= frames[-1][1]:
            frames.pop()
        self.feed(Returned(slot, start, stop))


def profile(name: str) -> list[float]:
    chance = random.Random(7)
    match name:
        case "fast then slow":
            return [1e-4] * 1000 + [0.1] * 20
        case "slow then fast":
            return [0.1] * 20 + [1e-4] * 1000
        case "alternating":
            return [1e-4, 1e-2] * 300
        case "log-normal":
            return [chance.lognormvariate(-7.5, 1.5) for _ in range(3000)]
        case "waiting 5 ms":
            return [5e-3] * 400
        case _:
            return [2e-5] * 20_000


@pytest.mark.parametrize("slots", [2, 4, 8])
@pytest.mark.parametrize(
    "name", ["fast then slow", "slow then fast", "alternating", "log-normal", "waiting 5 ms", "tiny"]
)
def test_automatic_batches_are_as_good_as_the_best_fixed_size(name: str, slots: int) -> None:
    """At most 1.25 times the time of the best of eleven sizes, which nobody knows in advance."""
    durations = profile(name)
    best, size = min((Simulation(durations, slots, size).makespan, size) for size in FIXED)
    automatic = Simulation(durations, slots, None).makespan
    assert automatic <= 1.25 * best, f"{automatic:.4f} s against {best:.4f} s with batches of {size}"
