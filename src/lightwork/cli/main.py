"""`main`: arguments in, exit code out. No input leads to a traceback."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import Any, NoReturn

from .._version import __version__
from ..errors import InvalidOption, LightworkError
from .bench import BENCH
from .cache import CACHE
from .command import EXIT_CODES, FAILED, USAGE, Command, Group, Refusal
from .completion import completion
from .convert import CONVERT
from .doctor import DOCTOR
from .file import FILE
from .hash import HASH
from .replay import REPLAY
from .run import COMPAT, RUN
from .terminal import Terminal

__all__ = ["main"]

_OTHERS: tuple[Command | Group, ...] = (
    CACHE,
    FILE,
    CONVERT,
    HASH,
    RUN,
    COMPAT,
    REPLAY,
    DOCTOR,
    BENCH,
)
COMMANDS: tuple[Command | Group, ...] = (*_OTHERS, completion(_OTHERS))

_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_UNREAD = 141  # 128 + SIGPIPE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments
        Those of the command line, without the name of the program; ``None``: those of this process.

    Returns
    -------
    int
        The exit code; ``lightwork --help`` lists them. Asking for help or the version, and a line that
        cannot be parsed, raise `SystemExit` with it.
    """
    terminal = Terminal(sys.stdout, sys.stderr, answers=sys.stdin)
    try:
        given = _parser().parse_args(arguments)
        code = _run(given.command, given, terminal)
        terminal.flush()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as exc:
        terminal.abandon(exc)
        return _UNREAD if isinstance(exc, BrokenPipeError) else FAILED
    return code


def _run(command: Command, given: Namespace, terminal: Terminal) -> int:
    try:
        return command.run(given, terminal)
    except Refusal as exc:
        message, code = str(exc), exc.code
    except LightworkError as exc:
        message, code = str(exc), USAGE if isinstance(exc, InvalidOption) else FAILED
    terminal.complain(f"lightwork {given.spelled}: {message}")
    return code


class _Parser(ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)\n")


def _parser() -> ArgumentParser:
    parser = _Parser(
        prog="lightwork",
        description="Remember results, share out loops, keep objects in files, identify values.",
        epilog=EXIT_CODES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lightwork {__version__}")
    _add(parser, COMMANDS, "")
    return parser


def _add(parser: ArgumentParser, commands: Sequence[Command | Group], before: str) -> None:
    """Declare commands below a parser; `before` is what is typed in front of their names."""
    # Any: argparse has no public name for it
    below: Any = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in commands:
        details = EXIT_CODES if isinstance(command, Group) else f"{command.details}\n{EXIT_CODES}"
        each = below.add_parser(
            command.name,
            help=command.summary,
            description=command.summary,
            epilog=details,
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if isinstance(command, Group):
            _add(each, command.commands, f"{before}{command.name} ")
        else:
            command.add_arguments(each)
            each.set_defaults(command=command, spelled=f"{before}{command.name}")
