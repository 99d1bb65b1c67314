"""Waiting for what other threads put into a queue. Apart, since `queue` is not always needed."""

import time
from queue import Empty, SimpleQueue
from typing import TypeVar

from .signals import at_a_time

__all__ = ["received"]

T = TypeVar("T")


def received(queue: "SimpleQueue[T]", timeout: float | None) -> T:
    """The next item of a queue, waited for during at most `timeout` seconds (``None``: for ever).

    Raises
    ------
    queue.Empty
        There was none in that time.
    """
    end = None if timeout is None else time.monotonic() + timeout
    left = timeout
    while True:
        try:
            return queue.get(timeout=at_a_time(left))
        except Empty:
            if end is not None:
                left = end - time.monotonic()
                if left <= 0:
                    raise
