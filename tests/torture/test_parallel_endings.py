"""Interpreters that leave, in the middle of anything. Items 1, 2 and 6 of the list in README.md."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.torture.processes_tasks import await_file, await_text
from tests.torture.watchdog import await_none, environment, run, write

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found in /proc"),
]

MOMENTS = {
    "unread": "",
    "idle": "list(g)",
    "half read": "next(g)",
    "sys.exit": "sys.exit(0)",
    "in a cycle": "c = [g]; c.append(c); del g",
    "another thread": "threading.Thread(target=list, args=(g,), daemon=True).start()",
    "two pools": "h = Parallel(2, return_as='generator')(delayed(abs)(-i) for i in range(9)); next(h)",
    "closed": "g.close()",
}


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interpreter_leaves_at_any_moment(tmp_path: Path, backend: str, moment: str) -> None:
    """Item 1. It ends quietly straight after the call, while tasks run, and when they are done."""
    run(
        tmp_path,
        f"""
        g = Parallel(2, "{backend}", return_as="generator")(delayed(time.sleep)(0.05) for i in range(9))
        {MOMENTS[moment]}
        """,
    )


@pytest.mark.parametrize("ending", ["pass", "sys.exit(0)", "del g", "g.close()"])
def test_an_interpreter_leaves_while_a_task_is_pickled(tmp_path: Path, ending: str) -> None:
    """Item 1. The thread that pickles an argument, and would for a minute, holds up nobody for long."""
    run(
        tmp_path,
        f"""
        begun = threading.Event()
        class Slow:
            def __reduce__(self):
                begun.set()
                time.sleep(60)
        g = Parallel(2, return_as="generator")(delayed(abs)(Slow() if i == 5 else i) for i in range(9))
        begun.wait()
        {ending}
        """,
    )


LEAVES = {
    "argument pickled": "calls[5] = delayed(type)(Leaves())",
    "argument rebuilt": "calls[5] = delayed(type)(Built(sys.exit, 3))",
    "result pickled": "calls[5] = delayed(Leaves)()",
    "result rebuilt": "calls[5] = delayed(Built)(sys.exit, 3)",
}


@pytest.mark.parametrize("place", LEAVES)
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_sys_exit_in_the_middle_of_pickling(tmp_path: Path, place: str, return_as: str) -> None:
    """Item 1. It is the error of the call, on either side; the next calls work; the interpreter can leave."""
    printed = run(
        tmp_path,
        f"""
        from lightwork.errors import UnpicklableError
        class Leaves:
            def __reduce__(self): sys.exit(3)
        class Built:
            def __init__(self, *parts): self.parts = parts
            def __reduce__(self): return self.parts[0], self.parts[1:]
        calls = [delayed(abs)(-i) for i in range(9)]
        assert Parallel(2)(calls) == list(range(9))
        {LEAVES[place]}
        for _ in range(3):
            try: print(list(Parallel(2, return_as="{return_as}")(calls)))
            except (SystemExit, UnpicklableError) as error: print("3" in str(error))
            assert Parallel(2)(delayed(abs)(-i) for i in range(9)) == list(range(9))
        try: list(Parallel(2, return_as="{return_as}")(calls))
        except UnpicklableError: pass
        except SystemExit: sys.exit(0)
        """,
    )
    assert printed == "True\n" * 3


@pytest.mark.parametrize("outer", ["processes", "threads"])
@pytest.mark.parametrize("ending", ["next(g)", "time.sleep(0.15)", "g.close()", "os.kill(os.getpid(), 2)"])
def test_nested_pools_leave_at_once(tmp_path: Path, outer: str, ending: str) -> None:
    """Item 2. Pools three levels deep, all at work, end together with the interpreter."""
    run(
        tmp_path,
        f"""
        def deep(level):
            if level == 2: return time.sleep(0.05)
            g = Parallel(2, "processes", return_as="generator", inner_max_num_threads=2)(
                delayed(deep)(level + 1) for i in range(4)
            )
            return next(g)
        try:
            g = Parallel(2, "{outer}", return_as="generator", inner_max_num_threads=4)(
                delayed(deep)(0) for i in range(8)
            )
            {ending}
        except KeyboardInterrupt: pass
        """,
    )


@pytest.mark.parametrize("before", ["Parallel(2)(delayed(abs)(-i) for i in range(3))", "pass"])
@pytest.mark.parametrize("thread", [False, True])
def test_calls_at_the_end_of_the_interpreter_leave_nothing_open(
    tmp_path: Path, before: str, thread: bool
) -> None:
    """Item 1. A handler of the end that comes after ours, and a daemon thread meanwhile, may make calls."""
    printed = run(
        tmp_path,
        f"""
        import atexit
        def call(): print(Parallel(2)(delayed(abs)(-i) for i in range(3)))
        def late():
            if not {thread}: return call()
            thread = threading.Thread(target=call, daemon=True)
            thread.start()
            thread.join()
        atexit.register(late)
        {before}
        """,
    )
    assert printed == "[0, 1, 2]\n"


def test_a_parent_that_is_stopped_goes_on(tmp_path: Path) -> None:
    """Item 6. After SIGSTOP and SIGCONT of the parent, in the middle of a call, every result is there."""
    process = start(
        tmp_path,
        """
        from pathlib import Path
        def work(i):
            with open("log", "a") as file: file.write(".")
            time.sleep(0.002)
            return i, bytes(1000 * i)
        found = Parallel(2)(delayed(work)(i) for i in range(200))
        print(found == [(i, bytes(1000 * i)) for i in range(200)])
        """,
        "stopped",
    )
    await_file(tmp_path / "log")
    for _ in range(3):
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        process.send_signal(signal.SIGCONT)
        os.waitpid(process.pid, os.WCONTINUED)
    assert process.communicate(timeout=30) == ("True\n", "")
    assert process.returncode == 0


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_nothing_survives_the_parent(tmp_path: Path, backend: str, return_as: str) -> None:
    """Item 6. After SIGKILL workers, nested ones and their children are gone in 2 s; no queued task began."""
    mark = f"killed-{os.getpid()}-{tmp_path.name}"
    process = start(
        tmp_path,
        f"""
        import subprocess
        def child(i):
            if i < 2: subprocess.Popen([sys.executable, "-c", "import time; time.sleep(30)"])
            with open("log", "a") as file: file.write(str(i // 2))
            time.sleep(30)
        def middle(i):
            inner = Parallel(2, "processes", batch_size=1, inner_max_num_threads=1)
            inner(delayed(child)(i) for i in range(4))
        outer = Parallel(2, "{backend}", "{return_as}", inner_max_num_threads=2)
        list(outer(delayed(middle)(i) for i in range(9)))
        """,
        mark,
    )
    await_file(tmp_path / "log")
    await_text(tmp_path / "log", "0000")
    process.kill()
    process.wait()
    assert await_none(mark)
    assert (tmp_path / "log").read_text() == "0000"
    process.communicate()


def start(folder: Path, text: str, mark: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        write(folder, text),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(mark),
        cwd=folder,
        start_new_session=True,
    )
