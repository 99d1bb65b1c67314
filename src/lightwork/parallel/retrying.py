"""Which failures are tried again, how often, and after how long: a pure policy."""

import os
from typing import Any, NamedTuple, Self

from ..errors import InvalidOption, UnpicklableError, WorkerDied
from ..system.figures import real, whole

__all__ = ["Retry", "chance", "is_crash", "parse_retries", "ran_out_of_memory"]

_LONGEST = 3600.0
"""Seconds. Doubling reaches absurd times soon; nobody waits longer than an hour for the next attempt."""


class _Fields(NamedTuple):
    times: int = 1
    """Further attempts after the first, ``>= 0``."""

    on: type[BaseException] | tuple[type[BaseException], ...] = Exception
    """Errors worth another attempt; `TaskTimeout` is one. Deaths of workers always are."""

    backoff: float = 0.0
    """Seconds before the second attempt; each further one waits twice as long, at most an hour."""

    jitter: float = 0.0
    """Spreads the waiting: up to this share of it is taken off or added, between 0 and 1."""


class Retry(_Fields):
    """How tasks that fail are tried again: ``Parallel(retries=Retry(3, on=OSError, backoff=1.0))``.

    A task has two budgets of `times` attempts each: one for its errors, one for workers that died while it
    ran. So a flaky network does not use up what a full memory needs. A task whose worker the system ended for
    want of memory is tried again with no other task running beside it.

    Parameters
    ----------
    times
        Further attempts after the first, ``>= 0``.
    on
        Errors worth another attempt; `TaskTimeout` is one. Deaths of workers always are.
    backoff
        Seconds before the second attempt; each further one waits twice as long, at most an hour.
    jitter
        Spreads the waiting: up to this share of it is taken off or added, between 0 and 1.

    Raises
    ------
    InvalidOption
        One of them cannot be that.
    """

    __slots__ = ()

    def __new__(
        cls,
        times: int = 1,
        on: type[BaseException] | tuple[type[BaseException], ...] = Exception,
        backoff: float = 0.0,
        jitter: float = 0.0,
    ) -> Self:
        """Checked: what is wrong is told where it was written."""
        return super().__new__(cls, *_checked(times, on, backoff, jitter))

    def allows(self, error: BaseException, errors: int, crashes: int, *, crashed: bool) -> bool:
        """Whether a task may run again after so many errors and dead workers, the last one being `error`.

        `crashed`: its own worker died. A `WorkerDied` that the task has raised, from a call of its own, is
        an error like others.
        """
        if crashed:
            return crashes <= self.times
        return errors <= self.times and _is_one(error, self.on)

    def pause(self, failures: int, chance: float) -> float:
        """Seconds until the attempt after so many failures (``>= 1``); `chance` is random in ``[0, 1)``."""
        waiting = min(self.backoff * 2.0 ** min(failures - 1, 60), _LONGEST)
        return waiting * (1.0 + self.jitter * (2.0 * chance - 1.0))


def _is_one(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Whether an error, or the one that it stands for, is of one of these classes."""
    if isinstance(error, UnpicklableError) and error.kinds:
        return any(map(error.stands_for, kinds if isinstance(kinds, tuple) else (kinds,)))
    return isinstance(error, kinds)


def is_crash(error: BaseException) -> bool:
    """Whether the task did not fail by itself: its worker went away."""
    return isinstance(error, WorkerDied)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether the system ended the worker for want of memory."""
    return isinstance(error, WorkerDied) and bool(error.out_of_memory)


def chance() -> float:
    """A random number in ``[0, 1)`` that no seed of the user's decides, nor changes."""
    return int.from_bytes(os.urandom(4)) / (1 << 32)


def parse_retries(retries: object) -> Retry | None:
    """The policy; ``None`` if nothing is tried again.

    Raises
    ------
    InvalidOption
        A negative number, an impossible time, or no exception class.
    """
    number = whole(retries)
    if number is not None:
        retries = Retry(number)
    if not isinstance(retries, Retry):
        raise InvalidOption(f"retries={retries!r}: give a number of further attempts, or a Retry(...)")
    checked = Retry(*retries)  # `_replace` has not looked
    return checked if checked.times else None


def _checked(times: object, on: Any, backoff: object, jitter: object) -> tuple[Any, ...]:  # Any: see `Retry`
    number, pause, share = real(times), real(backoff), real(jitter)
    if number is None or number < 0 or number % 1 != 0:
        raise InvalidOption(f"Retry: times={times!r} is not a number of attempts: give 0 or more")
    kinds: tuple[object, ...] = on if isinstance(on, tuple) else (on,)
    if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
        raise InvalidOption(f"Retry: on={on!r}: give an exception class, or a tuple of them")
    if pause is None or not 0 <= pause <= _LONGEST:
        raise InvalidOption(f"Retry: backoff={backoff!r}: give seconds, 0 to {_LONGEST:.0f}")
    if share is None or not 0 <= share <= 1:
        raise InvalidOption(f"Retry: jitter={jitter!r}: give a share between 0 and 1")
    return int(number), on, pause, share
