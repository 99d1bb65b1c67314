"""One call from its beginning to its end, in the thread that made it."""

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import TaskTimeout
from ..protocols import Session
from .cancelling import Switch
from .driver import Driver
from .recall import Recall
from .stream import Stream
from .watch import Watch

if TYPE_CHECKING:
    from .mutations import MutationCheck

__all__ = ["Job", "collect", "goes_on"]


class Job(NamedTuple):
    """What belongs to one call beside its tasks."""

    switch: Switch
    total: int | None
    watch: Watch
    recall: Recall | None
    check: "MutationCheck | None"


def collect(driver: Driver, session: Session, timeout: float | None) -> list[Any]:
    """Drive a call to its end in this thread. Whatever happens, Ctrl-C too, leaves no task running."""
    try:
        driver.start()
        if timeout is None:
            while not driver.ended:
                driver.step()
        else:
            _step_within(driver, timeout)
    except BaseException:
        session.close(abort=True)
        driver.release()
        raise
    session.close(abort=False)
    return driver.out


def _step_within(driver: Driver, timeout: float) -> None:
    """Drive to the end, waiting at most `timeout` seconds for the result that is next in order."""
    waited_for, since = driver.emitted, time.monotonic()
    while not driver.ended:
        left = since + timeout - time.monotonic()
        if left <= 0:
            raise TaskTimeout(
                f"task {waited_for} had no result within timeout={timeout} s; all tasks were given up"
            )
        driver.step(left)
        if driver.emitted != waited_for:
            waited_for, since = driver.emitted, time.monotonic()


def goes_on(results: Generator[Any, None, None]) -> bool:
    """Whether a generator that was returned has not ended yet."""
    return isinstance(results, Stream) and results.running
