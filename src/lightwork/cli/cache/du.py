"""``lightwork cache du``: who takes the room."""

import os
from argparse import ArgumentParser, Namespace

from ...system.units import size
from ..command import OK, Command
from ..tables import Column
from ..terminal import Terminal
from .groups import by_function
from .opening import add_cache, folders_of, opened, place_of
from .selection import add_selection, selected, selection_of

__all__ = ["DU", "on_disk"]

DETAILS = """\
Bytes of the results of each function, the largest first, and what the folder takes on the disk. That is less
than the sum if equal arrays are kept once, and more by what the database needs.

examples:
  lightwork cache du cache
  lightwork cache du cache --unused '30 days'
"""

_COLUMNS = (Column("size", is_number=True), Column("results", is_number=True), Column("function"))


def on_disk(location: str) -> int:
    """Bytes that what is ours in a location takes on the disk; files that vanish meanwhile take none."""
    return sum(
        _taken(os.path.join(folder, name))
        for ours in folders_of(location)
        for folder, _, names in os.walk(ours)
        for name in names
    )


def _taken(path: str) -> int:
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return 0
    return int(getattr(status, "st_blocks", -(-status.st_size // 512)) * 512)


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="bytes by function, their sum, and bytes on the disk")
    add_selection(parser)


def _run(given: Namespace, terminal: Terminal) -> int:
    selection = selection_of(given)
    found = by_function(selected(opened(given).entries(), selection))
    found.sort(key=lambda each: (-each.nbytes, each.function))
    location = place_of(given.path)
    taken = on_disk(location) if os.path.isdir(location) else None
    total = sum(each.nbytes for each in found)
    results = sum(each.results for each in found)
    if given.json:
        functions = [
            {"function": each.function, "nbytes": each.nbytes, "results": each.results} for each in found
        ]
        terminal.write_json({"functions": functions, "results": results, "nbytes": total, "on_disk": taken})
        return OK
    rows = [(size(each.nbytes), f"{each.results:,}", each.function) for each in found]
    terminal.write_table(_COLUMNS, [*rows, (size(total), f"{results:,}", "together")])
    if taken is not None:
        terminal.write(f"{size(taken)} on the disk")
    return OK


DU = Command("du", "bytes by function, and on the disk", DETAILS, _add_arguments, _run)
