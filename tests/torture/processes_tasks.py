"""Tasks that die, wait, or start others. Workers import this file, so it imports little."""

import ctypes
import os
import subprocess
import time
from pathlib import Path

PATIENCE = 20.0
"""Seconds after which something that should happen counts as missing."""


def square(x: int) -> int:
    return x * x


def own_pid() -> int:
    return os.getpid()


def kill_self(number: int) -> None:
    os.kill(os.getpid(), number)


def segfault() -> None:
    ctypes.string_at(0)


class DiesWhenRebuilt:
    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (7,)


class DiesWhenPickled:
    def __reduce__(self) -> tuple[object, ...]:
        os._exit(8)


def returns_poison() -> DiesWhenPickled:
    return DiesWhenPickled()


class LeavesWhenPickled:
    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        raise self.error


def returns_leaver(error: BaseException) -> list[object]:
    return ["x", LeavesWhenPickled(error)]


def forks_and_comes_back(error: BaseException | None) -> int:
    """Both processes come back from here: the child with a result or an error of its own."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    if error is not None:
        raise error
    return -1


def note(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text + "\n")


def spawn_sleeper(path: str) -> None:
    """Start a child that sleeps, write down the numbers of both, and sleep too."""
    child = subprocess.Popen(["sleep", "60"])
    publish_text(path, f"{os.getpid()} {child.pid}")
    time.sleep(60)


def begin_and_sleep(path: str) -> None:
    """Sleep, once a file tells that this has begun."""
    publish_text(path, "begun")
    time.sleep(60)


def spawn_daemon(path: str) -> None:
    """Start a child in a session of its own that has a child, write down the numbers, and sleep."""
    child = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    grandchild = child.stdout.readline().strip()
    publish_text(path, f"{os.getpid()} {child.pid} {grandchild}")
    time.sleep(60)


def publish_text(path: str, text: str) -> None:
    """A file that appears with all of its text."""
    Path(path + ".new").write_text(text)
    os.rename(path + ".new", path)


def note_slowly(path: str, text: str) -> None:
    note(path, text)
    time.sleep(0.3)
    note(path, "done")


def await_file(path: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.002)


def await_text(path: Path, text: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while path.read_text() != text:
        assert time.monotonic() < deadline, f"{path} is {path.read_text()!r}"
        time.sleep(0.002)


def await_end(pid: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is alive"
        time.sleep(0.002)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
