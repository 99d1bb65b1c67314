"""Which features a call has: what is done around its tasks, in the order from the outside in."""

import functools
from collections.abc import Iterator
from typing import Final

from .. import parallel  # parts that only some calls need are loaded by those
from ..system import log
from ..system.optional import loaded
from .around import Around, Feature
from .driver import Examine
from .options import CaptureOutput
from .taken import has_handlers, surroundings

__all__ = ["HERE", "PROCESSES", "THREADS", "around", "refusal"]

HERE: Final = "here"
"""Tasks run in the caller's thread."""

THREADS: Final = "threads"
PROCESSES: Final = "processes"
"""In threads of this process, or in worker processes."""


def around(where: str, capture: CaptureOutput, seed: int | None) -> Around:
    """The features of a call. Raises `UnpicklableError` if a registered context cannot travel."""
    found = (*_context(where), *_records(where), *_output(where, capture), *_randomness(where, seed))
    return (*found, *_sharing(where))


def _sharing(where: str) -> Iterator[Feature]:
    sharing = loaded("lightwork.parallel.sharing")  # handles among the arguments can come from there only
    if sharing is not None:
        yield Feature(sharing.layer(in_process=where != PROCESSES))


def refusal() -> Examine | None:
    """What looks at all tasks before they are sent, if that may find something."""
    return None if loaded("numpy.random") is None else parallel.shared_generators.refusal()


def _context(where: str) -> Iterator[Feature]:
    if where != HERE:  # there the tasks are in the midst of it
        layer = surroundings(shares_memory=where == THREADS)
        if layer is not None:
            yield Feature(layer)


def _records(where: str) -> Iterator[Feature]:
    # Who has set up logging wants to see what is logged. Who has not sees warnings on standard error.
    if where == PROCESSES and has_handlers():
        yield Feature(parallel.records.ForwardedRecords(), {tuple: parallel.hearing.hear_record})


def _output(where: str, capture: CaptureOutput) -> Iterator[Feature]:
    if capture is False:
        return
    output, hearing = parallel.output, parallel.hearing
    hear = hearing.to_function(capture) if callable(capture) else hearing.print_tagged
    if where != PROCESSES:
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
    if where == THREADS:
        _say_once()
    else:
        yield Feature(parallel.global_seeding.GlobalSeeding(seed, restores=where == HERE))


@functools.cache
def _say_once() -> None:
    # No warning: a task that asks task_rng() does all that it should.
    log.info(
        "seed=: threads share the global random states, so those are not seeded; only lightwork.task_rng() "
        "gives tasks in threads the same numbers each time"
    )
