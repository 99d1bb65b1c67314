"""The memory of the workers of a call with a budget: looked at by its thread, heard of by the same."""

import time
import warnings
from collections.abc import Callable, Sequence
from typing import Final

from ..errors import InvalidOption, ParallelWarning
from ..protocols import Session, SupportsMemory, supports
from ..system.units import size
from .around import Feature
from .budgeting import MemoryBudget
from .moves import Memory
from .peaks import Peak, Peaks

__all__ = ["Weighing"]

_COST: Final = 20
"""A pause is so many times as long as the look before it: looking takes a twentieth of the thread's time."""


class Weighing:
    """Keeps the `MemoryBudget` of one call informed. Used by the thread that drives the call."""

    def __init__(self, nbytes: int) -> None:
        self.budget = MemoryBudget(nbytes)
        self.feature = Feature(Peaks(), {Peak: self._learn})
        """What its tasks are run with."""
        self._memory: Callable[[], Sequence[int]] | None = None
        self._due = 0.0
        self._has_warned = False

    def begin(self, session: Session) -> None:
        """From now on the workers of this session are looked at.

        Raises
        ------
        InvalidOption
            It cannot tell what they have; then it was closed.
        """
        if not supports(session, SupportsMemory):
            session.close(abort=True)
            raise InvalidOption(
                f"memory_budget={self.budget.nbytes}: this backend does not tell how much memory its workers "
                'have; use backend="processes"'
            )
        self._memory = session.memory

    def look(self) -> list[Memory]:
        """What the workers have now, if it is time to look again or something new was learnt."""
        begin = time.monotonic()
        if self._memory is None or begin < self._due:
            return []
        own = self._memory()
        now = time.monotonic()
        self._due = now + _COST * (now - begin)
        return [Memory(own)]

    def _learn(self, index: int, peak: Peak) -> None:
        if not self.budget.learn(peak.nbytes):
            return
        self._due = 0.0
        if peak.nbytes > self.budget.nbytes and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"memory_budget: the worker of task {index} had {size(peak.nbytes)} of its own, and the "
                f"budget of all workers is {size(self.budget.nbytes)}. From now on tasks run one at a time",
                ParallelWarning,
                stacklevel=2,
            )
