"""A package on disk that is edited: in new processes, and with ``importlib.reload``, exactly what an edit
touches is computed again."""

import ast
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SOURCE = str(Path(__file__).parents[2] / "src")

FILES = {
    "__init__.py": "",
    "a.py": """\
import json

import numpy as np

from . import b, sub
from .b import Model
from .b import helper as renamed
from .star import *


def function(x):
    return b.helper(x)


def constant(x):
    return x * b.LIMIT


def method(x):
    return Model().fit(x)


def imported(x):
    return renamed(x)


def starred(x):
    return from_star(x)


def deep(x):
    return sub.inner.f(x)


def alias(x):
    module = b
    return module.helper(x)


def chosen(x):
    return (b if x else sub).helper(x)


def by_text(x):
    return getattr(b, "helper")(x)


def inside(x):
    from .late import g

    return g(x)


def inside_deeper(x):
    import project.late as late

    return late.g(x)


def library(x):
    return json.loads(json.dumps(x)) + int(np.mean([x]))
""",
    "b.py": """\
LIMIT = 3


def helper(x):
    return x + 1


class Model:
    def fit(self, x):
        return x + 2


def untouched(x):
    return 4
""",
    "star.py": "def from_star(x):\n    return x\n",
    "sub/__init__.py": "from . import inner\n",
    "sub/inner.py": "def f(x):\n    return x\n",
    "late.py": "from .deeper import h\n\n\ndef g(x):\n    return h(x)\n",
    "deeper.py": "def h(x):\n    return x\n",
}
NAMES = [line[4:-4] for line in FILES["a.py"].splitlines() if line.startswith("def ")]

RUN = """
import sys, warnings
from lightwork import Memory
import project.a as a
memory = Memory(sys.argv[1])
computed = []
for name in sys.argv[2:]:
    cached = memory.cache(getattr(a, name))
    if not cached.check_call_in_cache(1):
        computed.append(name)
    assert cached(1) == getattr(a, name)(1), name
print(*computed)
"""

Run = Callable[..., list[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


@pytest.fixture
def run(project: Path) -> Run:
    """The names of the functions that a new process computes; it must not warn."""

    def start(*names: str) -> list[str]:
        (project.parent / "run.py").write_text(RUN)
        environment = {**os.environ, "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-W", "error", "run.py", "cache", *(names or NAMES)]
        done = subprocess.run(command, cwd=project.parent, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    return start


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


USERS_OF_HELPER = ["function", "imported", "alias", "chosen", "by_text"]


@pytest.mark.slow
def test_each_edit_reaches_exactly_those_who_use_what_was_edited(project: Path, run: Run) -> None:
    """A function, a constant, a method, an untouched function of a module, and modules further away."""
    b = project / "b.py"
    assert run() == NAMES
    assert run() == []
    for path, old, new, expected in [
        (b, "return x + 1", "return x + 10", USERS_OF_HELPER),
        (b, "LIMIT = 3", "LIMIT = 30", ["constant"]),
        (b, "return x + 2", "return x + 20", ["method"]),
        (b, "return 4", "return 40", []),
        (b, "LIMIT = 30", "LIMIT = 30\nOTHER = 1", []),
        (project / "star.py", "return x", "return x + 1", ["starred"]),
        (project / "sub" / "inner.py", "return x", "return x + 1", ["deep"]),
        (project / "deeper.py", "return x", "return x + 1", ["inside", "inside_deeper"]),
        (project / "deeper.py", "def h", "# comment\ndef h", []),
    ]:
        edit(path, old, new)
        assert run() == expected, new
        assert run() == []


@pytest.mark.slow
def test_the_look_of_code_does_not_count(project: Path, run: Run) -> None:
    """Comments, docstrings, annotations, line moves, and the whole layout; back at an old version.

    Its results.
    """
    names = ("function", "constant", "method", "inside")
    path = project / "b.py"
    original = path.read_text()
    assert run(*names) == list(names)
    for text in (
        original.replace("    return x + 1", "    # why\n    return x + 1  # what"),
        original.replace("def helper(x):\n", 'def helper(x):\n    """Doc."""\n'),
        original.replace("class Model:\n", 'class Model:\n    """Doc."""\n'),
        original.replace("def helper(x):", "def helper(x: int) -> float:"),
        "from __future__ import annotations\n" + original,
        original.replace("LIMIT", "\n\n\nLIMIT", 1),
        original.replace("return x + 1", "return (\n        x\n        + 1\n    )"),
        ast.unparse(ast.parse(original)),
    ):
        assert text != original
        path.write_text(text)
        assert run(*names) == [], text
    path.write_text(original.replace("return x + 1", "return x + 7"))
    assert run(*names) == ["function"]
    path.write_text(original)
    assert run(*names) == []


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
def test_a_formatter_does_not_change_keys(project: Path, run: Run) -> None:
    """Sources in a narrow layout, formatted."""
    path = project / "b.py"
    path.write_text(
        "LIMIT=  3\ndef helper( x ) :\n  if (x and\n    not (x>LIMIT)) : return x+ 1\n"
        "  return [y for\n y in range(\nx) if\n y not in\n(1,2)]\n"
        "class Model :\n  'doc'\n  def fit(self,x): a,b = x,x; c=d=a; return (a+\n b+c+d)\n"
    )
    assert run("function", "method") == ["function", "method"]
    before = path.read_text()
    subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--line-length", "30", str(path)],
        check=True,
        capture_output=True,
    )
    assert path.read_text() != before
    assert run("function", "method") == []


@pytest.fixture
def imported(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(project.parent))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield project
    for name in [name for name in sys.modules if name.partition(".")[0] == "project"]:
        del sys.modules[name]


def test_a_reloaded_module_counts_at_once(imported: Path) -> None:
    """Functions that were cached before the reload see the new helper, constant and method."""
    from lightwork.memory import Memory
    from lightwork.stores import TransientStore

    a, b = importlib.import_module("project.a"), importlib.import_module("project.b")
    memory = Memory(store=TransientStore())
    cached = {name: memory.cache(getattr(a, name)) for name in ("function", "constant", "method")}

    def computed() -> list[str]:
        return [name for name, each in cached.items() if not each.check_call_in_cache(1) or not each(1)]

    assert computed() == list(cached)
    for each in cached.values():
        each(1)
    for old, new, expected in [
        ("return x + 1", "return x + 10", ["function"]),
        ("LIMIT = 3", "LIMIT = 30", ["constant"]),
        ("return 4", "return 40", []),
        ("return x + 2", "return x + 20", ["method"]),
    ]:
        edit(imported / "b.py", old, new)
        importlib.reload(b)
        vars(a)["Model"] = b.Model  # `from .b import Model` keeps the old one, as it does without a cache
        assert computed() == expected
        for name, each in cached.items():
            assert each(1) == getattr(a, name)(1)


def test_installed_packages_are_not_entered(imported: Path) -> None:
    """What is followed lies in the project."""
    from lightwork.hashing.calls import CallKeys

    a = importlib.import_module("project.a")
    tracked = CallKeys(a.library).dependencies().tracked
    assert len(tracked) == 1
    assert str(imported) in tracked[0]


def test_a_version_by_hand_is_all_that_counts(imported: Path) -> None:
    """``version="v1", track="none"``: no edit of a body invalidates, another version does."""
    from lightwork.memory import Memory
    from lightwork.stores import TransientStore

    a, b = importlib.import_module("project.a"), importlib.import_module("project.b")
    memory = Memory(store=TransientStore())
    memory.cache(a.function, version="v1", track="none")(1)
    edit(imported / "b.py", "return x + 1", "return x + 10")
    edit(imported / "a.py", "return b.helper(x)", "return b.helper(x) + 100")
    importlib.reload(b)
    a = importlib.reload(a)
    assert memory.cache(a.function, version="v1", track="none")(1) == 2
    assert memory.cache(a.function, version="v2", track="none")(1) == 111
    assert memory.cache(a.function)(1) == 111
