"""The default store: small records in SQLite, large buffers as immutable files beside it."""

import contextlib
import errno
import os
import sqlite3
import weakref
from collections.abc import Iterable, Iterator

from ...errors import StoreUnavailable
from ...protocols import Entry, Limits, Record, Totals
from ...system.boot import boot_id
from ...system.clock import Clock, time_of_day
from ..opened import opened
from .database import Database
from .notes import Notes
from .reading import Reader, Touched
from .writing import Writer

__all__ = ["SqliteStore"]

_PORTION = 1000
_SCAN = (
    "SELECT key, nbytes, written, accessed, seconds FROM records "
    f"WHERE key >= ? AND key < ? ORDER BY key LIMIT {_PORTION}"
)
_BEYOND = "DELETE FROM records WHERE (accessed, nbytes, id) <= (?, ?, ?)"
_BY_ITEMS = "SELECT accessed, nbytes, id FROM records ORDER BY accessed, nbytes, id LIMIT 1 OFFSET ?"
_BY_BYTES = (
    "SELECT accessed, nbytes, id FROM (SELECT accessed, nbytes, id, "
    "sum(nbytes) OVER (ORDER BY accessed, nbytes, id) AS freed FROM records) "
    "WHERE freed >= ? ORDER BY accessed, nbytes, id LIMIT 1"
)
_LAST = "SELECT accessed, nbytes, id FROM records ORDER BY accessed DESC, nbytes DESC, id DESC LIMIT 1"

_ERRNO = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EROFS,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
    sqlite3.SQLITE_BUSY: errno.EBUSY,
    sqlite3.SQLITE_PROTOCOL: errno.EBUSY,
    sqlite3.SQLITE_LOCKED: errno.EBUSY,
}


class SqliteStore:
    """Records in one folder of a local disk, shared by any number of threads and processes.

    Constructing it touches nothing; a read creates nothing; the first write creates the folder.

    Parameters
    ----------
    location
        The user's folder. What is ours lies in its part ``lightwork-1/``.
    clock
        Seconds since the epoch, for the times of writing and of access.
    boot
        The run of the machine. Nothing here waits for the disk, so a crash of the machine may lose the
        content of a blob: one that was written in another run is verified in full before its first use.
    trusted
        Use a folder of another user, or one that everybody may write to. Else nothing is read or kept there.
    """

    def __init__(
        self,
        location: str | os.PathLike[str],
        *,
        clock: Clock = time_of_day,
        boot: str | None = None,
        trusted: bool = False,
    ) -> None:
        self.location = os.path.abspath(os.fspath(location))
        boot = boot_id() if boot is None else boot
        self._trusted = trusted
        self._database = Database(self.location, boot, trusted=trusted)
        self._touched = Touched(clock)
        self._writer = Writer(self._database, self._touched, clock, boot)
        self._notes = Notes(self._database)
        reader = Reader(self._database, self._touched, boot)
        self.get = reader.get
        self.verified = reader.verified
        self._finalizer = weakref.finalize(self, _close, self._writer, self._database)

    def __repr__(self) -> str:
        return f"SqliteStore({self.location!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return opened, (SqliteStore, self.location, self._trusted)

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Publish a record whole, in place of one of its key."""
        try:  # not `_writing`: that takes 2 µs of 25
            self._writer.put(key, record, seconds)
        except (OSError, sqlite3.Error) as exc:
            raise _unavailable(exc, self.location) from exc

    def put_within(self, key: bytes, record: Record, *, seconds: float, limits: Limits) -> None:
        """Publish a record whole; what is worth least goes first, so that the limits hold all the time."""
        try:  # as in `put`
            self._writer.put(key, record, seconds, limits)
        except (OSError, sqlite3.Error) as exc:
            raise _unavailable(exc, self.location) from exc

    def drop(self, keys: Iterable[bytes]) -> int:
        """Remove records; how many there were."""
        listed = list(keys)
        portions = [listed[start : start + _PORTION] for start in range(0, len(listed), _PORTION)]
        return sum(self._remove("DELETE FROM records WHERE key = ?", [(key,) for key in p]) for p in portions)

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """All entries whose keys begin with `prefix`, in the order of their keys."""
        low = prefix
        while True:
            # In portions, each fetched to its end: a cursor left half-read would let the journal grow.
            rows = self._database.rows(_SCAN, (low, _after(prefix)))
            yield from map(Entry._make, rows)
            if len(rows) < _PORTION:
                return
            low = rows[-1][0] + b"\0"

    def close(self) -> None:
        """Write down when records were used, and close all connections. The next use opens them again."""
        _close(self._writer, self._database)

    def totals(self) -> Totals:
        """Number and bytes of all records, in constant time; blobs that several share count once."""
        rows = self._database.rows("SELECT records, nbytes FROM totals", ())
        return Totals(*rows[0]) if rows else Totals(0, 0)

    def clear(self, prefix: bytes = b"") -> int:
        """Remove all records, and notes, whose keys begin with `prefix`; how many records those were."""
        if prefix:
            count = self._remove("DELETE FROM records WHERE key >= ? AND key < ?", [(prefix, _after(prefix))])
        else:
            count = self._remove_all()
        with self._writing():
            self._notes.clear(prefix, _after(prefix))
        return count

    def note(self, key: bytes, text: bytes) -> None:
        """Keep a note, in place of one of its key."""
        with self._writing():
            self._notes.write(key, text)

    def noted(self, key: bytes) -> bytes | None:
        """The note, or ``None``."""
        return self._notes.read(key)

    def recent(self, prefix: bytes, limit: int) -> list[bytes]:
        """The facts of records whose keys begin with `prefix`, those written last first."""
        return self._notes.facts(prefix, _after(prefix), limit)

    def trim(
        self,
        *,
        max_bytes: int | None = None,
        max_items: int | None = None,
        accessed_since: float | None = None,
    ) -> int:
        """Remove least recently used records until all limits hold; how many those were."""
        if 0 in (max_bytes, max_items):
            return self._remove_all()
        with self._writing():
            self._writer.flush()
        count = 0
        if accessed_since is not None:
            count = self._remove("DELETE FROM records WHERE accessed < ?", [(accessed_since,)])
        # Records that share blobs free less than they count, so one round may not be enough.
        while (border := self._border(max_bytes, max_items)) is not None:
            count += self._remove(_BEYOND, [border])
        return count

    def lease(self, key: bytes) -> bool:
        """Take the lease of a key, unless another process of this host has it.

        Where there is no folder and none can be made, everybody gets it.
        """
        try:
            return self._database.lease(_offset(key))
        except (OSError, sqlite3.Error):
            return True

    def release(self, key: bytes, *, failed: bool) -> None:
        """Give a lease back, after telling whether its holder failed."""
        with contextlib.suppress(OSError):  # without a folder there was no lease
            locks = self._database.leases()
            if failed:
                locks.note_failure(_offset(key))
            locks.release(_offset(key))

    def failures(self, key: bytes) -> bytes:
        """A mark that changes when a holder of the key's lease failed."""
        try:
            return self._database.leases().failures(_offset(key))
        except OSError:
            return b""

    def _remove(self, statement: str, rows: list[tuple[object, ...]]) -> int:
        if self._database.inode() is None:
            return 0
        with self._writing():
            return self._writer.remove(statement, rows)

    def _remove_all(self) -> int:
        if self._database.inode() is None:
            return 0
        with self._writing():
            return self._writer.remove_all()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """What goes wrong is `StoreUnavailable`."""
        try:
            yield
        except (OSError, sqlite3.Error) as exc:
            raise _unavailable(exc, self.location) from exc

    def _border(self, max_bytes: int | None, max_items: int | None) -> tuple[int, ...] | None:
        """The last record that has to go, with all that were used before it; ``None`` if all may stay."""
        records, nbytes = self.totals()
        too_many = 0 if max_items is None else records - max_items
        too_much = 0 if max_bytes is None else nbytes - max_bytes
        found = []
        if too_many > 0:
            found += self._database.rows(_BY_ITEMS, (too_many - 1,))
        if too_much > 0:
            found += self._database.rows(_BY_BYTES, (too_much,)) or self._database.rows(_LAST, ())
        return max(found, default=None)


def _close(writer: Writer, database: Database) -> None:
    with contextlib.suppress(OSError, sqlite3.Error):  # times of access are worth no error
        writer.flush()
    database.close()


def _offset(key: bytes) -> int:
    """The lock of a key: exact, so that two keys never wait for each other without reason."""
    return int.from_bytes(key[-8:], "big") % (1 << 62)


def _after(prefix: bytes) -> bytes:
    """The first byte string that is greater than all that begin with `prefix`."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b"\xff" * 64


def _unavailable(exc: Exception, location: str) -> StoreUnavailable:
    if isinstance(exc, StoreUnavailable):
        return exc
    code = exc.errno if isinstance(exc, OSError) else None
    if isinstance(exc, sqlite3.Error):
        code = _ERRNO.get(getattr(exc, "sqlite_errorcode", 0) & 0xFF)
    reason = (isinstance(exc, OSError) and exc.strerror) or exc  # without the number, which is told anyway
    return StoreUnavailable(code or errno.EIO, f"the folder {location!r} cannot be written: {reason}")
