"""How executors end: shut down, let go of, left open, forked, killed, interrupted."""

import gc
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

import pytest

from lightwork import Executor
from lightwork.errors import EngineError
from lightwork.parallel.crew import Crew
from tests.unit.parallel import executor_tasks as tasks
from tests.unit.parallel.executor_tasks import let_through, square, through
from tests.unit.parallel.scripts import run

BOTH = pytest.mark.parametrize("backend", ["processes", "threads"])


def pumps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "lightwork-crew"]


def crews() -> list[Crew]:
    return [item for item in gc.get_objects() if type(item) is Crew]  # `isinstance` asks proxies


def wait_for_pumps() -> None:
    for pump in pumps():
        pump.join(30)
        assert not pump.is_alive()


def in_child(function: Any) -> int:
    """The exit code of a forked process that runs a function."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@BOTH
def test_the_end_of_the_block_waits_for_all(backend: str) -> None:
    """What was submitted has ended then, and nothing more is taken."""
    with Executor(2, backend) as executor:
        futures = [executor.submit(square, x) for x in range(100)]
    assert all(future.done() for future in futures)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 1)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.map(square, [1])
    executor.shutdown()


@BOTH
def test_an_executor_that_was_not_used_starts_nothing(backend: str) -> None:
    """Nor does it when it is shut down."""
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    executor = Executor(2, backend)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 1)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


@BOTH
def test_a_shutdown_need_not_wait(backend: str, gate: str) -> None:
    """What was submitted ends all the same."""
    executor = Executor(1, backend)
    first = executor.submit(through, gate, 1)
    second = executor.submit(square, 2)
    executor.shutdown(wait=False)
    assert not first.done()
    let_through(gate)
    assert (first.result(30), second.result(30)) == (1, 4)


@BOTH
def test_a_shutdown_may_cancel(backend: str, gate: str) -> None:
    """What runs ends, and what a worker process has at hand; nothing else begins."""
    executor = Executor(1, backend)
    first = executor.submit(through, gate, 1)
    futures = [executor.submit(square, x) for x in range(10)]
    with open(gate, "w"):  # it runs
        executor.shutdown(wait=False, cancel_futures=True)
    executor.shutdown()
    assert first.result() == 1
    assert [future.cancelled() for future in futures[1:]] == [True] * 9


def test_a_task_that_pauses_is_not_cancelled(tmp_path: Path) -> None:
    """It has begun: its next attempts are made before the workers leave."""
    executor = Executor(1, "threads", retries=1)
    (tmp_path / "attempts").mkdir()
    future = executor.submit(tasks.fail_at_first, str(tmp_path / "attempts"), 1)
    executor.submit(square, 1).result(30)
    executor.shutdown(cancel_futures=True)
    assert future.result(0) == 1


@BOTH
def test_a_callback_may_shut_down(backend: str) -> None:
    """It does not wait for itself."""
    heard = threading.Event()

    def end(_: "Future[int]") -> None:
        executor.shutdown()
        heard.set()

    executor = Executor(1, backend)
    executor.submit(square, 1).add_done_callback(end)
    assert heard.wait(30)
    executor.shutdown()


def test_a_task_in_a_thread_may_shut_down() -> None:
    """It does not wait for itself."""
    with Executor(1, "threads") as executor:
        executor.submit(executor.shutdown).result(30)


@BOTH
def test_nobody_waits_for_an_executor_that_is_idle(backend: str) -> None:
    """The thread that serves it leaves, and comes back with the next call."""
    executor = Executor(2, backend)
    for number in range(3):
        assert executor.submit(square, number).result(30) == number**2
        wait_for_pumps()
    executor.shutdown()


def test_a_worker_that_dies_while_nobody_looks_costs_nothing() -> None:
    """The next call runs on another."""
    with Executor(1) as executor:
        for _ in range(3):
            pid = executor.submit(os.getpid).result(30)
            wait_for_pumps()
            killed = os.pidfd_open(pid)
            signal.pidfd_send_signal(killed, signal.SIGKILL)
            os.close(killed)
            assert executor.submit(square, 3).result(30) == 9


@BOTH
def test_futures_outlive_their_executor(backend: str) -> None:
    """An executor that nobody holds finishes its calls, and its workers leave."""
    before = crews()
    futures = [Executor(2, backend).submit(square, x) for x in range(3)]
    gc.collect()
    assert [future.result(30) for future in futures] == [0, 1, 4]
    del futures
    wait_for_pumps()
    gc.collect()
    assert not [crew for crew in crews() if crew not in before]


def made(value: bytes) -> Callable[[], int]:
    """A function of its own, with a value of its own."""
    return lambda: len(value)


@pytest.mark.slow
def test_many_calls_leave_nothing() -> None:
    """Ten thousand calls, functions of their own among them: no descriptor, no thread, no memory."""
    with Executor(2) as executor:

        def submit(count: int) -> None:
            futures = [executor.submit(made(bytes(100))) for _ in range(count // 10)]
            futures += [executor.submit(len, bytes(100)) for _ in range(count - len(futures))]
            assert {future.result(30) for future in futures} == {100}

        def figures() -> tuple[int, int, int]:
            wait_for_pumps()
            gc.collect()
            return len(os.listdir("/proc/self/fd")), threading.active_count(), len(gc.get_objects())

        submit(100)
        descriptors, threads, objects = figures()
        submit(10_000)
        after = figures()
        assert after[:2] == (descriptors, threads)
        assert after[2] < objects + 500


@BOTH
def test_arguments_and_results_are_let_go_of(backend: str) -> None:
    """A future holds its result, and the executor nothing."""
    with Executor(1, backend) as executor:
        result = executor.submit(list, [Large()]).result(30)
        executor.submit(square, 1).result(30)
        del result
        gc.collect()
        assert not [item for item in gc.get_objects() if type(item) is Large]


class Large:
    """Something that would be seen if it stayed."""


# Forks


def test_a_forked_process_is_refused_and_can_make_its_own(gate: str) -> None:
    """An executor in use belongs to the process that used it first; there it goes on."""
    with Executor(2) as executor:
        running = executor.submit(through, gate, 5)

        def refused() -> None:
            with pytest.raises(EngineError, match="forked"):
                executor.submit(square, 1)
            with pytest.raises(EngineError, match="forked"):
                running.result()
            executor.shutdown()
            with Executor(1) as other:
                assert other.submit(square, 3).result(30) == 9

        assert in_child(refused) == 0
        let_through(gate)
        assert running.result(30) == 5
        assert executor.submit(square, 2).result(30) == 4


def test_a_fork_of_an_executor_that_was_not_used_is_like_a_new_one() -> None:
    """Nothing of it belongs to anybody yet."""
    executor = Executor(1)

    def use() -> None:
        with executor:
            assert executor.submit(square, 3).result(30) == 9

    assert in_child(use) == 0
    use()


# Programs that end


ENDING = """
    import sys, time
    import lightwork

    def late(x):
        time.sleep(0.05)
        return x

    def say(text):
        sys.stdout.write(text + chr(10))  # as one: callbacks come from two threads

    if __name__ == "__main__":
        executor = lightwork.Executor(2, {backend!r})

        def again(done):
            say(str(done.result()))
            if done.result() == 1:
                executor.submit(late, 7).add_done_callback(again)

        for number in range(3):
            executor.submit(late, number).add_done_callback(again)
        idle = lightwork.Executor(2, {backend!r})
        idle.submit(late, 3).result()
        say("end")
"""


@BOTH
def test_a_program_that_ends_waits_for_what_was_submitted(tmp_path: Path, backend: str) -> None:
    """And not for an executor that nobody has shut down."""
    lines = run(tmp_path, ENDING.format(backend=backend))
    assert sorted(lines) == ["0", "1", "2", "7", "end"]


INTERRUPTED = """
    import os, signal, sys, threading
    import lightwork

    def hang(gate):
        with open(gate, "w") as file:
            file.write(str(os.getpid()))
        threading.Event().wait(60)

    def interrupt():
        with open("gate") as gate:
            print(gate.read(), flush=True)
        os.kill(os.getpid(), signal.SIGINT)

    if __name__ == "__main__":
        os.mkfifo("gate")
        threading.Thread(target=interrupt).start()
        waiting = []
        try:
            with lightwork.Executor(1, {backend!r}) as executor:
                running = executor.submit(hang, "gate")
                waiting = [executor.submit(abs, 1) for _ in range(5)]
                {wait}
        except KeyboardInterrupt:
            print("interrupted", running.done(), all(future.done() for future in waiting), flush=True)
"""


@BOTH
@pytest.mark.parametrize("wait", ["running.result()", "pass"])
def test_an_interrupt_ends_the_calls(tmp_path: Path, backend: str, wait: str) -> None:
    """Ctrl-C while a result is waited for, or the end of the block: nobody waits for a call that hangs."""
    pid, *lines = run(tmp_path, INTERRUPTED.format(backend=backend, wait=wait))
    assert lines == ["interrupted True True"]
    assert not Path(f"/proc/{pid}").exists()


def test_what_was_given_up_is_cancelled() -> None:
    """What ran has an error, what waited is cancelled."""

    def hang() -> None:
        begun.set()
        end.wait(30)

    begun, end = threading.Event(), threading.Event()
    with pytest.raises(KeyboardInterrupt), Executor(1, "threads") as executor:
        running, waiting = executor.submit(hang), executor.submit(square, 2)
        begun.wait(30)
        raise KeyboardInterrupt
    end.set()
    with pytest.raises(RuntimeError, match="dismissed"):
        running.result(30)
    with pytest.raises(CancelledError):
        waiting.result(30)
