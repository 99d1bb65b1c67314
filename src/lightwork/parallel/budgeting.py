"""How many workers may have tasks under a budget of memory. Pure: no clock, no look at any process."""

from collections.abc import Sequence

__all__ = ["MemoryBudget"]


class MemoryBudget:
    """What the tasks of one call are expected to need, and how many workers fit with that.

    Every task is taken to need what the neediest one so far had: the inputs of a loop seldom come sorted, and
    a budget that holds on average does not hold. Of the first task nothing is known, so it runs alone.

    Parameters
    ----------
    nbytes
        The budget of all workers together, ``>= 1``.

    Attributes
    ----------
    peak
        The most memory that a worker was seen to have of its own while it ran a task (bytes); 0: not known.
    """

    __slots__ = ("nbytes", "peak")

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self.peak = 0

    def learn(self, peak: int) -> bool:
        """A worker had so much while it ran a task; whether that is more than was known."""
        grows = peak > self.peak
        self.peak = max(self.peak, peak)
        return grows

    def workers(self, own: Sequence[int], busy: Sequence[bool]) -> int:
        """How many may have tasks: the first ones, so that the others need not be started.

        None, if those that have some are enough already; but one if nobody has any, since something must run.

        Parameters
        ----------
        own
            What the worker of each slot has now (bytes), 0 where there is none.
        busy
            Whether it has tasks. What it has of them so far is not all that it will have.
        """
        least = 0 if any(busy) else 1
        if not self.peak:
            return 1
        expected = sum(max(now, self.peak) if works else now for now, works in zip(own, busy, strict=True))
        for count, (now, works) in enumerate(zip(own, busy, strict=True)):
            if not works:
                expected += max(now, self.peak) - now
            if expected > self.nbytes:
                return max(least, count)
        return len(own)
