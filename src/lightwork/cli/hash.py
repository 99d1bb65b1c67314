"""``lightwork hash``: the key of a file's bytes, of the value in a file, or of a Python expression."""

import os
import pickle
import sys
from argparse import ArgumentParser, Namespace
from typing import Any, NamedTuple

from ..hashing import HashNode, explain_hash, hash
from ..hashing.files import bytes_key
from ..persistence import load
from .command import FAILED, OK, USAGE, Command, Refusal, add_json, refused_path
from .naming import error_text, import_module
from .terminal import Terminal

__all__ = ["HASH"]

DETAILS = """\
A TARGET that is a file counts by its bytes, as lightwork.hash(bytes) would; with --load by the value that
lightwork.dump has put there. Any other TARGET is a Python expression. `-` is standard input.

examples:
  lightwork hash data.csv                             the key of its bytes
  lightwork hash --load model.lw --explain            the value in it, part by part
  lightwork hash "np.arange(3)" --import numpy:np     an expression
  lightwork hash "settings.DEFAULTS" --import settings --stable
  cat data.csv | lightwork hash -

A key is printed alone; with several targets each line is a key, two spaces, and the target.
Expressions and --load run code: give only what you trust. Modules of the working directory can be imported.
"""


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="a file, a Python expression, or -")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument(
        "--load", action="store_true", help="targets are files of lightwork.dump: their values count"
    )
    kind.add_argument(
        "--expression", action="store_true", help="targets are expressions, also where a file has that name"
    )
    parser.add_argument(
        "--import",
        dest="imports",
        metavar="MODULE[:NAME]",
        action="append",
        default=[],
        help="a module that expressions may use, under another name if given; may be repeated",
    )
    parser.add_argument(
        "--hash-name", default="blake3", metavar="NAME", help="blake3 (default), sha256, md5, xxh3, ..."
    )
    parser.add_argument(
        "--explain", action="store_true", help="show the parts with bytes, milliseconds and keys"
    )
    parser.add_argument(
        "--stable",
        action="store_true",
        help="compare with a pickled copy, name the parts whose keys differ; exit code 1 if there are any",
    )
    parser.add_argument(
        "--depth", type=int, metavar="N", help="with --explain or --stable: deepest parts (default 10)"
    )
    add_json(parser, "a list with an object per target")


def _run(given: Namespace, terminal: Terminal) -> int:
    if given.depth is not None and not (given.explain or given.stable):
        raise Refusal("--depth is for --explain and --stable", USAGE)
    depth = 10 if given.depth is None else given.depth
    explain_hash(None, given.hash_name, depth=depth)  # refuses what cannot be right before any effect
    names = _import(given.imports)
    code, answers = OK, []
    for target in given.targets:
        try:
            value = _value(target, given, names)
            answer = _answer(target, value, given, depth)
        except Refusal as exc:
            terminal.complain(f"lightwork hash: {exc}")
            code = max(code, exc.code)
            answers.append({"target": target, "hash_name": given.hash_name, "key": None, "error": str(exc)})
            continue
        code = max(code, OK if answer["key"] and not answer.get("differences") else FAILED)
        if given.json:
            answers.append({**answer, "tree": answer["tree"].to_dict()} if "tree" in answer else answer)
        else:
            _show(answer, terminal, alone=len(given.targets) == 1)
    if given.json:
        terminal.write_json(answers)
    return code


def _import(modules: list[str]) -> dict[str, Any]:  # Any: modules
    """The names that expressions may use."""
    names: dict[str, Any] = {}
    for text in modules:
        module, _, name = text.partition(":")
        found = import_module(module)
        names[name or module.partition(".")[0]] = found if name else sys.modules[module.partition(".")[0]]
    return names


def _value(target: str, given: Namespace, names: dict[str, Any]) -> Any:
    """What a target stands for."""
    is_file = not given.expression and (target == "-" or os.path.exists(target))
    try:
        if given.load:
            return load(sys.stdin.buffer if target == "-" else target)
        if is_file and os.path.isfile(target) and not (given.explain or given.stable):
            with open(target, "rb"):  # what cannot be read is told here
                return _WholeFile(target)
        if is_file:
            return _bytes(target)
    except Exception as exc:  # unpickling runs what the file says
        raise refused_path(target, exc) from exc
    try:
        return eval(target, dict(names))
    except (Exception, SystemExit) as exc:
        kind = (
            "cannot be evaluated"
            if given.expression
            else "is no file, and no expression that can be evaluated"
        )
        raise Refusal(f"{target!r} {kind}: {error_text(exc)}", USAGE) from exc


class _WholeFile(NamedTuple):
    """A file that counts by its bytes, which may be more than fit into memory."""

    path: str


def _bytes(target: str) -> bytes:
    if target == "-":
        return sys.stdin.buffer.read()
    with open(target, "rb") as file:
        return file.read()


def _answer(target: str, value: Any, given: Namespace, depth: int) -> dict[str, Any]:  # Any: what json takes
    answer: dict[str, Any] = {"target": target, "hash_name": given.hash_name}
    try:
        if isinstance(value, _WholeFile):
            return {**answer, "key": bytes_key(value.path, given.hash_name)}
        if not (given.explain or given.stable):
            return {**answer, "key": hash(value, given.hash_name)}
        tree = explain_hash(value, given.hash_name, depth=depth)
        answer["key"] = tree.key
        if given.explain:
            answer["tree"] = tree
        elif tree.key is None:
            hash(value, given.hash_name)  # raises what is to be said
        if given.stable and tree.key is not None:
            answer["differences"] = _differences(target, tree, value, given.hash_name, depth)
    except Refusal:
        raise
    except Exception as exc:  # a value's own code runs when it is taken apart
        raise Refusal(f"{target!r} has no key: {error_text(exc)}") from exc
    return answer


def _differences(target: str, tree: HashNode, value: Any, hash_name: str, depth: int) -> list[dict[str, str]]:
    """Where the pickled copy of a value has another key."""
    try:
        copy = pickle.loads(pickle.dumps(value))
    except Exception as exc:  # a value's own code runs when it is pickled
        raise Refusal(f"{target!r} cannot be pickled: {error_text(exc)}") from exc
    other = explain_hash(copy, hash_name, depth=depth)
    return [{"path": found.path, "what": str(found)} for found in tree.differences(other)]


def _show(answer: dict[str, Any], terminal: Terminal, *, alone: bool) -> None:
    target = "" if alone else f"  {answer['target']}"
    terminal.write(f"{answer['key'] or 'no key'}{target}")
    if "tree" in answer:
        first, *rows = answer["tree"].table(width=terminal.width).splitlines()
        terminal.write(terminal.styled(first, "bold"))
        for row in rows:
            terminal.write(terminal.styled(row, "red") if " no key  " in row else row)
    for found in answer.get("differences", ()):
        terminal.write(terminal.styled("not the same after pickling: ", "red") + found["what"])


HASH = Command(
    "hash",
    "print the key of a file, of the value in it, or of a Python expression",
    DETAILS,
    _add_arguments,
    _run,
)
