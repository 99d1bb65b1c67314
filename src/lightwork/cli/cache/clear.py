"""``lightwork cache clear``: all results."""

from argparse import ArgumentParser, Namespace

from ..command import Command
from ..terminal import Terminal
from .opening import add_cache, opened
from .removing import add_removal, remove

__all__ = ["CLEAR"]

DETAILS = """\
Removes all results of all functions; the folder stays. Asks first.

examples:
  lightwork cache clear cache --dry-run
  lightwork cache clear cache --yes
"""


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="how many were removed, and which")
    add_removal(parser)


def _run(given: Namespace, terminal: Terminal) -> int:
    memory = opened(given)
    entries = memory.entries()

    def clear() -> int:
        memory.clear(warn=False)
        return len(entries)

    return remove(entries, given, terminal, clear)


CLEAR = Command("clear", "remove all results", DETAILS, _add_arguments, _run)
