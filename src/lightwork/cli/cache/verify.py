"""``lightwork cache verify``: read every byte, remove what is damaged."""

from argparse import ArgumentParser, Namespace

from ..command import FAILED, OK, Command
from ..terminal import Terminal
from .opening import add_cache, opened
from .selection import row_of

__all__ = ["VERIFY"]

DETAILS = """\
Reads every result to its last byte and compares it with its checksums. What is damaged is no result for
anybody, so it is removed; it is computed again when it is asked for. Exit code 1 if there was such.

examples:
  lightwork cache verify cache
"""


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="results and bytes that are whole, and a list of those that were damaged")


def _run(given: Namespace, terminal: Terminal) -> int:
    found = opened(given).verify()
    if given.json:
        damaged = [row_of(entry) for entry in found.damaged]
        terminal.write_json({"results": found.records, "nbytes": found.nbytes, "damaged": damaged})
    else:
        terminal.write(str(found))
    return FAILED if found.damaged else OK


VERIFY = Command("verify", "read every byte, remove what is damaged", DETAILS, _add_arguments, _run)
