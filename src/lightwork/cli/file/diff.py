"""``lightwork file diff``: in which parts the values of two files differ."""

from argparse import ArgumentParser, Namespace
from typing import Any

from ...errors import InvalidOption, UnsafeFileError
from ...hashing import HashNode, explain_hash
from ...persistence import load
from ..command import FAILED, OK, USAGE, Command, Refusal, add_json, refused_path
from ..naming import error_text
from ..terminal import Terminal

__all__ = ["DIFF"]

DETAILS = """\
Loads both files and compares their values part by part, by their keys (lightwork.hash): how a file is
compressed, or in which format it is, makes no difference. Exit code 0 if the values are the same, else 1.

examples:
  lightwork file diff before.lw after.lw
  lightwork file diff old.joblib new.lw

Loading a file runs what it says: compare only what you trust, or say --safe, which refuses all but arrays,
frames, numbers, texts and containers.
"""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("one", metavar="ONE", help="a file that lightwork.load reads")
    parser.add_argument("other", metavar="OTHER", help="another one")
    parser.add_argument("--safe", action="store_true", help="load both with safe=True")
    parser.add_argument(
        "--trusted",
        action="append",
        default=[],
        metavar="NAME",
        help="with --safe: a package, module or type whose objects are built too; may be repeated",
    )
    parser.add_argument("--depth", type=int, default=10, metavar="N", help="deepest parts (default 10)")
    add_json(parser, "keys of both values, and what differs")


def _tree(path: str, given: Namespace) -> HashNode:
    try:
        value = load(path, safe=given.safe, trusted=given.trusted)
    except UnsafeFileError as exc:
        way = " (here: --trusted NAME)" if "trusted=[" in str(exc) else ""
        raise Refusal(f"{exc}{way}") from exc
    except InvalidOption:
        raise
    except Exception as exc:  # unpickling runs what the file says
        raise refused_path(path, exc) from exc
    try:
        return explain_hash(value, depth=given.depth)
    except InvalidOption:
        raise
    except Exception as exc:  # a value's own code runs when it is taken apart
        raise Refusal(f"the value of {path!r} has no key: {error_text(exc)}") from exc


def _run(given: Namespace, terminal: Terminal) -> int:
    if given.depth < 0:
        raise Refusal(f"--depth={given.depth}: give 0 or more", USAGE)
    if given.trusted and not given.safe:
        raise Refusal("--trusted needs --safe: without it everything is trusted", USAGE)
    one, other = _tree(given.one, given), _tree(given.other, given)
    found = [] if one.key is not None and one.key == other.key else one.differences(other)
    if given.json:
        differences: list[dict[str, Any]] = [{"path": each.path, "what": str(each)} for each in found]
        terminal.write_json({"same": not found, "keys": [one.key, other.key], "differences": differences})
    elif found:
        terminal.write("\n".join(map(str, found)))
    else:
        terminal.write("the values are the same")
    return FAILED if found else OK


DIFF = Command("diff", "in which parts two values differ", DETAILS, _add_arguments, _run)
