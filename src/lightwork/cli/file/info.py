"""``lightwork file info``: what is in a file, without unpickling it."""

from argparse import ArgumentParser, Namespace
from typing import Any

from ...errors import LightworkError
from ...persistence import Inspection, inspect
from ...persistence import open as open_parts
from ...persistence.table import Row
from ..command import OK, Command, add_json, refused_path
from ..naming import error_text
from ..tables import Column
from ..terminal import Terminal

__all__ = ["INFO"]

DETAILS = """\
Sizes, types, versions, and a line for each part of a dictionary, list or object. Nothing is unpickled, so
files from strangers may be looked at (a crafted one may take long). Files of joblib and bare pickles do not
tell what is in them.

examples:
  lightwork file info model.lw
  lightwork file info model.lw --json
"""

_COLUMNS = (
    Column("key"),
    Column("type"),
    Column("shape"),
    Column("dtype"),
    Column("bytes", is_number=True),
    Column("in the file"),
)


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="a file that lightwork.dump wrote")
    add_json(parser, "all of it")


def _parts(path: str) -> tuple[list[Row], str]:
    """The parts, or why they cannot be listed."""
    try:
        with open_parts(path) as file:
            return file.rows(), ""
    except LightworkError as exc:  # compressed as a whole, or with classes that it brings along
        return [], str(exc)
    except Exception as exc:  # noqa: BLE001 - a crafted file may contradict itself in any way
        return [], f"it contradicts itself ({error_text(exc)})"


def _document(found: Inspection, parts: list[Row], reason: str) -> dict[str, Any]:  # Any: what json takes
    return {
        **found._asdict(),
        "packages": dict(found.packages),
        "segments": [segment._asdict() for segment in found.segments],
        "parts": [part._asdict() for part in parts],
        "parts_missing": reason or None,
    }


def _run(given: Namespace, terminal: Terminal) -> int:
    try:
        found = inspect(given.path)
    except OSError as exc:
        raise refused_path(given.path, exc) from exc
    parts, reason = _parts(given.path)
    if given.json:
        terminal.write_json(_document(found, parts, reason))
        return OK
    terminal.write(str(found))
    if parts:
        terminal.write("")
        terminal.write_table(_COLUMNS, parts)
    else:
        terminal.write(f"parts        not listed: {reason}")
    return OK


INFO = Command("info", "what is in a file, without unpickling it", DETAILS, _add_arguments, _run)
