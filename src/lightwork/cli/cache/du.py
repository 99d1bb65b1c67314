"""``lightwork cache du``: who takes the room."""

import os
from argparse import ArgumentParser, Namespace

from ..command import OK, Command
from ..tables import Column, bytes_text
from ..terminal import Terminal
from .groups import by_function
from .opening import add_cache, opened, place_of
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
    """Bytes that the files in a folder take on the disk; files that vanish meanwhile take none."""
    total = 0
    for folder, _, names in os.walk(location):
        for name in names:
            try:
                status = os.lstat(os.path.join(folder, name))
            except FileNotFoundError:
                continue
            total += getattr(status, "st_blocks", -(-status.st_size // 512)) * 512
    return total


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
    rows = [(bytes_text(each.nbytes), f"{each.results:,}", each.function) for each in found]
    terminal.write_table(_COLUMNS, [*rows, (bytes_text(total), f"{results:,}", "together")])
    if taken is not None:
        terminal.write(f"{bytes_text(taken)} on the disk")
    return OK


DU = Command("du", "bytes by function, and on the disk", DETAILS, _add_arguments, _run)
