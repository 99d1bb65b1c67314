"""Calls as short texts, for facts and notes. A user's ``__repr__`` is never called: it may be slow."""

import os
import reprlib
from collections.abc import Mapping
from typing import Any

from .files import File

__all__ = ["summarise", "summarise_call"]

LIMIT = 200
"""Characters of a whole call."""

_OWN = frozenset((int, float, complex, bool, str, bytes, type(None)))
_BRACKETS: dict[type, str] = {list: "[]", tuple: "()", set: "{}", frozenset: "{}"}
_LONG = 10**39
_ITEMS = 6
_LEVELS = 3
_PATH = 60
"""Characters of a path, from its end, where files of one folder differ."""


def summarise_call(function: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """``name(1, 'a', x=<DataFrame (3, 4)>)``, cut to 200 characters; methods as ``Class.method(...)``."""
    own = getattr(function, "__name__", type(function).__name__)
    name = str(getattr(function, "__qualname__", own)).rpartition("<locals>.")[2]
    parts = [summarise(value) for value in args]
    parts += [f"{key}={summarise(value)}" for key, value in kwargs.items()]
    text = f"{name}({', '.join(parts)})"
    return text if len(text) <= LIMIT else f"{text[: LIMIT - 4]}...)"


def summarise(value: Any, levels: int = _LEVELS) -> str:
    """One value: built-in ones and paths as they print (shortened), others by type and shape."""
    kind = type(value)
    if kind is float or (kind is int and -_LONG < value < _LONG):
        return repr(value)  # what `reprlib` says of them, in a tenth of the time
    if kind in _OWN:
        return reprlib.repr(value)
    if kind in _BRACKETS or kind is dict:
        return _container(value, levels)
    if kind is File or kind.__module__.partition(".")[0] == "pathlib":
        return f"{kind.__name__}({_end_of(os.fspath(value))!r})"
    shape = getattr(value, "shape", None)
    return f"<{kind.__name__} {shape}>" if type(shape) is tuple else f"<{kind.__name__}>"


def _end_of(path: str) -> str:
    return path if len(path) <= _PATH else f"...{path[3 - _PATH :]}"


def _container(value: Any, levels: int) -> str:
    brackets = _BRACKETS.get(type(value), "{}")
    left, right = brackets[0], brackets[1]
    if levels == 0:
        return f"{left}...{right}"
    parts = []
    for place, item in enumerate(value):
        if place == _ITEMS:
            parts.append("...")
            break
        text = summarise(item, levels - 1)
        parts.append(f"{text}: {summarise(value[item], levels - 1)}" if type(value) is dict else text)
    return f"{left}{', '.join(parts)}{',' * (right == ')' and len(parts) == 1)}{right}"
