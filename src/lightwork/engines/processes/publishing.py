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
import weakref
from typing import Any, Final, NamedTuple

from ...system.optional import loaded
from ...system.segments import create_segment, write_segment
from ..workers.wire import NBYTES, Placed

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


class _Seen:
    """A place in memory that a task referred to. `owner` tells whether it is still the same."""

    __slots__ = ("owner", "segment")

    def __init__(self, owner: "weakref.ref[Any]") -> None:
        self.owner = owner
        self.segment: Segment | None = None


class Publisher:
    """The large buffers of one session. Rules: a buffer is the same if it lies at the same address, has the
    same size, and the array that owns the memory has lived on in between; owners are held weakly, so nothing
    is kept in memory for the sake of being recognised.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[int, int], _Seen] = {}
        self.segments: dict[int, Segment] = {}
        self._published = 0

    def place(self, buffer: pickle.PickleBuffer) -> Placed:
        """The bytes of a buffer, or the number of the segment where they were published."""
        view = buffer.raw()
        if view.nbytes < SHARED_FROM:
            return view
        array = _array_behind(view)
        if array is None:
            return view
        owner, key = _identity(array, view)
        seen = self._seen.get(key)
        if seen is None or seen.owner() is not owner:
            self._forget_dead()
            self._seen[key] = _Seen(weakref.ref(owner))
            return view
        if seen.segment is None:
            seen.segment = self._publish(view)
        return view if seen.segment is None else seen.segment.number

    def place_again(self, placed: Placed) -> Placed:
        """What `place` returned, or the segment of a buffer that was published since then."""
        if isinstance(placed, int) or placed.nbytes < SHARED_FROM:
            return placed
        array = _array_behind(placed)
        if array is None:
            return placed
        owner, key = _identity(array, placed)
        seen = self._seen.get(key)
        if seen is None or seen.owner() is not owner or seen.segment is None:
            return placed
        return seen.segment.number

    def close(self) -> None:
        """Close all segments. Workers that mapped one keep it."""
        segments, self.segments = self.segments, {}
        self._seen = {}
        for segment in segments.values():
            os.close(segment.descriptor)

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
        segment = Segment(self._published, descriptor, view.nbytes)
        self._published += 1
        self.segments[segment.number] = segment
        return segment

    def _forget_dead(self) -> None:
        """Let go of segments whose array is gone: no later task can refer to it."""
        dead = [key for key, seen in self._seen.items() if seen.owner() is None]
        for key in dead:
            del self._seen[key]


def _array_behind(view: memoryview) -> Any:  # Any: a numpy array
    """The array whose bytes `view` shows, ``None`` if it is no numpy array."""
    numpy = loaded("numpy")
    exporter: object = view.obj
    while isinstance(exporter, memoryview):
        exporter = exporter.obj
    return exporter if numpy is not None and isinstance(exporter, numpy.ndarray) else None


def _identity(array: Any, view: memoryview) -> tuple[Any, tuple[int, int]]:  # Any: numpy arrays
    """The array that owns the memory of another, and where and how large a view on it is."""
    address = array.__array_interface__["data"][0]
    while isinstance(array.base, type(array)):
        array = array.base
    return array, (address, view.nbytes)
