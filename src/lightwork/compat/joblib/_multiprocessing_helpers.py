"""Whether worker processes can be had here, and `multiprocessing` if so."""

import os
import warnings
from types import ModuleType

from ...system.optional import installed

__all__ = ["mp"]

_SWITCH = "JOBLIB_MULTIPROCESSING"


def _usable() -> ModuleType | None:
    """`multiprocessing`, or ``None`` if it is switched off or the system has no semaphores."""
    if not int(os.environ.get(_SWITCH, "1") or "1"):
        return None
    found = installed("multiprocessing")
    if found is None or installed("_multiprocessing") is None:
        return None
    try:
        installed("multiprocessing.synchronize")
        _ = installed("_multiprocessing").SemLock  # type: ignore[union-attr]  # it is there: asked above
    except (AttributeError, ImportError, OSError) as error:
        warnings.warn(f"{error}. joblib will operate in serial mode", stacklevel=2)
        return None
    return found


mp = _usable()
