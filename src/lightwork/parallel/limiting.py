"""Layers that limit BLAS and OpenMP where tasks run in threads of a process that has loaded them."""

from typing import Any

from ..protocols import Call, Run, Tell
from ..system.computing import SHARE
from ..system.numeric import NUMERIC

__all__ = ["TaskLimit", "ThreadLimit"]


class ThreadLimit:
    """For threads of a call: from the first task of a thread to its end."""

    def __init__(self, count: int) -> None:
        self._count = count

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Limit; nothing is done per task."""
        NUMERIC.limit(self._count)
        return inner

    def leave(self) -> None:
        """Put back what was there."""
        NUMERIC.put_back()


class TaskLimit:
    """For the caller's own thread, which goes on with other things between two tasks of a generator."""

    def __init__(self, count: int) -> None:
        self._count = count

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Limit each task, nested calls of it too."""

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            share = SHARE.set(self._count)
            NUMERIC.limit(self._count)
            try:
                return inner(index, call)
            finally:
                NUMERIC.put_back()
                SHARE.reset(share)

        return run

    def leave(self) -> None:
        """Each task has put it back."""
