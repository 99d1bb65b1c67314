"""The pause after a server failed: a program that makes a thousand calls does not wait a thousand times."""

import random
from collections.abc import Callable

from ...errors import StoreUnavailable
from ...system.clock import Clock

__all__ = ["Rest"]

_FIRST, _LONGEST = 1.0, 60.0  # seconds
_SHARE = (
    5.0  # times as long as the request took that failed: so at most a sixth of the time is lost to waiting
)


class Rest:
    """Who asks while it lasts gets the last error again, at once. Safe to use from several threads.

    Each failure in a row doubles the pause, from a second up to a minute. Half of it is chance, so that hosts
    do not all come back in the same moment.

    Parameters
    ----------
    clock
        Seconds; never set back.
    chance
        A number in [0, 1) at each call.
    """

    def __init__(self, clock: Clock, chance: Callable[[], float] = random.random) -> None:
        self._clock = clock
        self._chance = chance
        self._pause = 0.0
        self._until = 0.0
        self._error: StoreUnavailable | None = None

    def check(self) -> None:
        """Raise the last error, if its pause is not over."""
        error = self._error
        if error is not None and self._clock() < self._until:
            raise StoreUnavailable(error.errno, error.strerror)

    def begin(self, error: StoreUnavailable, *, lasted: float = 0.0) -> None:
        """The server failed with this error, after so many seconds."""
        self._pause = min(max(2 * self._pause, _FIRST, _SHARE * lasted), _LONGEST)
        self._until = self._clock() + self._pause * (0.5 + 0.5 * self._chance())
        self._error = error

    def end(self) -> None:
        """The server answered."""
        if self._error is not None:
            self._error = None
            self._pause = 0.0
