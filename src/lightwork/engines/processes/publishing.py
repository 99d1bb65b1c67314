"""Large buffers that many tasks share: published once in the parent, mapped privately in each worker.

::

    parent                                              worker
    first sight of a buffer: travels in its frame
    second sight: written to a file (memfd) once
    SEGMENT number, file, place        ─────────────►   kept; mapped anew for each task that is given it
      + descriptor with the first of a file
    later sights: only the number      ─────────────►

What is published is the content at that moment, for one session; an argument must not change while a call
runs. A private mapping per hand-out makes every task start from the published bytes: what a task writes
is seen by nobody, and a result or a global that still refers to a mapping keeps it, and with it the file. So
each buffer has a file of its own, until there are 64: a call may have thousands of buffers, and a process no
more than a thousand descriptors. All further ones share the last file.
"""

import errno
import mmap
import os
import pickle
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ...system.segments import PublishedMap, create_segment, write_segment
from ..workers.wire import EXTENT, Placed
from .sightings import Seen, Sightings, published_map

__all__ = ["SHARED_FROM", "Publisher", "Segment"]

SHARED_FROM: Final = 64 << 10
"""Bytes from which a buffer seen twice is published. Below, a mapping costs more than the bytes."""

_FILES: Final = 64

_FULL = frozenset({errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class Segment(NamedTuple):
    """A published buffer."""

    number: int
    descriptor: int
    offset: int
    nbytes: int

    def body(self) -> bytes:
        """The body of its SEGMENT frame. Its descriptor stays open, so that the number names the file."""
        return EXTENT.pack(self.descriptor, self.offset, self.nbytes)


class Publisher:
    """The large buffers of one session. Which of them are the same is told by `Sightings`."""

    def __init__(self) -> None:
        self._sightings = Sightings()
        self.segments: dict[int, Segment] = {}
        self._published = 0
        self._files: list[int] = []  # descriptors of what is published here
        self._end = 0  # of the last of them
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

    def unknown(
        self, buffers: Iterable[Placed], known: set[int], files: set[int]
    ) -> Iterator[tuple[Segment, int | None]]:
        """The segments among buffers whose numbers are not `known` to a worker. Then they are.

        Each with the descriptor of its file, if that is not among the `files` of the worker. Then it is.
        """
        for item in buffers:
            if isinstance(item, int) and item not in known:
                known.add(item)
                segment = self.segments[item]
                is_new = segment.descriptor not in files
                files.add(segment.descriptor)
                yield segment, segment.descriptor if is_new else None

    def close(self) -> None:
        """Close all segments. Workers that mapped one keep it."""
        descriptors = {segment.descriptor for segment in self.segments.values()}
        self.segments, self._passed_on, self._files = {}, {}, []
        self._sightings.clear()
        for descriptor in descriptors:
            os.close(descriptor)

    def _number(self, seen: Seen) -> int:
        segment: Segment = seen.mark
        return segment.number

    def _publish(self, view: memoryview) -> Segment | None:
        """``None`` where there is no room: the buffer then goes on travelling in its frames."""
        try:
            place = self._append(view) if len(self._files) == _FILES else self._write(view)
        except OSError as error:
            if error.errno in _FULL:
                return None
            raise
        return self._add(*place, view.nbytes)

    def _write(self, view: memoryview) -> tuple[int, int]:
        """Write a buffer to a file of its own: the descriptor, and where the buffer begins."""
        descriptor = create_segment("lightwork")
        try:
            self._end = write_segment(descriptor, [view])
        except BaseException:
            os.close(descriptor)
            raise
        self._files.append(descriptor)
        return descriptor, 0

    def _append(self, view: memoryview) -> tuple[int, int]:
        """As `_write`, behind all that the last file has."""
        descriptor, begin = self._files[-1], self._end + -self._end % mmap.ALLOCATIONGRANULARITY
        try:
            self._end = write_segment(descriptor, [view], start=begin)
        except BaseException:
            os.ftruncate(descriptor, self._end)
            raise
        return descriptor, begin

    def _pass_on(self, mapping: PublishedMap, view: memoryview) -> Placed:
        """The number of what was published before, by somebody else."""
        found = self._passed_on.get(id(mapping))
        if found is None:
            try:
                segment = self._add(os.dup(mapping.descriptor), 0, view.nbytes)
            except OSError as error:
                if error.errno in _FULL:
                    return view
                raise
            found = self._passed_on[id(mapping)] = mapping, segment
        return found[1].number

    def _add(self, descriptor: int, offset: int, nbytes: int) -> Segment:
        segment = Segment(self._published, descriptor, offset, nbytes)
        self._published += 1
        self.segments[segment.number] = segment
        return segment
