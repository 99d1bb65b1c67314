"""Warnings that are given once per cause, at the line of the user's code that made the call."""

import threading
from collections.abc import Hashable

from ..errors import CacheWarning
from ..system.log import warn_user

__all__ = ["Notices"]


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
        warn_user(message, CacheWarning)
