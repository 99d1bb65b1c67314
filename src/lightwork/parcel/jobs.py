"""Work on the bytes of a container, for the helper threads."""

from collections import deque
from collections.abc import Callable, Sequence

from ..system.threads import HELPERS, Job, abandon

__all__ = ["Jobs"]

_GROUP = 4 << 20  # bytes per job of a helper thread: large against the 50 µs that handing it over costs


class Jobs:
    """Work for the helper threads, gathered into groups that are worth handing over.

    Used in a ``with`` block. All jobs are done when it ends well; none of them runs any more when it ends
    in any other way, so that the file can be closed.
    """

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []
        self._nbytes = 0
        self._begun: deque[Job[None]] = deque()

    def add(self, job: Callable[[], None], nbytes: int) -> None:
        """Do `job`, which goes over `nbytes` bytes, now or before the block ends."""
        self._waiting.append(job)
        self._nbytes += nbytes
        if self._nbytes >= _GROUP:
            while len(self._begun) > 2 * HELPERS.count:
                self._begun.popleft().result()
            self._begun.append(HELPERS.submit(_run, self._waiting))
            self._waiting, self._nbytes = [], 0

    def __enter__(self) -> "Jobs":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                _run(self._waiting)
                while self._begun:
                    self._begun.popleft().result()
        finally:
            abandon(self._begun)


def _run(jobs: Sequence[Callable[[], None]]) -> None:
    for job in jobs:
        job()
