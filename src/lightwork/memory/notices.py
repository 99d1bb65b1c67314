"""Warnings that are given once per cause, at the line of the user's code that made the call."""

import sys
import threading
import warnings
from collections.abc import Hashable

from ..errors import CacheWarning

__all__ = ["Notices"]

_PACKAGE = __name__.partition(".")[0]


class Notices:
    """Gives each warning once. One for each store and process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: set[Hashable] = set()

    def warn_once(self, cause: Hashable, message: str) -> None:
        """Give a `CacheWarning`, unless one was given for the same cause."""
        with self._lock:
            if cause in self._given:
                return
            self._given.add(cause)
        warnings.warn(message, CacheWarning, stacklevel=_level_of_user())


def _level_of_user() -> int:
    """The `stacklevel` at which `warnings.warn` of our caller points to code outside lightwork."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, frame.f_back
    return level


def _is_ours(name: str) -> bool:
    return name == _PACKAGE or name.startswith(f"{_PACKAGE}.")
