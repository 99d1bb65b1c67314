"""What lets a session's `wait` return when another thread has something to say."""

import os
import threading

__all__ = ["Bell"]


class Bell:
    """A descriptor that becomes readable when any thread rings, until it is closed or nobody holds it."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal's handler may ring while its thread does
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def __del__(self) -> None:
        # An interrupt can come before anybody holds the session that this belongs to, or before it is whole.
        descriptor = getattr(self, "_descriptor", -1)
        if descriptor >= 0:
            os.close(descriptor)

    def fileno(self) -> int:
        """The descriptor to wait for, -1 when it is closed."""
        return self._descriptor

    def ring(self) -> None:
        """Make the descriptor readable. Without effect when it is closed."""
        with self._lock:
            if self._descriptor >= 0:
                os.eventfd_write(self._descriptor, 1)

    def silence(self) -> None:
        """Take note of a ring: the descriptor is not readable any more. It must be."""
        os.eventfd_read(self._descriptor)

    def close(self) -> None:
        """Close it. Safe to call twice, and while others ring."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
            if descriptor >= 0:
                os.close(descriptor)

    def abandon(self) -> None:
        """Close it in a forked child, where nobody will ever release the lock if it was held."""
        self._lock = threading.RLock()
        self.close()
