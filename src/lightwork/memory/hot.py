"""Small results in the memory of the process, for those who ask for the same ones again (``hot_bytes=``).

What is held is the record as the store gave it, bytes that nobody changes; a value is built from it for each
hit, so no two callers get the same object. A record is good for a second. What this process removes, or keeps
anew, is let go of at once; so within a process the tier never gives what the store would not. What another
process removed, or an eviction, may be given for up to a second more: SQLite could tell of each change, but
takes 3 µs for the answer, a third of a hit. Times of writing (``ttl``) are compared at each hit, as always.
"""

import threading
import time
import weakref
from collections.abc import Callable

from ..protocols import Record, Store
from ..system.clock import Clock
from ..system.forks import after_fork_in_child

__all__ = ["TIERS", "HotTier"]

SECONDS = 1.0
"""How long a record is good after it was read."""

LARGEST = 64 << 10
"""Bytes of a record. Larger ones are read about as fast from the page cache of the system."""

_COST = 512
"""Bytes that a record costs beside its content: the objects that hold it."""


class HotTier:
    """The latest small records of a store, `nbytes` of them at most. Safe to use from several threads.

    Parameters
    ----------
    read
        Gives the record of a key, or ``None``: the store's ``get``.
    nbytes
        Bytes that may be held, with all that they cost in memory.
    clock
        Seconds; never set back.
    """

    def __init__(
        self, read: Callable[[bytes], Record | None], nbytes: int, *, clock: Clock = time.monotonic
    ) -> None:
        self._read = read
        self._room = self._most = nbytes
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[bytes, tuple[float, int, Record]] = {}
        self._forgotten = 0  # counts: what was read before one of them is not held after it
        after_fork_in_child(self._renew)

    @property
    def nbytes(self) -> int:
        """Bytes that are held now."""
        return self._most - self._room

    def get(self, key: bytes) -> Record | None:
        """The record of a key; its buffers are copies of its own."""
        held = self._held.get(key)
        now = self._clock()
        if held is not None and now < held[0]:
            record = held[2]
            return _copied(record) if record.buffers else record
        forgotten = self._forgotten
        found = self._read(key)
        if held is not None or found is not None:
            self._replace(key, found, now + SECONDS, forgotten)
        return found

    def forget(self, key: bytes | None) -> None:
        """Let go of the record of a key, or of all."""
        with self._lock:
            self._forgotten += 1
            if key is None:
                self._held.clear()
                self._room = self._most
            else:
                self._let_go(key)

    def _replace(self, key: bytes, record: Record | None, until: float, forgotten: int) -> None:
        """Hold what the store has given now, in the place of what it gave before."""
        nbytes = 0 if record is None else _nbytes(record)
        with self._lock:
            self._let_go(key)
            if record is None or nbytes > min(LARGEST, self._most) or forgotten != self._forgotten:
                return
            while nbytes > self._room:
                self._let_go(next(iter(self._held)))  # the one that was read longest ago
            self._held[key] = until, nbytes, _copied(record)
            self._room -= nbytes

    def _let_go(self, key: bytes) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._room += held[1]

    def _renew(self) -> None:
        """In a forked child: another thread of the parent may have held the lock."""
        self._lock = threading.Lock()
        self._held = {}
        self._room = self._most


class _HotTiers:
    """All hot tiers of the process: equal ones are one, and each learns of what is removed anywhere."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tiers: weakref.WeakValueDictionary[tuple[int, int], HotTier] = weakref.WeakValueDictionary()
        after_fork_in_child(self._renew)

    def of(self, store: Store, nbytes: int) -> HotTier:
        """The tier of that size before a store. A tier holds its store: its number stays its own."""
        with self._lock:
            tier = self._tiers.get((id(store), nbytes))
            if tier is None:
                tier = self._tiers[id(store), nbytes] = HotTier(store.get, nbytes)
            return tier

    def forget(self, key: bytes | None) -> None:
        """Let go of the record of a key, or of all, in whatever store: one folder may have several."""
        with self._lock:
            tiers = list(self._tiers.values())
        for tier in tiers:
            tier.forget(key)

    def _renew(self) -> None:
        self._lock = threading.Lock()


TIERS = _HotTiers()
"""The hot tiers of this process."""


def _nbytes(record: Record) -> int:
    buffers = sum(memoryview(buffer).nbytes for buffer in record.buffers)
    return _COST + len(record.skeleton) + len(record.facts) + buffers


def _copied(record: Record) -> Record:
    return record._replace(buffers=[bytearray(buffer) for buffer in record.buffers])
