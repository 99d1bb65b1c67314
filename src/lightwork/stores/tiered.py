"""Two stores as one: a far one that counts, and a near one that holds what was read from it or put there.

::

    get   near has it ──► seen in the far one within `fresh` seconds? ──► yes: it
                          else ask the far one for its version        ──► the same: it
          near has not, or another version ──► get it from the far one, hold it near

The near copy stands under the same key, with the version of the far record before its facts. What was removed
or replaced far away, by whichever host, is given at most `fresh` seconds longer; what this process removes or
replaces, not at all. If the far store cannot be asked, a copy that is not fresh is not given.
"""

import contextlib
import time
from collections.abc import Iterable, Iterator
from typing import Protocol, cast

from ..errors import StoreUnavailable
from ..protocols import (
    Entry,
    Limits,
    Record,
    Store,
    SupportsLimits,
    SupportsPrefix,
    SupportsVersions,
    supports,
)
from ..system.clock import Clock
from .opened import shared

__all__ = ["FRESH", "FarStore", "TieredStore", "open_tiered"]

FRESH = 1.0
"""Seconds, if nothing else is asked for: as long as a hot result of `Memory` is good."""

_VERSION = 32  # bytes
_MOST = 100_000  # keys whose freshness is remembered


class FarStore(Store, SupportsVersions, Protocol):
    """What can be the far one of two stores."""


class TieredStore:
    """A far store with a near one before it. What else the far one can do, it does: leases, notes, totals.

    Parameters
    ----------
    near
        Nobody else's: what is in it may be removed at any time.
    far
        Where the records are.
    fresh
        Seconds for which a near copy is good without asking; 0: the far store is asked at each get.
    near_bytes
        What the near store may take on the disk, if it can keep limits; ``None``: no limit.
    clock
        Seconds; never set back.
    """

    def __init__(
        self,
        near: Store,
        far: FarStore,
        *,
        fresh: float = FRESH,
        near_bytes: int | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self.near = near
        self.far = far
        self._fresh = fresh
        self._limits = None if near_bytes is None else Limits(max_bytes=near_bytes)
        self._clock = clock
        self._seen: dict[bytes, tuple[float, bytes]] = {}
        for ability in dir(far):
            if not ability.startswith("_") and not hasattr(type(self), ability):
                setattr(self, ability, getattr(far, ability))
        if supports(far, SupportsPrefix):
            self._clear_far = far.clear
            self.clear = self._clear

    def __repr__(self) -> str:
        return f"TieredStore({self.near!r}, {self.far!r})"

    def __reduce__(self) -> tuple[object, ...]:
        nbytes = None if self._limits is None else self._limits.max_bytes
        return open_tiered, (self.near, self.far, self._fresh, nbytes)

    def get(self, key: bytes) -> Record | None:
        """The record, from near by if that is good; ``None`` also if the far store cannot be asked."""
        held = self.near.get(key)
        try:
            if held is not None:
                version = held.facts[:_VERSION]
                if self._is_good(key, version):
                    return held._replace(facts=held.facts[_VERSION:])
            return self._fetch(key, held is not None)
        except StoreUnavailable:  # it is computed instead, and `put` tells why it cannot be kept
            return None

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Publish a record far away, and hold a copy. Raises `StoreUnavailable` as the far store does."""
        self._seen.pop(key, None)
        asked = self._clock()
        version = self.far.put_versioned(key, record, seconds=seconds)
        self._hold(key, version, record, seconds)
        self._note(key, version, asked)

    def drop(self, keys: Iterable[bytes]) -> int:
        """Remove records, here and there; how many there were in the far store."""
        listed = list(keys)
        for key in listed:
            self._seen.pop(key, None)
        with contextlib.suppress(StoreUnavailable):  # it is asked again before a copy is given
            self.near.drop(listed)
        return self.far.drop(listed)

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """As the far store."""
        return self.far.scan(prefix)

    def close(self) -> None:
        """Close both."""
        self.near.close()
        self.far.close()

    def _clear(self, prefix: bytes = b"") -> int:
        """As `SupportsPrefix.clear` of the far store; copies go too."""
        self._seen.clear()
        with contextlib.suppress(StoreUnavailable):  # as in `drop`
            self.near.drop([entry.key for entry in self.near.scan(prefix)])
        count = self._clear_far(prefix)
        self._seen.clear()  # of what was put meanwhile
        return count

    def _is_good(self, key: bytes, version: bytes) -> bool:
        """Whether a copy is what the far store has, by what it said last or says now."""
        until, seen = self._seen.get(key, (0.0, b""))
        if seen == version and self._clock() < until:
            return True
        asked = self._clock()
        if self.far.version(key) != version:
            return False
        self._note(key, version, asked)
        return True

    def _fetch(self, key: bytes, held: bool) -> Record | None:
        """The record of the far store, held near from now on."""
        asked = self._clock()
        found = self.far.get_versioned(key)
        if found is not None:
            self._hold(key, found.version, found.record, found.seconds)
            self._note(key, found.version, asked)
            return found.record
        if held:
            with contextlib.suppress(StoreUnavailable):  # as in `drop`
                self.near.drop([key])
        return None

    def _hold(self, key: bytes, version: bytes, record: Record, seconds: float) -> None:
        copy = record._replace(facts=version + record.facts)
        with contextlib.suppress(StoreUnavailable):  # a full disk, say: then it is fetched each time
            if self._limits is None:
                self.near.put(key, copy, seconds=seconds)
            else:  # `open_tiered` is told by who has seen that it can
                limited = cast(SupportsLimits, self.near)
                limited.put_within(key, copy, seconds=seconds, limits=self._limits)

    def _note(self, key: bytes, version: bytes, asked: float) -> None:
        """A copy is good from the moment at which the far store was asked."""
        if len(self._seen) >= _MOST:
            self._seen.clear()
        self._seen[key] = asked + self._fresh, version


def open_tiered(near: Store, far: FarStore, fresh: float = FRESH, near_bytes: int | None = None) -> Store:
    """The store of two stores; one object per process, as long as somebody holds it."""
    return shared(_make, near, far, fresh, near_bytes)


def _make(near: Store, far: FarStore, fresh: float, near_bytes: int | None) -> Store:
    return TieredStore(near, far, fresh=fresh, near_bytes=near_bytes)
