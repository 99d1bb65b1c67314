"""What a session knows of each of its slots: the worker, and the tasks that it has and has not answered."""

import time
from collections import deque

from ...protocols import Batch, Returned
from .encoding import EncodedTasks
from .lateness import Overdue
from .link import WorkerLink
from .publishing import Known

__all__ = ["Sent", "Slot"]


class Sent:
    """Tasks ``start .. stop - 1`` that a worker has and has not answered, in a frame of its own.

    ``tokens``: the worker takes a token before each. ``probe``: an answer tells that the worker has passed
    all that was taken back from it. ``segments``: the published buffers that they need.
    """

    __slots__ = ("probe", "segments", "start", "stop", "tokens")

    def __init__(self, start: int, stop: int, *, tokens: bool, probe: bool) -> None:
        self.start = start
        self.stop = stop
        self.tokens = tokens
        self.probe = probe
        self.segments: frozenset[int] = frozenset()


class Slot:
    """One slot: its worker if it has one, and the tasks that were sent to it.

    Tokens have no names: a task that was taken back and that the worker has still to pass would take the
    token of a later one. So after taking back none are given (``rationed``) until an answer shows that the
    worker has passed that place.
    """

    __slots__ = (
        "functions",
        "kept",
        "known",
        "late",
        "late_since",
        "link",
        "number",
        "overdue",
        "rationed",
        "sent",
        "silent_since",
        "waits",
        "worn",
    )

    def __init__(self, number: int) -> None:
        self.number = number
        self.leave()

    def leave(self) -> None:
        """Forget the worker; the next send takes another one."""
        self.link: WorkerLink | None = None
        self.sent: deque[Sent] = deque()
        # Noted in `sent`, and put into the outbox by the next `wait` at the latest.
        self.late: list[tuple[EncodedTasks, Sent]] = []
        self.late_since = 0.0
        self.functions: set[int] = set()
        self.known = Known()
        self.silent_since: float | None = None
        self.overdue: Overdue | None = None
        self.waits = False
        self.rationed = False
        self.worn = False
        """The worker begins no further task that it does not have already."""
        self.kept: list[Batch] = []
        """Sent to the slot and kept for its next worker. There are none unless `sent` holds some, too."""

    def put_off(self, tasks: EncodedTasks, sent: Sent) -> None:
        """Keep tasks that were noted in `sent` for later."""
        if not self.late:
            self.late_since = time.monotonic()
        self.late.append((tasks, sent))

    def report(self, start: int, count: int) -> None:
        """Tasks ``start .. start + count - 1`` were answered: the first ones of what was sent."""
        if self.link is not None:
            self.link.tasks += count
        head = self.sent[0]
        assert head.start == start, "workers answer in order"
        head.start += count
        if head.probe:
            self.rationed = False
        if head.start == head.stop:
            self.sent.popleft()

    def take_back(self) -> Returned:
        """Take what can be taken from the end of what was sent, as one range."""
        if self.kept:
            batch = self.kept.pop()
            return Returned(self.number, batch.start, batch.start + len(batch.calls))
        return self.take_from_worker()

    def take_from_worker(self) -> Returned:
        """Take back what the worker has and has not begun."""
        sent, link = self.sent, self.link
        if link is None or not sent:
            return Returned(self.number, 0, 0)
        wanted, start = 0, sent[-1].stop
        for item in reversed(sent):
            if not item.tokens or item.stop != start:
                break
            wanted += item.stop - item.start
            start = item.start
        taken = link.take_tokens(wanted)
        if taken:
            self.rationed = True
            for item in sent:  # before the place that is to be passed now: their answers tell nothing of it
                item.probe = False
        stop, left = sent[-1].stop, taken
        while left:
            item = sent[-1]
            cut = min(left, item.stop - item.start)
            item.stop -= cut
            left -= cut
            if item.start == item.stop:
                sent.pop()
        return Returned(self.number, stop - taken, stop)
