"""How a call is given up by somebody who does not run it."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from ..errors import CallCancelled
from ..system.computing import Cancellation
from ..system.queues import received

__all__ = ["Switch"]


class Switch:
    """One per call. `cancel` may come from any thread, from signal handlers and finalizers too."""

    __slots__ = ("error", "on", "token", "wake")

    def __init__(self) -> None:
        self.on = False
        self.error: BaseException | None = None
        """What whoever hears the tasks of this thread has raised; it is the error of the call."""
        self.wake: Callable[[], None] = _nobody
        """Lets whoever waits look at the switch. Set by the thread that drives, which looks after that."""
        self.token = Cancellation()
        """For the tasks that run in the thread that drives."""

    def cancel(self) -> None:
        """Give up the call as soon as its thread looks."""
        self.on = self.token.on = True
        self.wake()

    def fail(self, error: BaseException) -> None:
        """Give up the call with this error. From the thread that drives it."""
        self.error = error
        self.on = True

    def check(self) -> None:
        """Raise `CallCancelled`, or what the call has failed with, if it was given up."""
        if self.on:
            raise self.error or CallCancelled("the call was given up by Parallel.cancel()")

    def sleep(self, seconds: float) -> None:
        """Wait in the thread that runs the tasks, but not longer than until the call is given up."""
        woken: SimpleQueue[None] = SimpleQueue()  # no event: a signal's handler may find its lock held
        self.wake = partial(woken.put, None)
        self.check()
        if seconds > 0:
            with suppress(Empty):
                received(woken, seconds)
        self.wake = _nobody
        self.check()


def _nobody() -> None:
    """Nobody waits."""
