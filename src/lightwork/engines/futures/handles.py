"""What a cluster's library calls the functions under way, by the futures that stand for them here."""

from collections.abc import Iterable
from typing import Any

from .session import Pending

__all__ = ["Handles"]


class Handles:
    """Rules: a handle is kept until its future has ended, in whatever thread; then nothing refers to it."""

    def __init__(self) -> None:
        self._handles: dict[Any, Any] = {}  # Any: futures, which have a hash; handles of the library

    def add(self, pending: Pending, handle: Any) -> None:  # Any: the library's
        """Keep the handle of a function that was submitted."""
        self._handles[pending] = handle
        pending.add_done_callback(self._drop)  # at once if it has ended already

    def pendings(self) -> list[Any]:  # Any: futures of the library's kind
        """The futures that have not ended."""
        return list(self._handles)

    def take(self, pendings: Iterable[Pending]) -> list[Any]:  # Any: the library's
        """The handles of those that have not ended. They are not kept any more, nor is any other."""
        taken = [self._handles.pop(pending, None) for pending in pendings]
        self._handles.clear()
        return [handle for handle in taken if handle is not None]

    def _drop(self, pending: Any) -> None:  # Any: a future
        self._handles.pop(pending, None)
