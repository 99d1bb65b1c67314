"""Calls in processes that `multiprocessing` starts anew: their script is called ``__mp_main__`` there."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import multiprocessing, sys
from lightwork import Executor, Memory, Parallel, delayed

class Point:
    def __init__(self, x):
        self.x = x

def point(x):
    return Point(x * x)

@Memory(sys.argv[2]).cache
def computed(x):
    print("computed", x, flush=True)
    return x + 1

def child():
    points = Parallel(n_jobs=2)(delayed(point)(x) for x in range(3))
    with Executor(1) as executor:
        points.append(executor.submit(point, 3).result())
    assert all(isinstance(found, Point) for found in points)
    print([found.x for found in points], Parallel(n_jobs=2)(delayed(computed)(x) for x in [1, 1]), flush=True)

if __name__ == "__main__":
    computed(1)
    for daemon in (False, True):
        process = multiprocessing.get_context(sys.argv[1]).Process(target=child, daemon=daemon)
        process.start()
        process.join()
        assert process.exitcode == 0
"""


@pytest.mark.parametrize("how", ["fork", "spawn", "forkserver"])
def test_functions_and_classes_of_the_script_work(how: str, tmp_path: Path) -> None:
    """Daemons too. What the first process has remembered is found."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-W", "error", str(script), how, str(tmp_path / "cache")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["computed 1", *["[0, 1, 4, 9] [2, 2]"] * 2]
