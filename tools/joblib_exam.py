"""Run the tests of the installed joblib on lightwork's face, or on joblib itself, and count what passes.

The folder ``joblib/test`` of the installed wheel is copied into a temporary package that is called joblib and
is lightwork's face, so the tests are what they are: nothing is changed in them, and nothing of them is kept.
"""

import argparse
import importlib.util
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from outcomes import outcomes

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
import asyncio, contextlib, inspect
import pytest

with contextlib.suppress(ImportError):
    from distributed.utils_test import loop, loop_in_thread

@pytest.fixture
def memory(tmp_path):
    from joblib import Memory
    memory = Memory(location=tmp_path, verbose=0)
    yield memory
    memory.clear()

@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    if inspect.iscoroutinefunction(pyfuncitem.obj):  # so that no plugin is needed
        names = inspect.signature(pyfuncitem.obj).parameters
        asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
        return True
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
    """The outcome of each of the tests; one that ended the run is missing."""
    with tempfile.TemporaryDirectory(prefix="joblib-exam-") as name:
        make_package(Path(name), on)
        files = sorted({test.partition("::")[0] for test in ids})
        command = [sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors", *options, *files]
        path = os.pathsep.join(filter(None, (name, os.environ.get("PYTHONPATH"))))
        return outcomes(command, Path(name), variables={**os.environ, "PYTHONPATH": path}, wanted=ids)


def main() -> int:
    """Print how many of the listed tests pass, by file, and those that fail. The status is 1 if any does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("list", type=Path, help="file with a test id per line")
    parser.add_argument("--on", choices=("lightwork", "joblib"), default="lightwork")
    parser.add_argument("--only", default="", help="tests whose id this expression finds")
    parser.add_argument("--without", help="not those whose id this expression finds")
    parser.add_argument("--write", type=Path, help="write the ids of those that pass into this file")
    arguments, options = parser.parse_known_args()
    lines = arguments.list.read_text().splitlines()
    ids = [line for line in lines if re.search(arguments.only, line)]
    if arguments.without:
        ids = [line for line in ids if not re.search(arguments.without, line)]
    found = run(ids, arguments.on, options)
    for file in sorted({test.partition("::")[0] for test in ids}):
        mine = [found.get(test) for test in ids if test.startswith(f"{file}::")]
        print(f"{file}: {mine.count('passed')} of {len(mine)} pass, {mine.count('skipped')} skipped")
    good = [test for test in ids if found.get(test) == "passed"]
    bad = [test for test in ids if found.get(test) not in ("passed", "skipped", "xfailed")]
    for test in bad:
        print(f"  {found.get(test, 'did not run')}: {test}")
    print(f"{len(good)} of {len(ids)} pass")
    if arguments.write:
        arguments.write.write_text("".join(f"{test}\n" for test in good))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
