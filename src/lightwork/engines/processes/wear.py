"""When a worker has served for long enough, and is replaced between two tasks.

Tasks are counted here, and a batch is cut where the bound is. Of its memory the worker takes note itself,
after each task, and begins no other one of those that can be taken back from it; so all can (`recalls`).
"""

from ...system import log
from ...system.processes import own_bytes
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
        if place.kept or place.worn or place.link is None:
            return 0
        if self.recalls and place.rationed:
            return 0 if place.sent else 1  # without a token, so it must be one that runs in any case
        if self._max_tasks is None:
            return _ALL
        return max(0, self._max_tasks - place.link.tasks - sum(item.stop - item.start for item in place.sent))

    def is_unfit(self, link: WorkerLink) -> bool:
        """Whether an idle worker shall leave."""
        if self._max_tasks is not None and link.tasks >= self._max_tasks:
            return True
        return self._max_bytes is not None and own_bytes(link.page.pid()) > self._max_bytes

    def is_worn(self, link: WorkerLink) -> bool:
        """Whether the worker of a slot begins no further task."""
        return bool(link.page.worn()) or (self._max_tasks is not None and link.tasks >= self._max_tasks)

    @property
    def recalls(self) -> bool:
        """Whether all tasks can be taken back from a worker, however short they are."""
        return self._max_bytes is not None

    def report(self, link: WorkerLink) -> None:
        """Log the first replacement of the session."""
        if not self._is_reported:
            self._is_reported = True
            nbytes = link.page.worn()
            bound = (
                f"max_worker_memory={self._max_bytes}"
                if nbytes
                else f"max_tasks_per_worker={self._max_tasks}"
            )
            log.info(
                "worker %d was replaced after %d tasks, with %d MiB of memory (%s); "
                "further replacements of this call are not logged",
                link.page.pid(),
                link.tasks,
                (nbytes or own_bytes(link.page.pid())) >> 20,
                bound,
            )
