"""Buffers whose digest is known because it names the file that they are mapped from.

A result of the cache is private and writable memory, so its digest is known only for as long as nobody has
written into it. That is asked of the kernel: the first write into a page of a private mapping of a file
makes the page anonymous, whoever writes and by whatever means. ``/proc/self/pagemap`` tells for each page
whether it is (1.2 ms for an untouched GB, 2.4 ms for one that was read, 8 µs for a MiB). ``smaps``
tells the same, but walks over all memory of the process: 0.5 and 16 ms for that GB alone. Where there is no
proof, on other systems than Linux say, there is no digest and the buffer is hashed.

A part of such a buffer, a column of a frame say, is hashed once in a process: its digest is learned, by the
digest of the file and its place in it, and serves under the same proof for later mappings of that file.

Addresses are told by numpy: a buffer that is worth it is an array, or lies in one.
"""

import mmap
import os
import sys
import weakref
from collections.abc import Callable
from typing import Any

from .optional import loaded

__all__ = ["KNOWN", "KnownBuffers", "is_untouched"]

_ENTRY = 8  # bytes that tell of one page
_PRESENT, _SWAPPED, _OF_FILE = 0x80, 0x40, 0x20  # in the highest byte: bits 63, 62 and 61
_UNTOUCHED = bytes(
    byte for byte in range(256) if not byte & _SWAPPED and (not byte & _PRESENT or byte & _OF_FILE)
)
_HIGHEST = _ENTRY - 1 if sys.byteorder == "little" else 0


_SMALLEST_PART = 1 << 20  # bytes; less is hashed faster than looked for
_MOST_SEARCHED = 1000  # mappings
_MOST_LEARNED = 10_000


class _Known(weakref.ref[mmap.mmap]):
    """A mapping that may be gone, and the digest of what it was mapped from."""

    __slots__ = ("address", "digest")

    address: int | None
    digest: bytes


class KnownBuffers:
    """Digests of mappings, by their address. Safe to use from several threads, and in a forked child.

    A mapping is known until it and every array on it are gone.
    """

    def __init__(self) -> None:
        # Single operations of a dict only: a weak reference may be called at any point of any thread, where
        # waiting for a lock would hang.
        self._fresh: dict[int, _Known] = {}  # by id; their address is not asked for before it is needed
        self._placed: dict[int, _Known] = {}  # by address
        self._learned: dict[tuple[bytes, int, int], bytes] = {}  # by file, place in it and length

    def note(self, mapping: mmap.mmap, digest: bytes) -> None:
        """A private mapping of a whole file that never changes, and the digest of the file."""
        number = id(mapping)
        known = _Known(mapping, lambda gone: self._forget(number, gone))
        known.address, known.digest = None, digest
        self._fresh[number] = known

    def digest_of(self, view: memoryview, compute: Callable[[memoryview], bytes]) -> bytes:
        """What ``compute(view)`` gives, which is not called if that is known.

        Parameters
        ----------
        view
            C-contiguous, format ``'B'``.
        compute
            Reads a buffer and gives its digest, of the kind that `note` was given.
        """
        numpy = loaded("numpy") if self._fresh or self._placed else None
        if numpy is None or not view.nbytes:
            return compute(view)
        self._place(numpy)
        address = _address(numpy, view)
        part = self._part(address, view.nbytes)
        if part is None:
            return compute(view)
        known = self._learned.get(part)
        if known is None:
            digest = compute(view)
            if is_untouched(address, view.nbytes):  # after reading it: then it was the content of the file
                self._learn(part, digest)
            return digest
        return known if is_untouched(address, view.nbytes) else compute(view)

    def _part(self, address: int, nbytes: int) -> tuple[bytes, int, int] | None:
        """The file that bytes are mapped from, where they lie in it, and how many they are."""
        known = self._placed.get(address)
        start = address
        if known is None and nbytes >= _SMALLEST_PART and len(self._placed) <= _MOST_SEARCHED:
            start = max((place for place in list(self._placed) if place < address), default=address)
            known = self._placed.get(start)
        mapping = None if known is None else known()
        # A mapping that was closed is no memory any more, and something else may lie there.
        if known is None or mapping is None or mapping.closed or address - start + nbytes > len(mapping):
            return None
        if nbytes == len(mapping):
            self._learn((known.digest, 0, nbytes), known.digest)
        return known.digest, address - start, nbytes

    def _learn(self, part: tuple[bytes, int, int], digest: bytes) -> None:
        if len(self._learned) >= _MOST_LEARNED:
            self._learned.clear()
        self._learned[part] = digest

    def _place(self, numpy: Any) -> None:  # Any: numpy is optional
        while self._fresh:
            try:
                _, known = self._fresh.popitem()
            except KeyError:  # another thread was faster
                return
            mapping = known()
            if mapping is not None and not mapping.closed:
                known.address = _address(numpy, mapping)
                self._placed[known.address] = known

    def _forget(self, number: int, gone: "weakref.ref[mmap.mmap]") -> None:
        if self._fresh.get(number) is gone:
            self._fresh.pop(number, None)
        address = getattr(gone, "address", None)
        if address is not None and self._placed.get(address) is gone:
            self._placed.pop(address, None)


def _address(numpy: Any, buffer: "memoryview | mmap.mmap") -> int:  # Any: numpy is optional
    address: int = numpy.frombuffer(buffer, "u1").__array_interface__["data"][0]
    return address


def is_untouched(address: int, nbytes: int) -> bool:
    """Whether no page of a private mapping of a file was written to. False where nothing proves it.

    Parameters
    ----------
    address
        Of the first byte.
    nbytes
        At least 1.
    """
    first = address // mmap.PAGESIZE
    count = (address + nbytes - 1) // mmap.PAGESIZE - first + 1
    try:
        # Opened each time: after a fork the old descriptor would tell of the parent.
        descriptor = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        entries = os.pread(descriptor, count * _ENTRY, first * _ENTRY)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return len(entries) == count * _ENTRY and not entries[_HIGHEST::_ENTRY].translate(None, _UNTOUCHED)


KNOWN = KnownBuffers()
"""What this process knows, noted by stores and asked by the walk over a value."""
