"""`main`: arguments in, exit code out. No input leads to a traceback."""

import re
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

from .. import cli, system  # whose parts, the commands, are imported when they are asked for
from .._version import __version__
from ..errors import InvalidOption, LightworkError, UnknownFormatError
from .command import EXIT_CODES, FAILED, USAGE, Command, Group, Refusal
from .terminal import Terminal

__all__ = ["main"]

_COMMANDS: Mapping[str, Callable[[], Command | Group]] = MappingProxyType(
    {
        "cache": lambda: cli.cache.CACHE,
        "file": lambda: cli.file.FILE,
        "convert": lambda: cli.convert.CONVERT,
        "hash": lambda: cli.hash.HASH,
        "run": lambda: cli.run.RUN,
        "compat": lambda: cli.run.COMPAT,
        "replay": lambda: cli.replay.REPLAY,
        "report": lambda: cli.report.REPORT,
        "doctor": lambda: cli.doctor.DOCTOR,
        "bench": lambda: cli.bench.BENCH,
        "completion": lambda: cli.completion.completion(_commands_but("completion")),
    }
)

_WRONG = (InvalidOption, UnknownFormatError)  # of the line, or of a target on it
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
        words = sys.argv[1:] if arguments is None else arguments
        given = _parsed(words)
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
        message, code = str(exc), USAGE if isinstance(exc, _WRONG) else FAILED
    except OSError as exc:
        if exc.filename is None:  # of the output
            raise
        message, code = f"{type(exc).__name__}: {exc}", FAILED
    terminal.complain(f"lightwork {given.spelled}: {message}")
    return code


def _parsed(words: Sequence[str]) -> Namespace:
    """What a line says. Its mistakes are told by the parser of the command that was typed."""
    given, unknown = _parser(words[:1]).parse_known_args(words)
    if unknown:
        given.parser.error(_unknown(unknown, given.parser))
    if not hasattr(given, "command"):
        given.parser.error("the following arguments are required: COMMAND")
    return given


def _unknown(words: Sequence[str], parser: ArgumentParser) -> str:
    option = next((word.partition("=")[0] for word in words if word.startswith("-")), None)
    if option is None:
        return f"unrecognized arguments: {' '.join(words)}"
    known = re.findall(r"(?<![\w-])--?[\w-]+", parser.format_usage())
    hints = (f", did you mean {name}?" for name in system.hints.nearest(option, known))
    return f"there is no option {option}" + "".join(hints)


class _Parser(ArgumentParser):
    """A parser that complains in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {' '.join(message.split())} (see {self.prog} --help)\n")


def _commands_but(name: str) -> list[Command | Group]:
    return [load() for known, load in _COMMANDS.items() if known != name]


def _parser(first: Sequence[str]) -> ArgumentParser:
    """The parser for a line that begins with this word: of one command, or of all if it names none."""
    parser = _Parser(
        prog="lightwork",
        description="Remember results, share out loops, keep objects in files, identify values.",
        epilog=EXIT_CODES,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lightwork {__version__}")
    parser.set_defaults(parser=parser)
    names = [name for name in first if name in _COMMANDS] or _COMMANDS
    _add(parser, [_COMMANDS[name]() for name in names], "")
    return parser


def _add(parser: ArgumentParser, commands: Sequence[Command | Group], before: str) -> None:
    """Declare commands below a parser; `before` is what is typed in front of their names."""
    # Any: argparse has no public name for it. A command is required, but misspelled options are told first.
    below: Any = parser.add_subparsers(metavar="COMMAND")
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
        each.set_defaults(parser=each)
        if isinstance(command, Group):
            _add(each, command.commands, f"{before}{command.name} ")
        else:
            command.add_arguments(each)
            each.set_defaults(command=command, spelled=f"{before}{command.name}")
