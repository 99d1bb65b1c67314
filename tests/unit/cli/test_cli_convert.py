"""``lightwork convert`` as a real process: from every format into ours and back."""

import gzip
import json
import pickle
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import lightwork
from tests.unit.cli.command import refused, run

pytestmark = pytest.mark.slow

VALUE = {"a": np.arange(1000), "b": ["x", 2.5]}


def same(value: Any) -> bool:
    return lightwork.hash(value) == lightwork.hash(VALUE)


@pytest.mark.parametrize("compress", [0, 3, ("xz", 2)])
def test_a_file_of_joblib_becomes_one_of_ours(tmp_path: Path, compress: Any) -> None:
    """Whatever it was compressed with; one line tells the sizes."""
    joblib.dump(VALUE, tmp_path / "old.joblib", compress=compress)
    done = run("convert", "old.joblib", "new.lw", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    size = (tmp_path / "new.lw").stat().st_size
    assert done.stdout.decode().endswith(f"-> new.lw ({size:,} bytes)\n")
    assert same(lightwork.load(tmp_path / "new.lw"))
    assert lightwork.inspect(tmp_path / "new.lw").lightwork == lightwork.__version__


def test_ours_becomes_a_file_of_joblib(tmp_path: Path) -> None:
    """By the name, and joblib itself reads it."""
    lightwork.dump(VALUE, tmp_path / "new.lw", compress=True)
    done = run("convert", "new.lw", "old.joblib", "--json", cwd=tmp_path)
    told = json.loads(done.stdout)
    assert (told["format"], told["bytes"]["target"]) == ("joblib", (tmp_path / "old.joblib").stat().st_size)
    assert same(joblib.load(tmp_path / "old.joblib"))


@pytest.mark.parametrize("options", [["--compress"], ["--compress", "lzma"], ["--compress", "9"]])
def test_it_can_be_compressed(tmp_path: Path, options: list[str]) -> None:
    """By a flag, a method, a level, or the ending of the name."""
    (tmp_path / "p.pkl").write_bytes(pickle.dumps(VALUE))
    assert run("convert", "p.pkl", "c.lw", *options, cwd=tmp_path).returncode == 0
    assert run("convert", "p.pkl", "whole.lw.gz", cwd=tmp_path).returncode == 0
    assert lightwork.inspect(tmp_path / "c.lw").segments == () or (tmp_path / "c.lw").stat().st_size < 6000
    assert same(lightwork.load(tmp_path / "c.lw"))
    assert same(lightwork.loads(gzip.decompress((tmp_path / "whole.lw.gz").read_bytes())))


def test_the_name_of_the_target_is_kept_as_a_promise(tmp_path: Path) -> None:
    """A pickle is refused and another format is written only if it was asked for."""
    lightwork.dump(VALUE, tmp_path / "x.lw")
    said = refused(run("convert", "x.lw", "x.pkl", cwd=tmp_path), 2)
    assert "--format joblib" in said
    assert "promises a file of gzip" in refused(
        run("convert", "x.lw", "x.lw.gz", "--compress", "zlib", cwd=tmp_path), 2
    )
    assert [path.name for path in tmp_path.iterdir()] == ["x.lw"]
    done = run("convert", "x.lw", "x.joblib", "--format", "lightwork", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert lightwork.inspect(tmp_path / "x.joblib").segments


def test_an_option_does_not_swallow_the_source(tmp_path: Path) -> None:
    """The line tells where the option may stand."""
    said = refused(run("convert", "--compress", "x.lw", "y.lw", cwd=tmp_path), 2)
    assert "'x.lw' is no method" in said
    assert "behind SOURCE and TARGET" in said


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["cache", "ls", "cache", "--srot", "size"], "did you mean --sort? (see lightwork cache ls --help)"),
        (["--versoin"], "did you mean --version? (see lightwork --help)"),
        (["cache", "--jsno"], "there is no option --jsno (see lightwork cache --help)"),
        (["cache"], "COMMAND (see lightwork cache --help)"),
    ],
)
def test_a_misspelled_option_is_told_where_it_stands(line: list[str], told: str, tmp_path: Path) -> None:
    """With the nearest one, and the help of the command that was typed."""
    assert told in refused(run(*line, cwd=tmp_path), 2)


def test_what_has_moved_is_renamed(tmp_path: Path) -> None:
    """A class that the file knows under another name."""
    text = pickle.dumps(lightwork.File("x")).replace(b"lightwork.hashing.files", b"lightwork_hashing_files")
    (tmp_path / "old.pkl").write_bytes(text)
    told = refused(run("convert", "old.pkl", "new.lw", cwd=tmp_path), 1)
    assert "renames=" in told
    assert not (tmp_path / "new.lw").exists()
    options = ["--rename", "lightwork_hashing_files=lightwork.hashing.files"]
    assert run("convert", "old.pkl", "new.lw", *options, cwd=tmp_path).returncode == 0
    assert lightwork.load(tmp_path / "new.lw") == lightwork.File("x")


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["missing", "new.lw"], 2, "FileNotFoundError"),
        (["good", "no/such/folder/x"], 2, "cannot be written"),
        (["good"], 2, "TARGET"),
        (["good", "new.lw", "--format", "zip"], 2, "--format"),
        (["good", "new.lw", "--compress", "zup"], 2, "zup"),
        (["good", "new.lw", "--rename", "a"], 2, "OLD=NEW"),
        (["bad", "new.lw"], 1, "'bad' cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line(tmp_path: Path, arguments: list[str], code: int, part: str) -> None:
    """And leaves nothing behind."""
    lightwork.dump(VALUE, tmp_path / "good")
    (tmp_path / "bad").write_bytes((tmp_path / "good").read_bytes()[:-9])
    assert part in refused(run("convert", *arguments, cwd=tmp_path), code)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "good"]
