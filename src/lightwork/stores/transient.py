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
        self._notes: dict[bytes, bytes] = {}

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

    def clear(self, prefix: bytes = b"") -> int:
        """Remove all records, and notes, whose keys begin with `prefix`; how many records those were."""
        with self._lock:
            for key in [key for key in self._notes if key.startswith(prefix)]:
                del self._notes[key]
            keys = [key for key in self._records if key.startswith(prefix)]
            return sum(self._records.pop(key, None) is not None for key in keys)

    def note(self, key: bytes, text: bytes) -> None:
        """Keep a note, in place of one of its key."""
        self._notes[key] = text

    def noted(self, key: bytes) -> bytes | None:
        """The note, or ``None``."""
        return self._notes.get(key)

    def recent(self, prefix: bytes, limit: int) -> list[bytes]:
        """The facts of records whose keys begin with `prefix`, those written last first."""
        with self._lock:
            found = [held for key, held in self._records.items() if key.startswith(prefix)]
        found.sort(key=lambda held: held[1].written, reverse=True)
        return [record.facts for record, _ in found[:limit]]

    def close(self) -> None:
        """Nothing is held that could be let go."""

    def totals(self) -> Totals:
        """Number and bytes of all records."""
        with self._lock:
            return Totals(len(self._records), sum(entry.nbytes for _, entry in self._records.values()))
