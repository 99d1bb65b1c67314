"""The words of the flow: what may happen (events) and what is to be done (actions). See `flow`.

The other events are those of a session: `Done`, `Failed`, `Lost`, `Returned`.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from ..protocols import Report

__all__ = [
    "Abort",
    "Action",
    "Arrived",
    "Consumed",
    "Due",
    "Emit",
    "End",
    "FlowEvent",
    "Later",
    "Memory",
    "Read",
    "Send",
    "Settle",
    "TakeBack",
]


class Arrived(NamedTuple):
    """`count` more tasks were read from the input; `exhausted`: there are no more."""

    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    exhausted: bool
    known: Sequence[tuple[int, int]] = ()
    """Ranges of them, in order, whose results are there already, so that they are not sent."""


class Due(NamedTuple):
    """The time has come for the next attempt of a task, see `Later`."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


class Consumed(NamedTuple):
    """`count` more of the emitted results were taken by the reader. Fed to bounded flows only."""

    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here


class Memory(NamedTuple):
    """What the workers have now. Fed to flows with a budget only, behind what else happened."""

    own: Sequence[int]
    """For each slot the bytes that its worker shares with nobody, 0 where there is none."""


FlowEvent: TypeAlias = Report | Arrived | Due | Consumed | Memory


class Read(NamedTuple):
    """Read up to `count` tasks from the input and feed `Arrived`."""

    count: int  # type: ignore[assignment]  # hides tuple.count, which nobody needs here
    most: int
    """Up to so many, ``>= count``, if no more than `count` of them are to be sent."""


class Send(NamedTuple):
    """Send tasks ``start .. stop - 1`` to a slot."""

    slot: int
    start: int
    stop: int


class TakeBack(NamedTuple):
    """Ask a slot for the tasks that it has not started."""

    slot: int


class Later(NamedTuple):
    """A task has failed `failures` times and gets another attempt: feed `Due` when it is time for it."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    failures: int


class Settle(NamedTuple):
    """A task has failed for good, after `attempts` attempts. Its failure takes the place of its result."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    error: BaseException
    attempts: int


class Emit(NamedTuple):
    """Hand out the results of tasks ``start .. stop - 1``."""

    start: int
    stop: int


class Abort(NamedTuple):
    """The task `index` has failed and that ends the call. The flow ignores all further events."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    error: BaseException


class End(NamedTuple):
    """All tasks were emitted. The flow ignores all further events."""


Action: TypeAlias = Read | Send | TakeBack | Later | Settle | Emit | Abort | End
