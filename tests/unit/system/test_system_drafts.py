import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lightwork import dump, load
from lightwork.system import drafts
from lightwork.system.atomic import atomic_writer

# Begins to write what is at the first path, says so, and goes on when it is told to.
_WRITER = """
import sys
from lightwork.system.atomic import atomic_writer
with atomic_writer(sys.argv[1]) as file:
    file.write(b"half")
    print("begun", flush=True)
    sys.stdin.readline()
    file.write(b" and half")
"""


def _begin(path: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WRITER, str(path)]
    writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    assert writer.stdout.readline() == "begun\n"
    return writer


def _kill(*writers: "subprocess.Popen[str]") -> None:
    for writer in writers:
        with writer:
            writer.send_signal(signal.SIGKILL)


def test_what_killed_writers_left_goes_with_the_next_dump(tmp_path: Path) -> None:
    """Nothing stays of several that wrote at once."""
    path = tmp_path / "x.lw"
    _kill(*[_begin(path) for _ in range(3)])
    assert len(os.listdir(tmp_path)) == 3
    dump("new", path)
    assert os.listdir(tmp_path) == ["x.lw"]
    assert load(path) == "new"


def test_the_file_of_a_living_writer_stays(tmp_path: Path) -> None:
    """Another dump to the same path meanwhile takes nothing from it, and the last one to end is seen."""
    path = tmp_path / "x.lw"
    with _begin(path) as living:
        _kill(_begin(path))
        dump("ours", path)
        assert load(path) == "ours"
        assert len(os.listdir(tmp_path)) == 2
        living.communicate("on\n")
    assert living.returncode == 0
    assert path.read_bytes() == b"half and half"
    assert os.listdir(tmp_path) == ["x.lw"]


def test_two_blocks_of_one_process_do_not_meet(tmp_path: Path) -> None:
    """A lock that belonged to the process would let the inner block remove what the outer one writes."""
    path = tmp_path / "x"
    with atomic_writer(path) as outer:
        outer.write(b"outer")
        with atomic_writer(path) as inner:
            inner.write(b"inner")
        assert path.read_bytes() == b"inner"
    assert path.read_bytes() == b"outer"
    assert os.listdir(tmp_path) == ["x"]


def test_a_file_closed_early_is_still_kept_from_others(tmp_path: Path) -> None:
    """Until its rename, since compressors close the file that they are given."""
    path = tmp_path / "x"
    with atomic_writer(path, sync=False) as outer:
        outer.write(b"outer")
        outer.close()
        dump("inner", path)
    assert path.read_bytes() == b"outer"


def test_the_files_of_other_targets_are_left_alone(tmp_path: Path) -> None:
    """A dump removes what belongs to its own target alone, whatever else lies in the folder."""
    _kill(_begin(tmp_path / "other"))
    left = os.listdir(tmp_path)
    dump("new", tmp_path / "x")
    assert sorted(os.listdir(tmp_path)) == sorted([*left, "x"])


def test_the_folder_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may hold a hundred thousand files."""
    _kill(_begin(tmp_path / "x"))

    def refuse(*_: object) -> None:
        raise AssertionError("the folder was read")

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", refuse)
        patched.setattr(os, "scandir", refuse)
        dump("new", tmp_path / "x")
    assert os.listdir(tmp_path) == ["x"]


def test_where_locks_tell_nothing_all_files_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network disk a writer may live on a host whose locks are not seen here."""
    path = tmp_path / "x"
    _kill(_begin(path))
    left = os.listdir(tmp_path)
    monkeypatch.setattr(drafts, "is_local", lambda _: False)
    dump("new", path)
    assert load(path) == "new"
    assert sorted(os.listdir(tmp_path)) == sorted([*left, "x"])


def test_a_file_system_without_locks_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is written as ever, and nothing stays beside it."""

    def refuse(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", refuse)
    dump("new", tmp_path / "x")
    assert load(tmp_path / "x") == "new"
    assert os.listdir(tmp_path) == ["x"]


def test_a_link_under_the_name_of_a_draft_is_not_followed(tmp_path: Path) -> None:
    """Names can be foreseen, so in a folder for all somebody may have put something there."""
    victim, path = tmp_path / "victim", tmp_path / "x"
    victim.write_bytes(b"precious")
    with drafts.draft(str(path)) as first:
        os.rename(first, path)
    os.symlink(victim, first)
    dump("new", path)
    assert load(path) == "new"
    assert victim.read_bytes() == b"precious"
