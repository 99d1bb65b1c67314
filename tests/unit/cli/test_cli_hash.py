"""``lightwork hash`` as a real process: what it prints, where, and its exit codes."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import lightwork
from tests.unit.cli.command import SRC, refused, run


@pytest.mark.slow
def test_an_expression_has_the_key_of_its_value() -> None:
    """The key alone, as `lightwork.hash` gives it; imported names are known."""
    done = run("hash", "m.sqrt(4), [1, 'a']", "--import", "math:m")
    assert (done.returncode, done.stdout.decode()) == (0, lightwork.hash((2.0, [1, "a"])) + "\n")


@pytest.mark.slow
def test_files_and_standard_input_count_by_their_bytes(tmp_path: Path) -> None:
    """Several targets are named behind their keys."""
    (tmp_path / "data").write_bytes(b"abc" * 50_000)
    done = run("hash", "data", "-", cwd=tmp_path, input=b"xyz")
    lines = [f"{lightwork.hash(b'abc' * 50_000)}  data", f"{lightwork.hash(b'xyz')}  -"]
    assert (done.returncode, done.stdout.decode().splitlines()) == (0, lines)


@pytest.mark.slow
def test_a_dumped_value_counts_with_load(tmp_path: Path) -> None:
    """``--load`` gives the key of the value, with another algorithm too."""
    lightwork.dump({"a": [1, "x"]}, tmp_path / "v.lw")
    done = run("hash", "--load", "v.lw", "--hash-name", "sha256", "--json", cwd=tmp_path)
    key = lightwork.hash({"a": [1, "x"]}, "sha256")
    assert json.loads(done.stdout) == [{"target": "v.lw", "hash_name": "sha256", "key": key}]


@pytest.mark.slow
def test_the_tree_comes_as_json() -> None:
    """``--explain --json`` gives nested objects down to ``--depth``."""
    done = run("hash", "{'a': [1, [2, 'x']]}", "--explain", "--json", "--depth", "1")
    (answer,) = json.loads(done.stdout)
    assert answer["tree"]["key"] == answer["key"] == lightwork.hash({"a": [1, [2, "x"]]})
    (child,) = answer["tree"]["children"]
    assert (child["path"], child["children"], child["omitted"]) == ("value['a']", [], 2)


@pytest.mark.slow
def test_what_pickling_changes_is_named(tmp_path: Path) -> None:
    """``--stable`` names the part, and ends with 1."""
    (tmp_path / "mine.py").write_text(
        "class Odd:\n    def __getstate__(self):\n"
        "        return {'fixed': 1, 'fresh': [id(self), 'a']}\nODD = [Odd()]\n"
    )
    done = run("hash", "--stable", "mine.ODD", "--import", "mine", cwd=tmp_path)
    assert done.returncode == 1
    assert b"not the same after pickling: value[0].fresh[0]: " in done.stdout
    assert run("hash", "--stable", "[1, 'a']").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("hash", "nope"), 2, "'nope' is no file, and no expression"),
        (("hash", "1 +"), 2, "SyntaxError"),
        (("hash", "exit()", "--expression"), 2, "cannot be evaluated: SystemExit"),
        (("hash",), 2, "TARGET"),
        ((), 2, "COMMAND"),
        (("hassh", "1"), 2, "hassh"),
        (("hash", "1", "--hash-name", "crc\n7"), 2, "is not known"),
        (("hash", "1", "--depth", "3"), 2, "--explain"),
        (("hash", "1", "--explain", "--depth", "-1"), 2, "depth=-1"),
        (("hash", "1", "--import", "no_such_module"), 2, "no_such_module"),
        (("hash", "/"), 2, "cannot be read"),
        (("hash", "--load", "no_such_file"), 2, "cannot be read"),
        (("hash", "[1, (x for x in '')]"), 1, "value[1] is a builtins.generator"),
        (("hash", "--stable", "lambda: 1"), 1, "cannot be pickled"),
        (("hash", b"\xff\xfe"), 2, "no expression"),
    ],
)
def test_bad_input_gets_one_line(arguments: tuple[str | bytes, ...], code: int, words: str) -> None:
    """2 for a line that cannot be right, 1 for what cannot be done; one line, never a traceback."""
    done = run(*arguments)
    assert words in refused(done, code)
    assert done.stdout == b""


@pytest.mark.slow
def test_one_bad_target_does_not_hide_the_others() -> None:
    """The others get their keys; JSON names the error."""
    done = run("hash", "nope", "1", "--json")
    refused(done, 2)
    bad, good = json.loads(done.stdout)
    assert bad["key"] is None
    assert "nope" in bad["error"]
    assert good["key"] == lightwork.hash(1)


@pytest.mark.slow
def test_a_closed_pipe_ends_it_silently() -> None:
    """``| head`` is no reason to complain."""
    target = "[[x, 'a', {}] for x in range(3000)]"
    code = f'{sys.executable} -m lightwork hash "{target}" --explain --json | head -n 1'
    line = ["bash", "-c", code + "; echo ${PIPESTATUS[0]}"]
    done = subprocess.run(line, env={**os.environ, "PYTHONPATH": str(SRC)}, capture_output=True, timeout=50)
    assert (done.stdout, done.stderr) == (b"[\n141\n", b"")


@pytest.mark.slow
def test_a_full_disk_gets_one_line() -> None:
    """What cannot be written is said, once."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "lightwork", "hash", "1"],
            env={**os.environ, "PYTHONPATH": str(SRC)},
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=50,
        )
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"cannot be written" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("redirection", "code"), [(">&-", 0), ("2>&-", 2), (">&- 2>&-", 2), ("2>/dev/full", 1)]
)
def test_streams_that_are_closed_lead_to_no_traceback(redirection: str, code: int) -> None:
    """The exit code is what is left to tell."""
    target = "1" if code == 0 else "nope"
    line = f"{sys.executable} -m lightwork hash {target} {redirection}"
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


@pytest.mark.slow
def test_a_stream_that_knows_no_umlauts_is_no_obstacle() -> None:
    """Characters that the terminal does not know are shown by their numbers."""
    done = run("hash", "{'ä': 'ö'}", "--explain", env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0, done.stderr
    assert rb"['\xe4']: '\xf6' (str)" in done.stdout


@pytest.mark.slow
def test_a_narrow_terminal_gets_short_lines() -> None:
    """Lines are cut to the width; colours are shown on a terminal unless NO_COLOR is set."""
    for no_colour in ("", "1"):
        master, slave = pty.openpty()
        environment = {
            **os.environ,
            "PYTHONPATH": str(SRC),
            "COLUMNS": "50",
            "TERM": "xterm",
            "NO_COLOR": no_colour,
        }
        command = [sys.executable, "-m", "lightwork", "hash", "{'k' * 90: [1, 'x']}", "--explain"]
        done = subprocess.run(command, env=environment, stdout=slave, stderr=slave, timeout=50)
        os.close(slave)
        shown = os.read(master, 65536).decode()
        os.close(master)
        assert done.returncode == 0
        assert ("\x1b[" in shown) == (no_colour == "")
        _key, _head, *rows = shown.splitlines()
        assert rows
        assert max(map(len, rows)) == 50


@pytest.mark.slow
def test_help_and_version() -> None:
    """Help shows examples and exit codes; both end with 0."""
    done = run("hash", "--help")
    assert done.returncode == 0
    assert b"examples:" in done.stdout
    assert b"exit codes:" in done.stdout
    assert run("--help").returncode == 0
    assert run("--version").stdout.decode() == f"lightwork {lightwork.__version__}\n"
