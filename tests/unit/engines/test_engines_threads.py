"""The thread engine beyond the common exam."""

import contextvars
import re
import threading
import time

import pytest

from lightwork.engines.threads import ThreadEngine
from lightwork.protocols import Batch, Done, Failed, Run, Session, SessionRequest, Tell
from lightwork.system.cpu import cpu_count
from lightwork.testing.engines import PlainRunner

VARIABLE = contextvars.ContextVar("VARIABLE", default="unset")


@pytest.fixture
def session() -> Session:
    return ThreadEngine().open(SessionRequest(2, PlainRunner(), None, {}))


def ours() -> list[str]:
    """Names of the engine's threads; the library has others, which are not its."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if re.fullmatch("lightwork-[0-9]+", name)]


def test_threads_start_with_the_first_batch_and_end_with_the_session(session: Session) -> None:
    """An open session costs nothing; a closed one has left nothing behind."""
    assert ours() == []
    session.send(1, Batch(0, [(abs, (-1,), {})]))
    assert ours() == ["lightwork-1"]
    session.wait(10)
    session.close(abort=False)
    assert ours() == []


def test_abort_does_not_wait_for_what_runs(session: Session) -> None:
    """A running task is abandoned: close returns at once, and the task's thread ends when the task does."""
    gate, there = threading.Event(), threading.Event()

    def run() -> None:
        there.set()
        gate.wait(30)

    session.send(0, Batch(0, [(run, (), {}), (pytest.fail, ("ran after the abort",), {})]))
    there.wait(30)
    session.close(abort=True)
    assert ours() == ["lightwork-0"]
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "lightwork-0":
            thread.join(30)
    assert ours() == []


def test_long_batches_report_on_the_way(session: Session) -> None:
    """Results are reported after 10 ms of work, not only at the end of their batch."""
    session.send(0, Batch(0, [(time.sleep, (0.012,), {})] * 4))
    first = session.wait(10)
    assert isinstance(first[0], Done)
    assert len(first[0].values) == 1
    session.close(abort=True)


def test_tasks_see_the_callers_context(session: Session) -> None:
    """Context variables of the sender are seen in the threads, and changes there stay there."""
    token = VARIABLE.set("set")
    session.send(0, Batch(0, [(VARIABLE.get, (), {}), (VARIABLE.set, ("changed",), {})]))
    events = session.wait(10)
    assert isinstance(events[0], Done)
    assert events[0].values[0] == "set"
    assert VARIABLE.get() == "set"
    VARIABLE.reset(token)
    session.close(abort=False)


def test_effective_n_jobs() -> None:
    """As asked for, negative numbers from the number of cores, never 0."""
    engine = ThreadEngine()
    assert [engine.effective_n_jobs(n) for n in (1, 7, -1, -1000)] == [1, 7, cpu_count(), 1]


class CannotStart(PlainRunner):
    def start(self, tell: Tell) -> Run:
        raise OSError("no start")


def test_a_runner_that_cannot_start_is_the_failure_of_each_task() -> None:
    """Nobody waits for a thread that has ended before its first task."""
    session = ThreadEngine().open(SessionRequest(1, CannotStart(), None, {}))
    session.send(0, Batch(0, [(abs, (-1,), {})] * 3))
    events: list[object] = []
    while len(events) < 3:
        events += session.wait(10)
    assert [(type(event), str(event.error)) for event in events if isinstance(event, Failed)] == [
        (Failed, "no start")
    ] * 3
    session.close(abort=False)
