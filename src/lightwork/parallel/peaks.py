"""What tasks need in memory: seen where they run, told to their call. Workers import this module."""

from typing import Any, Final, NamedTuple

from ..protocols import Call, Run, Tell
from ..system.processes import forget_peak, peak_own_bytes

__all__ = ["Peak", "Peaks"]

_NEWS: Final = 1 << 18
"""Bytes that a worker must have more than it has told, to tell again: each time is a message."""


class Peak(NamedTuple):
    """The most memory that a worker had of its own while it ran a task."""

    nbytes: int


class Peaks:
    """The `Layer` that tells. To be the outermost, so that it sees what the others need as well."""

    __slots__ = ()

    def enter(self, inner: Run, tell: Tell) -> Run:
        """From now on each task is looked at; told is what exceeds all before it."""
        told = 0
        forget_peak()  # of earlier calls, when the worker may have had more

        def run(index: int, call: Call) -> Any:  # Any: the result of the user's function
            nonlocal told
            try:
                return inner(index, call)
            finally:
                peak = peak_own_bytes()
                if peak > told + _NEWS or not told:
                    told = peak
                    tell(index, Peak(peak))

        return run

    def leave(self) -> None:
        """Nothing is left behind."""
