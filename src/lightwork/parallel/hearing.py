"""What tasks print and log, where the call was made."""

import logging
import sys
from collections.abc import Callable

from .output import Printed
from .records import Logged, record_of

__all__ = ["hear_record", "print_tagged", "to_function"]


def print_tagged(index: int, printed: Printed) -> None:
    """Print lines of a task, each behind ``[task 7]``, on the stream of the same name."""
    stream = sys.stdout if printed.stream == "stdout" else sys.stderr
    if stream is None:  # pythonw has none
        return
    lines = printed.text.removesuffix("\n").split("\n")
    stream.write("".join(f"[task {index}] {line}\n" for line in lines))
    stream.flush()


def to_function(function: Callable[[int, str, str], object]) -> Callable[[int, Printed], None]:
    """Hand what tasks print to a function of ``(index, stream, text)``."""

    def hear(index: int, printed: Printed) -> None:
        function(index, printed.stream, printed.text)

    return hear


def hear_record(index: int, logged: Logged) -> None:
    """Handle a record as if it had been made here; its attribute `task` is the index."""
    record = record_of(logged)
    record.task = index
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)
