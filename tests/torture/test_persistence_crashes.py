"""Killed writers, full disks, flipped bits: the old file or the new one, never anything else."""

import errno
import os
import random
import resource
import select
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lightwork import dump, load
from lightwork.errors import CorruptFileError, UnknownFormatError

pytestmark = pytest.mark.torture

LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
KILLS = 100 if LONG else 20
FLIPS = 1000 if LONG else 200

# Writes over and over, each file complete in itself: number, and arrays full of that number.
_WRITER = """
import sys, numpy
from lightwork import dump
path, compress = sys.argv[1], sys.argv[2] == "True"
number = 0
while True:
    print(number, flush=True)
    number += 1
    dump([number, numpy.full(300_000, number), [numpy.full(10, number)] * 50], path, compress)
"""


@pytest.mark.slow
@pytest.mark.parametrize("compress", [False, True])
def test_a_killed_writer_leaves_a_whole_file(compress: bool, tmp_path: Path) -> None:
    """SIGKILL at random moments; whatever the moment, the file under the name can be loaded and is whole."""
    path = tmp_path / "x.lw"
    dump([0, np.zeros(300_000), []], path)
    chance = random.Random(7)
    for _ in range(KILLS // 2):
        command = [sys.executable, "-c", _WRITER, str(path), str(compress)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            least = chance.randrange(3)
            for written in range(least + 1):
                assert writer.stdout.readline() == b"%d\n" % written
            # There is no event to wait for: a random time, to hit any phase of a dump.
            select.select([], [], [], chance.uniform(0, 0.05))
            writer.send_signal(signal.SIGKILL)
        number, large, small = load(path)
        assert number >= least
        assert (large == number).all()
        assert all((array == number).all() for array in small)


@pytest.mark.slow
def test_writers_of_one_file_are_killed_beside_each_other(tmp_path: Path) -> None:
    """None of them takes the file of a living one for a dead one's, and nothing is left in the end."""
    path = tmp_path / "x.lw"
    command = [sys.executable, "-c", _WRITER, str(path), "False"]
    chance = random.Random(11)
    writers = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(4)]
    for _ in range(KILLS):
        # There is no event to wait for: a random time, to hit any phase of a dump.
        select.select([], [], [], chance.uniform(0.05, 0.3))
        assert [writer.poll() for writer in writers] == [None] * 4, "a writer that was not killed ended"
        with writers.pop(0) as killed:
            killed.send_signal(signal.SIGKILL)
        writers.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
    for writer in writers:
        with writer:
            writer.send_signal(signal.SIGKILL)
    dump("end", path)
    assert load(path) == "end"
    assert os.listdir(tmp_path) == ["x.lw"]


def _limited_dump(path: Path, nbytes: int) -> int:
    """In a child whose files may have at most `nbytes`: dump more than that; the errno it failed with."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 0
    try:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (nbytes, nbytes))
        dump([np.arange(2_000_000), "x" * 100], path)
    except OSError as exc:
        code = exc.errno or 1
    finally:
        os._exit(code)


@pytest.mark.parametrize("nbytes", [0, 10, 100, 4096, 1_000_000, 15_999_999])
def test_a_file_that_cannot_grow_leaves_the_old_one(nbytes: int, tmp_path: Path) -> None:
    """The error is that of the system, and no half-written file stays behind."""
    path = tmp_path / "x"
    dump("old", path)
    assert _limited_dump(path, nbytes) == errno.EFBIG
    assert load(path) == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """ENOSPC on a file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("a small tmpfs cannot be mounted here")
    try:
        dump("old", disk / "x")
        with pytest.raises(OSError, match="No space left") as caught:
            dump(np.arange(1_000_000), disk / "x")
        assert caught.value.errno == errno.ENOSPC
        assert load(disk / "x") == "old"
        assert os.listdir(disk) == ["x"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("compress", [False, True])
def test_flipped_bits_are_found(compress: bool, tmp_path: Path) -> None:
    """Random single bits, anywhere in a file of several pieces."""
    path = tmp_path / "x"
    value = [np.random.default_rng(0).random(300_000), {"a": list(range(1000))}]
    dump(value, path, compress)
    chance = random.Random(3)
    with open(path, "r+b", buffering=0) as file:
        for _ in range(FLIPS // 2):
            place = chance.randrange(path.stat().st_size)
            byte = os.pread(file.fileno(), 1, place)
            os.pwrite(file.fileno(), bytes([byte[0] ^ (1 << chance.randrange(8))]), place)
            with pytest.raises((CorruptFileError, UnknownFormatError), match="cannot read"):
                load(path)
            os.pwrite(file.fileno(), byte, place)
    assert (load(path)[0] == value[0]).all()


def test_a_child_forked_at_any_moment_can_dump_and_load(tmp_path: Path) -> None:
    """The helper threads of the parent do not exist in the child, and the child does not wait for them."""
    path = tmp_path / "x"
    value = np.arange(5_000_000)
    dump(value, path, True)
    load(path)
    child = os.fork()
    if not child:
        code = 1
        try:
            dump(value, tmp_path / "y")
            code = 0 if (load(path) == value).all() and (load(tmp_path / "y") == value).all() else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
