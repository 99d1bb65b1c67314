"""Published buffers in the worker. How they get here: `lightwork.engines.processes.publishing`."""

import os
from collections import Counter

from ...system.mapped import MappingBudget, read_into_memory
from ...system.segments import map_read_only
from .wire import EXTENT, Placed

__all__ = ["MappedSegments"]

_MOST = 16_384  # a quarter of the kernel's usual limit of 65,530 maps


class MappedSegments:
    """The worker's side: segments by number, each hand-out with the published bytes.

    Mappings are never closed here, they end with the last array that refers to them. numpy keeps a reference
    to the ``mmap`` behind an array and no claim on its buffer, so ``close`` would succeed under its feet.
    Each has a descriptor (before Python 3.13), so that beyond a quarter of those that a process may have,
    buffers are read into memory.
    """

    def __init__(self) -> None:
        self._files: dict[int, int] = {}  # descriptors, by the number of the file
        self._extents: dict[int, tuple[int, int, int]] = {}  # file, offset, size
        self._live: Counter[int] = Counter()  # segments, by the number of their file
        self._views: dict[int, memoryview] = {}  # those that all tasks share
        self._budget = MappingBudget(_most())

    def add(self, number: int, body: memoryview, descriptor: int | None) -> None:
        """Note the segment of a SEGMENT frame; take over the descriptor of a file that is new."""
        file, offset, nbytes = EXTENT.unpack_from(body)
        if descriptor is not None:
            self._files[file] = descriptor
        self._extents[number] = file, offset, nbytes
        self._live[file] += 1

    def drop(self, number: int) -> None:
        """Let go of a segment, and of its file with the last one."""
        file, _, _ = self._extents.pop(number)
        self._views.pop(number, None)
        self._live[file] -= 1
        if not self._live[file]:
            os.close(self._files.pop(file))

    def private(self, item: Placed) -> memoryview:
        """The memory of a buffer: what came with its task, or that of a segment which nobody else has."""
        if not isinstance(item, int):
            return item
        descriptor, offset, nbytes = self._extent(item)
        mapping = self._budget.map(descriptor, nbytes, offset=offset)
        if mapping is None:
            return memoryview(read_into_memory(descriptor, nbytes, offset=offset))
        return memoryview(mapping)

    def read_only(self, item: Placed) -> memoryview:
        """The memory of a buffer that nobody may write to, so that all tasks have the same of a segment."""
        if not isinstance(item, int):
            return item.toreadonly()
        view = self._views.get(item)
        if view is None:
            view = self._views[item] = self._shared(item)
        return view

    def clear(self) -> None:
        """Let go of all segments."""
        self._views, self._extents, self._live = {}, {}, Counter()
        files, self._files = self._files, {}
        for descriptor in files.values():
            os.close(descriptor)

    def _extent(self, item: int) -> tuple[int, int, int]:
        file, offset, nbytes = self._extents[item]
        return self._files[file], offset, nbytes

    def _shared(self, item: int) -> memoryview:
        descriptor, offset, nbytes = self._extent(item)
        if len(self._views) < self._budget.most:
            return memoryview(map_read_only(descriptor, nbytes, offset=offset))
        return memoryview(read_into_memory(descriptor, nbytes, offset=offset)).toreadonly()


def _most() -> int:
    descriptors = os.sysconf("SC_OPEN_MAX")  # -1: no limit
    return _MOST if descriptors < 0 else min(_MOST, descriptors // 4)
