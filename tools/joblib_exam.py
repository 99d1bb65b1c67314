"""Run the tests of the installed joblib on lightwork's face, or on joblib itself, and count what passes.

The folder ``joblib/test`` of the installed wheel is copied into a temporary package that is called joblib and
is lightwork's face, so the tests are what they are: nothing is changed in them, and nothing of them is kept.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

# What `import joblib` finds first, in the examined process and in those that the tests start.
FACE = """
import sys
import joblib_exam_alias
del sys.modules["joblib"]
sys.modules["joblib"] = joblib_exam_alias.install()
"""

# The alias, and beside it the tests as `joblib.test`; workers get both.
ALIAS = """
import os, sys
from importlib.machinery import PathFinder
import lightwork.compat

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "joblib")

class Tests:
    travels_to_workers = True

    @staticmethod
    def find_spec(name, path=None, target=None):
        return PathFinder.find_spec(name, [FOLDER]) if name == "joblib.test" else None

def install():
    face = lightwork.compat.install()
    face.__file__ = os.path.join(FOLDER, "__init__.py")
    if not any(isinstance(finder, Tests) for finder in sys.meta_path):
        sys.meta_path.append(Tests())
    return face
"""

# What joblib's repository has beside its package, by what the tests need of it.
CONFTEST = """
import json, os
import pytest

@pytest.fixture
def memory(tmp_path):
    from joblib import Memory
    memory = Memory(location=tmp_path, verbose=0)
    yield memory
    memory.clear()

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        with open(os.environ["JOBLIB_EXAM_OUTCOMES"], "a") as file:
            file.write(json.dumps([report.nodeid, report.outcome]) + "\\n")
"""


def make_package(folder: Path, on: str) -> Path:
    """A folder to put on the path, in which ``joblib`` is what is to be examined, with its tests inside."""
    spec = importlib.util.find_spec("joblib")
    if spec is None or spec.origin is None:
        raise SystemExit("joblib is not installed: its tests are the exam")
    package = folder / "joblib"
    if on == "joblib":
        shutil.copytree(Path(spec.origin).parent, package)
    else:
        package.mkdir()
        (package / "__init__.py").write_text(FACE)
        (folder / "joblib_exam_alias.py").write_text(ALIAS)
        shutil.copytree(Path(spec.origin).parent / "test", package / "test")
    (folder / "conftest.py").write_text(CONFTEST)
    return package


def run(ids: Sequence[str], on: str, options: Sequence[str]) -> dict[str, str]:
    """The outcome of each test: ``passed``, ``failed``, ``skipped``; one that ended the run is missing."""
    outcomes: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="joblib-exam-") as name:
        folder = Path(name)
        make_package(folder, on)
        files = sorted({test.partition("::")[0] for test in ids})
        record = folder / "outcomes"
        record.touch()
        variables = {key: value for key, value in os.environ.items() if not key.endswith("_NUM_THREADS")}
        variables |= {"PYTHONPATH": name, "JOBLIB_EXAM_OUTCOMES": str(record)}
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *files],
            cwd=folder, env=variables, check=False,
        )  # fmt: skip
        for line in record.read_text().splitlines():
            test, outcome = json.loads(line)
            if outcomes.get(test) != "failed":
                outcomes[test] = outcome
    return outcomes


def main() -> None:
    """Print how many of the listed tests pass, by file, and those that do not."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=Path, help="file with a test id per line")
    parser.add_argument("--on", choices=("lightwork", "joblib"), default="lightwork")
    parser.add_argument("--only", default="", help="tests whose id contains this text")
    parser.add_argument("--write", type=Path, help="write the ids of those that pass into this file")
    arguments, options = parser.parse_known_args()
    ids = [line for line in arguments.list.read_text().splitlines() if arguments.only in line]
    outcomes = run(ids, arguments.on, options)
    for file in sorted({test.partition("::")[0] for test in ids}):
        mine = [test for test in ids if test.startswith(f"{file}::")]
        passed = sum(outcomes.get(test) == "passed" for test in mine)
        skipped = sum(outcomes.get(test) == "skipped" for test in mine)
        print(f"{file}: {passed} of {len(mine)} pass, {skipped} skipped")
    for test in ids:
        if outcomes.get(test) not in ("passed", "skipped"):
            print(f"  {outcomes.get(test, 'did not run')}: {test}")
    good = [test for test in ids if outcomes.get(test) == "passed"]
    print(f"{len(good)} of {len(ids)} pass")
    if arguments.write:
        arguments.write.write_text("".join(f"{test}\n" for test in good))


if __name__ == "__main__":
    main()
