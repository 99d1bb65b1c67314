"""Which features a call has: what is done around its tasks, in the order from the outside in."""

import functools
from collections.abc import Iterator
from typing import Final

from .. import parallel  # parts that only some calls need are loaded by those
from ..protocols import Engine, ForeignWorkers, supports
from ..system import log
from ..system.optional import loaded
from .around import Around, Feature
from .driver import Examine
from .options import CaptureOutput
from .taken import has_handlers, surroundings

__all__ = ["around", "place", "refusal"]

HERE: Final = "here"
"""Tasks run in the caller's thread."""

THREADS: Final = "threads"
PROCESSES: Final = "processes"
"""In threads of this process, or in worker processes."""

GUESTS: Final = "guests"
CROWDED: Final = "crowded"
"""In worker processes of others, one at a time, or several at once in threads of such a process. What is
process-wide (warning filters, levels of loggers, global random states) is put back by guests, and left alone
where it would change under the feet of other tasks."""


def place(engine: Engine, *, here: bool) -> str:
    """Where tasks of an engine run, as `around` takes it; with `here` in the caller's thread all the same."""
    if here:
        return HERE
    if engine.shares_memory:
        return THREADS
    if supports(engine, ForeignWorkers):
        return CROWDED if engine.is_crowded() else GUESTS
    return PROCESSES


def around(where: str, capture: CaptureOutput, seed: int | None) -> Around:
    """The features of a call. Raises `UnpicklableError` if a registered context cannot travel."""
    found = (*_context(where), *_records(where), *_output(where, capture), *_randomness(where, seed))
    return (*found, *_sharing(where))


def _sharing(where: str) -> Iterator[Feature]:
    sharing = loaded("lightwork.parallel.sharing")  # handles among the arguments can come from there only
    if sharing is not None:
        yield Feature(sharing.layer(in_process=where in (HERE, THREADS)))


def refusal() -> Examine | None:
    """What looks at all tasks before they are sent, if that may find something."""
    return None if loaded("numpy.random") is None else parallel.shared_generators.refusal()


def _context(where: str) -> Iterator[Feature]:
    if where != HERE:  # there the tasks are in the midst of it
        layer = surroundings(shares_memory=where == THREADS, alone=where != CROWDED)
        if layer is not None:
            yield Feature(layer)


def _records(where: str) -> Iterator[Feature]:
    # Who has set up logging wants to see what is logged. Who has not sees warnings on standard error.
    if where not in (HERE, THREADS) and has_handlers():
        layer = parallel.records.ForwardedRecords(own_thread=where == CROWDED)
        yield Feature(layer, {tuple: parallel.hearing.hear_record})


def _output(where: str, capture: CaptureOutput) -> Iterator[Feature]:
    if capture is False:
        return
    output, hearing = parallel.output, parallel.hearing
    hear = hearing.to_function(capture) if callable(capture) else hearing.print_tagged
    if where not in (PROCESSES, GUESTS):
        yield Feature(parallel.routed_output.RoutedOutput(), {output.Printed: hear})
    elif capture == "fd":
        yield Feature(parallel.descriptors.CapturedDescriptors(), {output.Printed: hear})
    else:
        yield Feature(output.CapturedOutput(), {output.Printed: hear})


def _randomness(where: str, seed: int | None) -> Iterator[Feature]:
    if seed is None:
        seeding = loaded("lightwork.parallel.seeding")
        # In a task that has a stream: the tasks of this call have none, wherever they run.
        if where == HERE and seeding is not None and seeding.has_stream():
            yield Feature(seeding.Seeding(None))
        return
    yield Feature(parallel.seeding.Seeding(seed))
    if where in (THREADS, CROWDED):
        _say_once()
    else:
        yield Feature(parallel.global_seeding.GlobalSeeding(seed, restores=where != PROCESSES))


@functools.cache
def _say_once() -> None:
    # No warning: a task that asks task_rng() does all that it should.
    log.info(
        "seed=: threads share the global random states, so those are not seeded; only lightwork.task_rng() "
        "gives tasks in threads the same numbers each time"
    )
