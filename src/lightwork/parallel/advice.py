"""One sentence of advice on a call, chosen by rules from the times that it took. Pure."""

from typing import NamedTuple

from ..system.units import duration, size

__all__ = ["Facts", "advise"]

_MUCH = 0.25  # of the time of the workers
_LARGE = 1e6  # bytes of the arguments of a task
_SHORT = 0.2  # seconds of a call that nobody wants to be faster


class Facts(NamedTuple):
    """What the advice rests on. Seconds, summed over workers where not said otherwise."""

    wall: float
    """Seconds of the call."""

    workers: int
    tasks: int
    run: float
    pickling: float
    input: float
    queue: float
    transfer: float
    idle: float
    tail: float
    """The part of `idle` after all of the input was read."""

    longest: float
    """Seconds of the slowest task, 0 if not known."""

    nbytes: int
    """Of the arguments of a task, as far as they are arrays, bytes or texts."""

    waits_for_reader: bool
    """Whether the call stops while nobody takes results."""

    cores: int


def advise(facts: Facts) -> str:
    """What to do about the greatest loss of time, or that there is none."""
    if not facts.tasks:
        return "No task was run to its end."
    mean = facts.run / facts.tasks
    if facts.workers == 1:
        return _alone(facts, mean)
    total = facts.wall * facts.workers
    losses = {
        "input": facts.input,
        "pickling": facts.pickling,
        "tail": facts.tail,
        "reader": facts.idle - facts.tail,
        "transfer": facts.transfer,
        "queue": facts.queue,
    }
    worst = max(losses, key=lambda name: losses[name])
    part = losses[worst] / total if total else 0.0
    per_cent = f"{100 * part:.0f} %"
    if part >= _MUCH and facts.nbytes >= _LARGE and worst in ("pickling", "queue", "transfer"):
        return (
            f"{per_cent} of the workers' time went into pickling and sending {size(facts.nbytes)} per task: "
            "share() what many tasks get, or let the tasks load it."
        )
    if facts.run <= facts.wall and worst not in ("input", "reader") and part >= _MUCH:
        if worst == "tail" and facts.longest > facts.wall / 2:
            long = duration(facts.longest)
            return f"One call took {long} of {duration(facts.wall)}: only a shorter one helps."
        if facts.pickling < _MUCH * total or mean < 1e-3:
            return f"The tasks take {duration(mean)} each: n_jobs=1 would be as fast."
    if part < _MUCH:
        busy = f"{100 * facts.run / total:.0f} %" if total else "all"
        return f"The workers ran tasks {busy} of the time: only more cores or faster tasks help."
    return _about(worst, per_cent, facts)


def _alone(facts: Facts, mean: float) -> str:
    if facts.input > _MUCH * facts.wall:
        part = 100 * facts.input / facts.wall
        return f"{part:.0f} % of the time went into reading the input: the generator is slow."
    if facts.wall < _SHORT or mean < 1e-4 or facts.tasks == 1 or facts.cores == 1:
        return f"The tasks take {duration(mean)} each: one worker is right."
    return f"One worker ran all tasks: n_jobs={facts.cores} could take {duration(facts.wall / facts.cores)}."


def _about(worst: str, per_cent: str, facts: Facts) -> str:
    if worst == "input":
        return f"The workers idled {per_cent} of the time for tasks: the input generator is slow."
    if worst == "pickling":
        return (
            f"{per_cent} of the workers' time went into pickling the arguments: "
            "share() what many tasks get, or let the tasks load it."
        )
    if worst == "tail":
        return (
            f"The workers idled {per_cent} of the time while the last calls ran: begin with the longest, "
            "or make smaller ones."
        )
    if worst == "reader":
        if facts.waits_for_reader:
            return f"The workers idled {per_cent} of the time until results were taken: the reader is slow."
        return (
            f"The workers idled {per_cent} of the time: a higher pre_dispatch lets more tasks wait for them."
        )
    if worst == "transfer":
        return (
            f"{per_cent} of the workers' time went by until the parent had their results: "
            "return less per task, or do more in each."
        )
    return (
        f"{per_cent} of the workers' time went by before they began: "
        "they have to start once, and stay for the next call."
    )
