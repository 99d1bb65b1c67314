"""Functions of ``__main__``: however the program is started, its results are found again."""

import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SOURCE = str(Path(__file__).parents[2] / "src")

SCRIPT = """
from lightwork import Memory
memory = Memory(CACHE)
LIMIT = 2
def helper(x):
    return x + LIMIT
@memory.cache
def f(x):
    return helper(x)
print(f.check_call_in_cache(1), f(1))
"""

DOCUMENT = """
>>> from lightwork import Memory
>>> memory = Memory(CACHE)
>>> def helper(x):
...     return x + 2
>>> @memory.cache
... def f(x):
...     return helper(x)
>>> print("asked", f.check_call_in_cache(1), f(1))
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script in a package in a project."""
    folder = tmp_path / "project" / "jobs"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "job.py").write_text(SCRIPT.replace("CACHE", repr(str(tmp_path / "cache"))))
    (tmp_path / "link").symlink_to("project")
    return folder / "job.py"


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": SOURCE, "PYTHONDONTWRITEBYTECODE": "1"}


def run(*arguments: str, cwd: Path, stdin: str = "") -> str:
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment(), input=stdin, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_script_is_one_however_it_is_started(script: Path, tmp_path: Path) -> None:
    """By a relative or absolute path, a link, as a module; moved lines are hits, other code is not."""
    project = script.parent.parent
    assert run("jobs/job.py", cwd=project) == "False 3"
    for arguments, cwd in [
        (["./jobs/job.py"], project),
        (["job.py"], script.parent),
        ([str(script)], tmp_path),
        ([str(tmp_path / "link" / "jobs" / "job.py")], tmp_path),
        (["-m", "jobs.job"], project),
        (["-c", "import runpy; runpy.run_path('jobs/job.py', run_name='__main__')"], project),
    ]:
        assert run(*arguments, cwd=cwd).split()[0] == "True", arguments
    script.write_text("# comment\n" + script.read_text())
    assert run("jobs/job.py", cwd=project) == "True 3"
    script.write_text(script.read_text().replace("LIMIT = 2", "LIMIT = 3"))
    assert run("jobs/job.py", cwd=project) == "False 4"


def test_two_scripts_with_one_name_do_not_collide(script: Path, tmp_path: Path) -> None:
    """Different code under one name gives each script its own results, asked in turn."""
    other = tmp_path / "job.py"
    other.write_text(script.read_text().replace("x + LIMIT", "x - LIMIT"))
    assert [run(str(path), cwd=tmp_path) for path in (script, other, script, other)] == [
        "False 3",
        "False -1",
        "True 3",
        "True -1",
    ]


@pytest.mark.parametrize("way", ["-c", "stdin", "exec", "exec in a module", "doctest"])
def test_code_without_a_file(way: str, tmp_path: Path) -> None:
    """A second process finds the results of the first; a line more and another body are told apart."""
    code = SCRIPT.replace("CACHE", repr(str(tmp_path / "cache")))
    document = DOCUMENT.replace("CACHE", repr(str(tmp_path / "cache")))

    def start(code: str, document: str) -> str:
        if way == "-c":
            return run("-c", code, cwd=tmp_path)
        if way == "stdin":
            return run(cwd=tmp_path, stdin=code)
        if way == "exec":
            return run("-c", f"exec({code!r}, {{}})", cwd=tmp_path)
        if way == "exec in a module":
            return run(
                "-c", f"exec(compile({code!r}, '<made up>', 'exec'), {{'__name__': 'made_up'}})", cwd=tmp_path
            )
        (tmp_path / "text.txt").write_text(document)
        runner = "import doctest; doctest.testfile('text.txt', module_relative=False)"
        return run("-c", runner, cwd=tmp_path)

    assert "False 3" in start(code, document)
    assert "True 3" in start(code, document)
    assert "True 3" in start("a = 1\n" + code, ">>> a = 1\n" + document)
    assert "False 101" in start(
        code.replace("LIMIT = 2", "LIMIT = 100"), document.replace("x + 2", "x + 100")
    )


class Terminal:
    """An interactive Python on a terminal of its own."""

    def __init__(self, kind: str, history: Path) -> None:
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-q"],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**environment(), "TERM": kind, "PYTHON_HISTORY": str(history)},
        )
        os.close(slave)
        self.text = ""

    def ask(self, code: str, pattern: str) -> str:
        """Type lines; what matches in the answer."""
        self.text = ""
        os.write(self.master, code.encode())
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.master], [], [], 20)
            assert ready, self.text
            self.text += os.read(self.master, 65536).decode(errors="replace")
        return found[0]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    opened: list[Terminal] = []
    yield opened
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize("kind", ["dumb", "xterm"])
def test_the_interactive_interpreter(kind: str, terminals: list[Terminal], tmp_path: Path) -> None:
    """In both forms that Python 3.13 has, on the terminal's kind.

    A new session finds the results of the last, though its inputs have other numbers.
    """
    lines = ["from lightwork import Memory", f"memory = Memory({str(tmp_path / 'cache')!r})"]
    define = "@memory.cache\ndef f(x):\n    return x + {}\n\n"
    ask = "print('asked', f.check_call_in_cache(1), f(1))\n"

    def session(*before: str, amount: int) -> str:
        terminals.append(Terminal(kind, tmp_path / "history"))
        terminal = terminals[-1]
        terminal.ask("print('rea' + 'dy')\n", "ready")
        for line in (*before, *lines):
            terminal.ask(f"{line}; print('do' + 'ne')\n", "done")
        return terminal.ask(define.format(amount) + ask, r"asked (True|False) -?\d+|Error")

    assert session(amount=1) == "asked False 2"
    assert session("a = 1", "b = 2", amount=1) == "asked True 2"
    assert session(amount=5) == "asked False 6"
