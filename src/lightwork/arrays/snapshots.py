"""Memory as it was when a call was submitted, copied once for all calls that are under way with it."""

import threading
import weakref

from .sightings import Sightings, Snapshot

__all__ = ["Snapshots"]


class Snapshots:
    """Copies of memory. Who asks again gets the same one while somebody has it and the memory is unchanged.

    So what many calls share is sent once, though nobody promised not to change it meanwhile. To compare
    costs a sixth of what it costs to copy and send.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sightings = Sightings()

    def take(self, view: memoryview) -> Snapshot:
        """What the memory of a view of bytes holds now. Safe to use from several threads."""
        with self._lock:
            seen, _ = self._sightings.meet(view)
            if seen is None:
                return Snapshot(view)
            kept: Snapshot | None = None if seen.mark is None else seen.mark()
            if kept is None or not kept.holds(view):
                kept = Snapshot(view)
                seen.mark = weakref.ref(kept)
            return kept
