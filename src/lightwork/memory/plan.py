"""What a number of calls would cost, told before they are made."""

import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import memory
from ..hashing.summaries import summarise_call
from ..protocols import Store, SupportsNotes, supports
from .facts import Metadata, read_facts
from .made import facts_of

if TYPE_CHECKING:
    from ..hashing.calls import CallKeys

__all__ = ["Arguments", "Plan", "PlannedCall", "arguments", "plan", "plan_without_store"]

_COMPARED = 1000
"""Results that are looked at for how long calls took."""


class PlannedCall(NamedTuple):
    """One call of a plan."""

    call: str
    """As text of at most 200 characters."""

    is_kept: bool
    """Whether its result is kept, or an earlier call of the plan is the same."""

    seconds: float | None
    """How long it took last time, whatever the code was then; else what a call of the function usually
    takes (the median of those kept); ``None`` if nothing is known."""


class Plan(NamedTuple):
    """What calls would do now. ``print`` it."""

    calls: tuple[PlannedCall, ...]

    @property
    def missing(self) -> tuple[PlannedCall, ...]:
        """The calls that would be computed."""
        return tuple(call for call in self.calls if not call.is_kept)

    @property
    def seconds(self) -> float | None:
        """How long those would take, one after the other; ``None`` if that is known of none of them."""
        known = [call.seconds for call in self.missing if call.seconds is not None]
        return sum(known) if known or not self.missing else None

    def __str__(self) -> str:
        took = "" if self.seconds is None else f", about {self.seconds:.3g} s"
        lines = [f"{len(self.missing)} of {len(self.calls)} calls would be computed{took}"]
        return "\n".join([*lines, *(f"  {call.call}" for call in self.missing)])

    def _repr_html_(self) -> str:
        return memory.picture.fragment_of_plan(self)


class Arguments(NamedTuple):
    """Those of one call."""

    args: tuple[Any, ...]  # Any: of users' functions
    kwargs: dict[str, Any]


def arguments(call: object) -> Arguments:
    """A call as users list it: a tuple of arguments, a mapping of named ones, or the only argument."""
    if isinstance(call, Arguments):
        return call
    if isinstance(call, Mapping):
        return Arguments((), {str(name): value for name, value in call.items()})
    return Arguments(call if type(call) is tuple else (call,), {})


def plan(
    store: Store,
    keys: "CallKeys",
    calls: Iterable[Arguments],
    is_kept: Callable[[bytes], bool],
) -> Plan:
    """What each of `calls` would do. Nothing is run, read or counted."""
    facts = store.recent(keys.prefix, _COMPARED) if supports(store, SupportsNotes) else ()
    kept = [known for known in map(read_facts, facts) if "duration" in known]
    planned, met = [], set[bytes]()
    for args, kwargs in calls:
        call = keys.call(args, kwargs)
        found = call.key in met or is_kept(call.key)
        seconds = _seconds_of(facts_of(keys, call), kept)
        planned.append(PlannedCall(keys.summary(args, kwargs), found, seconds))
        met.add(call.key)
    return Plan(tuple(planned))


def plan_without_store(func: Callable[..., Any], calls: Iterable[Arguments]) -> Plan:
    """The plan where nothing is ever kept."""
    return Plan(tuple(PlannedCall(summarise_call(func, *call), False, None) for call in calls))


def _seconds_of(made: Metadata, kept: list[Metadata]) -> float | None:
    """How long a call took when it was computed last; else the median of `kept`, those written last first."""
    for known in kept:
        if known.get("args") == made["args"]:
            return float(known["duration"])
    return statistics.median(known["duration"] for known in kept) if kept else None
