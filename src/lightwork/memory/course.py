"""How a figure grew: a bounded number of moments and what it was then."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

__all__ = ["Course", "Marks", "summed", "thinned"]

Marks: TypeAlias = "Sequence[tuple[float, float]]"
"""Moments (s) and values, by time; each value holds until the next moment."""

_MOST: Final = 256
_PAUSE: Final = 0.01
"""Seconds between two marks, at first: most of a thousand hits a second pay for one comparison."""


class Course:
    """Marks that one figure leaves as it grows. If they are too many every other goes, and fewer are made."""

    __slots__ = ("_pause", "marks")

    def __init__(self, marks: Iterable[tuple[float, float]] = ()) -> None:
        self._pause = _PAUSE
        self.marks: list[tuple[float, float]] = list(marks)

    def mark(self, moment: float, value: float) -> float:
        """Note a value; the moment from which on the next is welcome (s)."""
        self.marks.append((moment, value))
        if len(self.marks) > _MOST:
            self.marks = self.marks[::-2][
                ::-1
            ]  # the last stays, in a new list: somebody may be reading this one
            self._pause *= 2
        return moment + self._pause


def summed(courses: Iterable[Marks]) -> list[tuple[float, float]]:
    """The course of the sum of figures, each of which was 0 before its first mark."""
    steps = []
    for marks in courses:
        before = 0.0
        for moment, value in marks:
            steps.append((moment, value - before))
            before = value
    sum, found = 0.0, list[tuple[float, float]]()
    for moment, step in sorted(steps):
        sum += step
        found.append((moment, sum))
    return thinned(found)


def thinned(marks: Marks, most: int = _MOST) -> list[tuple[float, float]]:
    """At most `most + 1` of them, none changed: the last in each of `most` equal spans of time."""
    if len(marks) <= most:
        return list(marks)
    first, width = marks[0][0], (marks[-1][0] - marks[0][0]) / most or 1.0
    last = {int((moment - first) / width): (moment, value) for moment, value in marks}
    return list(last.values())
