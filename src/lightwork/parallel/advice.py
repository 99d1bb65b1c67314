"""One sentence of advice on a call, chosen by rules from the times that it took. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from ..system.units import counted, duration, size

__all__ = ["Facts", "advise"]

_MUCH = 0.25  # of the time of the workers
_LARGE = 1e6  # bytes of the arguments of a task
_NEARLY = 0.9  # of the idle time is all of it
_SHORT = 0.2  # seconds of a call that nobody wants to be faster


class Facts(NamedTuple):
    """What the advice rests on. Seconds, summed over workers where not said otherwise."""

    wall: float
    """Seconds of the call."""

    workers: int
    attempts: int
    """How often tasks were begun, as far as they have ended."""

    known: int
    """Tasks whose results were found, so that they were not begun."""

    total: int | None
    """Tasks of the input, once all of it was read."""

    late: Sequence[float]
    """Of each attempt that ran into its time limit."""

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
    if not facts.attempts:
        if not facts.known:
            return "No task was run to its end."
        return f"No task had to run: {counted(facts.known, 'result')} came from a cache or the checkpoint."
    total = facts.wall * facts.workers
    if sum(facts.late) >= _MUCH * total:
        return _about_late(facts, total)
    ended = facts.attempts - len(facts.late)
    mean = (facts.run - sum(facts.late)) / ended if ended else 0.0
    if facts.workers == 1:
        return _alone(facts, mean)
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
    to_run = None if facts.total is None else facts.total - facts.known
    if to_run is not None and to_run < facts.workers and worst in ("tail", "reader") and part >= _MUCH:
        there = "There was" if to_run == 1 else "There were"
        return (
            f"{there} {counted(to_run, 'task')} to run for {facts.workers} workers: "
            f"n_jobs={to_run} is as fast, and more, smaller tasks would use all."
        )
    if part < _MUCH:
        busy = f"{100 * facts.run / total:.0f} %" if total else "all"
        return f"The workers ran tasks {busy} of the time: only more cores or faster tasks help."
    return _about(worst, per_cent, facts)


def _about_late(facts: Facts, total: float) -> str:
    count, seconds = len(facts.late), sum(facts.late)
    return (
        f"{counted(count, 'attempt')} that ran into task_timeout took {duration(seconds)}, "
        f"{100 * seconds / total:.0f} % of the workers' time: "
        "the cause of a TaskTimeout says where its task was."
    )


def _alone(facts: Facts, mean: float) -> str:
    if facts.input > _MUCH * facts.wall:
        part = 100 * facts.input / facts.wall
        return f"{part:.0f} % of the time went into reading the input: the generator is slow."
    if facts.wall < _SHORT or mean < 1e-4 or facts.attempts == 1 or facts.cores == 1:
        return f"The tasks take {duration(mean)} each: one worker is right."
    return f"One worker ran all tasks: n_jobs={facts.cores} could take {duration(facts.wall / facts.cores)}."


def _about(worst: str, per_cent: str, facts: Facts) -> str:
    if worst == "input" and facts.known:
        return (
            f"The workers idled {per_cent} of the time for tasks: {counted(facts.known, 'result')} "
            "had to be found and loaded, or the input generator is slow."
        )
    if worst == "input":
        return f"The workers idled {per_cent} of the time for tasks: the input generator is slow."
    if worst == "pickling":
        return (
            f"{per_cent} of the workers' time went into pickling the arguments: "
            "share() what many tasks get, or let the tasks load it."
        )
    if worst == "tail":
        return (
            f"The workers idled {_idle(facts, facts.tail)} while the last calls ran: begin with the longest, "
            "or make smaller ones."
        )
    if worst == "reader":
        if facts.waits_for_reader:
            idle = _idle(facts, facts.idle - facts.tail)
            return f"The workers idled {idle} until results were taken: the reader is slow."
        idle = _idle(facts, facts.idle)
        return f"The workers idled {idle}: a higher pre_dispatch lets more tasks wait for them."
    if worst == "transfer":
        return (
            f"{per_cent} of the workers' time went by until the parent had their results: "
            "return less per task, or do more in each."
        )
    return (
        f"{per_cent} of the workers' time went by before they began: "
        "they have to start once, and stay for the next call."
    )


def _idle(facts: Facts, part: float) -> str:
    """All idle time, as the phases show it, of which a part is spoken of."""
    share = f"{100 * facts.idle / (facts.wall * facts.workers):.0f} % of the time"
    return share if part > _NEARLY * facts.idle else f"{share}, most of it"
