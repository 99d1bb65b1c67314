"""The time of day, as an argument: whoever needs it takes a `Clock`, and tests pass one of their own."""

import time
from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Clock", "time_of_day"]

Clock: TypeAlias = "Callable[[], float]"
"""A function that gives seconds since the epoch."""

time_of_day: Clock = time.time
