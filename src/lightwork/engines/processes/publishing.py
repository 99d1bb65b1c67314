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
from typing import Any, Final, NamedTuple, TypeAlias

from ...system.optional import loaded
from ...system.segments import PublishedMap, create_segment, write_segment
from ..workers.wire import NBYTES, Placed

__all__ = ["SHARED_FROM", "Publisher", "Segment"]

SHARED_FROM: Final = 64 << 10
"""Bytes from which a buffer seen twice is published. Below, a mapping costs more than the bytes."""

_HELD: Final = 256 << 20  # bytes of arrow buffers that are kept in order to be known again

_FULL = frozenset({errno.ENOSPC, errno.ENOMEM, errno.EMFILE, errno.ENFILE})


class Segment(NamedTuple):
    """A published buffer."""

    number: int
    descriptor: int
    nbytes: int

    def body(self) -> bytes:
        """The body of its SEGMENT frame."""
        return NBYTES.pack(self.nbytes)


_Key: TypeAlias = tuple[int, int]
"""Address and size."""


class _Seen:
    """A place in memory that a task referred to. `owner` tells whether it is still the same."""

    __slots__ = ("owner", "segment")

    def __init__(self, owner: "weakref.ref[Any]") -> None:
        self.owner = owner
        self.segment: Segment | None = None


class Publisher:
    """The large buffers of one session. Rules: a buffer is the same if it lies at the same address, has the
    same size, and the array or storage that owns the memory has lived on in between; owners are held weakly,
    so nothing is kept in memory for the sake of being recognised, but for 256 MiB of arrow buffers.
    """

    def __init__(self) -> None:
        self._seen: dict[_Key, _Seen] = {}
        self._held: dict[_Key, Any] = {}  # Any: arrow buffers
        self._held_nbytes = 0
        self.segments: dict[int, Segment] = {}
        self._published = 0
        self._passed_on: dict[int, tuple[PublishedMap, Segment]] = {}  # by the id of the mapping

    def place(self, buffer: pickle.PickleBuffer) -> Placed:
        """The bytes of a buffer, or the number of the segment where they were published."""
        view = buffer.raw()
        if view.nbytes < SHARED_FROM:
            return view
        exporter = _exporter(view)
        if isinstance(exporter, PublishedMap) and view.nbytes == len(exporter):
            return self._pass_on(exporter, view)
        found = self._identity(view)
        if found is None:
            return view
        owner, key = found
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
        found = self._identity(placed)
        if found is None:
            return placed
        owner, key = found
        seen = self._seen.get(key)
        if seen is None or seen.owner() is not owner or seen.segment is None:
            return placed
        return seen.segment.number

    def close(self) -> None:
        """Close all segments. Workers that mapped one keep it."""
        segments, self.segments = self.segments, {}
        self._passed_on = {}
        self._seen, self._held, self._held_nbytes = {}, {}, 0
        for segment in segments.values():
            os.close(segment.descriptor)

    def _identity(self, view: memoryview) -> tuple[Any, _Key] | None:  # Any: see `_exporter`
        """What owns the memory of a view, and where and how large it is; ``None`` if nobody can tell."""
        exporter: Any = _exporter(view)
        numpy, arrow = loaded("numpy"), loaded("pyarrow")
        if numpy is not None and isinstance(exporter, numpy.ndarray):
            return _owner(exporter), (exporter.__array_interface__["data"][0], view.nbytes)
        if arrow is not None and isinstance(exporter, arrow.Buffer):
            key = exporter.address, exporter.size
            return self._hold(key, exporter), key
        return None

    def _hold(self, key: _Key, buffer: Any) -> Any:  # Any: arrow buffers
        """The buffer that stands for this memory: arrow makes a new object at each sight of it.

        So its end cannot be observed, and to know the memory again is to keep it; up to a limit.
        """
        if key in self._held:
            return self._held[key]
        self._held[key] = buffer
        self._held_nbytes += buffer.size
        while self._held_nbytes > _HELD and len(self._held) > 1:
            oldest = next(iter(self._held))
            self._held_nbytes -= self._held.pop(oldest).size
            self._seen.pop(oldest, None)
        return buffer

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

    def _forget_dead(self) -> None:
        """Let go of segments whose array is gone: no later task can refer to it."""
        dead = [key for key, seen in self._seen.items() if seen.owner() is None]
        for key in dead:
            del self._seen[key]


def _exporter(view: memoryview) -> object:
    """The object whose memory a view shows."""
    exporter: object = view.obj
    while isinstance(exporter, memoryview):
        exporter = exporter.obj
    return exporter


def _owner(array: Any) -> Any:  # Any: numpy arrays, storages of torch
    """What lives as long as the memory of an array: the array that owns it, or a storage."""
    while isinstance(array.base, type(array)):
        array = array.base
    torch = loaded("torch")
    if torch is not None and isinstance(array.base, torch.Tensor):
        # The array was made to pickle a tensor; torch keeps one object per storage as long as that lives.
        return array.base.untyped_storage()
    return array
