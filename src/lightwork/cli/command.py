"""What a subcommand is, and how it fails."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from typing import NamedTuple

from ..errors import UnknownFormatError
from .terminal import Terminal

__all__ = ["EXIT_CODES", "FAILED", "OK", "USAGE", "Command", "Group", "Refusal", "add_json", "refused_path"]

OK, FAILED, USAGE = 0, 1, 2

EXIT_CODES = """\
exit codes:
  0    done
  1    it could not be done, or the answer is no: a value without a key, files that
       differ or are damaged, a task that fails again, output that cannot be written
  2    the command line, or a target on it, cannot be right: a path that leads nowhere,
       a file of another kind
  130  interrupted
  141  whoever read the output has stopped reading
"""

_WRONG = (FileNotFoundError, IsADirectoryError, NotADirectoryError, UnknownFormatError)


class Refusal(Exception):
    """The one line that tells why a command ends, and its exit code."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code


class Command(NamedTuple):
    """One subcommand."""

    name: str
    """What is typed after ``lightwork``, or after the name of its group."""

    summary: str
    """One line for ``lightwork --help``."""

    details: str
    """What ``lightwork NAME --help`` shows below the options: examples, exit codes."""

    add_arguments: Callable[[ArgumentParser], None]
    """Declares its arguments."""

    run: Callable[[Namespace, Terminal], int]
    """Does it and gives the exit code. Raises `Refusal` for what ends it, or an error of lightwork."""


class Group(NamedTuple):
    """Subcommands about one thing: ``lightwork NAME COMMAND``."""

    name: str
    summary: str
    commands: tuple[Command, ...]


def add_json(parser: ArgumentParser, what: str) -> None:
    """The option ``--json`` that each command has; `what` is in the document."""
    parser.add_argument("--json", action="store_true", help=f"one JSON document: {what}")


def refused_path(path: str, error: Exception, doing: str = "read") -> Refusal:
    """The refusal of a path: 2 if there is no file of the kind, 1 if there is one and it cannot be read.

    A `Refusal` passes as it is.
    """
    if isinstance(error, Refusal):
        return error
    notes = " ".join(getattr(error, "__notes__", ()))
    words = f"{type(error).__name__}: {error} {notes}".rstrip()
    return Refusal(f"{path!r} cannot be {doing}: {words}", USAGE if isinstance(error, _WRONG) else FAILED)
