"""`main`: arguments in, exit code out. No input leads to a traceback."""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Sequence
from typing import NoReturn

from .._version import __version__
from ..errors import InvalidOption, LightworkError
from .command import EXIT_CODES, FAILED, USAGE, Command, Refusal
from .convert import CONVERT
from .hash import HASH
from .report import REPORT
from .terminal import Terminal

__all__ = ["main"]

COMMANDS: tuple[Command, ...] = (CONVERT, HASH, REPORT)

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
    terminal = Terminal(sys.stdout, sys.stderr)
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
    terminal.complain(f"lightwork {command.name}: {message}")
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
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        each = commands.add_parser(
            command.name,
            help=command.summary,
            description=command.summary,
            epilog=f"{command.details}\n{EXIT_CODES}",
            formatter_class=RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.add_arguments(each)
        each.set_defaults(command=command)
    return parser
