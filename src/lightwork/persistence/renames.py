"""`renames`: classes and functions that have moved since a file was written. Pure."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..errors import InvalidOption

__all__ = ["Rename", "renaming"]

Rename: TypeAlias = Callable[[str, str], tuple[str, str]]
"""From the module and the name that a file refers to, to those of today."""


def renaming(renames: Mapping[str, str] | None) -> Rename | None:
    """What to look up in the place of a module and a name; ``None`` for no renames.

    Parameters
    ----------
    renames
        Old to new. A module stands for itself and the modules in it (``{"old.module": "new.module"}``); a
        class or function is given with its module (``{"old.module.Class": "new.module.Class"}``) and counts
        before its module, a longer module before a shorter one.

    Raises
    ------
    InvalidOption
        No mapping of dotted names to dotted names.
    """
    if renames is None:
        return None
    given: Any = renames
    if not isinstance(given, Mapping) or not all(_is_name(name) for pair in given.items() for name in pair):
        raise InvalidOption(f'renames={renames!r} is not possible: give {{"old.module": "new.module"}}')
    found = dict(renames)
    return lambda module, name: _renamed(found, module, name)


def _is_name(name: Any) -> bool:  # Any: it is checked here
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _renamed(renames: Mapping[str, str], module: str, name: str) -> tuple[str, str]:
    target = renames.get(f"{module}.{name}")
    if target is not None:
        parts = target.rsplit(".", name.count(".") + 1)
        return (parts[0], ".".join(parts[1:])) if len(parts) > 1 else (module, target)
    outer, inner = module, ""
    while outer:
        if outer in renames:
            return renames[outer] + inner, name
        outer, _, last = outer.rpartition(".")
        inner = f".{last}{inner}"
    return module, name
