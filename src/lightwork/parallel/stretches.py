"""What a worker ran and when, in a bounded number of pieces: neighbours are joined when there are too many.

Nothing is cut off: a piece tells how many tasks it stands for, and how much of its time they ran.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

__all__ = ["Run", "Stretches"]

_MOST: Final = 1_000
"""Pieces per worker of a report: more than a screen has columns to draw them in, and 70 KB."""


class Run(NamedTuple):
    """Tasks that one worker ran one after the other. Times in seconds since the call began."""

    began: float
    ended: float
    busy: float
    """Seconds between the two in which tasks ran."""

    tasks: int
    """How many have ended in it; 0 for one that runs still, or was lost with its worker."""

    first: int
    """Least index of them; -1 for one that runs still."""

    last: int
    """Greatest index. Other workers may have run some of those between the two."""


class _Piece:
    """A `Run` that grows."""

    __slots__ = ("began", "busy", "ended", "first", "last", "tasks")

    def __init__(self, began: float, ended: float, busy: float, tasks: int, first: int, last: int) -> None:
        self.began = began
        self.ended = ended
        self.busy = busy
        self.tasks = tasks
        self.first = first
        self.last = last

    def take(self, ended: float, busy: float, tasks: int, first: int, last: int) -> None:
        """Reach over what follows."""
        self.ended = ended
        self.busy += busy
        self.tasks += tasks
        if first < self.first:
            self.first = first
        if last > self.last:
            self.last = last


class Stretches:
    """Added to by one thread, in the order of time; may be read from any.

    Parameters
    ----------
    most
        How many pieces there are at most, ``>= 2``, as long as no single one is longer than its share.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._grain = 0.0  # seconds; neighbours that cover no more than this together are joined
        self._pieces: list[_Piece] = []

    def add(self, began: float, ended: float, tasks: int, first: int) -> None:
        """`tasks` tasks from index `first` on ran from `began` to `ended` (s)."""
        last = first + max(tasks, 1) - 1
        if self._pieces and ended - self._pieces[-1].began <= self._grain:
            self._pieces[-1].take(ended, ended - began, tasks, first, last)
            return
        self._pieces.append(_Piece(began, ended, ended - began, tasks, first, last))
        if len(self._pieces) > self._most:
            self._pieces = self._joined(self._pieces)

    def runs(self, origin: float = 0.0) -> Iterator[Run]:
        """The pieces, in the order of time, with times counted from `origin` (s)."""
        for piece in tuple(self._pieces):
            began, ended = piece.began - origin, piece.ended - origin
            yield Run(began, ended, piece.busy, piece.tasks, piece.first, piece.last)

    def _joined(self, pieces: list[_Piece]) -> list[_Piece]:
        """Half as many, in a new list: somebody may be reading the old one."""
        self._grain = max(self._grain, (pieces[-1].ended - pieces[0].began) / self._most)
        while len(joined := _join(pieces, self._grain)) > self._most // 2:
            self._grain *= 2
        return joined


def _join(pieces: list[_Piece], grain: float) -> list[_Piece]:
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and piece.ended - joined[-1].began <= grain:
            joined[-1].take(piece.ended, piece.busy, piece.tasks, piece.first, piece.last)
        else:
            began, ended = piece.began, piece.ended
            joined.append(_Piece(began, ended, piece.busy, piece.tasks, piece.first, piece.last))
    return joined
