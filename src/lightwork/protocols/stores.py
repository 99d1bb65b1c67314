"""What caches and stores agree on: where records live."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple, Protocol, TypeAlias, runtime_checkable

__all__ = [
    "FUNCTION_BYTES",
    "KEY_BYTES",
    "Buffer",
    "Entry",
    "IsRemote",
    "Limits",
    "Record",
    "Store",
    "SupportsCounters",
    "SupportsLease",
    "SupportsLimits",
    "SupportsNotes",
    "SupportsPrefix",
    "SupportsReach",
    "SupportsVerification",
    "SupportsVersions",
    "Totals",
    "Versioned",
]

Buffer: TypeAlias = "bytes | bytearray | memoryview"
"""Bytes that travel beside a skeleton. A memoryview is C-contiguous, 1-d, and of format ``'B'``."""


KEY_BYTES: Final = 32
"""Of the key of a record."""

FUNCTION_BYTES: Final = 8
"""Of those, the first ones, which name the function that made it."""


class Record(NamedTuple):
    """One kept value: a parcel (skeleton and buffers) and a few facts about the call that made it."""

    skeleton: bytes
    buffers: Sequence[Buffer]
    facts: bytes
    """UTF-8 JSON, small: function, duration (s), written (s since the epoch), argument summary."""


class Entry(NamedTuple):
    """What a store can tell of a record without reading it."""

    key: bytes
    nbytes: int
    written: float
    """Seconds since the epoch."""

    accessed: float
    """Seconds since the epoch; may lag behind, since hits are written in batches."""

    seconds: float
    """How long the call took that made the record."""


@runtime_checkable
class Store(Protocol):
    """Keyed records that appear whole or not at all. Safe to use from many threads and processes.

    Keys are 32 bytes. The first 8 name a function, so that ``scan(prefix)`` finds what belongs to it.
    """

    def get(self, key: bytes) -> Record | None:
        """The record, or ``None``. Half-written, damaged and unreadable records are ``None`` too."""

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Publish a record whole, replacing one of its key. Raises `StoreUnavailable`, leaving nothing."""

    def drop(self, keys: Iterable[bytes]) -> int:
        """Remove records; the number that were there. Values that were mapped from them stay valid."""

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """All entries whose key begins with `prefix`, in no order. What vanishes meanwhile is left out."""

    def close(self) -> None:
        """Let go of files and connections. The store opens again when it is next used."""


class Totals(NamedTuple):
    """What a store holds."""

    records: int
    nbytes: int
    """Bytes of all records; what several of them share is counted once."""


@runtime_checkable
class SupportsCounters(Protocol):
    """A store that knows its size without looking at its records."""

    def totals(self) -> Totals:
        """Number and bytes of all records, none of which is read."""


@runtime_checkable
class SupportsReach(Protocol):
    """A store that lies elsewhere, and is as if empty while it cannot be reached."""

    def reach(self) -> None:
        """Ask it for something. Raises `StoreUnavailable` if there is no answer."""


@runtime_checkable
class SupportsPrefix(Protocol):
    """A store that removes many records faster than one by one."""

    def clear(self, prefix: bytes = b"") -> int:
        """Remove all records whose key begins with `prefix`; how many those were."""


@runtime_checkable
class SupportsNotes(Protocol):
    """A store that keeps notes beside its records, which tell why a call found none.

    A note is a small text under a key of 32 bytes. Notes are no records: they are neither counted nor
    evicted, and `SupportsPrefix.clear` removes those of its prefix.
    """

    def note(self, key: bytes, text: bytes) -> None:
        """Keep a note, in place of one of its key. Raises `StoreUnavailable`."""

    def noted(self, key: bytes) -> bytes | None:
        """The note, or ``None``."""

    def recent(self, prefix: bytes, limit: int) -> Sequence[bytes]:
        """The facts of at most `limit` records whose keys begin with `prefix`, those written last first.

        The records count as unused all the same.
        """


class Versioned(NamedTuple):
    """A record, and what tells it from all others that were or will be there."""

    version: bytes
    """32 bytes."""

    seconds: float
    """How long the call took."""

    record: Record


@runtime_checkable
class SupportsVersions(Protocol):
    """A store that tells whether what was read is still what is there. All this raises `StoreUnavailable`."""

    def get_versioned(self, key: bytes) -> Versioned | None:
        """The record, or ``None`` as from `Store.get`."""

    def put_versioned(self, key: bytes, record: Record, *, seconds: float) -> bytes:
        """As `Store.put`; the version of what was put."""

    def version(self, key: bytes) -> bytes | None:
        """The version that is there now, ``None`` if there is no record."""


class Limits(NamedTuple):
    """What a store may hold; ``None`` sets no limit."""

    max_bytes: int | None = None
    """Bytes on disk, all that belongs to the store included."""

    max_items: int | None = None
    max_age: float | None = None
    """Seconds since the last use."""


@runtime_checkable
class SupportsVerification(Protocol):
    """A store that does not read all bytes of a record on each `Store.get`."""

    def verified(self, key: bytes) -> Record | None:
        """As `Store.get`, after every byte was read and compared with its digest. Counts as no use."""


@runtime_checkable
class SupportsLimits(Protocol):
    """A store that carries out limits by itself."""

    def put_within(self, key: bytes, record: Record, *, seconds: float, limits: Limits) -> None:
        """As `Store.put`, but first remove what is worth least, so that the limits hold before and after.

        Raises `StoreUnavailable` if there can be no room for the record.
        """

    def trim(
        self,
        *,
        max_bytes: int | None = None,
        max_items: int | None = None,
        accessed_since: float | None = None,
    ) -> int:
        """Remove least recently used records until all limits hold; how many those were.

        `accessed_since` (seconds since the epoch) removes what was used last before that time.
        """


@runtime_checkable
class IsRemote(Protocol):
    """A store over a network: each request takes milliseconds, or seconds if something is wrong.

    So event loops ask it in threads. Only what `SupportsLease` has but `lease` returns at once.
    """

    @property
    def is_remote(self) -> bool:
        """True."""


@runtime_checkable
class SupportsLease(Protocol):
    """A store through which processes agree who computes a key, on one host or on many. Nothing waits."""

    def lease(self, key: bytes) -> bool:
        """Take the lease of a key, unless another process has it.

        Ends with the process, however it ends: at once, or a stated time after it.

        Threads of one process all get it: they settle it among themselves.
        """

    def release(self, key: bytes, *, failed: bool) -> None:
        """Give a lease back; `failed` tells the others that no record was made."""

    def failures(self, key: bytes) -> bytes:
        """A mark that changes when a holder of the key's lease failed."""
