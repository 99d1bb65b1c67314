"""The one door through which optional libraries come in.

Two questions are answered here: *is it loaded already?* (then a user's object may be one of its) and
*is it installed, and may we load it?* Nothing else in lightwork imports an optional library.
"""

import importlib
import sys
from types import ModuleType
from typing import Any

from ..errors import MissingDependency

__all__ = ["installed", "loaded", "require"]


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
        return importlib.import_module(name)
    except ImportError as exc:
        raise MissingDependency(
            f"{purpose} needs {name!r}, which cannot be imported ({exc}): pip install 'lightwork[{extra}]'"
        ) from exc
