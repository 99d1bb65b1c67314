"""What a whole program did with the library, for whoever asks at its end (``lightwork run``).

Nothing is written down before `Tally.begin`; until then those who could tell look at one attribute.
"""

from typing import NamedTuple

__all__ = ["TALLY", "CallTold", "CountsTold", "Tally"]


class CallTold(NamedTuple):
    """One parallel call that has ended."""

    name: str
    workers: int
    tasks: int
    failed: int
    seconds: float


class CountsTold(NamedTuple):
    """The calls of one cached function."""

    hits: int = 0
    misses: int = 0
    seconds: float = 0.0
    """Spent in the function itself."""


class Tally:
    """What was told so far. Safe to tell from several threads; they may lose a count to each other.

    Attributes
    ----------
    is_on
        Whether anybody wants to know.
    calls
        Parallel calls, in the order in which they ended.
    cached
        By function: those that keep their own counts elsewhere are not in it.
    held
        Objects that are asked at the end, and live so long: the keepers of stores.
    """

    def __init__(self) -> None:
        self.is_on = False
        self.calls: list[CallTold] = []
        self.cached: dict[str, CountsTold] = {}
        self.held: list[object] = []

    def begin(self) -> None:
        """Take down what is told from now on."""
        self.is_on = True

    def call(self, name: str, *, workers: int, tasks: int, failed: int, seconds: float) -> None:
        """A parallel call has ended."""
        if self.is_on:
            self.calls.append(CallTold(name, workers, tasks, failed, seconds))

    def hit(self, function: str) -> None:
        """A cached function has returned a kept result."""
        if self.is_on:
            hits, misses, seconds = self.cached.get(function, CountsTold())
            self.cached[function] = CountsTold(hits + 1, misses, seconds)

    def miss(self, function: str, seconds: float) -> None:
        """A cached function has run for so long."""
        if self.is_on:
            hits, misses, before = self.cached.get(function, CountsTold())
            self.cached[function] = CountsTold(hits, misses + 1, before + seconds)

    def hold(self, source: object) -> None:
        """Keep what can be asked at the end."""
        if self.is_on:
            self.held.append(source)


TALLY = Tally()
