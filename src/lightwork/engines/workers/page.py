"""The control page: one page of memory that a worker writes and its parent reads, without a message.

It says which task runs, so that a death is blamed on the right one, since when, and how many are finished.
Each field is one aligned 8-byte word, so a reader never sees half of one. Fields are written one by one,
so a reader may see the index of a task with the start of another: who acts on both looks twice.
The rest of the page is for the stack of a task that takes too long, as text.
"""

import mmap

from ...system.segments import map_shared

__all__ = [
    "FINISHED",
    "NOBODY",
    "PAGE_BYTES",
    "PID",
    "PREPARING",
    "RUNNING",
    "STACK",
    "STARTED",
    "WORN",
    "ControlPage",
]

PAGE_BYTES = 4096
NOBODY = -1
PREPARING = -2

RUNNING = 0
"""Word: index of the task that runs, or is taken apart or put together for it; `NOBODY` between tasks;
`PREPARING` while the runner of a session prepares the worker."""

STARTED = 1
"""Word: when it started, in nanoseconds of ``CLOCK_MONOTONIC``, the same clock in every process of a host."""

FINISHED = 2
"""Word: tasks that this worker has finished since its session began."""

PID = 3
"""Word: number of the worker's process; 0 until it has started."""

WORN = 4
"""Word: memory of its own (bytes) for which it begins no further task that may be taken back; else 0."""


STACK = 1024
"""Byte where the text begins."""


class ControlPage:
    """One process' mapping of a page. ``words`` is its content as signed 64-bit words."""

    def __init__(self, descriptor: int) -> None:
        """Map the page behind `descriptor`, which stays the caller's."""
        self._mapping: mmap.mmap = map_shared(descriptor, PAGE_BYTES)
        self.words: memoryview = memoryview(self._mapping).cast("q")

    def clear(self) -> None:
        """No task runs, none is finished, the worker is as good as new."""
        self.words[RUNNING] = NOBODY
        self.words[STARTED] = 0
        self.words[FINISHED] = 0
        self.words[WORN] = 0

    def running(self) -> int | None:
        """Index of the task that runs, ``None`` between tasks."""
        index: int = self.words[RUNNING]
        return None if index < 0 else index

    def is_preparing(self) -> bool:
        """Whether the runner of a session prepares the worker for its first task."""
        index: int = self.words[RUNNING]
        return index == PREPARING

    def task(self) -> tuple[int, int] | None:
        """Index and start (ns of ``CLOCK_MONOTONIC``) of the task that runs, ``None`` between tasks.

        Preparing the worker counts as a task with the index `PREPARING`.
        """
        index: int = self.words[RUNNING]
        return None if index == NOBODY else (index, self.words[STARTED])

    def stack(self) -> str:
        """What `faulthandler` wrote of the worker's stack, the innermost frame first; empty if it did not."""
        return self._mapping[STACK:].rstrip(b"\0").decode(errors="replace")

    def pid(self) -> int:
        """Number of the worker's process, 0 until it has started."""
        number: int = self.words[PID]
        return number

    def worn(self) -> int:
        """Memory (bytes) for which the worker begins no further task; 0 as long as it does."""
        nbytes: int = self.words[WORN]
        return nbytes

    def close(self) -> None:
        """Let go of the mapping."""
        self.words.release()
        self._mapping.close()
