"""``lightwork cache stats``: a cache in a few figures."""

import os
from argparse import ArgumentParser, Namespace
from typing import Any

from ...system.filesystems import file_system
from ...system.units import counted, duration, size
from ..command import OK, Command
from ..tables import span_text
from ..terminal import Terminal
from .du import on_disk
from .groups import by_function
from .opening import add_cache, opened, place_of

__all__ = ["STATS"]

DETAILS = """\
How much is kept, what it saves, how old it is and where it lies. Hits and misses are counted by the process
that makes the calls: memory.stats() there, or `lightwork run script.py`.

examples:
  lightwork cache stats cache
"""

_MONTH = 30 * 86400.0


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="all figures; sizes in bytes, times in seconds")


def _figures(given: Namespace) -> dict[str, Any]:  # Any: what json takes
    location = place_of(given.path)
    memory = opened(given)
    totals, entries = memory.stats(), memory.entries()
    idle = [entry for entry in entries if entry.unused > _MONTH]
    is_folder = os.path.isdir(location)
    return {
        "path": location,
        "store": type(memory.store).__name__,
        "file_system": file_system(location) if is_folder else None,
        "results": totals.records,
        "nbytes": totals.nbytes,
        "on_disk": on_disk(location) if is_folder else None,
        "functions": len(by_function(entries)),
        "seconds": sum(entry.seconds for entry in entries),
        "oldest": max((entry.age for entry in entries), default=None),
        "newest": min((entry.age for entry in entries), default=None),
        "used": min((entry.unused for entry in entries), default=None),
        "idle_results": len(idle),
        "idle_nbytes": sum(entry.nbytes for entry in idle),
    }


def _lines(figures: dict[str, Any]) -> list[str]:
    lines = [f"{counted(figures['results'], 'result')} of {counted(figures['functions'], 'function')}"]
    disk = "" if figures["on_disk"] is None else f", {size(figures['on_disk'])} on the disk"
    lines.append(f"size      {size(figures['nbytes'])}{disk}")
    lines.append(f"saves     {duration(figures['seconds'])}, by one hit on each")
    if figures["oldest"] is not None:
        oldest, newest, used = (span_text(figures[name]) for name in ("oldest", "newest", "used"))
        lines.append(f"written   between {oldest} and {newest} ago; last used {used} ago")
        idle = size(figures["idle_nbytes"])
        lines.append(f"idle      {counted(figures['idle_results'], 'result')} ({idle}) unused for 30 days")
    where = f" on {figures['file_system']}" if figures["file_system"] else ""
    return [*lines, f"kept by   {figures['store']}{where}"]


def _run(given: Namespace, terminal: Terminal) -> int:
    figures = _figures(given)
    if given.json:
        terminal.write_json(figures)
    else:
        terminal.write("\n".join(_lines(figures)))
    return OK


STATS = Command("stats", "how much is kept, what it saves, how old it is", DETAILS, _add_arguments, _run)
