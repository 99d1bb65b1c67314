"""Names of loky's tracker of files and semaphores. lightwork needs none."""

from multiprocessing import resource_tracker as _tracker

__all__ = ["ensure_running", "maybe_unlink", "register", "unregister"]

VERBOSE = False
_resource_tracker = _tracker._resource_tracker


def ensure_running() -> None:
    """There is none to be started."""


def register(name: str, rtype: str) -> None:
    """Nothing to note."""


def unregister(name: str, rtype: str) -> None:
    """Nothing to forget."""


def maybe_unlink(name: str, rtype: str) -> None:
    """Nothing to remove."""
