import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lightwork.system.locks import LOCK_FILES, LockFile

_HOLDER = """
import sys
from lightwork.system.locks import LOCK_FILES
locks = LOCK_FILES.at(sys.argv[1])
print(locks.acquire(7), locks.token, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "locks")


def _hold(path: str) -> "tuple[subprocess.Popen[str], bool, int]":
    """Another process that holds lock 7 until its input ends: the process, whether it got it, its token."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    answer, token = process.stdout.readline().split()
    return process, answer == "True", int(token)


def _end(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def test_another_process_keeps_a_lock_until_it_dies(path: str) -> None:
    """A lock is refused while its holder lives, and free the moment it is killed."""
    process, got, _ = _hold(path)
    locks = LOCK_FILES.at(path)
    assert got
    assert not locks.acquire(7)
    assert locks.acquire(8)
    _end(process)
    assert locks.acquire(7)


def test_a_released_lock_is_free(path: str) -> None:
    """What is given back can be taken by another process."""
    locks = LOCK_FILES.at(path)
    assert locks.acquire(7)
    refused, got, _ = _hold(path)
    assert not got
    _end(refused)
    locks.release(7)
    process, got, _ = _hold(path)
    assert got
    _end(process)


def test_a_process_is_seen_alive_until_it_dies(path: str) -> None:
    """The token of a process tells whether it lives."""
    process, _, token = _hold(path)
    locks = LOCK_FILES.at(path)
    assert locks.is_alive(token)
    assert locks.is_alive(locks.token)
    _end(process)
    assert not locks.is_alive(token)


def test_one_path_is_opened_once(path: str) -> None:
    """Closing a second descriptor would drop the locks of the first: there is none."""
    assert LOCK_FILES.at(path) is LOCK_FILES.at(path)


def test_the_file_is_closed_with_its_last_holder(path: str) -> None:
    """Caches that nobody uses any more cost no descriptor."""
    before = set(os.listdir("/proc/self/fd"))
    locks: LockFile | None = LOCK_FILES.at(path)
    assert locks is not None
    locks.acquire(1)
    locks = None
    gc.collect()
    assert set(os.listdir("/proc/self/fd")) <= before


def test_a_forked_child_has_no_locks_and_another_token(path: str) -> None:
    """Locks belong to the parent; the child competes like any other process."""
    locks = LOCK_FILES.at(path)
    token = locks.token
    assert locks.acquire(7)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if not locks.acquire(7) and locks.token != token and locks.is_alive(token) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_failure_leaves_a_mark(path: str) -> None:
    """Those who wait can tell a holder that failed from one that was killed."""
    locks = LOCK_FILES.at(path)
    marks = [locks.failures(7)]
    for _ in range(3):
        locks.note_failure(7)
        marks.append(locks.failures(7))
    assert len(set(marks)) == 4


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    """It is not taken for a lock that somebody else holds: a caller would wait for nobody."""
    with pytest.raises(OSError, match="No such file"):
        LOCK_FILES.at(str(tmp_path / "missing" / "locks")).acquire(7)


def test_a_removed_file_is_left_for_the_one_at_the_path(path: str) -> None:
    """The process is alive under its token there too, and takes and refuses locks there."""
    locks = LOCK_FILES.at(path)
    token = locks.token
    os.unlink(path)
    locks.renew()
    process, has_it, other = _hold(path)
    try:
        assert has_it
        assert not locks.acquire(7)
        assert locks.is_alive(other)
        assert locks.token == token
    finally:
        _end(process)
