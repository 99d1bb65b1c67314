"""``lightwork cache verify``: read every byte, remove what is damaged."""

import os
from argparse import ArgumentParser, Namespace

from ..command import FAILED, OK, Command
from ..terminal import Terminal
from .opening import add_cache, folders_of, opened, place_of
from .selection import row_of

__all__ = ["VERIFY"]

DETAILS = """\
Reads every result to its last byte and compares it with its checksums. What is damaged is no result for
anybody, so it is removed; it is computed again when it is asked for. A database that is damaged as a whole is
set aside under another name. Exit code 1 if there was anything of the kind.

examples:
  lightwork cache verify cache
"""


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(
        parser, json="results and bytes that are whole, those that were damaged, and databases that were"
    )


def _set_aside(location: str) -> list[str]:
    """Databases that were found damaged as a whole, now or before."""
    return [
        os.path.join(folder, name)
        for folder in folders_of(location)
        for name in os.listdir(folder)
        if name.startswith("damaged-") and name.endswith(".sqlite")
    ]


def _run(given: Namespace, terminal: Terminal) -> int:
    found = opened(given).verify()
    aside = _set_aside(place_of(given.path))
    if given.json:
        damaged = [row_of(entry) for entry in found.damaged]
        figures = {"results": found.records, "nbytes": found.nbytes}
        terminal.write_json({**figures, "damaged": damaged, "set_aside": aside})
    else:
        terminal.write(
            "\n".join([str(found), *(f"  set aside, damaged as a whole: {path}" for path in aside)])
        )
    return FAILED if found.damaged or aside else OK


VERIFY = Command("verify", "read every byte, remove what is damaged", DETAILS, _add_arguments, _run)
