"""How much memory a call and its workers have, looked at now and then by the thread that drives the call.

The first look is a twentieth of a second after the call began, so short calls pay nothing. Looking takes
at most a half per cent of that thread's time. What a task had between two looks is not seen.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ..system.processes import own_bytes

__all__ = ["Gauge", "MemoryCourse"]

_PAUSE: Final = 0.05  # seconds between two looks, at first
_COST: Final = 200  # a pause is so many times as long as the look before it
_MOST: Final = 256  # looks; beyond, every other is forgotten and the pause doubles


class MemoryCourse(NamedTuple):
    """The memory of one process while a call ran."""

    name: str
    """``"this process"``, ``"worker 0"``, ..."""

    moments: tuple[tuple[float, int], ...]
    """Seconds since the call began, and bytes that it shared with no other process and no file."""

    @property
    def peak(self) -> int:
        """The most that was seen (bytes); what there was between two looks may be more."""
        return max((nbytes for _, nbytes in self.moments), default=0)


class Gauge:
    """The looks of one call, taken by the thread that drives it. Reading them from another is safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause = _PAUSE
        self._looks: list[tuple[float, list[int]]] = []

    def look(self, workers: Callable[[], Sequence[int]] | None) -> float:
        """Take note of the memory of this process and of the workers; the moment of the next look (s)."""
        now = self._clock()
        self._looks.append((now, [own_bytes(), *(workers() if workers is not None else ())]))
        if len(self._looks) > _MOST:
            self._looks = self._looks[1::2]
            self._pause *= 2
        self._pause = max(self._pause, _COST * (self._clock() - now))
        return now + self._pause

    def courses(self, origin: float) -> tuple[MemoryCourse, ...]:
        """One course per process of which something was seen, this one first; times from `origin` on (s)."""
        looks = list(self._looks)
        names = ["this process", *(f"worker {slot}" for slot in range(max(len(row) for _, row in looks) - 1))]
        courses = (
            MemoryCourse(
                name,
                tuple((now - origin, row[place]) for now, row in looks if place < len(row) and row[place]),
            )
            for place, name in enumerate(names)
        )
        return tuple(course for course in courses if course.moments)
