"""What a session of the process engine promises."""

import math
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import lightwork
from lightwork.engines.processes import ProcessEngine
from lightwork.errors import EngineError, InvalidOption, RemoteTraceback, UnpicklableError
from lightwork.protocols import (
    Batch,
    Call,
    Engine,
    Returned,
    Run,
    Session,
    SessionRequest,
    SupportsFlush,
    Tell,
)
from tests.unit.engines.processes.driving import (
    PlainRunner,
    batches,
    collect,
    open_session,
    results,
    running_engine,
    sort_in,
    task,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    with running_engine() as engine:
        yield engine


def square(x: int) -> int:
    return x * x


def fail_on_three(x: int) -> int:
    if x == 3:
        raise KeyError("three")
    return x


def own_pid(_: object = None) -> int:
    return os.getpid()


def wait_for_file(path: str) -> str:
    while not os.path.exists(path):
        time.sleep(0.001)
    return path


def lock_in_dict() -> dict[str, object]:
    return {"fine": 1, "lock": threading.Lock()}


class Picky(Exception):
    """An exception that can be pickled and not be built again."""

    def __new__(cls, *, one: int, two: int) -> "Picky":
        return super().__new__(cls, f"{one} and {two}")

    def __init__(self, *, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_picky() -> None:
    raise Picky(one=1, two=2)


class Poison:
    """An argument that cannot be rebuilt."""

    def __setstate__(self, state: object) -> None:
        raise RuntimeError("poisoned")

    def __getstate__(self) -> object:
        return {"a": 1}


def test_engine_and_session_are_what_the_protocols_ask_for(engine: ProcessEngine) -> None:
    """Both have all methods of their protocols."""
    session = open_session(engine)
    assert isinstance(engine, Engine)
    assert isinstance(session, Session)
    session.close(abort=False)


def test_results_arrive_under_the_index_of_their_task(engine: ProcessEngine) -> None:
    """Indexes survive batches and slots."""
    calls = [task(square, k) for k in range(100)]
    assert results(engine, calls, size=7) == [k * k for k in range(100)]


def test_an_error_comes_with_the_traceback_of_the_worker(engine: ProcessEngine) -> None:
    """The error has its own type, and the worker's traceback as its cause."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(fail_on_three, k) for k in range(5)]))
    found = collect(session, 5)
    session.close(abort=False)
    assert found.values == {0: 0, 1: 1, 2: 2, 4: 4}
    assert isinstance(found.errors[3], KeyError)
    cause = found.errors[3].__cause__
    assert isinstance(cause, RemoteTraceback)
    assert "in fail_on_three" in cause.text
    assert os.path.dirname(lightwork.__file__) not in cause.text.split("fail_on_three")[0]


def test_lambdas_and_closures_run(engine: ProcessEngine) -> None:
    """Functions that no other process can import travel by value."""
    offset = 10
    assert results(engine, [task(lambda x: x + offset, k) for k in range(5)]) == [10, 11, 12, 13, 14]


def test_a_function_is_taken_apart_once_per_session(engine: ProcessEngine) -> None:
    """Workers get a function once, whatever the number of tasks."""

    def counted(x: int) -> int:
        return x

    pickled = []

    class Noted:
        def __reduce__(self) -> tuple[Any, ...]:
            pickled.append(1)
            return int, (1,)

    counted.__dict__["noted"] = Noted()
    assert results(engine, [task(counted, k) for k in range(20)], size=3) == list(range(20))
    assert len(pickled) <= 2  # one attempt by reference may come before


def test_bound_methods_travel_with_each_task(engine: ProcessEngine) -> None:
    """A method that changes its object changes the copy of its own task only."""
    append = [0].append
    calls = [task(lambda a, k: (a(k), a.__self__)[1], append, k) for k in range(4)]
    assert results(engine, calls, size=4, slots=1) == [[0, k] for k in range(4)]


def test_an_unpicklable_argument_fails_its_task_and_names_the_place(engine: ProcessEngine) -> None:
    """The other tasks of the batch run, in the same workers."""
    session = open_session(engine)
    calls = [task(len, [1]), task(len, {"a": [threading.Lock()]}), task(len, [1, 2])]
    session.send(0, Batch(0, calls))
    found = collect(session, 3)
    session.close(abort=False)
    assert found.values == {0: 1, 2: 2}
    assert isinstance(found.errors[1], UnpicklableError)
    assert "args[0]['a'][0]" in str(found.errors[1])


def test_an_argument_that_cannot_be_rebuilt_fails_its_task(engine: ProcessEngine) -> None:
    """The cause is in the message, the other tasks run."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(bool, [1]), task(bool, Poison()), task(bool, [])]))
    found = collect(session, 3)
    session.close(abort=False)
    assert found.values == {0: True, 2: False}
    assert "poisoned" in str(found.errors[1])


def test_an_unpicklable_result_fails_its_task_and_names_the_place(engine: ProcessEngine) -> None:
    """The worker survives it."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(own_pid), task(lock_in_dict), task(own_pid)]))
    found = collect(session, 3)
    session.close(abort=False)
    assert isinstance(found.errors[1], UnpicklableError)
    assert "result['lock']" in str(found.errors[1])
    assert found.values[0] == found.values[2]


def test_an_exception_that_cannot_be_rebuilt_is_told(engine: ProcessEngine) -> None:
    """Its type and text arrive, with the traceback."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(raise_picky)]))
    error = collect(session, 1).errors[0]
    session.close(abort=False)
    assert isinstance(error, UnpicklableError)
    assert "Picky: 1 and 2" in str(error)
    assert "raise_picky" in str(error.__cause__)


def test_system_exit_in_a_task_is_its_error(engine: ProcessEngine) -> None:
    """A task that calls ``exit`` ends neither worker nor parent."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(exit, 3), task(square, 2)]))
    found = collect(session, 2)
    session.close(abort=False)
    assert isinstance(found.errors[0], SystemExit)
    assert found.values == {1: 4}


def test_workers_are_kept_between_sessions(engine: ProcessEngine) -> None:
    """The next session runs in the same processes."""
    first = results(engine, [task(own_pid)], slots=1)
    assert results(engine, [task(own_pid)], slots=1) == first


def test_two_sessions_at_once_share_no_worker(engine: ProcessEngine) -> None:
    """A worker belongs to one session at a time."""
    one, two = open_session(engine), open_session(engine)
    one.send(0, Batch(0, [task(own_pid)]))
    two.send(0, Batch(0, [task(own_pid)]))
    pids = {collect(one, 1).values[0], collect(two, 1).values[0]}
    one.close(abort=False)
    two.close(abort=False)
    assert len(pids) == 2


def test_sessions_in_several_threads(engine: ProcessEngine) -> None:
    """One engine serves threads at the same time."""
    outcome: dict[int, list[int]] = {}

    def job(number: int) -> None:
        outcome[number] = results(engine, [task(square, number + k) for k in range(30)], size=4)

    threads = [threading.Thread(target=job, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcome == {number: [(number + k) ** 2 for k in range(30)] for number in range(4)}


def test_messages_larger_than_all_buffers_do_not_deadlock(engine: ProcessEngine) -> None:
    """Parent and worker both have megabytes to send at the same time."""
    blob = os.urandom(3_000_000)
    values = results(engine, [task(bytes, bytearray(blob)) for _ in range(8)], slots=1)
    assert values == [blob] * 8


def test_tasks_are_taken_back_once(engine: ProcessEngine, tmp_path: Any) -> None:
    """What is returned does not run; what is not returned runs; nothing is both."""
    gate = tmp_path / "gate"
    session = open_session(engine)
    calls = [task(wait_for_file, str(gate)), *(task(square, k) for k in range(1, 50))]
    session.send(0, Batch(0, calls))
    session.take_back(0)
    event = session.wait(5)[0]
    assert isinstance(event, Returned)
    assert event.stop == 50
    assert event.start >= 0
    gate.touch()
    found = collect(session, event.start)
    session.close(abort=False)
    assert sorted(found.values) == list(range(event.start))


def test_taking_back_from_an_idle_slot_returns_nothing(engine: ProcessEngine) -> None:
    """An empty range is an answer too."""
    session = open_session(engine)
    session.take_back(0)
    (event,) = session.wait(5)
    session.close(abort=False)
    assert isinstance(event, Returned)
    assert event.start == event.stop


def test_batches_after_a_take_back_run(engine: ProcessEngine, tmp_path: Any) -> None:
    """Tokens that were taken back are not missing to later batches."""
    gate = tmp_path / "gate"
    session = open_session(engine)
    session.send(0, Batch(0, [task(wait_for_file, str(gate)), task(square, 1), task(square, 2)]))
    session.take_back(0)
    (event,) = session.wait(5)
    assert isinstance(event, Returned)
    gate.touch()
    session.send(0, Batch(10, [task(square, 10), task(square, 11)]))
    found = collect(session, event.start + 2)
    session.close(abort=False)
    assert found.values[10] == 100
    assert found.values[11] == 121


def test_wake_ends_a_wait_from_another_thread(engine: ProcessEngine) -> None:
    """`wait` returns without an event."""
    session = open_session(engine)
    thread = threading.Thread(target=session.wake)
    thread.start()
    assert session.wait(20) == []
    thread.join()
    session.close(abort=False)


def test_wait_gives_up_after_its_time(engine: ProcessEngine) -> None:
    """Without events the wait is over when the time is."""
    session = open_session(engine)
    before = time.monotonic()
    assert session.wait(0.05) == []
    assert time.monotonic() - before >= 0.05
    session.close(abort=False)


def test_results_do_not_wait_for_the_end_of_a_long_batch(engine: ProcessEngine, tmp_path: Any) -> None:
    """Once 10 ms have gone by, results are sent before the next task starts."""
    gate = tmp_path / "gate"
    session = open_session(engine)
    session.send(0, Batch(0, [task(time.sleep, 0.011), task(wait_for_file, str(gate))]))
    first = collect(session, 1)
    assert list(first.values) == [0]
    gate.touch()
    assert list(collect(session, 1).values) == [1]
    session.close(abort=False)


def open_for_writing(path: str) -> None:
    os.close(os.open(path, os.O_WRONLY))


def test_flush_lets_everything_go(engine: ProcessEngine, tmp_path: Any) -> None:
    """Batches for a busy slot may wait for others, but not for a caller who says that he will be long."""
    pipe = str(tmp_path / "pipe")
    os.mkfifo(pipe)
    session = open_session(engine)
    assert isinstance(session, SupportsFlush)
    session.send(0, Batch(0, [task(square, 3)]))
    session.send(0, Batch(1, [task(open_for_writing, pipe)]))
    session.flush()
    os.close(os.open(pipe, os.O_RDONLY))  # returns when the second task opens its end
    assert collect(session, 2).values == {0: 9, 1: None}
    session.close(abort=False)


def test_unknown_options_are_refused(engine: ProcessEngine) -> None:
    """An option that nobody reads is an error before anything starts."""
    with pytest.raises(InvalidOption, match="timeout"):
        engine.open(SessionRequest(1, PlainRunner(), None, {"timeout": 3}))


def test_zero_jobs_are_refused(engine: ProcessEngine) -> None:
    """``n_jobs=0`` has no meaning."""
    with pytest.raises(InvalidOption, match="n_jobs=0"):
        engine.effective_n_jobs(0)
    assert engine.effective_n_jobs(3) == 3
    assert engine.effective_n_jobs(-1) >= 1


def test_a_closed_session_refuses_tasks(engine: ProcessEngine) -> None:
    """Closing twice is fine, sending afterwards is not."""
    session = open_session(engine)
    session.close(abort=False)
    session.close(abort=True)
    with pytest.raises(EngineError, match="closed"):
        session.send(0, Batch(0, [task(square, 1)]))


def test_waiting_on_a_closed_session_is_an_error(engine: ProcessEngine) -> None:
    """It neither hangs nor spins, before and during the wait."""
    session = open_session(engine)
    errors: list[EngineError] = []

    def wait() -> None:
        try:
            session.wait(None)
        except EngineError as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    session.close(abort=False)
    thread.join(20)
    assert not thread.is_alive()
    assert len(errors) == 1
    with pytest.raises(EngineError, match="closed"):
        session.wait(0)


def test_an_engine_works_again_after_shutdown() -> None:
    """Shutdown ends the workers; the next session starts new ones."""
    with running_engine() as engine:
        (pid,) = results(engine, [task(own_pid)], slots=1)
        engine.shutdown()
        assert not os.path.exists(f"/proc/{pid}")
        assert results(engine, [task(math.sqrt, 4.0)], slots=1) == [2.0]


def test_an_idle_worker_leaves() -> None:
    """After its time without a session the worker is gone, and the next session gets another."""
    with running_engine() as engine:
        session = open_session(engine, idle_worker_timeout=0.01)
        session.send(0, Batch(0, [task(own_pid)]))
        first = collect(session, 1).values[0]
        session.close(abort=False)
        time.sleep(0.02)  # the span itself is what is tested
        assert results(engine, [task(own_pid)], slots=1) != [first]


class Announcing(PlainRunner):
    """Counts in the worker what was called."""

    def start(self, tell: Tell) -> Run:
        os.environ["STARTED_BY"] = "runner"
        return self.run

    def run(self, index: int, call: Call) -> Any:
        return index, os.environ["STARTED_BY"], super().run(index, call)


def test_the_runner_runs_each_task_with_its_index(engine: ProcessEngine) -> None:
    """`start` comes before the first task, `run` gets the index."""
    session = open_session(engine, runner=Announcing())
    session.send(0, Batch(5, [task(square, 3), task(square, 4)]))
    found = collect(session, 2)
    session.close(abort=False)
    assert found.values == {5: (5, "runner", 9), 6: (6, "runner", 16)}


class Failing(PlainRunner):
    def start(self, tell: Tell) -> Run:
        raise ValueError("cannot start")


def test_a_runner_that_cannot_start_fails_each_task(engine: ProcessEngine) -> None:
    """No task runs, every task says why, the pool survives."""
    session = open_session(engine, runner=Failing())
    session.send(0, Batch(0, [task(square, 3), task(square, 4)]))
    found = collect(session, 2)
    session.close(abort=False)
    assert {str(error) for error in found.errors.values()} == {"cannot start"}
    assert results(engine, [task(square, 3)]) == [9]


def test_events_are_never_reported_twice(engine: ProcessEngine) -> None:
    """Depth and batches mixed: each task is reported once."""
    session = open_session(engine, slots=2)
    calls = [task(fail_on_three, k % 5) for k in range(200)]
    for number, batch in enumerate(batches(calls, 3)):
        session.send(number % 2, batch)
    found = collect(session, 200)
    for event in session.wait(0):
        sort_in(found, event)
    session.close(abort=False)
    assert len(found.values) == 160
    assert len(found.errors) == 40
