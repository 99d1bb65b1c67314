"""Room for a record in a store that has no counters."""

import errno

from ...errors import StoreUnavailable
from ...protocols import Limits, Store
from ...system.clock import Clock
from ..eviction import least_worth

__all__ = ["Room"]

_SHARE = 16
"""The entries are looked at anew when a process has put this part of a limit; as much is removed then."""


_MOST = 1000  # puts before the next look for what is too old


class Room:
    """What one process knows of the size of a folder that many write to."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limits = Limits()
        self._bytes = 0  # that may be written before the next look
        self._items = 0

    def make(self, store: Store, limits: Limits, nbytes: int) -> None:
        """Remove what is worth least, if it is time to look, so that a record of `nbytes` more has room.

        Raises
        ------
        StoreUnavailable
            The record is larger than the limit.
        """
        if limits.max_bytes is not None and nbytes > limits.max_bytes:
            raise StoreUnavailable(
                errno.EFBIG, f"{nbytes:,} bytes are more than max_bytes={limits.max_bytes}: raise the limit"
            )
        self._bytes -= nbytes
        self._items -= 1
        if limits != self._limits or self._bytes < 0 or self._items < 0:
            self._look(store, limits, nbytes)

    def _look(self, store: Store, limits: Limits, nbytes: int) -> None:
        store.close()  # the times of access that wait here
        now = self._clock()
        entries = list(store.scan())
        since = 0.0 if limits.max_age is None else now - limits.max_age
        old = [entry for entry in entries if entry.accessed < since]
        rest = [entry for entry in entries if entry.accessed >= since]
        most_bytes = sum(e.nbytes for e in rest) + nbytes if limits.max_bytes is None else limits.max_bytes
        most_items = len(rest) + 1 if limits.max_items is None else limits.max_items
        excess = sum(entry.nbytes for entry in rest) + nbytes - most_bytes
        items = len(rest) + 1 - most_items
        if excess > 0 or items > 0:
            candidates = [(n, e.accessed, e.nbytes, e.seconds) for n, e in enumerate(rest)]
            chosen = least_worth(
                candidates,
                nbytes=excess + most_bytes // _SHARE if excess > 0 else 0,
                items=items + most_items // _SHARE if items > 0 else 0,
                now=now,
            )
            old += [rest[number] for number in chosen]
        store.drop([entry.key for entry in old])
        gone = set(old)
        left = [entry for entry in rest if entry not in gone]
        free_bytes = most_bytes - nbytes - sum(entry.nbytes for entry in left)
        free_items = most_items - 1 - len(left)
        self._limits = limits
        self._bytes = min(free_bytes, most_bytes // _SHARE) if limits.max_bytes is not None else 1 << 62
        self._items = min(free_items, most_items // _SHARE) if limits.max_items is not None else _MOST
