"""Files as private, writable memory, within a budget of live mappings.

Python's `mmap` keeps a descriptor of its own (before 3.13), and ten thousand mapped results are an ordinary
program: without a budget the process would run out of descriptors. Beyond the budget the bytes are read.
"""

import mmap
import os
import sys
import weakref

__all__ = ["MAPPINGS", "MappingBudget", "fresh_memory", "read_into_memory"]

_MOST_WITH_DESCRIPTOR = 256
_MOST_WITHOUT = 16_384  # a quarter of the kernel's usual limit of 65,530 maps
_LARGEST_READ = 1 << 30  # Linux reads at most 2 GiB - 4 KiB in one call


class MappingBudget:
    """Maps files as long as there are fewer than `most` live mappings. Safe to use from several threads.

    A mapping counts until it and every array on it are gone.

    Parameters
    ----------
    most
        Largest number of live mappings; ``None``: what the limits of the process allow.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        # Adding and removing are single operations of a dict, so no lock is needed: a weak reference may be
        # called at any point of any thread, where waiting for a lock would hang.
        self._live: dict[int, weakref.ref[mmap.mmap]] = {}

    @property
    def count(self) -> int:
        """Number of live mappings."""
        return len(self._live)

    @property
    def most(self) -> int:
        """Largest number of live mappings."""
        if self._most is None:
            self._most = _allowed()
        return self._most

    def map(self, descriptor: int, nbytes: int, *, offset: int = 0) -> mmap.mmap | None:
        """``nbytes >= 1`` bytes of a file from `offset` on: private, writable; ``None`` beyond the budget.

        The offset is a multiple of ``mmap.ALLOCATIONGRANULARITY``. The caller may close `descriptor`
        afterwards. Raises `OSError` or `ValueError` if the file is shorter or cannot be mapped.
        """
        if len(self._live) >= self.most:
            return None
        mapping = _map_private(descriptor, nbytes, offset)
        number = id(mapping)
        live = self._live
        live[number] = weakref.ref(mapping, lambda _: live.pop(number, None))
        return mapping


def _map_private(descriptor: int, nbytes: int, offset: int) -> mmap.mmap:
    flags, protection = mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, nbytes, flags=flags, prot=protection, offset=offset, trackfd=False)
    return mmap.mmap(descriptor, nbytes, flags=flags, prot=protection, offset=offset)


def fresh_memory(nbytes: int) -> mmap.mmap | bytearray:
    """Zeroed, writable memory of this process alone: a forked child that writes into it has its own."""
    if nbytes < 1 << 20:
        return bytearray(nbytes)
    # Anonymous pages come zeroed from the kernel; a large bytearray would be filled with zeros first. Without
    # these flags `mmap` shares them with children.
    if sys.platform == "win32":
        return mmap.mmap(-1, nbytes)
    return mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def read_into_memory(descriptor: int, nbytes: int, *, offset: int = 0) -> mmap.mmap | bytearray:
    """``nbytes >= 0`` bytes of a file, from `offset` on, in fresh writable memory.

    Raises
    ------
    EOFError
        The file is shorter.
    """
    target = fresh_memory(nbytes)
    view = memoryview(target)
    position = 0
    while position < nbytes:
        count = os.preadv(descriptor, [view[position : position + _LARGEST_READ]], offset + position)
        if count == 0:
            raise EOFError(f"{nbytes} bytes were expected and {position} are there")
        position += count
    return target


def _allowed() -> int:
    if sys.version_info >= (3, 13):  # mappings without a descriptor
        return _MOST_WITHOUT
    try:
        descriptors = os.sysconf("SC_OPEN_MAX")  # -1: no limit
    except (OSError, ValueError, AttributeError):
        return _MOST_WITH_DESCRIPTOR
    return min(_MOST_WITH_DESCRIPTOR, descriptors // 4) if descriptors >= 4 else _MOST_WITH_DESCRIPTOR


MAPPINGS = MappingBudget()
"""The budget of this process, shared by all stores."""
