"""The door through which comes what is not loaded at once: optional libraries, and what is dear to import.

Of an optional library two questions are asked: *is it loaded already?* (then a user's object may be one of
its) and *is it installed, and may we load it?* Nothing else in lightwork imports an optional library.

What is always there and not always needed is loaded when it is: a module of the standard library through
`on_demand`, the parts of a package of ours through the package, whose ``__getattr__`` is made by
`on_first_use` (PEP 562).
"""

import importlib
import sys
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from ..errors import MissingDependency

__all__ = ["imported", "installed", "loaded", "on_demand", "on_first_use", "require"]


def loaded(name: str) -> Any:  # Any: a module whose attributes only its users know
    """The module `name` if something has imported it fully already, else ``None``. Imports nothing."""
    module = sys.modules.get(name)
    if module is None or getattr(getattr(module, "__spec__", None), "_initializing", False):
        return None
    return module


def installed(name: str) -> ModuleType | None:
    """The module `name`, imported now if need be, or ``None`` if it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def require(name: str, *, purpose: str, extra: str) -> Any:  # Any: as `loaded`
    """The module `name`, imported now.

    Raises
    ------
    MissingDependency
        It is not installed. The message names the purpose and the extra that brings it.
    """
    try:
        return loaded(name) or importlib.import_module(name)  # which takes 5 µs to find what is there
    except ImportError as exc:
        raise MissingDependency(
            f"{purpose} needs {name!r}, which cannot be imported ({exc}): pip install 'lightwork[{extra}]'"
        ) from exc


def imported(name: str) -> Any:  # Any: as `loaded`
    """The module `name`, imported now because the user asks for it by name. Errors as from ``import``."""
    return importlib.import_module(name)


def on_demand(name: str) -> Any:  # Any: as `loaded`
    """A module that is always there, and too dear to import before it is needed."""
    return importlib.import_module(name)


def on_first_use(
    package: str, *, parts: Collection[str] = (), names: Mapping[str, str] = MappingProxyType({})
) -> Callable[[str], object]:
    """The ``__getattr__`` of a package whose parts are imported when they are first asked for.

    Who writes ``from .. import parcel`` and then ``parcel.writer.write(...)`` pays for the writer at that
    call only; from the second one on it is an ordinary attribute.

    Parameters
    ----------
    package
        The package's ``__name__``.
    parts
        Modules of the package that are used in this way.
    names
        What the package offers by itself, and the module of it that each name lies in. For type checkers
        parts and names are imported under ``TYPE_CHECKING``.
    """

    def find(name: str) -> object:
        if name in names:
            value: object = getattr(importlib.import_module(f".{names[name]}", package), name)
            setattr(sys.modules[package], name, value)
            return value
        if name in parts:
            return importlib.import_module(f".{name}", package)  # which makes it an attribute
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return find
