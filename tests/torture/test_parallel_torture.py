"""Parallel calls that are killed, interrupted and forked, in real interpreters."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.torture.watchdog import LONG, environment, run, write

REPEATS = 50 if LONG else 2

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found in /proc"),
]


def start(folder: Path, text: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        write(folder, text),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment("interrupted"),
        cwd=folder,
        start_new_session=True,
    )


def test_functions_of_a_script_run_in_workers(tmp_path: Path) -> None:
    """Functions, classes and closures of ``__main__`` work, without a guard, globals as they are now."""
    printed = run(
        tmp_path,
        """
        FACTOR = 2
        class Point:
            def __init__(self, x): self.x = x
            def scaled(self): return Point(self.x * FACTOR)
        def scale(x): return x * FACTOR
        def closure(k): return lambda x: scale(x) + k
        print(Parallel(2)(delayed(scale)(i) for i in range(4)))
        FACTOR = 3
        print(Parallel(2)(delayed(scale)(i) for i in range(4)))
        print(Parallel(2)(delayed(closure(1))(i) for i in range(4)))
        print([p.x for p in Parallel(2)(delayed(Point(i).scaled)() for i in range(4))])
        """,
    )
    assert printed.split("\n")[:4] == ["[0, 2, 4, 6]", "[0, 3, 6, 9]", "[1, 4, 7, 10]", "[0, 3, 6, 9]"]


def test_a_thousand_tasks_survive_one_killer(tmp_path: Path) -> None:
    """999 results and one `WorkerDied`, whatever the batches and the mode."""
    printed = run(
        tmp_path,
        """
        import os, signal
        def work(i):
            if i == 500: os.kill(os.getpid(), signal.SIGKILL)
            return i
        for options in ({}, {"batch_size": 1}, {"batch_size": 100}, {"return_as": "generator"}):
            found = list(Parallel(2, on_error="return", **options)(delayed(work)(i) for i in range(1000)))
            assert [r for r in found if not isinstance(r, Failure)] == [i for i in range(1000) if i != 500]
            print(found[500].index, type(found[500].error).__name__, found[500].error.signal)
        """,
    )
    assert printed == "500 WorkerDied 9\n" * 4


def test_every_task_a_killer(tmp_path: Path) -> None:
    """If each task ends its worker, each is a failure, and the next call works."""
    printed = run(
        tmp_path,
        """
        import os
        found = Parallel(2, on_error="return")(delayed(os._exit)(3) for i in range(20))
        print({(f.index, f.error.task, f.error.exitcode) for f in found} == {(i, i, 3) for i in range(20)})
        print(Parallel(2)(delayed(abs)(-i) for i in range(3)))
        """,
    )
    assert printed == "True\n[0, 1, 2]\n"


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("return_as", ["list", "generator"])
@pytest.mark.parametrize("moment", range(REPEATS))
@pytest.mark.once
def test_ctrl_c_ends_the_call_and_the_next_one_works(
    tmp_path: Path, backend: str, return_as: str, moment: int
) -> None:
    """SIGINT raises `KeyboardInterrupt` within a second; no worker goes on, and the pool works again."""
    process = start(
        tmp_path,
        f"""
        import time
        # The interpreter itself loses an interrupt that comes while it imports, so that is done before.
        Parallel(2, "{backend}", "{return_as}")(delayed(abs)(-i) for i in range(3))
        try:
            print("begin", flush=True)
            list(Parallel(2, "{backend}", "{return_as}")(delayed(time.sleep)(3) for i in range(100)))
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        print(Parallel(2, "{backend}")(delayed(abs)(-i) for i in range(3)), flush=True)
        """,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "begin\n"
    time.sleep(0.1 * (moment % 2) + 0.001 * moment)  # while it starts, and in the middle of the work
    begin = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n"
    assert time.monotonic() - begin < 2
    with process:  # not `communicate`: it would not see a line that came together with the last one
        out, errors = process.stdout.read(), process.stderr.read()
        assert (process.wait(timeout=20), out, errors) == (0, "[0, 1, 2]\n", "")


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_a_forked_child_can_share_out_too(tmp_path: Path, backend: str) -> None:
    """A child forked from a process with a warm pool makes calls of its own, and the parent goes on."""
    printed = run(
        tmp_path,
        f"""
        import os
        def once(): return Parallel(2, "{backend}")(delayed(abs)(-i) for i in range(10))
        once()
        for _ in range(3):
            pid = os.fork()
            if pid == 0:
                os._exit(0 if once() == list(range(10)) else 1)
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), once() == list(range(10)))
        """,
    )
    assert printed == "0 True\n" * 3


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_a_generator_does_not_follow_into_a_forked_child(tmp_path: Path, backend: str) -> None:
    """The child gets what was ready, then an error, and may close it; it never waits for a missing thread."""
    printed = run(
        tmp_path,
        f"""
        import os, signal, time
        from lightwork.errors import EngineError
        g = Parallel(2, "{backend}", return_as="generator")(delayed(time.sleep)(0.02) for i in range(40))
        next(g)
        pid = os.fork()
        if pid == 0:
            signal.alarm(10)
            try:
                for _ in g:
                    pass
            except EngineError:
                g.close()
                os._exit(0)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), sum(1 for _ in g))
        """,
    )
    assert printed == "0 39\n"


@pytest.mark.parametrize(
    "backends",
    ["processes processes processes", "processes threads processes", "threads processes threads"],
)
def test_nested_calls_neither_hang_nor_multiply(tmp_path: Path, backends: str) -> None:
    """Three levels deep, whatever they run on; each level is really parallel."""
    printed = run(
        tmp_path,
        f"""
        backends = "{backends}".split()
        def deep(level):
            if level == 3: return 1
            call = Parallel(2, backends[level], inner_max_num_threads=2)
            return sum(call([delayed(deep)(level + 1)] * 2))
        print(deep(0))
        """,
    )
    assert printed == "8\n"


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("return_as", ["list", "generator"])
@pytest.mark.once
def test_hooks_that_raise_or_submit_work_leave_the_pool_as_it_was(
    tmp_path: Path, backend: str, return_as: str
) -> None:
    """Again and again: the error is the hook's own, what it submitted is done, no thread stays."""
    printed = run(
        tmp_path,
        f"""
        import os, threading
        class Own(Exception): pass
        def count(): return len(os.listdir("/proc/self/fd")), threading.active_count()
        def hook(done, total, failed):
            assert Parallel(2, "processes")(delayed(abs)(-i) for i in range(3)) == [0, 1, 2]
            if done == 7: raise Own
        def watched():
            parallel = Parallel(2, {backend!r}, {return_as!r}, progress=hook)
            try: list(parallel(delayed(abs)(i) for i in range(20)))
            except Own: return True
        def calls():
            assert watched()
            assert Parallel(2, {backend!r})(delayed(abs)(-i) for i in range(50)) == list(range(50))
        calls()
        before = count()
        for _ in range({REPEATS * 4}): calls()
        after = count()  # the pool holds two to four workers, three descriptors each
        print(after[0] <= before[0] + 12 and after[1] <= before[1], before, after)
        """,
    )
    assert printed.startswith("True"), printed
