"""Large results that stay with the workers until somebody asks for them.

::

    worker:  answer ──part──► what is small ──────────────────────────► packer: Done, with `Unfetched`
                        └───► large frames, in the cluster's memory                     │ fetch
                                  └──────────── bring, for the first of them ◄──────────┘

Frames of one batch come together: batches of large results are small.
"""

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from ...protocols import Unfetched
from ..workers.answers import Outcome, parted
from ..workers.channel import Frame
from ..workers.wire import PARCELS, VALUES
from .packets import Answer, Left, Posted

__all__ = ["Leftover", "part"]

_LEFT_FROM: Final = 1 << 20
"""Bytes of a frame from which it stays. A smaller one is here before anybody could ask for it."""


def part(answer: Answer) -> tuple[Answer, Sequence[Posted] | None]:
    """An answer without its large frames, and those; ``None`` if there are none. Called by the worker."""
    frames: list[Posted | Left] = []
    left: list[Posted] = []
    for posted in answer.frames:
        if isinstance(posted, Posted) and posted.kind in (PARCELS, VALUES) and _nbytes(posted) >= _LEFT_FROM:
            left.append(posted)
            frames.append(_without_results(posted))
        else:
            frames.append(posted)
    return answer._replace(frames=frames), left or None


def _nbytes(posted: Posted) -> int:
    return len(posted.body) + sum(blob.view().nbytes for blob in posted.buffers)


def _without_results(posted: Posted) -> Left:
    kind, flag, start, length, body, _ = posted
    times, _ = parted(Frame(kind, flag, 0, start, length, memoryview(body), ()))
    return Left(start, length, times, _nbytes(posted))


class Leftover:
    """The frames that one answer has left out. Rules: they are brought once, and each result is given once.

    Parameters
    ----------
    bring
        Brings them all; raises what keeps them away.
    read
        What a frame says of its tasks.
    """

    def __init__(
        self, bring: Callable[[], Sequence[Posted]], read: Callable[[Posted], Sequence[Outcome]]
    ) -> None:
        self._bring: Callable[[], Sequence[Posted]] | None = bring
        self._read = read
        self._lock = threading.Lock()
        self._frames: dict[int, Posted] = {}  # by their first task
        self._results: dict[int, Any] = {}  # by task. Any: what users' functions return, or an `_Error`

    def results(self, left: Left) -> Outcome:
        """What stands for the results of a frame."""
        nbytes = left.nbytes // left.length
        tasks = range(left.start, left.start + left.length)
        values = [Unfetched(partial(self._result, left.start, task), nbytes) for task in tasks]
        return Outcome(left.start, values, None, left.times)

    def _result(self, start: int, task: int) -> Any:  # Any: what the user's function has returned
        with self._lock:
            if self._bring is not None:
                self._frames = {posted.start: posted for posted in self._bring()}
                self._bring = None
            posted = self._frames.pop(start, None)
            if posted is not None:
                for outcome in self._read(posted):
                    self._keep(outcome)
            result = self._results.pop(task)
        if isinstance(result, _Error):
            raise result.error
        return result

    def _keep(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            self._results[outcome.start] = _Error(outcome.error)
        self._results.update(enumerate(outcome.values, outcome.start))


class _Error:
    """In the place of a result that could not be rebuilt here."""

    def __init__(self, error: BaseException) -> None:
        self.error = error
