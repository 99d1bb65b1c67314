"""Whether a cached function is still the one that made the stored results."""

import tokenize
import warnings
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["JobLibCollisionWarning", "extract_first_line", "with_first_line"]

# Any: functions are the user's.

FIRST_LINE_TEXT = "# first line:"


class JobLibCollisionWarning(UserWarning):
    """Two functions may share one place for their results."""


class Known(NamedTuple):
    """A function whose source was found to be the stored one."""

    identity: tuple[int, int, int]
    place: tuple[str, str]
    """Where the source is stored: location and id of the function."""

    stamp: Any
    """Of the stored source: what differs once somebody has written another."""


_FUNCTION_HASHES: "weakref.WeakKeyDictionary[Callable[..., Any], Known]" = weakref.WeakKeyDictionary()
"""The functions that need not be compared again, by what each of them was."""


def with_first_line(code: str, line: int) -> str:
    """A source as it is stored."""
    return f"{FIRST_LINE_TEXT} {line}\n{code}"


def extract_first_line(func_code: str) -> tuple[str, int]:
    """A stored source, and the line that it began on; -1 if that is not known."""
    if not func_code.startswith(FIRST_LINE_TEXT):
        return func_code, -1
    first, _, code = func_code.partition("\n")
    return code, int(first.removeprefix(FIRST_LINE_TEXT))


def warn_of_collision(
    name: str, new: tuple[str, str | None, int], old: tuple[str, int], *, stacklevel: int
) -> None:
    """Warn if the stored source may be of another function with the same name, not an older version.

    Parameters
    ----------
    new
        Source, file and first line of the function.
    old
        Source and first line that are stored.
    """
    _, file, line = new
    old_code, old_line = old
    if old_line == line == -1 or name == "<lambda>":
        what = name if line == -1 else f"{name} ({file}:{line})"
        message = f"Cannot detect name collisions for function '{what}'"
        warnings.warn(JobLibCollisionWarning(message), stacklevel=stacklevel)
    if old_line == line or file is None:
        return
    if file.startswith("<doctest ") or _is_in(file, old_code, old_line):
        message = (
            f"Possible name collisions between functions '{name}' ({file}:{old_line}) "
            f"and '{name}' ({file}:{line})"
        )
        warnings.warn(JobLibCollisionWarning(message), stacklevel=stacklevel)


def _is_in(file: str, code: str, line: int) -> bool:
    """Whether a file has this source in this line, now."""
    wanted = code.rstrip().splitlines()
    try:
        with tokenize.open(file) as source:
            found = "".join(source.readlines()[max(line - 1, 0) :][: len(wanted)])
    except (OSError, SyntaxError, UnicodeDecodeError):
        return False
    return found.rstrip().splitlines() == wanted
