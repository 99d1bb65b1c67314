"""The flow against random schedules: no process, no thread, no clock, only events in any order."""

import random
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.errors import EngineError, TaskTimeout, WorkerDied
from lightwork.parallel.batching import BatchSizes
from lightwork.parallel.budgeting import MemoryBudget
from lightwork.parallel.flow import MAX_LOSSES, Flow
from lightwork.parallel.moves import (
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
from lightwork.parallel.retrying import Retry
from lightwork.protocols import Done, Failed, Lost, Returned

MANY = settings(max_examples=700, deadline=None)

DEAD = WorkerDied("dead", pid=1)
FULL = WorkerDied("dead", pid=1, signal=9, out_of_memory=True)
LATE = TaskTimeout("late")


class World:
    """A random but honest engine, input and reader: the twin that the flow is held against.

    `failing` tasks raise, `deadly` ones end their worker by name, `unknown` ones without a name. Each slot
    is a plain queue of task numbers; what was emitted is a plain list. With `patience`, failing and deadly
    tasks end well after so many failures; `deadly` ones fail by a full memory, by being late, or by dying.
    """

    def __init__(
        self, seed: int, tasks: int, slots: int, ahead: int | None, batch: int | None, *,
        ordered: bool, bounded: bool, fatal: bool, listed: bool,
        failing: frozenset[int] = frozenset(), deadly: frozenset[int] = frozenset(),
        unknown: frozenset[int] = frozenset(), accidents: float = 0.0,
        retry: Retry | None = None, patience: int = 1 << 30, known: frozenset[int] = frozenset(),
        budget: int | None = None,
    ) -> None:  # fmt: skip
        self.random = random.Random(seed)
        self.tasks, self.slots, self.bounded = tasks, slots, bounded
        self.failing, self.deadly, self.unknown, self.accidents = failing, deadly, unknown, accidents
        self.budget = None if budget is None else MemoryBudget(budget)
        self.allowed = slots if budget is None else 1
        self.flow = Flow(
            slots, ahead, sizes=BatchSizes(batch), ordered=ordered, bounded=bounded, fatal=fatal, retry=retry,
            budget=self.budget,
        )  # fmt: skip
        self.patience = patience
        self.failures: Counter[int] = Counter()
        self.full: set[int] = set()
        self.later: list[int] = []
        self.retry = retry
        self.known = known
        self.queues: list[deque[int]] = [deque() for _ in range(slots)]
        self.asked: list[int] = []
        self.read = 0
        self.finished: set[int] = set()
        self.settled: dict[int, int] = {}
        self.emitted: list[int] = []
        self.consumed = 0
        self.ended = False
        self.aborted: int | None = None
        self.duration = self.random.choice([1e-6, 1e-4, 3e-3, 0.1])
        if listed:
            self.read = tasks
            self.feed(Arrived(tasks, True, self._recalled(0, tasks)))
        else:
            self.feed(Arrived(0, exhausted=False))

    def feed(self, *events: FlowEvent) -> None:
        """Feed events, carry out the actions, and check each against what the flow may know."""
        following: Sequence[FlowEvent] | None = [*events, *self._weigh()]
        while following is not None:
            actions, following = self.flow.feed(following), None
            for action in actions:
                assert not self.ended, "nothing follows the end"
                answer = self._carry_out(action)
                following = [answer] if answer is not None else following

    def _weigh(self) -> list[Memory]:
        """Look at the workers, sometimes: tasks need up to 10, of which they may have kept or got some."""
        if self.budget is None or self.random.random() < 0.3:
            return []
        own = [self.random.randint(0, 10) for _ in range(self.slots)]
        self.allowed = self.budget.workers(own, [bool(queue) for queue in self.queues])
        return [Memory(own)]

    def _carry_out(self, action: Action) -> FlowEvent | None:
        match action:
            case Read(count, most):
                return self._arrive(count, most)
            case Send(slot, start, stop):
                assert 0 <= start < stop <= self.read
                on_the_way = {task for queue in self.queues for task in queue}
                assert slot < (self.allowed if on_the_way else max(1, self.allowed)), (
                    "no more workers have tasks than the budget allows"
                )
                assert on_the_way.isdisjoint(range(start, stop)), "a task is at one place at a time"
                assert self.finished.isdisjoint(range(start, stop)), "what is finished is not run again"
                assert set(self.later).isdisjoint(range(start, stop)), "a task is not sent before it is due"
                assert not on_the_way & self.full, "nothing runs beside a task that ran out of memory"
                if start in self.full:
                    assert not on_the_way, "a task that ran out of memory runs alone"
                self.queues[slot].extend(range(start, stop))
            case Later(index, failures):
                assert failures == self.failures[index] or self.accidents or index in self.unknown
                self.later.append(index)
            case TakeBack(slot):
                assert slot not in self.asked, "one request at a time"
                self.asked.append(slot)
            case Settle(index, _, attempts):
                assert index not in self.settled
                self.settled[index] = attempts
                self.finished.add(index)
                budget = self.retry.times if self.retry else 0
                assert attempts <= max(MAX_LOSSES, budget + 1) + budget + 1
            case Emit(start, stop):
                assert self.finished.issuperset(range(start, stop)), "only results that are there"
                self.emitted += range(start, stop)
            case Abort(index, _):
                self.ended, self.aborted = True, index
            case End():
                self.ended = True
        return None

    def _arrive(self, count: int, most: int) -> Arrived:
        assert 1 <= count <= most
        limit = self.flow.limit()
        unfinished = self.read - (self.consumed if self.bounded else len(self.finished))
        assert limit is None or unfinished + count <= limit, "the read-ahead bound"
        if self.bounded:
            assert limit is None or unfinished + most <= limit, "what is known counts for a reader that lags"
        start, unknown = self.read, 0
        while unknown < count and self.read - start < most and self.read < self.tasks:
            unknown += self.read not in self.known
            self.read += 1
        exhausted = unknown < count and self.read - start < most
        return Arrived(self.read - start, exhausted, self._recalled(start, self.read))

    def _recalled(self, start: int, stop: int) -> list[tuple[int, int]]:
        """The known tasks of a range as ranges, cut in any way."""
        ranges: list[tuple[int, int]] = []
        for task in sorted(self.known & set(range(start, stop))):
            self.finished.add(task)
            if ranges and ranges[-1][1] == task and self.random.random() < 0.7:
                ranges[-1] = (ranges[-1][0], task + 1)
            else:
                ranges.append((task, task + 1))
        return ranges

    def step(self, *, reader: bool = True) -> bool:
        """Let something happen, if anything can."""
        choices: list[tuple[str, int]] = [("run", slot) for slot, queue in enumerate(self.queues) if queue]
        choices += [("answer", slot) for slot in self.asked]
        choices += [("due", index) for index in self.later]
        if reader and self.bounded and self.consumed < len(self.emitted):
            choices.append(("read", 0))
        if not choices or self.ended:
            return False
        what, slot = self.random.choice(choices)
        if what == "run":
            self._run(slot)
        elif what == "answer":
            self._answer(slot)
        elif what == "due":
            self.later.remove(slot)
            self.feed(Due(slot))
        else:
            count = self.random.randint(1, len(self.emitted) - self.consumed)
            self.consumed += count
            self.feed(Consumed(count))
        return True

    def _run(self, slot: int) -> None:
        queue = self.queues[slot]
        if self.budget is not None:
            self.budget.learn(self.random.randint(1, 10))
        if self.random.random() < self.accidents:
            self._lose(slot, queue[0] if self.random.random() < 0.5 else None)
            return
        values: list[int] = []
        start = queue[0]
        wanted = self.random.randint(1, len(queue))
        bad = {
            task
            for task in self.failing | self.deadly | self.unknown
            if self.failures[task] < self.patience or task in self.unknown
        }
        self.full.discard(start)
        while queue and len(values) < wanted and queue[0] == start + len(values) and queue[0] not in bad:
            values.append(queue.popleft())
        if values:
            self.finished.update(values)
            seconds = self.duration * len(values) * self.random.uniform(0.5, 2)
            done = Done(slot, start, values, seconds)
            if queue and self.random.random() < self.accidents:
                self._lose(slot, queue[0], done)
            else:
                self.feed(done)
        elif start in self.failing:
            queue.popleft()
            self.failures[start] += 1
            if self.aborted is None:
                self.feed(Failed(slot, start, ValueError(start), self.duration))
        elif start in self.unknown:
            self._lose(slot, None)
        else:
            self.failures[start] += 1
            ways: list[WorkerDied | TaskTimeout] = [DEAD, FULL, LATE]
            error = self.random.choice(ways) if self.patience < 1 << 30 else DEAD
            if error is FULL:
                self.full.add(start)
            self._lose(slot, start, error=error)

    def _lose(
        self, slot: int, running: int | None, *before: Done, error: WorkerDied | TaskTimeout = DEAD
    ) -> None:
        self.queues[slot].clear()
        if slot in self.asked:
            self.asked.remove(slot)
        self.feed(*before, Lost(slot, running, error))

    def _answer(self, slot: int) -> None:
        """Give back a random part of the tail, which never was started."""
        self.asked.remove(slot)
        queue = self.queues[slot]
        start = stop = queue[-1] + 1 if queue else 0
        for _ in range(self.random.randint(0, max(0, len(queue) - 1))):
            if queue[-1] != start - 1:
                break
            start = queue.pop()
        self.feed(Returned(slot, start, stop))

    def run(self) -> None:
        """Let things happen until the end; the flow must never be stuck."""
        steps = 0
        while not self.ended:
            moved = self.step()
            steps += 1
            assert moved, "stuck: nothing is on its way and the flow has not ended"
            assert steps < 200 * (self.tasks + 10), "the flow runs in circles"


# Any: each name has a type of its own.
shapes: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32),
        "tasks": st.integers(0, 60),
        "slots": st.integers(1, 5),
        "ahead": st.one_of(st.none(), st.integers(1, 12)),
        "batch": st.one_of(st.none(), st.integers(1, 9)),
        "ordered": st.booleans(),
        "bounded": st.booleans(),
        "listed": st.booleans(),
    }
)
some_tasks = st.frozensets(st.integers(0, 59), max_size=6)


@MANY
@given(shapes)
def test_every_task_is_emitted_exactly_once(shape: dict[str, Any]) -> None:
    """Whatever the order of events: no task is lost or doubled, and ordered flows keep the input's order."""
    world = World(**shape, fatal=True)
    world.run()
    assert world.aborted is None
    assert sorted(world.emitted) == list(range(shape["tasks"]))
    if shape["ordered"]:
        assert world.emitted == list(range(shape["tasks"]))


@MANY
@given(shapes, st.integers(1, 60), some_tasks, st.floats(0, 0.2))
def test_a_budget_of_memory_holds_and_holds_nothing_up(
    shape: dict[str, Any], budget: int, failing: frozenset[int], accidents: float
) -> None:
    """Whatever the workers have, however late that is known: no slot beyond gets tasks, and all are run."""
    world = World(**shape, fatal=False, failing=failing, accidents=accidents, budget=budget)
    world.run()
    assert sorted(world.emitted) == list(range(shape["tasks"]))


def test_workers_that_the_budget_has_no_room_for_give_back_what_they_have_not_begun() -> None:
    """Once a task was seen to need more than those before it."""
    budget = MemoryBudget(100)
    flow = Flow(2, None, sizes=BatchSizes(5), ordered=True, bounded=False, fatal=True, budget=budget)
    assert flow.feed([Arrived(20, exhausted=True)]) == [Send(0, 0, 5)], (
        "it would begin a second batch by itself"
    )
    budget.learn(40)
    assert flow.feed([Memory([10, 0])]) == [Send(1, 5, 10)]
    budget.learn(60)
    assert TakeBack(1) in flow.feed([Memory([60, 60])])


@MANY
@given(shapes, some_tasks, some_tasks, some_tasks)
def test_failures_stay_with_their_tasks(
    shape: dict[str, Any], failing: frozenset[int], deadly: frozenset[int], unknown: frozenset[int]
) -> None:
    """Failing and killing tasks are settled, all others end well, and everything is emitted once."""
    world = World(**shape, fatal=False, failing=failing, deadly=deadly, unknown=unknown)
    world.run()
    everything = set(range(shape["tasks"]))
    assert sorted(world.emitted) == sorted(everything)
    assert set(world.settled) == (failing | deadly | unknown) & everything
    if shape["ordered"]:
        assert world.emitted == sorted(everything)


@MANY
@given(shapes, st.frozensets(st.integers(0, 59)), some_tasks, st.floats(0, 0.2))
def test_what_is_known_is_emitted_in_its_place_and_never_sent(
    shape: dict[str, Any], known: frozenset[int], failing: frozenset[int], accidents: float
) -> None:
    """Whatever is known beforehand and happens to the rest: all is emitted once, and nothing known runs."""
    world = World(**shape, fatal=False, known=known, failing=failing, accidents=accidents)
    world.run()
    everything = list(range(shape["tasks"]))
    assert sorted(world.emitted) == everything
    assert not world.known & set(world.settled)
    if shape["ordered"]:
        assert world.emitted == everything


@MANY
@given(shapes, st.frozensets(st.integers(0, 59)), st.integers(0, 30))
def test_known_results_wait_for_a_reader_that_lags(
    shape: dict[str, Any], known: frozenset[int], pause: int
) -> None:
    """What is known counts as a result that nobody took: no more is read than a reader may lag behind."""
    world = World(**{**shape, "bounded": True, "listed": False}, fatal=True, known=known)
    for _ in range(pause):
        world.step()
    while world.step(reader=False):
        pass
    world.run()
    assert sorted(world.emitted) == list(range(shape["tasks"]))


@MANY
@given(shapes, some_tasks, some_tasks, st.integers(1, 4))
def test_what_fails_a_few_times_ends_well_with_retries(
    shape: dict[str, Any], failing: frozenset[int], deadly: frozenset[int], times: int
) -> None:
    """As many further attempts as a task fails: nothing is settled, nothing aborts, order is kept."""
    world = World(**shape, fatal=True, failing=failing, deadly=deadly, retry=Retry(times), patience=times)
    world.run()
    assert world.aborted is None
    assert not world.settled
    assert sorted(world.emitted) == list(range(shape["tasks"]))
    if shape["ordered"]:
        assert world.emitted == list(range(shape["tasks"]))


@MANY
@given(shapes, some_tasks, st.integers(1, 4))
def test_retries_are_bounded(shape: dict[str, Any], failing: frozenset[int], times: int) -> None:
    """A task that always fails is settled after one attempt more than there are retries."""
    world = World(**shape, fatal=False, failing=failing, retry=Retry(times))
    world.run()
    mine = {task for task in failing if task < shape["tasks"]}
    assert world.settled == dict.fromkeys(mine, times + 1)
    assert all(world.failures[task] == times + 1 for task in mine)


def test_only_errors_that_were_named_are_tried_again() -> None:
    """An error of another class is for good at once; a death is tried again whatever was named."""
    retry = Retry(2, on=OSError)
    assert not retry.allows(ValueError(), 1, 0, crashed=False)
    assert retry.allows(OSError(), 2, 0, crashed=False)
    assert not retry.allows(OSError(), 3, 0, crashed=False)
    assert retry.allows(DEAD, 0, 2, crashed=True)
    assert not retry.allows(DEAD, 0, 3, crashed=True)
    assert retry.allows(DEAD, 2, 1, crashed=True), "the two budgets are apart"
    assert not retry.allows(DEAD, 9, 0, crashed=False), "that of a call that the task made is its own error"


def test_the_pause_doubles_and_is_spread() -> None:
    """Seconds before each attempt, from the lowest chance to the highest."""
    retry = Retry(3, backoff=0.5, jitter=0.2)
    assert [retry.pause(number, 0.5) for number in (1, 2, 3)] == [0.5, 1.0, 2.0]
    assert retry.pause(1, 0.0) == pytest.approx(0.4)
    assert retry.pause(1, 1.0) == pytest.approx(0.6)
    assert retry.pause(2000, 0.5) == 3600.0


@MANY
@given(shapes, st.floats(0.01, 0.3))
def test_accidents_lose_nothing_but_the_task_that_ran(shape: dict[str, Any], accidents: float) -> None:
    """Workers that die at random cost at most tasks that ran or that were three times suspected."""
    world = World(**shape, fatal=False, accidents=accidents)
    world.run()
    assert sorted(world.emitted) == list(range(shape["tasks"]))


@MANY
@given(shapes, st.frozensets(st.integers(0, 59), min_size=1, max_size=6))
def test_the_first_error_ends_a_fatal_flow(shape: dict[str, Any], failing: frozenset[int]) -> None:
    """One failure aborts; from then on the flow answers every event with nothing."""
    world = World(**shape, fatal=True, failing=failing)
    world.run()
    if not failing & set(range(shape["tasks"])):
        assert world.aborted is None
        return
    assert world.aborted in failing
    for slot, queue in enumerate(world.queues):
        for task in queue:
            assert world.flow.feed([Done(slot, task, [task], 0.1)]) == []


@MANY
@given(shapes, st.integers(0, 30))
def test_a_reader_that_lags_stops_the_flow(shape: dict[str, Any], pause: int) -> None:
    """With nobody reading, work stops at a bounded number of results, and goes on when reading goes on."""
    world = World(**{**shape, "bounded": True}, fatal=True)
    for _ in range(pause):
        world.step()
    while world.step(reader=False):
        pass
    limit = world.flow.limit()
    if shape["batch"] is not None and limit is not None:
        assert len(world.finished) - world.consumed <= limit
    world.run()
    assert sorted(world.emitted) == list(range(shape["tasks"]))


@given(shapes)
@settings(max_examples=200, deadline=None)
def test_all_slots_are_used(shape: dict[str, Any]) -> None:
    """With tasks to give, no slot is left empty: those that wait are spread as far as they go."""
    if shape["batch"] is not None or (shape["ahead"] or 99) < shape["slots"]:
        return
    world = World(**shape, fatal=True)
    assert sum(map(bool, world.queues)) == min(shape["tasks"], shape["slots"])


def test_idle_slots_get_what_others_have_queued() -> None:
    """A slot that has ended all it had is given tasks that another has not started."""
    flow = Flow(2, None, sizes=BatchSizes(10), ordered=True, bounded=False, fatal=True)
    assert flow.feed([Arrived(20, exhausted=True)]) == [Send(0, 0, 10), Send(1, 10, 20)]
    actions = flow.feed([Done(0, 0, [None] * 10, 1.0)])
    assert actions == [Emit(0, 10), TakeBack(1)]
    actions = flow.feed([Returned(1, 11, 20)])
    assert [action for action in actions if isinstance(action, Send) and action.slot == 0]


def test_a_slot_that_has_nothing_to_give_is_not_asked_again() -> None:
    """After an empty answer there is no further request until the slot has reported something."""
    flow = Flow(2, None, sizes=BatchSizes(10), ordered=True, bounded=False, fatal=True)
    flow.feed([Arrived(20, exhausted=True)])
    flow.feed([Done(0, 0, [None] * 10, 1.0)])
    assert flow.feed([Returned(1, 0, 0)]) == []
    assert TakeBack(1) in flow.feed([Done(1, 10, [None], 0.1)])


def test_a_lost_worker_with_unknown_task_costs_only_that_task() -> None:
    """Tasks of a worker that died without a trace are sent one by one; only the deadly one is given up."""
    world = World(
        1, 30, 2, None, 10, ordered=True, bounded=False, fatal=False, listed=True, unknown=frozenset({7})
    )
    world.run()
    assert world.settled == {7: MAX_LOSSES}


def test_a_suspect_on_its_last_chance_runs_alone() -> None:
    """Lost twice with others at its side, a task is sent with nothing beside it: then it is its own doing."""
    flow = Flow(2, None, sizes=BatchSizes(1), ordered=True, bounded=False, fatal=False)
    assert _tasks(flow.feed([Arrived(2, exhausted=True)])) == {0, 1}
    for _ in range(MAX_LOSSES - 2):
        assert _tasks(flow.feed([Lost(0, None, DEAD), Lost(1, None, DEAD)])) == {0, 1}
    (alone,) = flow.feed([Lost(0, None, DEAD), Lost(1, None, DEAD)])
    assert isinstance(alone, Send)
    assert (alone.start, alone.stop) == (0, 1)
    settled, emitted, other = flow.feed([Lost(alone.slot, None, DEAD)])
    assert isinstance(settled, Settle)
    assert (settled.index, emitted) == (0, Emit(0, 1))
    assert isinstance(other, Send)
    assert (other.start, other.stop) == (1, 2)


def _tasks(actions: Iterable[object]) -> set[int]:
    """The tasks that are sent, by whichever slot."""
    return {index for send in actions if isinstance(send, Send) for index in range(send.start, send.stop)}


def test_reports_of_tasks_that_were_not_sent_are_an_engine_error() -> None:
    """An engine that reports what it was not given is found out, not believed."""
    flow = Flow(2, None, sizes=BatchSizes(1), ordered=True, bounded=False, fatal=True)
    flow.feed([Arrived(2, exhausted=True)])
    with pytest.raises(EngineError, match="tasks 1 to 1 at slot 0"):
        flow.feed([Done(0, 1, [None], 0.1)])
