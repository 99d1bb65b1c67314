"""From a key to a record: one query, and the files that the row names."""

import collections
import contextlib
import sqlite3
from collections.abc import Callable
from functools import partial

from ...protocols import Buffer, Record
from ...system.clock import Clock
from ..layout import OWN_BLOB, Blob, Layout, assemble, decode_body
from .database import Database

__all__ = ["Reader", "Touched"]

_GET = "SELECT body FROM records WHERE key = ?"
_BOOT = "SELECT boot FROM blobs WHERE digest = ?"
_VERIFIED = "UPDATE blobs SET boot = ? WHERE digest = ?"
_MOST_TOUCHED = 1000


class Touched:
    """When records were used. Waits for the next write: a hit writes nothing; beyond 1,000 the oldest go.

    Attributes
    ----------
    note
        Takes down that a record was used: the time by `clock`, and its key.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._waiting: collections.deque[tuple[float, bytes]] = collections.deque(maxlen=_MOST_TOUCHED)
        self.note: Callable[[tuple[float, bytes]], None] = self._waiting.append

    def take(self) -> list[tuple[float, bytes]]:
        """What was noted since the last time, as pairs of time and key; of each key the last."""
        if not self._waiting:
            return []
        latest: dict[bytes, float] = {}
        with contextlib.suppress(IndexError):  # other threads may take at the same time
            while self._waiting:
                moment, key = self._waiting.popleft()
                latest[key] = moment
        return [(moment, key) for key, moment in latest.items()]

    def forget(self) -> None:
        """Drop what waits: the records are gone, or it is another process' business."""
        self._waiting.clear()


class Reader:
    """Reads records. A record that is not whole, for whatever reason, is ``None``.

    Parameters
    ----------
    database
        Where the rows are.
    touched
        Learns of each hit.
    boot
        The run of the machine; blobs written under another one are verified before their first use.
    """

    def __init__(self, database: Database, touched: Touched, boot: str) -> None:
        self._database = database
        self._boot = boot
        self._seat = database.seat
        self._clock = touched.clock
        self._touch = touched.note

    def get(self, key: bytes) -> Record | None:
        """The record of a key, its buffers private and writable."""
        # All that a hit of a small result does, in one function: each call of Python costs a tenth of a
        # look-up in SQLite.
        seat = self._seat()
        with seat.lock:
            row = seat.row(_GET, (key,))
        if row is None:
            return None
        record = decode_body(key, row[0])
        if type(record) is Layout:
            record = self._assemble(record, always=False)
        if record is not None:
            self._touch((self._clock(), key))
        return record  # type: ignore[return-value]  # it is no `Layout` any more

    def verified(self, key: bytes) -> Record | None:
        """As `get`, after every byte was read and compared with its digest. Counts as no use."""
        with self._seat() as seat:
            row = seat.row(_GET, (key,))
        found = None if row is None else decode_body(key, row[0])
        return self._assemble(found, always=True) if isinstance(found, Layout) else found

    def _assemble(self, layout: Layout, *, always: bool) -> Record | None:
        """Gather the parts of a record from its body and its blobs; ``None`` if a blob is not whole."""
        return assemble(layout, partial(self._contents, always=always))

    def _contents(self, blob: Blob, lengths: list[int], *, always: bool) -> list[Buffer] | None:
        """The parts of a blob that have these lengths, one after the other; ``None`` if it is not whole."""
        is_new = not self._is_of_this_boot(blob)
        verify = always or is_new
        contents: list[Buffer] | None
        try:
            if len(lengths) == 1 and lengths[0] >= OWN_BLOB:
                whole = self._database.blobs.map(blob, verify=verify)
                contents = None if whole is None else [whole]
            else:
                pieces = self._database.blobs.read(blob, lengths, verify=verify)
                contents = None if pieces is None else [*pieces]
        except (OSError, EOFError, ValueError):  # ValueError: cut short between fstat and mmap
            return None
        if contents is not None and is_new:
            self._mark_verified(blob)
        return contents

    def _is_of_this_boot(self, blob: Blob) -> bool:
        with self._seat() as seat:
            row = seat.row(_BOOT, (blob.digest,))
        return row is not None and row[0] == self._boot

    def _mark_verified(self, blob: Blob) -> None:
        # In a read-only or busy cache this fails, and the blob is verified again the next time.
        with self._database.seat() as seat, contextlib.suppress(OSError, sqlite3.Error):
            seat.writer().execute(_VERIFIED, (self._boot, blob.digest))
