"""Published buffers in the worker. How they get here: `lightwork.engines.processes.publishing`."""

import os

from ...system.segments import map_private, map_read_only
from .wire import NBYTES, Placed

__all__ = ["MappedSegments"]


class MappedSegments:
    """The worker's side: segments by number, each hand-out with the published bytes.

    Mappings are never closed here, they end with the last array that refers to them. numpy keeps a reference
    to the ``mmap`` behind an array and no claim on its buffer, so ``close`` would succeed under its feet.
    """

    def __init__(self) -> None:
        self._descriptors: dict[int, tuple[int, int]] = {}
        self._views: dict[int, memoryview] = {}  # those that all tasks share

    def add(self, number: int, body: memoryview, descriptor: int) -> None:
        """Take over the segment of a SEGMENT frame."""
        (nbytes,) = NBYTES.unpack_from(body)
        self._descriptors[number] = (descriptor, nbytes)

    def private(self, item: Placed) -> memoryview:
        """The memory of a buffer: what came with its task, or a view on a segment that nobody else has."""
        return memoryview(map_private(*self._descriptors[item])) if isinstance(item, int) else item

    def read_only(self, item: Placed) -> memoryview:
        """The memory of a buffer that nobody may write to, so that all tasks have the same of a segment."""
        if not isinstance(item, int):
            return item.toreadonly()
        view = self._views.get(item)
        if view is None:
            view = self._views[item] = memoryview(map_read_only(*self._descriptors[item]))
        return view

    def clear(self) -> None:
        """Let go of all segments."""
        self._views = {}
        descriptors, self._descriptors = self._descriptors, {}
        for descriptor, _ in descriptors.values():
            os.close(descriptor)
