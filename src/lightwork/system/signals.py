"""What the main thread does so that a signal is heard whenever it comes, Ctrl-C first of all.

The interpreter notes a signal and calls its handler between two steps of the main thread. A wait is broken
off by a signal that comes while the kernel holds the thread there. One that comes just before, between the
last look of the interpreter and that moment, is heard when the wait is over, which may be never. On a busy
machine that is no matter of microseconds: by letting go of the interpreter the thread wakes another one,
which takes its core. So whoever may wait for long in the main thread waits a little at a time.
"""

import sys
import threading
import time
from typing import Final

__all__ = ["at_a_time", "awaited", "begin"]

_PIECE: Final = 0.25
"""Seconds. Four looks in a second cost nothing that can be measured; a guess."""


def at_a_time(timeout: float | None) -> float | None:
    """How long to wait without a pause, where the whole wait may take `timeout` seconds, or for ever.

    All of it, but in the main thread a quarter of a second at most. Whoever asks waits again, if it was less.
    """
    if threading.get_ident() != threading.main_thread().ident:
        return timeout
    return _PIECE if timeout is None else min(timeout, _PIECE)


def awaited(event: threading.Event, timeout: float | None) -> bool:
    """Whether an event is set within `timeout` seconds (``None``: whenever that may be)."""
    end = None if timeout is None else time.monotonic() + timeout
    left = timeout
    while not event.wait(at_a_time(left)):
        if end is not None:
            left = end - time.monotonic()
            if left <= 0:
                return event.is_set()
    return True


def begin(thread: threading.Thread) -> None:
    """``thread.start()``, out of which an interrupt comes as what it is.

    It waits until the thread runs. If a signal's handler raises at the wrong moment of that wait, `threading`
    releases a lock twice, and its RuntimeError takes the place of the KeyboardInterrupt. Whether the thread
    runs is not known after an interrupt.
    """
    outside = sys.exception()  # of a block that this is called in
    interrupt: BaseException | None
    try:
        thread.start()
        return
    except RuntimeError as error:
        interrupt = error.__context__
        if interrupt is None or interrupt is outside or isinstance(interrupt, Exception):
            raise  # no thread can be started
    raise interrupt
