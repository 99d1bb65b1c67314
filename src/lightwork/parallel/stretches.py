"""What a worker ran and when, in a bounded number of pieces: neighbours are joined when there are too many.

Nothing is cut off: a piece tells how many tasks it stands for, and how much of its time they ran.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple, TypeAlias

__all__ = ["MOST_PIECES", "Run", "Stretches"]

MOST_PIECES: Final = 1_000
"""Pieces per worker of a report: more than a screen has columns to draw them in, and 70 KB."""

_Piece: TypeAlias = "tuple[float, float, float, int, int, int]"
"""The fields of a `Run`. A plain tuple, since one is made for each batch."""


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


class Stretches:
    """Added to by one thread, in the order of time; may be read from any.

    Parameters
    ----------
    most
        How many pieces there are at most, ``>= 2``.
    """

    def __init__(self, most: int = MOST_PIECES) -> None:
        self._most = most
        self._grain = 0.0  # seconds; neighbours that cover no more than this together are joined
        self._pieces: list[_Piece] = []

    def add(self, began: float, ended: float, tasks: int, first: int) -> None:
        """`tasks` tasks from index `first` on ran from `began` to `ended` (s)."""
        # It takes 0.3 µs, joining included: all that comes is kept until there is too much of it.
        self._pieces.append(
            (began, ended, ended - began, tasks, first, first + tasks - 1 if tasks else first)
        )
        if len(self._pieces) > self._most:
            self._pieces = self._joined(self._pieces)

    def runs(self, origin: float = 0.0) -> Iterator[Run]:
        """The pieces, in the order of time, with times counted from `origin` (s)."""
        for began, ended, busy, tasks, first, last in tuple(self._pieces):
            yield Run(began - origin, ended - origin, busy, tasks, first, last)

    def _joined(self, pieces: list[_Piece]) -> list[_Piece]:
        """Half as many, in a new list: somebody may be reading the old one."""
        self._grain = max(self._grain, (pieces[-1][1] - pieces[0][0]) / self._most)
        while len(joined := _join(pieces, self._grain)) > self._most // 2:
            self._grain *= 2
        return joined


def _join(pieces: list[_Piece], grain: float) -> list[_Piece]:
    joined = []
    began, ended, busy, tasks, first, last = pieces[0]
    for piece in pieces[1:]:
        _, until, more, count, least, greatest = piece
        if until - began <= grain:
            ended = until
            busy += more
            tasks += count
            if least < first:
                first = least
            if greatest > last:
                last = greatest
        else:
            joined.append((began, ended, busy, tasks, first, last))
            began, ended, busy, tasks, first, last = piece
    joined.append((began, ended, busy, tasks, first, last))
    return joined
