"""How a call is given up by somebody who does not run it."""

import threading
from collections.abc import Callable

from ..errors import CallCancelled
from ..system.computing import Cancellation

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
        event = threading.Event()
        self.wake = event.set
        self.check()
        if seconds > 0:
            event.wait(seconds)
        self.wake = _nobody
        self.check()


def _nobody() -> None:
    """Nobody waits."""
