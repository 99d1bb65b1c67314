"""Whether a kept result may still be used.

With a result the time it was written and its ``ttl`` are kept, not the time at which it ends: so a result
from the future, written by a machine whose clock is ahead, is told from one that is still good, and a clock
that was set back does not bring expired results to life. A result must be young enough for the call that
made it, and for the one that asks: a shorter ``ttl=`` holds for older results at once.
"""

import time

from ..errors import InvalidOption
from ..protocols import Store, SupportsNotes, supports
from ..system.clock import Clock
from ..system.figures import real
from .facts import Metadata, read_facts

__all__ = ["ExpiresAfter", "expires_after", "is_alive", "kept_facts", "shorter"]


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
    """A ``cache_validation_callback`` that lets results live for the given span of time.

    Raises
    ------
    InvalidOption
        One of them is no number.
    """
    for name, value in locals().items():
        if real(value) is None:
            raise InvalidOption(f"expires_after: {name}={value!r} is no number of {name}")
    day = days + 7 * weeks
    second = seconds + 60 * minutes + 3600 * hours + 1e-3 * milliseconds + 1e-6 * microseconds
    return ExpiresAfter(86400 * day + second)


def is_alive(facts: Metadata, ttl: float | None, now: float, *, grace: float = 0.0) -> bool:
    """Whether ``written <= now < written + ttl + grace``, for the ``ttl`` of the result and the asker's.

    Parameters
    ----------
    facts
        What is kept with the result.
    ttl
        Of the call that asks (seconds), or ``None``.
    now
        Seconds since the epoch.
    grace
        Seconds for which a result that has expired is asked for.
    """
    limit = shorter(facts.get("ttl"), ttl)
    if limit is None:
        return True
    written = facts.get("time")
    return isinstance(written, int | float) and written <= now < written + limit + grace


def shorter(kept: object, ttl: float | None) -> float | None:
    """The shorter of two spans (s); ``None``, and what is no number, set no limit."""
    limits = [limit for limit in (kept, ttl) if isinstance(limit, int | float) and limit != float("inf")]
    return min(limits, default=None)


def kept_facts(store: Store, key: bytes) -> Metadata | None:
    """What is kept about one result, without reading it; ``None`` if it is not kept."""
    if supports(store, SupportsNotes):
        found = store.recent(key, 1)
        return read_facts(found[0]) if found else None
    record = store.get(key)
    return None if record is None else read_facts(record.facts)
