"""When a worker has served for long enough, and is replaced between two tasks."""

import resource

from ...system import log
from .link import WorkerLink
from .slots import Slot

__all__ = ["Wear"]

_ALL = 1 << 60


class Wear:
    """The bounds of one session, and whether a replacement was reported already.

    Parameters
    ----------
    max_tasks
        Tasks that a worker runs in its life.
    max_bytes
        Memory of its own (bytes) with which a worker begins no further task.
    """

    def __init__(self, max_tasks: int | None, max_bytes: int | None) -> None:
        self._max_tasks = max_tasks
        self._max_bytes = max_bytes
        self._is_reported = False

    def room(self, place: Slot) -> int:
        """How many more tasks the worker of a slot may be sent."""
        if place.worn or place.link is None:
            return 0
        if self._max_tasks is None:
            return _ALL
        return max(0, self._max_tasks - place.link.tasks - sum(item.stop - item.start for item in place.sent))

    def is_worn(self, link: WorkerLink) -> bool:
        """Whether a worker shall begin no further task."""
        if self._max_tasks is not None and link.tasks >= self._max_tasks:
            return True
        return self._max_bytes is not None and _own_bytes(link.page.pid()) > self._max_bytes

    @property
    def recalls(self) -> bool:
        """Whether tasks shall be taken back from a worker that is found worn, however short they are."""
        return self._max_bytes is not None

    def report(self, link: WorkerLink) -> None:
        """Log the first replacement of the session."""
        if not self._is_reported:
            self._is_reported = True
            log.info(
                "worker %d was replaced after %d tasks, with %d MiB of memory, as max_tasks_per_worker=%s and "
                "max_worker_memory=%s ask; further replacements of this call are not logged",
                link.page.pid(),
                link.tasks,
                _own_bytes(link.page.pid()) >> 20,
                self._max_tasks,
                self._max_bytes,
            )


def _own_bytes(pid: int) -> int:
    """Resident memory that a process shares with no other and with no file (bytes), 0 if it cannot be read.

    Arrays that were published to several workers do not count until a task writes to them.
    """
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            _, resident, shared, *_ = file.read().split()
    except (OSError, ValueError):  # it has ended, or has not begun
        return 0
    return (int(resident) - int(shared)) * resource.getpagesize()
