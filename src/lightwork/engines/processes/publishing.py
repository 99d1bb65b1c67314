"""Large buffers that many tasks share: published once in the parent, mapped privately in each worker.

::

    parent                                              worker
    first sight of a buffer: travels in its frame
    second sight: written to a file (memfd) once
    SEGMENT number, file, place        ─────────────►   kept; mapped anew for each task that is given it
      + descriptor with the first of a file
    later sights: only the number      ─────────────►
    the buffer is gone, its tasks have
    answered: DROP number              ─────────────►   let go of, and of the file with its last one

What is published is the content at that moment, for one session; an argument must not change while a call
runs. A private mapping per hand-out makes every task start from the published bytes: what a task writes
is seen by nobody, and a result or a global that still refers to a mapping keeps it, and with it the file. So
each buffer has a file of its own, until there are 64: a call may have thousands of buffers, and a process no
more than a thousand descriptors. Further ones share the last file, and the next one when that is large: a
file goes with the last of its buffers, so it must not get new ones for ever.
"""

import errno
import itertools
import mmap
import os
import pickle
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from ...arrays.sightings import SHARED_FROM, Seen, Sightings, published_map
from ...system.segments import PublishedMap, create_segment, write_segment
from ..workers.wire import EXTENT, Placed

__all__ = ["Known", "Publisher", "Segment"]

_FILES: Final = 64

_LARGE_FILE: Final = 64 << 20
"""Bytes from which a shared file gets no more buffers."""

_FULL = frozenset({errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class _File:
    """Where buffers are published: ``live`` of them, which end at ``end``."""

    __slots__ = ("descriptor", "end", "live", "number")

    def __init__(self, number: int, descriptor: int) -> None:
        self.number = number
        self.descriptor = descriptor
        self.live = 0
        self.end = 0


class Segment(NamedTuple):
    """A published buffer."""

    number: int
    file: _File
    offset: int
    nbytes: int

    def body(self) -> bytes:
        """The body of its SEGMENT frame."""
        return EXTENT.pack(self.file.number, self.offset, self.nbytes)


class Known:
    """What a worker has of what was published: segments, and files for as long as it has one of theirs."""

    __slots__ = ("_files", "_segments")

    def __init__(self) -> None:
        self._segments: set[int] = set()
        self._files: Counter[int] = Counter()

    def __contains__(self, number: int) -> bool:
        return number in self._segments

    def add(self, segment: Segment) -> bool:
        """It gets a segment; whether it has no other of the same file."""
        self._segments.add(segment.number)
        self._files[segment.file.number] += 1
        return self._files[segment.file.number] == 1

    def drop(self, segment: Segment) -> None:
        """It lets go of a segment that it has."""
        self._segments.remove(segment.number)
        self._files[segment.file.number] -= 1


class Publisher:
    """The large buffers of one session. Which of them are the same is told by `Sightings`."""

    def __init__(self) -> None:
        self._sightings = Sightings(self._orphan)
        self.segments: dict[int, Segment] = {}
        self._numbers = itertools.count()
        self._file_numbers = itertools.count()
        self._orphans: set[int] = set()
        self._files: dict[int, _File] = {}  # what is published here, the last one last
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

    def unknown(self, buffers: Iterable[Placed], known: Known) -> Iterator[tuple[Segment, int | None]]:
        """The segments among buffers that are not `known` to a worker. Then they are.

        Each with the descriptor of its file, if the worker has not that either.
        """
        for item in buffers:
            if isinstance(item, int) and item not in known:
                segment = self.segments[item]
                yield segment, segment.file.descriptor if known.add(segment) else None

    def orphans(self) -> set[int]:
        """The segments that no task names which is encoded from now on: their buffers are gone."""
        self._sightings.sweep()
        return self._orphans

    def drop(self, number: int) -> None:
        """Give back an orphan that no task needs any more. Workers that have mapped it keep it."""
        self._orphans.remove(number)
        file = self.segments.pop(number).file
        file.live -= 1
        if not file.live:
            del self._files[file.number]
            os.close(file.descriptor)

    def close(self) -> None:
        """Close all segments. Workers that mapped one keep it."""
        descriptors = {segment.file.descriptor for segment in self.segments.values()}
        self.segments, self._passed_on, self._files = {}, {}, {}
        self._sightings.clear()
        for descriptor in descriptors:
            os.close(descriptor)

    def _number(self, seen: Seen) -> int:
        segment: Segment = seen.mark
        return segment.number

    def _orphan(self, segment: Segment) -> None:
        self._orphans.add(segment.number)

    def _publish(self, view: memoryview) -> Segment | None:
        """``None`` where there is no room: the buffer then goes on travelling in its frames."""
        last = next(reversed(self._files.values()), None)
        try:
            if last is None or len(self._files) < _FILES or last.end >= _LARGE_FILE:
                return self._write(view)
            return self._append(view, last)
        except OSError as error:
            if error.errno in _FULL:
                return None
            raise

    def _write(self, view: memoryview) -> Segment:
        """Write a buffer to a file of its own."""
        descriptor = create_segment("lightwork")
        try:
            end = write_segment(descriptor, [view])
        except BaseException:
            os.close(descriptor)
            raise
        file = _File(next(self._file_numbers), descriptor)
        file.end = end
        self._files[file.number] = file
        return self._add(file, 0, view.nbytes)

    def _append(self, view: memoryview, file: _File) -> Segment:
        """Write a buffer behind all that a file has."""
        begin = file.end + -file.end % mmap.ALLOCATIONGRANULARITY
        try:
            file.end = write_segment(file.descriptor, [view], start=begin)
        except BaseException:
            os.ftruncate(file.descriptor, file.end)
            raise
        return self._add(file, begin, view.nbytes)

    def _pass_on(self, mapping: PublishedMap, view: memoryview) -> Placed:
        """The number of what was published before, by somebody else."""
        found = self._passed_on.get(id(mapping))
        if found is None:
            try:
                file = _File(next(self._file_numbers), os.dup(mapping.descriptor))
            except OSError as error:
                if error.errno in _FULL:
                    return view
                raise
            found = self._passed_on[id(mapping)] = mapping, self._add(file, 0, view.nbytes)
        return found[1].number

    def _add(self, file: _File, offset: int, nbytes: int) -> Segment:
        segment = Segment(next(self._numbers), file, offset, nbytes)
        file.live += 1
        self.segments[segment.number] = segment
        return segment
