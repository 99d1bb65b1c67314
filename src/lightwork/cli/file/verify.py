"""``lightwork file verify``: every byte of files, compared with their checksums."""

from argparse import ArgumentParser, Namespace
from typing import Any

from ...errors import CorruptFileError, InvalidOption, UnknownFormatError
from ...persistence import verify
from ...system.units import size
from ..command import FAILED, OK, USAGE, Command, Refusal, add_json, refused_path
from ..terminal import Terminal

__all__ = ["VERIFY"]

DETAILS = """\
Reads each file to its last byte. Nothing is unpickled. All files are looked at, whatever is found. Exit code
1 if one is damaged, 2 if one cannot be read or is none of lightwork.

examples:
  lightwork file verify backups/*.lw
"""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("paths", metavar="PATH", nargs="+", help="files that lightwork.dump wrote")
    add_json(parser, "a list with an object per file")


def _look(path: str) -> dict[str, Any]:  # Any: what json takes
    """What is found in one file. Raises `Refusal` for what is no file of ours."""
    try:
        found = verify(path)
    except CorruptFileError as exc:
        return {"path": path, "whole": False, "error": str(exc)}
    except (UnknownFormatError, InvalidOption) as exc:  # its message names the path
        raise Refusal(str(exc), USAGE) from exc
    except OSError as exc:
        raise refused_path(path, exc) from exc
    return {"path": path, "whole": True, "nbytes": found.nbytes, "changed_in_place": found.changed_in_place}


def _line(found: dict[str, Any]) -> str:
    if not found["whole"]:
        return f"damaged  {found['error']}"
    unknown = (
        ", but its arrays differ from what was dumped: changed in place, or damaged"
        * found["changed_in_place"]
    )
    return f"whole    {found['path']} ({size(found['nbytes'])}){unknown}"


def _run(given: Namespace, terminal: Terminal) -> int:
    code, answers = OK, []
    for path in given.paths:
        try:
            found = _look(path)
        except Refusal as exc:
            terminal.complain(f"lightwork file verify: {exc}")
            code = max(code, exc.code)
            answers.append({"path": path, "whole": None, "error": str(exc)})
            continue
        code = max(code, OK if found["whole"] else FAILED)
        answers.append(found)
        if not given.json:
            terminal.write(terminal.styled(_line(found), "green" if found["whole"] else "red"))
    if given.json:
        terminal.write_json(answers)
    return code


VERIFY = Command("verify", "compare every byte with its checksum", DETAILS, _add_arguments, _run)
