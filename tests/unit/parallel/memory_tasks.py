"""Tasks that need memory. Workers import this file, so it imports little."""

import os
from pathlib import Path

from lightwork import worker_id

KEPT: list[bytearray] = []


def fill(nbytes: int) -> tuple[int, int, int]:
    """Touch so much, and tell the worker, what this one has, and the most that all workers had meanwhile.

    Of tasks that have their memory at once the last to get it sees all of it, whatever the order.
    """
    memory = bytearray(b"x") * nbytes
    seen = max(sum(map(own, siblings())) for _ in range(10))
    del memory
    return worker_id(), own(os.getpid()), seen


def keep(nbytes: int) -> int:
    """Get so much and do not let go of it."""
    KEPT.append(bytearray(b"x") * nbytes)
    return os.getpid()


def kept(_: int) -> int:
    return sum(map(len, KEPT))


def meet(pipe: str, mode: str) -> str:
    """Wait for the task that opens the other end."""
    with open(pipe, mode):
        return mode


def siblings() -> list[int]:
    """The processes that the parent of this one, the template, has started."""
    parent = os.getppid()
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def own(pid: int) -> int:
    """Bytes that a process shares with no other (its unique set size)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:  # it has ended
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Private_"))
