"""``lightwork cache rm``: single results, or those of a function, an age, a size."""

from argparse import ArgumentParser, Namespace

from ..command import USAGE, Command, Refusal
from ..terminal import Terminal
from .opening import add_cache, opened
from .removing import add_removal, remove
from .selection import add_selection, selected, selection_of
from .show import the_one

__all__ = ["RM"]

DETAILS = """\
Removes the results with the given keys, or those that the options below describe. Asks first.

examples:
  lightwork cache rm cache 3f9a1c
  lightwork cache rm cache --function train --dry-run
  lightwork cache rm cache --unused '90 days' --larger 1GB --yes
"""


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="how many were removed, and which")
    parser.add_argument("keys", metavar="KEY", nargs="*", help="as `cache ls` shows it, or its first digits")
    add_removal(parser)
    add_selection(parser)


def _run(given: Namespace, terminal: Terminal) -> int:
    selection = selection_of(given)
    if bool(given.keys) != selection.is_all:
        raise Refusal(
            "give keys, or options that say which results (not both); `cache clear` takes all", USAGE
        )
    memory = opened(given)
    if given.keys:
        found = list({entry.key: entry for entry in (the_one(memory, key) for key in given.keys)}.values())
    else:
        found = selected(memory.entries(), selection)
    store = memory.store

    def drop() -> int:
        return 0 if store is None else store.drop([entry.key for entry in found])

    return remove(found, given, terminal, drop)


RM = Command("rm", "remove results by key, function, age, size or cost", DETAILS, _add_arguments, _run)
