"""The memory of the workers of a call with a budget: looked at by its thread, heard of by the same."""

import warnings
from collections.abc import Callable, Sequence

from ..errors import InvalidOption, ParallelWarning
from ..protocols import Session, SupportsMemory, supports
from ..system.units import size
from .around import Feature
from .budgeting import MemoryBudget
from .moves import Memory
from .peaks import Peak, Peaks

__all__ = ["Weighing"]


class Weighing:
    """Keeps the `MemoryBudget` of one call informed. Used by the thread that drives the call."""

    def __init__(self, nbytes: int) -> None:
        self.budget = MemoryBudget(nbytes)
        self.feature = Feature(Peaks(), {Peak: self._learn})
        """What its tasks are run with."""
        self._memory: Callable[[], Sequence[int]] | None = None
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
        """What the workers have now: one read of a file of the kernel for each of them."""
        return [] if self._memory is None else [Memory(self._memory())]

    def _learn(self, index: int, peak: Peak) -> None:
        if not self.budget.learn(peak.nbytes):
            return
        if peak.nbytes > self.budget.nbytes and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"memory_budget: the worker of task {index} had {size(peak.nbytes)} of its own, and the "
                f"budget of all workers is {size(self.budget.nbytes)}. From now on tasks run one at a time",
                ParallelWarning,
                stacklevel=2,
            )
