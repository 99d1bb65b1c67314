"""``lightwork file ...`` as a real process."""

import ast
import json
import pickle
from pathlib import Path

import joblib
import numpy as np
import packaging.version
import pytest

import lightwork
from tests.unit.cli.command import refused, run

pytestmark = pytest.mark.slow

VALUE = {"a": np.arange(50_000), "b": ["x", 2.5]}


class Loud:
    """Tells when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return print, ("unpickled!",)


def test_what_is_in_a_file_is_told_without_unpickling(tmp_path: Path) -> None:
    """The figures of `inspect`, and a line for each part."""
    lightwork.dump({**VALUE, "c": Loud()}, tmp_path / "x.lw", compress=True)
    done = run("file", "info", "x.lw", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"unpickled!" not in done.stdout
    assert b"'a'  array" in done.stdout
    found = json.loads(run("file", "info", "x.lw", "--json", cwd=tmp_path).stdout)
    assert found["nbytes"] == (tmp_path / "x.lw").stat().st_size
    assert [part["key"] for part in found["parts"]] == ["'a'", "'b'", "'c'"]
    assert found["parts"][0]["dtype"] == "int64"


def test_parts_that_cannot_be_listed_are_no_obstacle(tmp_path: Path) -> None:
    """A file that is compressed as a whole tells its figures, and why not more."""
    lightwork.dump(VALUE, tmp_path / "x.lw.gz")
    found = json.loads(run("file", "info", "x.lw.gz", "--json", cwd=tmp_path).stdout)
    assert (found["compressor"], found["parts"]) == ("gzip", [])
    assert "in parts" in found["parts_missing"]
    assert b"not listed" in run("file", "info", "x.lw.gz", cwd=tmp_path).stdout


def test_damage_is_found_and_named(tmp_path: Path) -> None:
    """Several files are looked at; one that is damaged gives exit code 1, one that is none 2."""
    lightwork.dump(VALUE, tmp_path / "good")
    lightwork.dump(VALUE, tmp_path / "packed.gz")
    content = bytearray((tmp_path / "good").read_bytes())
    content[200_000] ^= 1
    (tmp_path / "bad").write_bytes(content)
    (tmp_path / "text").write_text("text")
    done = run("file", "verify", "good", "bad", "packed.gz", "--json", cwd=tmp_path)
    assert done.returncode == 1
    assert [each["whole"] for each in json.loads(done.stdout)] == [True, False, True]
    shown = run("file", "verify", "bad", "good", cwd=tmp_path)
    assert shown.returncode == 1
    assert b"damaged  cannot read 'bad': buffer 0" in shown.stdout
    assert run("file", "verify", "good", cwd=tmp_path).returncode == 0
    refused(run("file", "verify", "missing", cwd=tmp_path), 2)
    refused(run("file", "verify", "text", cwd=tmp_path), 2)


def test_files_of_others_do_not_hide_the_damage_of_the_next(tmp_path: Path) -> None:
    """Each file is looked at, and the worst decides on the exit code."""
    (tmp_path / "text").write_text("text")
    lightwork.dump(VALUE, tmp_path / "bad")
    content = bytearray((tmp_path / "bad").read_bytes())
    content[-3000] ^= 1
    (tmp_path / "bad").write_bytes(content)
    done = run("file", "verify", "text", "missing", "bad", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 2
    assert b"cannot read 'text'" in done.stderr
    assert b"damaged  cannot read 'bad'" in done.stdout


def test_libraries_can_be_trusted(tmp_path: Path) -> None:
    """The refusal names the option that there is."""
    lightwork.dump(ast.Name("x"), tmp_path / "x")
    assert "ast" in refused(run("file", "diff", "x", "x", "--safe", cwd=tmp_path), 1)
    lightwork.dump(packaging.version.Version("1.0"), tmp_path / "x")
    assert "--trusted NAME" in refused(run("file", "diff", "x", "x", "--safe", cwd=tmp_path), 1)
    line = ["file", "diff", "x", "x", "--trusted", "packaging"]
    assert "--trusted needs --safe" in refused(run(*line, cwd=tmp_path), 2)
    assert run(*line, "--safe", cwd=tmp_path).returncode == 0


def test_values_are_compared_part_by_part(tmp_path: Path) -> None:
    """Whatever the format and the compression; exit code 1 if they differ."""
    lightwork.dump(VALUE, tmp_path / "one.lw", compress=True)
    joblib.dump(VALUE, tmp_path / "same.joblib")
    lightwork.dump({**VALUE, "b": ["x", 3.5]}, tmp_path / "other.lw")
    same = run("file", "diff", "one.lw", "same.joblib", cwd=tmp_path)
    assert (same.returncode, same.stdout) == (0, b"the values are the same\n")
    done = run("file", "diff", "one.lw", "other.lw", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (done.returncode, told["same"]) == (1, False)
    assert [each["path"] for each in told["differences"]] == ["value['b'][1]"]
    assert (
        b"value['b'][1]: 2.5 (float) became 3.5"
        in run("file", "diff", "one.lw", "other.lw", cwd=tmp_path).stdout
    )


def test_safe_comparison_runs_nothing(tmp_path: Path) -> None:
    """What would be built by foreign code is refused by name."""
    lightwork.dump(Loud(), tmp_path / "loud")
    done = run("file", "diff", "loud", "loud", "--safe", cwd=tmp_path)
    assert "builtins.print" in refused(done, 1)
    assert done.stdout == b""


def test_convert_is_a_command_about_files_too(tmp_path: Path) -> None:
    """The same as ``lightwork convert``."""
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(VALUE))
    assert run("file", "convert", "p.pkl", "p.lw", cwd=tmp_path).returncode == 0
    assert lightwork.hash(lightwork.load(tmp_path / "p.lw")) == lightwork.hash(VALUE)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["info", "missing"], "FileNotFoundError"),
        (["info", "."], "IsADirectoryError"),
        (["info", "text"], "not how a lightwork file begins"),
        (["diff", "text"], "OTHER"),
        (["diff", "text", "text"], "text"),
        (["diff", "missing", "text"], "missing"),
        (["diff", "text", "text", "--depth", "-1"], "--depth"),
        (["verify"], "PATH"),
    ],
)
def test_bad_input_gets_one_line(tmp_path: Path, arguments: list[str], part: str) -> None:
    """And exit code 2."""
    (tmp_path / "text").write_text("text")
    assert part in refused(run("file", *arguments, cwd=tmp_path), 2)
