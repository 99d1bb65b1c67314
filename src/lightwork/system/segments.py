"""Memory without a name that processes can share: written once, mapped privately by whoever gets it.

A segment is a ``memfd``: it lives as long as a descriptor or a mapping of it, takes nothing from
``/dev/shm``, and leaves nothing behind after SIGKILL. Linux only.
"""

import mmap
import os
import weakref
from collections.abc import Sequence

__all__ = [
    "PublishedMap",
    "create_segment",
    "map_private",
    "map_read_only",
    "map_shared",
    "publish",
    "write_segment",
]

_LARGEST_WRITE = 1 << 30  # Linux writes at most 2 GiB - 4 KiB in one call


def create_segment(name: str) -> int:
    """An empty segment's descriptor, which the caller closes. `name` is only seen in ``/proc``."""
    return os.memfd_create(name, os.MFD_CLOEXEC)


def write_segment(descriptor: int, parts: Sequence[memoryview], *, start: int = 0) -> int:
    """Write `parts` one after the other from `start` on; where they end.

    The file is cut to that length, so what a longer content left behind is gone.

    Raises
    ------
    OSError
        No memory is left for the segment. Its content from `start` on is undefined then.
    """
    position = start
    for part in parts:
        view = part.cast("B")
        while view.nbytes:
            written = os.pwrite(descriptor, view[:_LARGEST_WRITE], position)
            position += written
            view = view[written:]
    os.ftruncate(descriptor, position)
    return position


class PublishedMap(mmap.mmap):
    """A read-only mapping of a segment whose content is final. It owns the segment's descriptor.

    Attributes
    ----------
    descriptor
        For who passes the segment on; closed with the last reference to the mapping or to a view on it.
    """

    descriptor: int


def publish(name: str, parts: Sequence[memoryview]) -> PublishedMap:
    """A new segment with `parts`, which hold at least a byte, one after the other.

    Raises
    ------
    OSError
        No memory, or no descriptor, is left. Nothing stays behind.
    """
    descriptor = create_segment(name)
    try:
        nbytes = write_segment(descriptor, parts)
        mapping = PublishedMap(descriptor, nbytes, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
    except BaseException:
        os.close(descriptor)
        raise
    mapping.descriptor = descriptor
    weakref.finalize(mapping, os.close, descriptor).atexit = False
    return mapping


def map_private(descriptor: int, nbytes: int) -> mmap.mmap:
    """A writable mapping of ``nbytes >= 1`` bytes whose changes nobody else sees."""
    return mmap.mmap(descriptor, nbytes, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def map_read_only(descriptor: int, nbytes: int, *, offset: int = 0) -> mmap.mmap:
    """A mapping of ``nbytes >= 1`` bytes that cannot be written to.

    They begin at `offset`, a multiple of ``mmap.ALLOCATIONGRANULARITY``.
    """
    return mmap.mmap(descriptor, nbytes, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ, offset=offset)


def map_shared(descriptor: int, nbytes: int) -> mmap.mmap:
    """A mapping of ``nbytes >= 1`` bytes whose changes all holders see. The file is made that long."""
    os.ftruncate(descriptor, nbytes)
    return mmap.mmap(descriptor, nbytes, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
