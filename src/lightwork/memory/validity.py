"""Ready-made answers to the question whether a kept result may still be used."""

import time

from ..system.clock import Clock
from .facts import Metadata

__all__ = ["ExpiresAfter", "expires_after"]


class ExpiresAfter:
    """A ``cache_validation_callback``: a result is valid for a span of time after it was made.

    A result from the future, made by a machine whose clock is ahead, is not valid.
    """

    __slots__ = ("_clock", "seconds")

    def __init__(self, seconds: float, *, clock: Clock = time.time) -> None:
        self.seconds = seconds
        self._clock = clock

    def __call__(self, metadata: Metadata) -> bool:
        made = metadata.get("time")
        return isinstance(made, int | float) and made <= self._clock() < made + self.seconds

    def __repr__(self) -> str:
        return f"expires_after(seconds={self.seconds:g})"


def expires_after(
    days: float = 0,
    seconds: float = 0,
    microseconds: float = 0,
    milliseconds: float = 0,
    minutes: float = 0,
    hours: float = 0,
    weeks: float = 0,
) -> ExpiresAfter:
    """A ``cache_validation_callback`` that lets results live for the given span of time."""
    day = days + 7 * weeks
    second = seconds + 60 * minutes + 3600 * hours + 1e-3 * milliseconds + 1e-6 * microseconds
    return ExpiresAfter(86400 * day + second)
