"""``lightwork replay`` as a real process, on what another process has kept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import lightwork
from tests.unit.cli.command import SRC, refused, run

pytestmark = pytest.mark.slow

MODULE = """\
def divide(x, by):
    print("dividing", x)
    return x / by
"""

SCRIPT = """\
import os
from lightwork import Parallel, delayed
from tasks import divide

def look(path):
    return open(path).read()

Parallel(2, on_error="skip", save_failures="failures")(
    [delayed(divide)(3, 0), delayed(look)(os.path.abspath("missing"))]
)
"""


def failures(folder: Path) -> tuple[str, str]:
    """Capsules of a division by zero, and of a file that is missing."""
    (folder / "tasks.py").write_text(MODULE)
    (folder / "script.py").write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    subprocess.run([sys.executable, "script.py"], cwd=folder, env=environment, check=True, timeout=50)
    found = sorted((folder / "failures").iterdir(), key=lambda path: "task-1" in path.name)
    return str(found[0]), str(found[1])


def test_a_task_fails_again_and_then_ends_well(tmp_path: Path) -> None:
    """From another folder; exit code 1, and 0 once the reason is gone."""
    division, look = failures(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    done = run("replay", division, cwd=tmp_path / "elsewhere")
    assert (done.returncode, done.stderr) == (1, b"")
    text = done.stdout.decode()
    assert text.startswith("task 0: divide(3, 0)\n")
    assert "dividing 3" in text
    assert 'tasks.py", line 3, in divide' in text
    assert "lightwork/parallel" not in text
    assert "failed again, with the same error" in text
    assert run("replay", look, cwd=tmp_path).returncode == 1
    (tmp_path / "missing").write_text("here")
    assert b"ended well" in run("replay", look, cwd=tmp_path).stdout
    (tmp_path / "tasks.py").write_text(MODULE.replace("x / by", "x // by"))
    assert b"another error" in run("replay", division, cwd=tmp_path).stdout


def test_json_holds_what_failed_and_what_happens_now(tmp_path: Path) -> None:
    """What the task prints goes beside it."""
    division, _ = failures(tmp_path)
    done = run("replay", division, "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (1, b"dividing 3\n")
    assert told["error"] == told["error_now"] == "ZeroDivisionError: division by zero"
    assert told["versions"]["lightwork"] == lightwork.__version__


def test_the_debugger_is_entered_where_it_fails(tmp_path: Path) -> None:
    """In the frame of the function."""
    division, _ = failures(tmp_path)
    done = run("replay", division, "--pdb", cwd=tmp_path, input=b"p by + 40\nq\n")
    assert b"(Pdb) 40" in done.stdout
    assert done.returncode == 1


def test_nothing_is_run_to_show_what_failed(tmp_path: Path) -> None:
    """Even where the task cannot be built, which running it says in one line."""
    division, _ = failures(tmp_path)
    (tmp_path / "tasks.py").unlink()
    done = run("replay", division, "--show", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"ZeroDivisionError" in done.stdout
    assert json.loads(run("replay", division, "--show", "--json", cwd=tmp_path).stdout)["index"] == 0
    assert b"No module named 'tasks'" in run("replay", division, cwd=tmp_path).stderr
    lightwork.dump([1], tmp_path / "other.lw")
    (tmp_path / "text").write_text("text")
    for path in ("missing.lw", "other.lw", "text", "."):
        refused(run("replay", path, cwd=tmp_path), 2)
