"""Names of modules that workers import before their first task: their form, and whether there are such."""

import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec

from ..errors import InvalidOption

__all__ = ["check_preload", "parse_preload"]


def parse_preload(names: object) -> tuple[str, ...]:
    """The names, each once. Raises `InvalidOption` for what no module can be called."""
    if isinstance(names, str | bytes) or not isinstance(names, Iterable):
        raise InvalidOption(f"preload={names!r}: give a list of names of modules, such as ['numpy']")
    found = tuple(dict.fromkeys(names))
    for name in found:
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            raise InvalidOption(f"preload: {name!r} is not the full name of a module, such as 'numpy.linalg'")
    return found


def check_preload(names: Sequence[str]) -> None:
    """Raise `InvalidOption` for a module that cannot be found from here. None is imported."""
    for name in names:
        if name not in sys.modules and not _exists(name):
            raise InvalidOption(f"preload: there is no module {name!r}, as far as sys.path leads")


def _exists(name: str) -> bool:
    first, *parts = name.split(".")
    spec = importlib.util.find_spec(first) if first not in sys.modules else sys.modules[first].__spec__
    for part in parts:
        if spec is None or spec.submodule_search_locations is None:
            return False
        spec = _find(f"{spec.name}.{part}", spec.submodule_search_locations)
    return spec is not None


def _find(name: str, folders: Sequence[str]) -> ModuleSpec | None:
    # Not `importlib.util.find_spec`, which imports the packages that the module lies in.
    for finder in sys.meta_path:
        spec = finder.find_spec(name, folders)
        if spec is not None:
            return spec
    return None
