"""What all commands that remove results share: the question, the dry run, and what they tell."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence

from ...memory.entries import CacheEntry
from ...system.units import counted, size
from ..command import FAILED, OK, USAGE, Refusal
from ..terminal import Terminal
from .ls import COLUMNS, rows
from .selection import row_of

__all__ = ["add_removal", "remove"]

_SHOWN = 20


def add_removal(parser: ArgumentParser) -> None:
    """The options of what removes."""
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="tell what would go, and remove nothing")


def remove(
    entries: Sequence[CacheEntry], given: Namespace, terminal: Terminal, act: Callable[[], int]
) -> int:
    """Remove results after asking; the exit code.

    Parameters
    ----------
    entries
        Those that will go.
    act
        Removes them; how many there were.

    Raises
    ------
    Refusal
        Nobody can be asked, and ``--yes`` was not given.
    """
    nbytes = sum(entry.nbytes for entry in entries)
    what = f"{counted(len(entries), 'result')} ({size(nbytes)})"
    removed = 0
    if entries and not given.dry_run:
        if not given.yes and not terminal.can_ask:
            raise Refusal(f"{what} would go, and nobody can be asked here: say --yes, or --dry-run", USAGE)
        if not given.yes and not terminal.agrees(f"remove {what}?"):
            terminal.complain("nothing was removed")
            return FAILED
        removed = act()
    if given.json:
        listed = [row_of(entry) for entry in entries]
        terminal.write_json(
            {"removed": removed, "nbytes": nbytes, "dry_run": given.dry_run, "results": listed}
        )
    elif given.dry_run and entries:
        terminal.write_table(COLUMNS, rows(entries[:_SHOWN]))
        more = f", of which {_SHOWN} are shown" if len(entries) > _SHOWN else ""
        terminal.write(f"{what} would go{more}")
    else:
        terminal.write(
            f"{counted(removed, 'result')} removed ({size(nbytes)})" if removed else "nothing to remove"
        )
    return OK
