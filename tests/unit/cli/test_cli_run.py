"""``lightwork run`` and ``lightwork compat`` as real processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.command import SRC, refused, run

pytestmark = pytest.mark.slow

PROGRAM = """\
import os, sys
import joblib
from lightwork import Memory, Parallel, delayed
from beside import triple

print(joblib.__name__, sys.argv, os.path.basename(sys.path[0]))
if joblib.__name__ == "lightwork.compat.joblib":
    joblib.Parallel(n_jobs=2)(joblib.delayed(triple)(x) for x in range(20))
    theirs = joblib.Memory("theirs", verbose=0).cache(triple)
    theirs(1), theirs(1)
ours = Memory("ours").cache(triple)
ours(1), ours(1), ours(2)
Parallel(n_jobs=1, on_error="skip")(delayed(triple)(x) for x in [1, None, 3])
if len(sys.argv) > 1:
    exec(compile(sys.argv[1], "given", "exec"))
"""


def program(folder: Path) -> None:
    (folder / "program.py").write_text(PROGRAM)
    (folder / "beside.py").write_text("def triple(x):\n    return 3 * x + 0\n")


def test_a_program_gets_lightwork_for_joblib_and_a_report(tmp_path: Path) -> None:
    """What was remembered and shared out, through either face; standard output is the program's."""
    program(tmp_path)
    done = run("run", "--json", "program.py", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.decode() == f"lightwork.compat.joblib ['program.py'] {tmp_path.name}\n"
    told = json.loads(done.stderr)
    assert told["parallel"]["calls"] == 2
    assert (told["parallel"]["tasks"], told["parallel"]["failed"]) == (23, 1)
    assert [each["results"] for each in told["stores"]] == [2]
    counts = {name: (each["hits"], each["misses"]) for name, each in told["functions"].items()}
    assert counts == {"beside:triple": (1, 2), "beside/triple": (1, 1)}
    text = run("run", "program.py", cwd=tmp_path).stderr.decode()
    assert "remembered  beside:triple: 3 hits, saved" in text
    assert "shared out  23 tasks of 2 calls, 1 failed" in text


@pytest.mark.parametrize(
    ("code", "exit_code", "part"),
    [
        ("sys.exit(3)", 3, b"-- lightwork"),
        ("sys.exit('bye')", 1, b"bye\n"),
        ("raise OSError('own')", 1, b"OSError: own\n"),
        ("raise KeyboardInterrupt", 130, b"KeyboardInterrupt"),
    ],
)
def test_a_program_ends_as_it_would_alone(tmp_path: Path, code: str, exit_code: int, part: bytes) -> None:
    """With its exit code and its traceback, and a report all the same."""
    program(tmp_path)
    done = run("run", "program.py", code, cwd=tmp_path)
    assert done.returncode == exit_code
    assert part in done.stderr
    assert b"-- lightwork" in done.stderr
    assert b"lightwork/cli" not in done.stderr
    assert b"runpy" not in done.stderr


def test_modules_run_too_and_joblib_may_stay_what_it_is(tmp_path: Path) -> None:
    """``-m`` takes all that follows."""
    program(tmp_path)
    done = run("run", "-m", "program", "pass", cwd=tmp_path)
    assert (done.returncode, done.stdout[:24]) == (0, b"lightwork.compat.joblib ")
    done = run("run", "--no-alias", "program.py", "pass", cwd=tmp_path)
    assert (done.returncode, done.stdout[:7]) == (0, b"joblib ")
    done = run("run", "-m", "json.tool", "--help", cwd=tmp_path)
    assert b"json.tool" in done.stdout


def test_compat_reports_nothing(tmp_path: Path) -> None:
    """The same as ``python -m lightwork.compat``."""
    program(tmp_path)
    done = run("compat", "program.py", "print('end')", cwd=tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    command = [sys.executable, "-m", "lightwork.compat", "program.py", "print('end')"]
    same = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=50)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == same.stdout
    assert done.stdout.endswith(b"end\n")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["run"], "give a script"),
        (["run", "missing.py"], "does not exist"),
        (["run", "."], "__main__.py"),
        (["run", "-m"], "name of a module"),
        (["run", "-m", "no_such.module"], "no_such"),
        (["run", "-m", "no_such_module"], "no module of that name"),
        (["run", "--fast", "x.py"], "--fast"),
        (["compat"], "give a script"),
        (["compat", "--json", "x.py"], "lightwork run"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, arguments: list[str], part: str) -> None:
    """And exit code 2."""
    assert part in refused(run(*arguments, cwd=tmp_path), 2)
