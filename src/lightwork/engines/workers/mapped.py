"""Published buffers in the worker. How they get here: `lightwork.engines.processes.publishing`."""

import os

from ...system.segments import map_private
from .wire import NBYTES

__all__ = ["MappedSegments"]


class MappedSegments:
    """The worker's side: segments by number, each hand-out with the published bytes.

    Mappings are never closed here, they end with the last array that refers to them. numpy keeps a reference
    to the ``mmap`` behind an array and no claim on its buffer, so ``close`` would succeed under its feet.
    """

    def __init__(self) -> None:
        self._descriptors: dict[int, tuple[int, int]] = {}

    def add(self, number: int, body: memoryview, descriptor: int) -> None:
        """Take over the segment of a SEGMENT frame."""
        (nbytes,) = NBYTES.unpack_from(body)
        self._descriptors[number] = (descriptor, nbytes)

    def view(self, number: int) -> memoryview:
        """A private, writable view on the published bytes, not shared with any other hand-out."""
        return memoryview(map_private(*self._descriptors[number]))

    def clear(self) -> None:
        """Let go of all segments."""
        descriptors, self._descriptors = self._descriptors, {}
        for descriptor, _ in descriptors.values():
            os.close(descriptor)
