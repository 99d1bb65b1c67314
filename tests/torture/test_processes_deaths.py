"""Workers that die, parents that die, children that are forked at the wrong moment."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lightwork
from lightwork.engines.processes import ProcessEngine
from lightwork.errors import UnpicklableError, WorkerDied
from lightwork.protocols import Batch, Call, Failed, Lost
from tests.torture.processes_tasks import (
    DiesWhenRebuilt,
    await_end,
    await_file,
    await_text,
    begin_and_sleep,
    forks_and_comes_back,
    kill_self,
    note,
    note_slowly,
    own_pid,
    returns_leaver,
    returns_poison,
    segfault,
    spawn_sleeper,
    square,
)
from tests.unit.engines.processes.driving import (
    PATIENCE,
    Collected,
    collect,
    open_session,
    results,
    running_engine,
    sort_in,
    task,
)

pytestmark = pytest.mark.torture

SOURCE = Path(lightwork.__path__[0]).parent
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    with running_engine() as engine:
        yield engine


DEADLY: dict[str, tuple[Call, int | None, int | None]] = {
    "killed": (task(kill_self, int(signal.SIGKILL)), 9, None),
    "terminated": (task(kill_self, int(signal.SIGTERM)), 15, None),
    "interrupted": (task(kill_self, int(signal.SIGINT)), 2, None),
    "segfault": (task(segfault), 11, None),
    "exit": (task(os._exit, 5), None, 5),
    "exit 0": (task(os._exit, 0), None, 0),
    "arguments": (task(bool, DiesWhenRebuilt()), None, 7),
    "result": (task(returns_poison), None, 8),
}


def run_with_resending(engine: ProcessEngine, calls: list[Call], *, size: int) -> Collected:
    """Drive as the flow does: tasks that were sent to a lost worker and did not run are sent again."""
    session = open_session(engine, slots=2)
    waiting = {slot: list(range(slot * size, min((slot + 1) * size, len(calls)))) for slot in range(2)}
    rest = list(range(2 * size, len(calls)))
    found = Collected({}, {}, [], [])
    for slot in waiting:
        session.send(slot, Batch(waiting[slot][0], [calls[k] for k in waiting[slot]]))
    while len(found.values) + len(found.errors) + len(found.losses) < len(calls):
        events = session.wait(PATIENCE)
        assert events, "nothing happened"
        for event in events:
            sort_in(found, event)
            ended = {lost.running for lost in found.losses} | found.values.keys() | found.errors.keys()
            slot = event.slot
            waiting[slot] = [k for k in waiting[slot] if k not in ended]
            if isinstance(event, Lost):
                for k in waiting[slot]:
                    session.send(slot, Batch(k, [calls[k]]))
            if not waiting[slot] and rest:
                waiting[slot], rest = rest[:size], rest[size:]
                session.send(slot, Batch(waiting[slot][0], [calls[k] for k in waiting[slot]]))
    session.close(abort=False)
    return found


@pytest.mark.parametrize("way", DEADLY)
@pytest.mark.parametrize("size", [1, 10])
def test_a_death_costs_its_own_task_only(engine: ProcessEngine, way: str, size: int) -> None:
    """99 results and one `WorkerDied` that names pid, signal or exit code, and task."""
    call, number, code = DEADLY[way]
    calls = [task(square, k) for k in range(100)]
    calls[47] = call
    found = run_with_resending(engine, calls, size=size)
    assert found.values == {k: k * k for k in range(100) if k != 47}
    (lost,) = found.losses
    assert lost.running == 47
    assert isinstance(lost.error, WorkerDied)
    assert (lost.error.task, lost.error.signal, lost.error.exitcode) == (47, number, code)
    assert lost.error.pid > 1
    assert "47" in str(lost.error)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_a_result_that_leaves_while_it_is_pickled_fails_its_task(
    engine: ProcessEngine, error: BaseException
) -> None:
    """``sys.exit`` in a ``__reduce__`` is an error of that task; the worker goes on with the next one."""
    calls = [task(square, 2), task(returns_leaver, error), task(square, 3), task(str, "a"), task(own_pid)]
    session = open_session(engine)
    session.send(0, Batch(0, calls))
    found = collect(session, 5)
    session.close(abort=False)
    assert not found.losses
    assert (found.values[0], found.values[2], found.values[3]) == (4, 9, "a")
    assert isinstance(found.errors[1], UnpicklableError)
    assert type(error).__name__ in str(found.errors[1])


@pytest.mark.parametrize(
    ("error", "code"),
    [(None, 0), (SystemExit(3), 3), (ValueError("no"), 1)],
    ids=["value", "exit", "error"],
)
def test_a_child_that_a_task_forks_is_no_second_worker(
    engine: ProcessEngine, error: BaseException | None, code: int
) -> None:
    """A forked child that comes back from its task ends; what it returned or raised reaches nobody."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(forks_and_comes_back, error)] * 3 + [task(square, 5)]))
    found = collect(session, 4)
    session.close(abort=False)
    assert (found.values, found.errors) == ({0: code << 8, 1: code << 8, 2: code << 8, 3: 25}, {})
    assert results(engine, [task(square, k) for k in range(20)]) == [k * k for k in range(20)]


def test_a_slot_can_be_used_at_once_after_a_death(engine: ProcessEngine) -> None:
    """Twenty deaths in a row, each followed by a task in the same slot."""
    session = open_session(engine)
    for k in range(20):
        session.send(0, Batch(2 * k, [task(kill_self, 9)]))
        assert collect(session, 1).losses[0].running == 2 * k
        session.send(0, Batch(2 * k + 1, [task(square, k)]))
        assert collect(session, 1).values == {2 * k + 1: k * k}
    session.close(abort=False)


def test_finished_tasks_are_not_blamed(engine: ProcessEngine, tmp_path: Path) -> None:
    """A worker that dies in its third task has run two, each once."""
    log = tmp_path / "log"
    session = open_session(engine)
    session.send(
        0,
        Batch(0, [task(note, str(log), "a"), task(note, str(log), "b"), task(kill_self, 9), task(square, 1)]),
    )
    found = collect(session, 1)
    while not found.losses:
        for event in session.wait(PATIENCE):
            sort_in(found, event)
    session.close(abort=False)
    assert found.losses[0].running == 2
    assert log.read_text() == "a\nb\n"


def test_the_memory_hint_comes_with_sigkill(engine: ProcessEngine) -> None:
    """What the kernel does when memory runs out looks like SIGKILL; the message says so."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(kill_self, 9)]))
    error = collect(session, 1).losses[0].error
    session.close(abort=False)
    assert isinstance(error, WorkerDied)
    assert "SIGKILL (9)" in str(error)
    assert "memory" in str(error)
    assert error.peak_bytes is not None
    assert error.peak_bytes > 1 << 20


def test_an_idle_worker_that_dies_is_replaced_silently(engine: ProcessEngine) -> None:
    """Nobody hears of it; the next session has a new worker."""
    (pid,) = results(engine, [task(own_pid)], slots=1)
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    (other,) = results(engine, [task(own_pid)], slots=1)
    assert other != pid


def test_an_idle_worker_whose_death_was_not_reported_yet_is_not_used(engine: ProcessEngine) -> None:
    """The template tells of it when it comes to that; the worker's end of its socket tells at once."""
    template, pid = results(engine, [task(os.getppid), task(own_pid)], slots=1)
    os.kill(template, signal.SIGSTOP)
    os.kill(pid, signal.SIGKILL)
    await_end(pid)
    timer = threading.Timer(0.05, os.kill, (template, signal.SIGCONT))
    timer.start()  # another worker cannot begin before
    (other,) = results(engine, [task(own_pid)], slots=1)
    timer.join()
    assert other != pid


def test_a_killed_template_takes_its_workers_along_and_is_replaced(
    engine: ProcessEngine, tmp_path: Path
) -> None:
    """A running task is lost with a clear error; the slot works again in the same session."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(own_pid), task(os.getppid)]))
    session.send(0, Batch(2, [task(begin_and_sleep, str(tmp_path / "begun"))]))
    found = collect(session, 2)
    await_file(tmp_path / "begun")  # a worker that is killed before has lost no task
    os.kill(found.values[1], signal.SIGKILL)
    lost = collect(session, 1).losses[0]
    assert lost.running == 2
    assert isinstance(lost.error, WorkerDied)
    assert lost.error.pid == found.values[0]
    session.send(0, Batch(3, [task(square, 3)]))
    assert collect(session, 1).values == {3: 9}
    session.close(abort=False)


def test_a_template_killed_while_idle_is_not_noticed(engine: ProcessEngine) -> None:
    """The next session starts another."""
    (template,) = results(engine, [task(os.getppid)], slots=1)
    os.kill(template, signal.SIGKILL)
    await_end(template)
    assert results(engine, [task(square, 3)] * 4) == [9] * 4


def test_abort_kills_running_tasks_and_what_they_started(engine: ProcessEngine, tmp_path: Path) -> None:
    """Closing with abort is quick, leaves nothing running, and the next session works."""
    pidfile = tmp_path / "pid"
    session = open_session(engine, slots=2)
    session.send(0, Batch(0, [task(spawn_sleeper, str(pidfile))]))
    session.send(1, Batch(1, [task(time.sleep, 60)]))
    await_file(pidfile)
    before = time.monotonic()
    session.close(abort=True)
    assert time.monotonic() - before < 1
    for pid in pidfile.read_text().split():
        await_end(int(pid))
    assert results(engine, [task(square, k) for k in range(4)]) == [0, 1, 4, 9]


def test_closing_without_abort_lets_the_running_task_finish(engine: ProcessEngine, tmp_path: Path) -> None:
    """What has not started does not run; the worker is used again later."""
    log = tmp_path / "log"
    session = open_session(engine)
    session.send(0, Batch(0, [task(note_slowly, str(log), "a"), task(note, str(log), "b")]))
    await_file(log)
    session.close(abort=False)
    assert results(engine, [task(square, 3)], slots=1) == [9]
    await_text(log, "a\ndone\n")
    assert "b" not in log.read_text()


def test_a_forked_child_begins_afresh(engine: ProcessEngine) -> None:
    """A child that the user forks while a session runs has sessions of its own; the parent's go on."""
    session = open_session(engine)
    session.send(0, Batch(0, [task(time.sleep, 0.2)]))
    pid = os.fork()
    if pid == 0:
        try:
            ok = results(engine, [task(square, k) for k in range(20)]) == [k * k for k in range(20)]
            engine.shutdown()
            session.close(abort=True)
        finally:
            os._exit(0 if ok else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert collect(session, 1).values == {0: None}
    session.close(abort=False)
    assert results(engine, [task(square, 3)], slots=1) == [9]


SCRIPT = """
    import os, subprocess, sys, time
    from lightwork.engines.processes import ProcessEngine
    from lightwork.protocols import Batch, SessionRequest
    from tests.unit.engines.processes.driving import PlainRunner, task
    from tests.torture.processes_tasks import note, spawn_daemon, spawn_sleeper, await_file
    from pathlib import Path

    folder = Path(sys.argv[1])
    session = ProcessEngine().open(SessionRequest(2, PlainRunner(), None, {}))
    late = task(note, str(folder / "late"), "x")
    session.send(0, Batch(0, [task(spawn_sleeper, str(folder / "one")), late]))
    session.send(1, Batch(2, [task(spawn_daemon, str(folder / "two")), late]))
    await_file(folder / "one"), await_file(folder / "two")
"""


@pytest.mark.parametrize("sibling", [False, True], ids=["alone", "with a sibling"])
def test_nothing_outlives_a_killed_parent(tmp_path: Path, sibling: bool) -> None:
    """Two seconds after SIGKILL of the parent no worker, grandchild or daemon is left; no queued task ran.

    The sibling is forked behind Python's back, so it holds copies of all the parent's descriptors.
    """
    script = textwrap.dedent(SCRIPT)
    if sibling:
        script += "import ctypes\nif ctypes.PyDLL(None).fork() == 0:\n    time.sleep(8)\n    os._exit(0)\n"
    script += "print('ready', flush=True)\ntime.sleep(60)\n"
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{ROOT}"}
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, env=environment, text=True
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        os.kill(parent.pid, signal.SIGKILL)
        killed = time.monotonic()
        pids = [int(word) for name in ("one", "two") for word in (tmp_path / name).read_text().split()]
        assert len(pids) == 5
        for pid in pids:
            await_end(pid)
        assert time.monotonic() - killed < 2
        parent.stdout.close()
    assert not (tmp_path / "late").exists()


def test_200_sessions_leave_nothing_behind(engine: ProcessEngine) -> None:
    """Descriptors and threads are as many after 200 sessions as after 20."""

    def run(count: int) -> tuple[int, int]:
        for k in range(count):
            assert results(engine, [task(square, k), task(square, k + 1)]) == [k * k, (k + 1) ** 2]
        return len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))

    early = run(20)
    assert run(180) == early


def test_200_aborted_sessions_leave_nothing_behind(engine: ProcessEngine) -> None:
    """Workers that were killed leave no descriptor either."""

    def run(count: int) -> int:
        for _ in range(count):
            session = open_session(engine, slots=2)
            session.send(0, Batch(0, [task(time.sleep, 60)]))
            session.send(1, Batch(1, [task(square, 1)] * 3))
            session.close(abort=True)
        assert results(engine, [task(square, 5)], slots=1) == [25]
        return len(os.listdir("/proc/self/fd"))

    early = run(10)
    assert run(50) <= early + 4  # one worker more or less that is idle at the moment


def test_a_task_that_fails_in_every_way_leaves_the_pool_whole(engine: ProcessEngine) -> None:
    """Errors, exits and deaths mixed: every task is reported once."""
    calls = [DEADLY[way][0] for way in DEADLY] + [task(square, "x"), task(exit, 3)]
    session = open_session(engine)
    for index, call in enumerate(calls):
        session.send(0, Batch(index, [call]))
        events = session.wait(PATIENCE)
        assert len(events) == 1
        assert isinstance(events[0], Lost | Failed)
    session.close(abort=False)
