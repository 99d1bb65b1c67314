"""``lightwork cache explain``: whether a call would be a hit, and why."""

import os
from argparse import ArgumentParser, Namespace
from itertools import islice
from typing import Any

from ...errors import LightworkError
from ...hashing.calls import CallKeys
from ...memory import CachedFunction, Memory
from ..command import OK, USAGE, Command, Refusal
from ..naming import error_text, evaluate, imported_object
from ..terminal import Terminal
from .opening import add_cache, opened, place_of

__all__ = ["EXPLAIN"]

_LOOKS = 100
"""Results of a function that are looked at for who has kept them."""

DETAILS = """\
Imports FUNCTION, which runs its module, and evaluates the ARGUMENTS with the names of that module; the
function itself is not run. One that is decorated there is asked as it is, with its options; any other as
memory.cache would treat it. A function of a script is named by the file of that, which runs but for what
stands under `if __name__ == "__main__":`.

examples:
  lightwork cache explain cache model:train 3 depth=2
  lightwork cache explain cache model:train "load('a.csv')"
  lightwork cache explain cache job.py:train 3

Modules of the working directory can be imported. A kept result is unpickled: explain only caches that you
trust.
"""


def _add_arguments(parser: ArgumentParser) -> None:
    add_cache(parser, json="hit or miss, the reason, and what has changed")
    parser.add_argument(
        "function", metavar="MODULE:FUNCTION", help="whose call it is; of a script PATH.py:FUNCTION"
    )
    parser.add_argument("arguments", metavar="ARGUMENT", nargs="*", help="an expression, or name=expression")


def _run(given: Namespace, terminal: Terminal) -> int:
    location = place_of(given.path)
    module, function = imported_object(given.function)
    args, kwargs = _arguments(given.arguments, vars(module))
    memory = opened(given, trusts=False)
    cached = _cached(function, location, memory, given)
    _check_kind(cached, memory, given)
    try:
        found = cached.explain(*args, **kwargs)
    except LightworkError:
        raise
    except TypeError as exc:
        raise Refusal(f"{given.function} cannot be called so: {exc}", USAGE) from exc
    except Exception as exc:  # users' code runs when arguments are hashed, and values built
        raise Refusal(f"the call cannot be explained: {error_text(exc)}") from exc
    if given.json:
        terminal.write_json({"hit": found.is_hit, "reason": found.reason, "changes": list(found.changes)})
    else:
        first, *others = str(found).splitlines()
        terminal.write("\n".join([terminal.styled(first, "green" if found.is_hit else "yellow"), *others]))
    return OK


def _cached(function: Any, location: str, memory: Memory, given: Namespace) -> Any:  # Any: users' functions
    if not isinstance(function, CachedFunction):
        return memory.cache(function)
    own = getattr(function.store, "location", None)
    if own is not None and os.path.realpath(own) != os.path.realpath(location):
        raise Refusal(f"{given.function} keeps its results in {own!r}, not in {given.path!r}", USAGE)
    return function


def _check_kind(cached: Any, memory: Memory, given: Namespace) -> None:  # Any: as above
    """Refuse functions whose results belong to tasks of `Parallel`: which, only its input could tell."""
    name = CallKeys(cached.func).function_id
    of_function = (entry for entry in memory.entries() if entry.function == name)
    kinds = {"checkpoint" in memory.facts(entry.key) for entry in islice(of_function, _LOOKS)}
    if kinds == {True}:
        raise Refusal(
            f"{given.path!r} has results of {given.function} from Parallel(checkpoint=...): whether a task "
            "is found there depends on its input and seed, too; `lightwork cache ls` lists them",
            USAGE,
        )


def _arguments(texts: list[str], names: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    args: list[Any] = []
    kwargs: dict[str, Any] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if sign and name.isidentifier() and not value.startswith("="):
            kwargs[name] = evaluate(value, names)
        elif kwargs:
            raise Refusal(f"{text!r} stands behind name=value: give the arguments without names first", USAGE)
        else:
            args.append(evaluate(text, names))
    return args, kwargs


EXPLAIN = Command("explain", "whether a call would be a hit, and why", DETAILS, _add_arguments, _run)
