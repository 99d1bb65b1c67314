"""Scripts in interpreters of their own, under a hard watchdog, that must leave nothing behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

__all__ = ["HEAD", "LONG", "carriers", "environment", "run", "run_command", "write"]

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
SECONDS = 30
MARK = "LIGHTWORK_TORTURE_MARK"

HEAD = f"""import faulthandler
faulthandler.dump_traceback_later({SECONDS}, exit=True)
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
from lightwork.parallel import Failure, Parallel, delayed
"""
"""The first lines of each script. A hang ends it with the stacks of all threads."""


def write(folder: Path, text: str) -> list[str]:
    """Write a script; the command that runs it with warnings as errors."""
    path = folder / "script.py"
    path.write_text(HEAD + textwrap.dedent(text))
    return [sys.executable, "-W", "error", str(path)]


def run(folder: Path, text: str, *, patience: float = SECONDS, **variables: str) -> str:
    """Run a script to its end; what it printed. See `run_command`."""
    return run_command(write(folder, text), folder, variables, patience=patience)


def run_command(
    command: list[str],
    folder: Path,
    variables: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
    given: str | None = None,
    patience: float = SECONDS,
) -> str:
    """Run a command to its end, in `folder` or else `cwd`; what it printed.

    It must end with 0 and say nothing else, warnings of leaks included. Afterwards none of its processes is
    alive, and there is no temporary file of it and no shared memory of ours.
    """
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    mark = uuid.uuid4().hex
    before = shared_memory()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd or folder,
        env=environment(mark, TMPDIR=str(temporary), **(variables or {})),
        start_new_session=True,
    )
    try:
        printed, errors = process.communicate(given, timeout=patience + 15)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise AssertionError(f"the watchdog had to end it: {process.communicate()}") from None
    assert (process.returncode, errors) == (0, ""), f"{process.returncode}: {errors}"
    assert await_none(mark), carriers(mark)
    assert list(temporary.iterdir()) == []
    assert not shared_memory() - before
    return printed


def environment(mark: str, **variables: str) -> dict[str, str]:
    """Variables of a process whose descendants can be told by the mark."""
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), MARK: mark, **variables}


def await_none(mark: str, seconds: float = 2.5) -> bool:
    """Whether no process carries the mark in its environment any more, within so many seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not carriers(mark):
            return True
        time.sleep(0.02)  # other processes' ends send no event to us
    return False


def carriers(mark: str) -> list[str]:
    """Numbers of the processes that carry the mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in path.read_bytes():
                found.append(path.parent.name)
        except OSError:  # it ended, or is not ours
            continue
    return found


def shared_memory() -> set[str]:
    """Shared memory with a name of ours. What other programs make here meanwhile is theirs."""
    folder = Path("/dev/shm")
    return {path.name for path in folder.glob("*lightwork*")} if folder.is_dir() else set()
