"""For those who write an engine: the exam, and a fake that passes it.

An engine is tested by subclassing `EngineSuite`::

    class TestMyEngine(EngineSuite):
        @pytest.fixture
        def engine(self):
            return MyEngine()

`ScriptedEngine` runs tasks in the caller's thread, in an order and with accidents that a test chooses.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest

from ..errors import EngineError, InvalidOption, WorkerDied
from ..protocols import (
    Batch,
    Call,
    Done,
    Engine,
    Event,
    Failed,
    Lost,
    Returned,
    Run,
    Runner,
    Session,
    SessionRequest,
    Tell,
    Told,
)

__all__ = ["EngineSuite", "PlainRunner", "ScriptedEngine"]

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})  # Any: options of engines


class PlainRunner:
    """A `Runner` that only runs."""

    def start(self, tell: Tell) -> Run:
        """Nothing to prepare."""
        return self.run

    def run(self, index: int, call: Call) -> Any:  # Any: the result of the call
        """Call."""
        function, args, kwargs = call
        return function(*args, **kwargs)

    def stop(self) -> None:
        """Nothing to undo."""


class Telling(PlainRunner):
    """A `Runner` that says when each task begins and ends."""

    def start(self, tell: Tell) -> Run:
        """Tell around each task."""

        def run(index: int, call: Call) -> Any:  # Any: the result of the call
            tell(index, {"begins": index})
            value = self.run(index, call)
            tell(index, {"ends": index})
            return value

        return run


# ---------------------------------------------------------------------------------------------------------
# The fake
# ---------------------------------------------------------------------------------------------------------


class ScriptedEngine:
    """An engine without workers, whose slots run when and how a test says.

    Parameters
    ----------
    seed
        ``None``: slots run in turn, oldest batch first. A number: which slot runs next, how far it gets, and
        when a request to give back is answered, are drawn at random.
    deadly
        Indices of tasks that end their worker whenever they run.
    unknown
        Indices of tasks that end their worker without a trace of which task ran.
    """

    name = "scripted"
    shares_memory = True

    def __init__(
        self, seed: int | None = None, *, deadly: Collection[int] = (), unknown: Collection[int] = ()
    ) -> None:
        self._seed = seed
        self._deadly = deadly
        self._unknown = unknown
        self.sessions: list[ScriptedSession] = []
        """All sessions so far, for a test to look at."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As many as asked for; four for a negative number."""
        return n_jobs if n_jobs > 0 else 4

    def open(self, request: SessionRequest) -> "ScriptedSession":
        """Begin a session."""
        if request.options:
            raise InvalidOption(f"the scripted engine has no option {', '.join(request.options)}")
        session = ScriptedSession(request, self._seed, self._deadly, self._unknown)
        self.sessions.append(session)
        return session

    def shutdown(self) -> None:
        """Nothing to end."""


class ScriptedSession:
    """A `Session`; each `wait` lets one slot do something. The attributes are for tests to read."""

    def __init__(
        self, request: SessionRequest, seed: int | None, deadly: Collection[int], unknown: Collection[int]
    ) -> None:
        self.request = request
        self.sent: list[tuple[int, Batch]] = []
        """All batches, as they were sent."""
        self.queued_at_most = 0
        """The largest number of tasks that were queued at once."""
        self.closed: str | None = None
        """``None``, ``"ended"`` or ``"aborted"``."""
        self._random = None if seed is None else random.Random(seed)
        self._deadly = deadly
        self._unknown = unknown
        self._queues: list[deque[tuple[int, Call]]] = [deque() for _ in range(request.n_jobs)]
        self._asked: set[int] = set()
        self._runs: dict[int, Run] = {}
        self._told: list[Event] = []
        self._turn = 0

    def send(self, slot: int, batch: Batch) -> None:
        """Queue the tasks."""
        if self.closed:
            raise EngineError("the session is closed")
        self.sent.append((slot, batch))
        self._queues[slot].extend(enumerate(batch.calls, batch.start))
        self.queued_at_most = max(self.queued_at_most, sum(map(len, self._queues)))

    def take_back(self, slot: int) -> None:
        """Remember to answer."""
        self._asked.add(slot)

    def wait(self, timeout: float | None) -> Sequence[Event]:
        """Let one slot answer or run; nothing at all if all slots are empty."""
        choices = [slot for slot, queue in enumerate(self._queues) if queue or slot in self._asked]
        if not choices:
            return []
        if self._random is None:
            self._turn += 1
            slot = choices[self._turn % len(choices)]
            return self._answer(slot) if slot in self._asked else self._run(slot, len(self._queues[slot]))
        slot = self._random.choice(choices)
        if slot in self._asked and (not self._queues[slot] or self._random.random() < 0.5):
            return self._answer(slot)
        return self._run(slot, self._random.randint(1, len(self._queues[slot])))

    def wake(self) -> None:
        """Nothing to do: `wait` never sleeps."""

    def close(self, *, abort: bool) -> None:
        """Forget the tasks that were not run."""
        for queue in self._queues:
            queue.clear()
        if not self.closed:
            self.closed = "aborted" if abort else "ended"
            for _ in self._runs:
                self.request.runner.stop()

    def _answer(self, slot: int) -> Sequence[Event]:
        self._asked.discard(slot)
        queue = self._queues[slot]
        first = queue[0][0] if queue else 0
        start = stop = queue[-1][0] + 1 if queue else 0
        while len(queue) > (self._random is not None) and queue and queue[-1][0] == start - 1 >= first:
            queue.pop()
            start -= 1
        return [Returned(slot, start, stop)]

    def _run(self, slot: int, count: int) -> Sequence[Event]:
        """Run up to `count` consecutive tasks of a slot."""
        queue, begin = self._queues[slot], time.perf_counter()
        values: list[Any] = []
        start = queue[0][0]
        events: list[Event] = []
        run = self._runs.get(slot)
        if run is None:
            run = self.request.runner.start(lambda index, what: self._told.append(Told(slot, index, what)))
            self._runs[slot] = run
        while queue and queue[0][0] == start + len(values) < start + count:
            index, call = queue.popleft()
            if index in self._deadly or index in self._unknown:
                events.append(self._die(slot, None if index in self._unknown else index))
                break
            try:
                values.append(run(index, call))
            except Exception as error:  # noqa: BLE001 - a task's error is its result, and reported as such
                events.append(Failed(slot, index, error, time.perf_counter() - begin))
                break
        if values:
            events.insert(0, Done(slot, start, values, time.perf_counter() - begin))
        told, self._told = self._told, []
        return [*told, *events]

    def _die(self, slot: int, running: int | None) -> Lost:
        self._queues[slot].clear()
        self._asked.discard(slot)
        error = WorkerDied(f"the worker of slot {slot} died", pid=1, signal=9, task=running)
        return Lost(slot, running, error)


# ---------------------------------------------------------------------------------------------------------
# The exam
# ---------------------------------------------------------------------------------------------------------


def double(x: Any) -> Any:
    """A task: twice what it is given."""
    return x + x


def fail(text: str) -> None:
    """A task that raises."""
    raise ValueError(text)


def append_one(items: list[int]) -> list[int]:
    """A task that changes what it is given."""
    items.append(1)
    return items


class NotPicklable:
    """An argument that cannot travel to another process."""

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("this object stays where it is")


def ignore(value: object) -> str:
    """A task that does not care what it is given."""
    return "done"


class EngineSuite:
    """What every engine promises. Subclass it and define the fixture `engine`.

    Functions of tasks are found by name in this module, so workers must be able to import it.
    """

    seconds = 30.0
    """How long a test waits for the events that it needs."""

    @pytest.fixture
    def engine(self) -> Engine:
        """The engine under test; it may be one for all tests."""
        raise NotImplementedError("define the fixture `engine` in the subclass")

    @pytest.fixture
    def slots(self, engine: Engine) -> int:
        """How many slots a session is opened with: 2 if the engine has so many."""
        return min(2, engine.effective_n_jobs(2))

    @pytest.fixture
    def open_session(self, engine: Engine, slots: int) -> Any:  # Any: a generator fixture of a function
        """A function that opens a session; all sessions are closed after the test."""
        opened: list[Session] = []

        def open_session(runner: Runner | None = None) -> Session:
            session = engine.open(SessionRequest(slots, runner or PlainRunner(), None, _NO_OPTIONS))
            opened.append(session)
            return session

        yield open_session
        for session in opened:
            session.close(abort=True)

    def collect(self, session: Session, count: int) -> dict[int, Any]:
        """Wait until `count` tasks were reported: values, errors, or the string ``"returned"``, by index."""
        found: dict[int, Any] = {}
        deadline = time.monotonic() + self.seconds
        while len(found) < count:
            left = deadline - time.monotonic()
            assert left > 0, f"only {len(found)} of {count} tasks were reported in {self.seconds} s"
            for event in session.wait(left):
                for index, outcome in _outcomes(event):
                    assert index not in found, f"task {index} was reported twice"
                    found[index] = outcome
        return found

    def test_it_is_an_engine(self, engine: Engine) -> None:
        """Name, kind and number of workers can be asked for without starting anything."""
        assert isinstance(engine, Engine)
        assert engine.name
        assert engine.effective_n_jobs(1) == 1
        assert engine.effective_n_jobs(-1) >= 1
        assert engine.effective_n_jobs(-1000) == 1 or engine.effective_n_jobs(-1000) >= 1

    def test_values_come_back_by_index(self, open_session: Callable[..., Session]) -> None:
        """Each task's value is reported under its index."""
        session = open_session()
        session.send(0, Batch(10, [(double, (i,), {}) for i in range(5)]))
        assert self.collect(session, 5) == {10 + i: 2 * i for i in range(5)}

    def test_all_slots_work(self, open_session: Callable[..., Session], slots: int) -> None:
        """Batches sent to different slots are all run, and reported with their slot."""
        session = open_session()
        for slot in range(slots):
            session.send(slot, Batch(slot * 3, [(double, (slot,), {})] * 3))
        assert self.collect(session, 3 * slots) == {3 * s + k: 2 * s for s in range(slots) for k in range(3)}

    def test_batches_of_a_slot_run_in_the_order_sent(self, open_session: Callable[..., Session]) -> None:
        """Tasks of one slot are reported in the order in which they were sent."""
        session = open_session()
        for start in (40, 20, 0):
            session.send(0, Batch(start, [(double, (1,), {})] * 10))
        assert list(self.collect(session, 30)) == [*range(40, 50), *range(20, 30), *range(10)]

    def test_an_error_fails_its_own_task(self, open_session: Callable[..., Session]) -> None:
        """The tasks around a failing one in the same batch have values; its error keeps its type."""
        session = open_session()
        session.send(0, Batch(0, [(double, (1,), {}), (fail, ("no",), {}), (double, (2,), {})]))
        found = self.collect(session, 3)
        assert (found[0], found[2]) == (2, 4)
        assert type(found[1]) is ValueError
        assert found[1].args == ("no",)

    def test_an_argument_that_cannot_travel_fails_its_own_task(
        self, engine: Engine, open_session: Callable[..., Session]
    ) -> None:
        """If arguments are pickled, one that cannot be is the error of its task; the others run."""
        session = open_session()
        calls: list[Call] = [(ignore, (1,), {}), (ignore, (NotPicklable(),), {}), (ignore, (3,), {})]
        session.send(0, Batch(0, calls))
        found = self.collect(session, 3)
        assert (found[0], found[2]) == ("done", "done")
        if engine.shares_memory:
            assert found[1] == "done"
        else:
            assert isinstance(found[1], Exception)

    def test_each_task_is_a_value_of_its_own(
        self, engine: Engine, open_session: Callable[..., Session]
    ) -> None:
        """A task that changes its argument changes it for others only if memory is shared."""
        items: list[int] = []
        session = open_session()
        session.send(0, Batch(0, [(append_one, (items,), {})] * 4))
        found = self.collect(session, 4)
        if engine.shares_memory:
            assert found[3] is items
        else:
            assert list(found.values()) == [[1], [1], [1], [1]]
            assert items == []

    def test_take_back_answers_once_and_nothing_is_lost(self, open_session: Callable[..., Session]) -> None:
        """Every task is either run or given back, and each request is answered by one `Returned`."""
        session = open_session()
        session.send(0, Batch(0, [(time.sleep, (0.002,), {})] * 20))
        session.take_back(0)
        found: dict[int, Any] = {}
        answers: list[Returned] = []
        deadline = time.monotonic() + self.seconds
        while len(found) < 20 or not answers:
            assert time.monotonic() < deadline
            for event in session.wait(self.seconds):
                answers += [event] if isinstance(event, Returned) else []
                found.update(_outcomes(event))
        assert len(answers) == 1
        start, stop = answers[0].start, answers[0].stop
        assert sorted(found) == list(range(20))
        assert {index for index, outcome in found.items() if outcome == "returned"} == set(range(start, stop))

    def test_a_slot_that_gave_back_goes_on(self, open_session: Callable[..., Session]) -> None:
        """Tasks that are sent to a slot right after it gave some back run, and those given back do not."""
        session = open_session()
        session.send(0, Batch(0, [(time.sleep, (0.002,), {})] * 20))
        session.take_back(0)
        found: dict[int, Any] = {}
        while "returned" not in found.values() and len(found) < 20:
            for event in session.wait(self.seconds):
                found.update(_outcomes(event))
        session.send(0, Batch(100, [(double, (i,), {}) for i in range(20)]))
        found.update(self.collect(session, 40 - len(found)))
        assert [found[100 + i] for i in range(20)] == [2 * i for i in range(20)]

    def test_take_back_of_an_idle_slot_is_answered(self, open_session: Callable[..., Session]) -> None:
        """A slot that was never sent to, or has ended all, gives back an empty range."""
        session = open_session()
        session.take_back(0)
        self._await_empty_answer(session)
        session.send(0, Batch(0, [(double, (1,), {})]))
        self.collect(session, 1)
        session.take_back(0)
        self._await_empty_answer(session)

    def _await_empty_answer(self, session: Session) -> None:
        deadline = time.monotonic() + self.seconds
        events: list[Event] = []
        while not events:
            assert time.monotonic() < deadline
            events += session.wait(self.seconds)
        assert len(events) == 1
        assert isinstance(events[0], Returned)
        assert events[0].start == events[0].stop

    def test_wake_lets_wait_return(self, open_session: Callable[..., Session]) -> None:
        """A wait that nothing would end returns when it is woken, also if that came first."""
        session = open_session()
        session.wake()
        begin = time.monotonic()
        assert list(session.wait(self.seconds)) == []
        assert time.monotonic() - begin < self.seconds

    def test_wait_keeps_its_timeout(self, open_session: Callable[..., Session]) -> None:
        """With nothing to report, wait returns nothing after its time."""
        assert list(open_session().wait(0.01)) == []

    def test_abort_and_go_on(self, engine: Engine, open_session: Callable[..., Session]) -> None:
        """An aborted session drops what it had queued; the next session of the engine works."""
        session = open_session()
        session.send(0, Batch(0, [(time.sleep, (0.05,), {})] * 100))
        begin = time.monotonic()
        session.close(abort=True)
        session.close(abort=True)
        assert time.monotonic() - begin < 4.0
        after = open_session()
        after.send(0, Batch(0, [(double, (21,), {})]))
        assert self.collect(after, 1) == {0: 42}

    def test_sessions_may_overlap(self, open_session: Callable[..., Session]) -> None:
        """Two sessions are open at once, and each gets its own results."""
        one, two = open_session(), open_session()
        one.send(0, Batch(0, [(double, (1,), {})] * 3))
        two.send(0, Batch(0, [(double, (2,), {})] * 3))
        assert self.collect(two, 3) == {0: 4, 1: 4, 2: 4}
        assert self.collect(one, 3) == {0: 2, 1: 2, 2: 2}

    def test_shutdown_twice_and_use_again(self, engine: Engine, open_session: Callable[..., Session]) -> None:
        """An engine that was shut down starts again when it is next used."""
        engine.shutdown()
        engine.shutdown()
        session = open_session()
        session.send(0, Batch(0, [(double, (3,), {})]))
        assert self.collect(session, 1) == {0: 6}

    def test_what_a_runner_says_comes_before_its_task(self, open_session: Callable[..., Session]) -> None:
        """Two things that are said of each task arrive once, in order, before the task is reported."""
        session = open_session(Telling())
        session.send(0, Batch(7, [(double, (number,), {}) for number in range(5)]))
        heard: dict[int, list[object]] = {}
        values: dict[int, Any] = {}
        deadline = time.monotonic() + self.seconds
        while len(values) < 5:
            assert time.monotonic() < deadline
            for event in session.wait(self.seconds):
                if isinstance(event, Told):
                    assert event.index not in values
                    heard.setdefault(event.index, []).append(event.what)
                else:
                    values.update(_outcomes(event))
        assert heard == {index: [{"begins": index}, {"ends": index}] for index in range(7, 12)}
        assert values == {index: 2 * (index - 7) for index in range(7, 12)}

    def test_unknown_options_are_refused(self, engine: Engine, slots: int) -> None:
        """An option that the engine does not know is an error that names it."""
        with pytest.raises(InvalidOption, match="no_such_option"):
            engine.open(SessionRequest(slots, PlainRunner(), None, {"no_such_option": 1})).close(abort=True)


def _outcomes(event: Event) -> list[tuple[int, Any]]:
    match event:
        case Done():
            return list(enumerate(event.values, event.start))
        case Failed():
            return [(event.index, event.error)]
        case Returned():
            return [(index, "returned") for index in range(event.start, event.stop)]
        case Told():
            return []
        case Lost():
            return [] if event.running is None else [(event.running, event.error)]
