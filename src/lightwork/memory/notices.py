"""What is told once per cause: warnings, at the line of the user's code that made the call; log records."""

import threading
from collections.abc import Hashable

from ..errors import CacheWarning
from ..system import log

__all__ = ["Notices"]


class Notices:
    """Tells each thing once. One for each store and process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: set[Hashable] = set()

    def warn_once(self, cause: Hashable, message: str) -> None:
        """Give a `CacheWarning`, unless something was told of the same cause."""
        if self._is_new(cause):
            log.warn_user(message, CacheWarning)

    def log_once(self, cause: Hashable, message: str) -> None:
        """Log at level INFO, unless something was told of the same cause."""
        if self._is_new(cause):
            log.info("%s", message)

    def _is_new(self, cause: Hashable) -> bool:
        with self._lock:
            if cause in self._given:
                return False
            self._given.add(cause)
        return True
