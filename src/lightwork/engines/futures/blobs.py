"""Bytes on their way to and from workers of somebody else, by whatever pickler those have."""

import os
import pickle
from typing import Any, Final

from ...system.segments import PublishedMap, map_private, publish

__all__ = ["Blob"]

_MAPPED_FROM: Final = 1 << 20
"""Bytes from which a second copy is a mapping. Below, copying takes less than a tenth of a millisecond."""


class Blob:
    """Bytes that travel beside the pickle they belong to, uncopied if the pickler can do that."""

    __slots__ = ("_copied", "data")

    def __init__(self, data: Any) -> None:  # Any: whatever exports contiguous bytes
        self.data = data
        self._copied = False

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if int(protocol) >= 5:
            return Blob, (pickle.PickleBuffer(self.data),)
        return Blob, (bytearray(self.data),)

    def view(self) -> memoryview:
        """The bytes as they are; perhaps read-only, perhaps seen by others."""
        return memoryview(self.data).cast("B")

    def owned(self) -> memoryview:
        """The bytes in memory that may be written to: a copy if these may not."""
        view = self.view()
        return memoryview(bytearray(view)) if view.readonly else view

    def copy(self) -> memoryview:
        """The bytes in memory of their own. Who asks again gets a mapping: only changed pages are copied.

        The bytes move to a segment for that, which goes with this object and the mappings.
        """
        view = self.view()
        if self._copied and view.nbytes >= _MAPPED_FROM and hasattr(os, "memfd_create"):
            if not isinstance(self.data, PublishedMap):
                try:
                    self.data = publish("lightwork-part", [view])
                except OSError:  # no room, or no descriptor: a copy it is
                    return memoryview(bytearray(view))
            return memoryview(map_private(self.data.descriptor, len(self.data)))
        self._copied = True
        return memoryview(bytearray(view))
