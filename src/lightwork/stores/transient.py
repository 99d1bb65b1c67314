"""A store in the memory of one process, for tests and as the plain twin of the others."""

import threading
from collections.abc import Iterable, Iterator

from ..protocols import Entry, Record, Totals
from ..system.clock import Clock, time_of_day

__all__ = ["TransientStore"]


class TransientStore:
    """Records in a dict; they go with the object. Safe to use from several threads.

    Parameters
    ----------
    clock
        Seconds since the epoch, for the times of writing and of access.
    """

    def __init__(self, *, clock: Clock = time_of_day) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._records: dict[bytes, tuple[Record, Entry]] = {}

    def __repr__(self) -> str:
        return f"TransientStore() with {len(self._records)} records"

    def get(self, key: bytes) -> Record | None:
        """The record; its buffers are copies of its own."""
        with self._lock:
            found = self._records.get(key)
            if found is None:
                return None
            record, entry = found
            self._records[key] = (record, entry._replace(accessed=self._clock()))
        return record._replace(buffers=[bytearray(buffer) for buffer in record.buffers])

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Keep a copy of a record, in place of one of its key."""
        copies = [bytes(buffer) for buffer in record.buffers]
        nbytes = len(record.skeleton) + len(record.facts) + sum(map(len, copies))
        now = self._clock()
        with self._lock:
            self._records[key] = (
                record._replace(buffers=copies),
                Entry(key, nbytes, now, now, seconds),
            )

    def drop(self, keys: Iterable[bytes]) -> int:
        """Remove records; how many there were."""
        with self._lock:
            return sum(self._records.pop(key, None) is not None for key in keys)

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """All entries whose keys begin with `prefix`, as they are at the start."""
        with self._lock:
            entries = [entry for _, entry in self._records.values()]
        return iter([entry for entry in entries if entry.key.startswith(prefix)])

    def close(self) -> None:
        """Nothing is held that could be let go."""

    def totals(self) -> Totals:
        """Number and bytes of all records."""
        with self._lock:
            return Totals(len(self._records), sum(entry.nbytes for _, entry in self._records.values()))
