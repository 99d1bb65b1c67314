"""Workers that the kernel ends for want of memory: in a real control group with a real limit."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LIMIT = 300 << 20

SCRIPT = """
import os, sys
sys.path.insert(0, {folder!r})
with open({group!r} + "/cgroup.procs", "w") as file:
    file.write(str(os.getpid()))
from lightwork import Parallel, Retry, delayed
from tests.torture.test_parallel_memory import beside, eat

if __name__ == "__main__":
    found = Parallel(n_jobs=2, on_error="return")(delayed(eat)({folder2!r} + "/a", k) for k in range(8))
    print([getattr(value, "index", value) for value in found])
    print(found[3].error.out_of_memory, found[3].error.signal, found[3].error.peak_bytes > 50 << 20)
    print(Parallel(n_jobs=2, retries=1)(delayed(beside)({folder2!r} + "/b", k) for k in range(8)))
"""


def eat(path: str, number: int) -> int:
    """The first time, task 3 takes more memory than there is."""
    with open(f"{path}{number}", "ab") as file:
        file.write(b".")
    if number == 3 and Path(f"{path}{number}").stat().st_size == 1:
        hoard = [bytearray(b"x" * (1 << 20)) for _ in range(4000)]
        return len(hoard)
    return number


def beside(path: str, number: int) -> tuple[int, int]:
    """`eat`, and how many of these tasks ran at the same time, this one included."""
    mark = Path(f"{path}running{number}")
    mark.touch()
    try:
        value = eat(path, number)
        again = number == 3
        return value, len(list(mark.parent.glob(f"{mark.name[:-1]}?"))) if again else 1
    finally:
        mark.unlink()


@pytest.fixture
def group() -> Iterator[str]:
    """A control group (version 1 or 2) with a limit on its memory."""
    for root, file in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        path = Path(root) / "lightwork-test"
        try:
            path.mkdir(exist_ok=True)
            (path / file).write_text(str(LIMIT))
        except OSError:
            with contextlib.suppress(OSError):
                path.rmdir()
            continue
        yield str(path)
        with contextlib.suppress(OSError):  # a process that is just ending keeps it; the next run reuses it
            path.rmdir()
        return
    pytest.skip("control groups with a memory limit cannot be made here")


def test_a_full_memory_costs_one_task_which_then_runs_alone(group: str, tmp_path: Path) -> None:
    """Seven results and one `WorkerDied` with the verdict; with `retries` all eight, the eighth run alone."""
    script = tmp_path / "script.py"
    folder = str(Path(__file__).parents[2])
    script.write_text(SCRIPT.format(folder=folder, folder2=str(tmp_path), group=group))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    first, verdict, second = done.stdout.splitlines()
    assert first == "[0, 1, 2, 3, 4, 5, 6, 7]"
    assert verdict == "True 9 True"
    assert second == str([(k, 1) for k in range(8)])
