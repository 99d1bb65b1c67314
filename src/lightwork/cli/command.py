"""What a subcommand is, and how it fails."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple

from .terminal import Terminal

__all__ = ["EXIT_CODES", "FAILED", "OK", "USAGE", "Command", "Refusal"]

OK, FAILED, USAGE = 0, 1, 2

EXIT_CODES = """\
exit codes:
  0    done
  1    it could not be done: a value without a key, one whose pickled copy has
       another key (--stable), a file that cannot be read, output that cannot be written
  2    the command line, or a target on it, cannot be right
  130  interrupted
  141  whoever read the output has stopped reading
"""


class Refusal(Exception):
    """The one line that tells why a command ends, and its exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class Command(NamedTuple):
    """One subcommand."""

    name: str
    """What is typed after ``lightwork``."""

    summary: str
    """One line for ``lightwork --help``."""

    details: str
    """What ``lightwork NAME --help`` shows below the options: examples, exit codes."""

    add_arguments: Callable[[ArgumentParser], None]
    """Declares its arguments."""

    run: Callable[[Namespace, Terminal], int]
    """Does it and gives the exit code. Raises `Refusal` for what ends it, or an error of lightwork."""
