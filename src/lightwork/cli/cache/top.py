"""``lightwork cache top``: which functions are worth their room."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

from ... import memory
from ...errors import InvalidOption
from ...memory.entries import CacheEntry
from ...system.units import duration, size
from ..command import OK, Command, refused_path
from ..tables import Column, span_text
from ..terminal import Terminal
from .groups import FunctionTotals, by_function
from .opening import add_cache, opened
from .selection import add_selection, selected, selection_of

__all__ = ["TOP"]

DETAILS = """\
One line for each function. "saves" is the time that its calls took, which a hit on each of its results saves;
hits themselves are not counted on disk.

examples:
  lightwork cache top cache
  lightwork cache top cache --sort size -n 5
  lightwork cache top cache --html top.html        size and seconds saved over time, as a page
"""

_ORDERS = {
    "cost": lambda found: -found.seconds,
    "worth": lambda found: -found.worth,
    "size": lambda found: -found.nbytes,
    "results": lambda found: -found.results,
    "unused": lambda found: -found.unused,
    "function": lambda found: found.function,
}

_COLUMNS = (
    Column("function"),
    Column("results", is_number=True),
    Column("size", is_number=True),
    Column("saves", is_number=True),
    Column("per MB", is_number=True),
    Column("used", is_number=True),
)


def _row(found: FunctionTotals) -> tuple[str, ...]:
    return (
        found.function,
        f"{found.results:,}",
        size(found.nbytes),
        duration(found.seconds),
        duration(found.worth),
        span_text(found.unused),
    )


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="a list with an object per function; sizes in bytes, times in seconds")
    parser.add_argument("--sort", choices=tuple(_ORDERS), default="cost", help="default: cost")
    parser.add_argument("-n", "--limit", type=int, default=20, metavar="N", help="so many (default: 20)")
    parser.add_argument("--html", metavar="FILE", help="write a page with all of them, over time, as well")
    add_selection(parser)


def _run(given: Namespace, terminal: Terminal) -> int:
    selection = selection_of(given)
    if given.limit < 0:
        raise InvalidOption(f"--limit={given.limit}: give a number of lines, 0 or more")
    entries = list(selected(opened(given).entries(), selection))
    if given.html is not None:
        _save(given.html, entries, given.path)
    found = by_function(entries)
    found = sorted(found, key=_ORDERS[given.sort])[: given.limit]
    if given.json:
        terminal.write_json([{**each._asdict(), "worth": each.worth} for each in found])
    elif found:
        terminal.write_table(_COLUMNS, [_row(each) for each in found])
    return OK


def _save(page: str, entries: Sequence[CacheEntry], path: str) -> None:
    try:
        memory.picture.save_page(page, memory.picture.page_of_entries(entries, f"Cache {path}"))
    except OSError as exc:
        raise refused_path(page, exc, "written") from exc


TOP = Command("top", "rank functions by what their results save", DETAILS, _add_arguments, _run)
