"""Large buffers that many tasks share: published once in the parent, mapped privately in each worker.

::

    parent                                              worker
    first sight of a buffer: travels in its frame
    second sight: written to a segment (memfd) once
    SEGMENT number, size + descriptor  ─────────────►   kept; mapped anew for each task that is given it
    later sights: only the number      ─────────────►

What is published is the content at that moment, for one session; an argument must not change while a call
runs. A private mapping per hand-out makes every task start from the published bytes: what a task writes
is seen by nobody, and a result or a global that still refers to a mapping keeps it.
"""

import errno
import os
import pickle
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ...system.segments import PublishedMap, create_segment, write_segment
from ..workers.wire import NBYTES, Placed
from .sightings import Seen, Sightings, published_map

__all__ = ["SHARED_FROM", "Publisher", "Segment"]

SHARED_FROM: Final = 64 << 10
"""Bytes from which a buffer seen twice is published. Below, a mapping costs more than the bytes."""

_FULL = frozenset({errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class Segment(NamedTuple):
    """A published buffer."""

    number: int
    descriptor: int
    nbytes: int

    def body(self) -> bytes:
        """The body of its SEGMENT frame."""
        return NBYTES.pack(self.nbytes)


class Publisher:
    """The large buffers of one session. Which of them are the same is told by `Sightings`."""

    def __init__(self) -> None:
        self._sightings = Sightings()
        self.segments: dict[int, Segment] = {}
        self._published = 0
        self._passed_on: dict[int, tuple[PublishedMap, Segment]] = {}  # by the id of the mapping

    def place(self, buffer: pickle.PickleBuffer) -> Placed:
        """The bytes of a buffer, or the number of the segment where they were published."""
        view = buffer.raw()
        if view.nbytes < SHARED_FROM:
            return view
        mapping = published_map(view)
        if mapping is not None:
            return self._pass_on(mapping, view)
        seen, is_first = self._sightings.meet(view)
        if seen is None or is_first:
            return view
        if seen.mark is None:
            seen.mark = self._publish(view)
        return view if seen.mark is None else self._number(seen)

    def place_again(self, placed: Placed) -> Placed:
        """What `place` returned, or the segment of a buffer that was published since then."""
        if isinstance(placed, int) or placed.nbytes < SHARED_FROM:
            return placed
        seen = self._sightings.recall(placed)
        return placed if seen is None or seen.mark is None else self._number(seen)

    def unknown(self, buffers: Iterable[Placed], known: set[int]) -> Iterator[Segment]:
        """The segments among buffers whose numbers are not `known` to a worker. Then they are."""
        for item in buffers:
            if isinstance(item, int) and item not in known:
                known.add(item)
                yield self.segments[item]

    def close(self) -> None:
        """Close all segments. Workers that mapped one keep it."""
        segments, self.segments = self.segments, {}
        self._passed_on = {}
        self._sightings.clear()
        for segment in segments.values():
            os.close(segment.descriptor)

    def _number(self, seen: Seen) -> int:
        segment: Segment = seen.mark
        return segment.number

    def _publish(self, view: memoryview) -> Segment | None:
        """``None`` where there is no room: the buffer then goes on travelling in its frames."""
        try:
            descriptor = create_segment("lightwork")
        except OSError as error:
            if error.errno in _FULL:
                return None
            raise
        try:
            write_segment(descriptor, [view])
        except OSError as error:
            os.close(descriptor)
            if error.errno in _FULL:
                return None
            raise
        return self._add(descriptor, view.nbytes)

    def _pass_on(self, mapping: PublishedMap, view: memoryview) -> Placed:
        """The number of what was published before, by somebody else."""
        found = self._passed_on.get(id(mapping))
        if found is None:
            try:
                segment = self._add(os.dup(mapping.descriptor), view.nbytes)
            except OSError as error:
                if error.errno in _FULL:
                    return view
                raise
            found = self._passed_on[id(mapping)] = mapping, segment
        return found[1].number

    def _add(self, descriptor: int, nbytes: int) -> Segment:
        segment = Segment(self._published, descriptor, nbytes)
        self._published += 1
        self.segments[segment.number] = segment
        return segment
