"""Python objects by what is typed: a module, a function in it, an expression."""

import importlib
import sys
from types import ModuleType
from typing import Any

from ..errors import LightworkError
from .command import USAGE, Refusal
from .scripts import is_script, load_script

__all__ = ["error_text", "evaluate", "import_module", "imported_object"]

# Any throughout: whatever a user's module holds.


def import_module(name: str) -> ModuleType:
    """A module, also of the working directory, as in an interactive Python. Raises `Refusal`."""
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as exc:  # whatever a module does when it is imported
        raise Refusal(f"{name!r} cannot be imported: {error_text(exc)}", USAGE) from exc


def _script(name: str) -> ModuleType:
    try:
        return load_script(name)
    except Refusal:
        raise
    except (Exception, SystemExit) as exc:  # whatever a script does when it runs
        raise Refusal(f"{name!r} cannot be loaded: {error_text(exc)}", USAGE) from exc


def imported_object(text: str) -> tuple[ModuleType, Any]:
    """What ``MODULE:NAME`` or ``PATH.py:NAME`` stands for, and its module. Raises `Refusal`."""
    name, colon, path = text.rpartition(":")
    if not (name and colon and path):
        raise Refusal(f"{text!r}: write MODULE:FUNCTION, or PATH.py:FUNCTION for one of a script", USAGE)
    if name == "__main__":
        raise Refusal(f"{text!r}: name the script by its file, PATH.py:{path}", USAGE)
    module = _script(name) if is_script(name) else import_module(name)
    found: Any = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise Refusal(f"{text!r}: {name} has no {path}", USAGE)
        found = getattr(found, part)
    return module, found


def evaluate(text: str, names: dict[str, Any]) -> Any:
    """The value of an expression. Raises `Refusal`."""
    try:
        return eval(text, dict(names))
    except (Exception, SystemExit) as exc:
        raise Refusal(f"{text!r} cannot be evaluated: {error_text(exc)}", USAGE) from exc


def error_text(exc: BaseException) -> str:
    """An error in one phrase; those of lightwork speak for themselves."""
    if isinstance(exc, LightworkError):
        return str(exc)
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
