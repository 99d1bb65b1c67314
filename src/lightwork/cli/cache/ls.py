"""``lightwork cache ls``: one line for each result."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ...memory.entries import CacheEntry
from ...system.units import duration, size
from ..command import OK, Command
from ..tables import Column, span_text
from ..terminal import Terminal
from .opening import add_cache, opened
from .selection import add_order, add_selection, called, ordered, row_of, selected, selection_of, short

__all__ = ["LS", "rows"]

DETAILS = """\
One line for each result: its key, its size, how long ago it was written and used last, how long its call
took, and the call. Nothing is unpickled, and no result counts as used.

examples:
  lightwork cache ls cache --sort size -n 20
  lightwork cache ls cache --function 'model.*' --unused '30 days' --json
"""

COLUMNS = (
    Column("key"),
    Column("size", is_number=True),
    Column("written", is_number=True),
    Column("used", is_number=True),
    Column("took", is_number=True),
    Column("call"),
)


def rows(entries: Sequence[CacheEntry]) -> list[tuple[str, ...]]:
    """The lines of a table with `COLUMNS`."""
    return [
        (
            short(entry),
            size(entry.nbytes),
            span_text(entry.age),
            span_text(entry.unused),
            duration(entry.seconds),
            called(entry),
        )
        for entry in entries
    ]


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="a list with an object per result; sizes in bytes, times in seconds")
    add_order(parser, "age")
    add_selection(parser)


def _run(given: Namespace, terminal: Terminal) -> int:
    selection = selection_of(given)
    entries = ordered(selected(opened(given).entries(), selection), given)
    if given.json:
        terminal.write_json([row_of(entry) for entry in entries])
    elif entries:
        terminal.write_table(COLUMNS, rows(entries))
    return OK


LS = Command("ls", "list results: key, size, age, cost, call", DETAILS, _add_arguments, _run)
