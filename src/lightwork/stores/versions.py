"""What a store has to do to be the far one of two: tell whether what was read is still what is there."""

from typing import NamedTuple, Protocol, runtime_checkable

from ..protocols import Record, Store

__all__ = ["Versioned", "VersionedStore"]


class Versioned(NamedTuple):
    """A record, and what tells it from all others that were or will be there."""

    version: bytes
    """32 bytes."""

    seconds: float
    """How long the call took."""

    record: Record


@runtime_checkable
class VersionedStore(Store, Protocol):
    """A store whose records have versions. All methods raise `StoreUnavailable`."""

    def get_versioned(self, key: bytes) -> Versioned | None:
        """The record, or ``None`` as from `Store.get`."""

    def put_versioned(self, key: bytes, record: Record, *, seconds: float) -> bytes:
        """As `Store.put`; the version of what was put."""

    def version(self, key: bytes) -> bytes | None:
        """The version that is there now, ``None`` if there is no record."""
