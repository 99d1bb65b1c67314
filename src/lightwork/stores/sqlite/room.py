"""Room for a record: limits that hold by themselves, whoever writes.

Everything here happens inside the transaction of a put, which excludes all other writers: what is counted is
so, until the record is there. A record with blobs takes longer than a transaction may: its bytes are promised
to it (a row in ``pending``) before the first of them is written, and the promises of others count.

What counts is what lies on the disk: records and blobs, promises, the pages of the database, and a share set
aside for SQLite's journal, which is kept below that. Not what callers still have mapped.

A put that finds no room makes some for a few thousand to come. One that finds much has *credit*: small
records are put without looking again, up to a part of the limit that is set aside for that, and for a
moment only, since others do the same.
"""

import errno
import os
import sqlite3
import time

from ...errors import StoreUnavailable
from ...protocols import Limits
from ...system.clock import Clock
from ..eviction import least_worth
from .blobs import discard
from .database import Database
from .patience import is_busy

__all__ = ["Room", "give_back_pages"]

_USED = (
    "SELECT records, totals.nbytes + (SELECT coalesce(sum(nbytes), 0) FROM pending) FROM totals WHERE id = 0"
)
_PROMISED = "SELECT coalesce(sum(nbytes), 0) FROM pending"
_HELD = "SELECT records, nbytes, (SELECT coalesce(sum(nbytes), 0) FROM blobs) FROM totals WHERE id = 0"
_OLDEST = "SELECT id, accessed, nbytes, seconds FROM records ORDER BY accessed, nbytes"
_EVICT = "DELETE FROM records WHERE id IN (SELECT value FROM json_each(?))"
_UNUSED = "SELECT digest FROM blobs WHERE uses = 0"

_SHARE, _ITEM_SHARE = 32, 16
"""A round frees this part of the limits at most ..."""

_MOST_ITEMS, _MOST_BYTES = 8192, 1 << 20
"""... and not more than this, so that no put waits for long. The keys of what goes lie all over their index:
a round of half the size writes nearly as many pages."""

_CHOICE = 2
"""Of so many times what has to go, the least recently used, those that are worth least go. To look at a
record takes half the time that it takes to remove one."""

_CREDIT, _MARGIN = 512, 64
"""Credit is at most this part of the limit, and this part is set aside: so it holds while eight processes
write at once."""

_CREDIT_SECONDS = 0.05
_PORTION = 512
_LONGEST_WAIT = 1.0
_LOOK_AGAIN = 256  # puts of this process after which the size of the database is looked up again
_ROW = 300  # bytes that a row takes in table and indexes beside its body, until then
_WRITTEN = 16 << 10  # bytes that a put adds to the journal, about
_JOURNAL_SHARE, _LEAST_JOURNAL, _MOST_JOURNAL = 16, 4 << 20, 16 << 20
_PAGE = 4096


class Room:
    """Makes room in one cache. Methods are called inside a transaction; errors are `sqlite3.Error`.

    Parameters
    ----------
    database
        The cache.
    clock
        Seconds since the epoch, as in the times of access.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._looks = 0  # until the size of the database is looked up again
        self._overhead = 0  # bytes of the database that are not the bodies of its records
        self._records = 0  # that it was looked up for
        self._journal = 0  # bytes that may be written before it is looked at
        self._unused = 0  # pages of the database to give back
        self._age_at = 0.0
        self._credited: Limits | None = None  # within which there is credit
        self._credit_until = 0.0
        self._credit_items = 0
        self._credit_bytes = 0

    def make_small(self, connection: sqlite3.Connection, limits: Limits, nbytes: int) -> None:
        """As `make`, for a record that lies in its row; most of the time without any query."""
        if self._credited is limits and self._credit_until > time.monotonic():
            self._credit_items -= 1
            self._credit_bytes -= nbytes + _ROW
            if self._credit_items >= 0 and self._credit_bytes >= 0:
                return
        self.make(connection, limits, nbytes)

    def make(self, connection: sqlite3.Connection, limits: Limits, nbytes: int) -> None:
        """Remove what is worth least until a record of `nbytes` more keeps the limits.

        Raises
        ------
        StoreUnavailable
            There can be no room: the record, or what others are writing, is too large.
        """
        if limits.max_bytes is not None:
            self._refuse_too_large(connection, nbytes, limits)
        if limits.max_age is not None:
            self._drop_aged(connection, limits.max_age)
        self._looks -= 1
        if limits.max_bytes is not None and self._looks < 0:
            self._look(connection, limits.max_bytes)
        while True:
            records, used = connection.execute(_USED).fetchone()
            items = excess = -_MOST_BYTES
            if limits.max_items is not None:
                items = records + 1 + limits.max_items // _MARGIN - limits.max_items
            if limits.max_bytes is not None:
                excess = self._excess(records, used + nbytes, limits.max_bytes)
            if items <= 0 and excess <= 0:
                self._give_credit(limits, -items, -excess)
                return
            if records == 0:
                raise _no_room(nbytes, limits)
            self._evict(connection, limits, items, excess)
            if limits.max_bytes is not None:
                self._look(connection, limits.max_bytes)

    def reserve(self, connection: sqlite3.Connection, nbytes: int) -> int:
        """Promise bytes to this process; the number of the promise, from 1 on."""
        values = (self._database.locks.token, nbytes)
        return connection.execute("INSERT INTO pending (token, nbytes) VALUES (?, ?)", values).lastrowid or 0

    def release(self, connection: sqlite3.Connection, number: int) -> None:
        """Take a promise back."""
        connection.execute("DELETE FROM pending WHERE id = ?", (number,))

    def shrink(self, connection: sqlite3.Connection, limits: Limits, written: int) -> None:
        """Outside a transaction that writes so much: give pages back, and keep the journal short."""
        if limits.max_bytes is None:
            return
        if self._unused:
            give_back_pages(connection, self._unused)
        self._journal -= written + _WRITTEN
        if self._unused or self._journal < 0:
            journal = _journal(limits.max_bytes)
            self._journal = journal // 16
            # SQLite's own checkpoints, which `_look` sets to half of this, wait for nobody: with many writers
            # the journal would only grow. To truncate it costs more than one of theirs: the exception.
            if self._database.journal_size() > journal // 4:
                _empty_journal(connection)
        self._unused = 0

    def _give_credit(self, limits: Limits, items: int, nbytes: int) -> None:
        """Let small records be put without looking, since there is room for so much more."""
        bound, largest = limits.max_items, limits.max_bytes
        self._credited = limits
        self._credit_until = time.monotonic() + _CREDIT_SECONDS
        self._credit_items = _MOST_ITEMS if bound is None else min(items, bound // _CREDIT)
        self._credit_bytes = _MOST_BYTES if largest is None else min(nbytes, largest // _CREDIT)

    def _excess(self, records: int, used: int, max_bytes: int) -> int:
        overhead = self._overhead + _ROW * max(1, records + 1 - self._records)
        return used + overhead + _journal(max_bytes) + max_bytes // _MARGIN - max_bytes

    def _look(self, connection: sqlite3.Connection, max_bytes: int) -> None:
        """See what the database takes beside the bodies of the records, and keep its journal short."""
        journal = _journal(max_bytes)
        connection.execute(f"PRAGMA journal_size_limit = {journal}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {min(1000, max(8, journal // 8 // _PAGE))}")
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (unused,) = connection.execute("PRAGMA freelist_count").fetchone()
        self._records, held, blobs = connection.execute(_HELD).fetchone()
        (promised,) = connection.execute(_PROMISED).fetchone()
        self._overhead = max(0, (pages - unused) * _PAGE - (held - blobs))
        self._looks = _LOOK_AGAIN
        # Rows use emptied pages again; only blobs cannot.
        excess = pages * _PAGE + blobs + promised + journal - max_bytes
        self._unused = max(0, min(unused, excess // _PAGE + 1))

    def _refuse_too_large(self, connection: sqlite3.Connection, nbytes: int, limits: Limits) -> None:
        """Before anything is removed in vain."""
        max_bytes = limits.max_bytes or 0
        (promised,) = connection.execute(_PROMISED).fetchone()
        if nbytes + _journal(max_bytes) + max_bytes // _MARGIN + promised > max_bytes:
            self._drop_promises(connection)
            (promised,) = connection.execute(_PROMISED).fetchone()
            if nbytes + _journal(max_bytes) + max_bytes // _MARGIN + promised > max_bytes:
                raise _no_room(nbytes, limits)

    def _drop_aged(self, connection: sqlite3.Connection, max_age: float) -> None:
        """Remove what was not used for longer, as often as it matters."""
        now = time.monotonic()
        if now >= self._age_at:
            self._age_at = now + min(60.0, max_age / 16)
            connection.execute("DELETE FROM records WHERE accessed < ?", (self._clock() - max_age,))
            self._unlink_unused(connection)

    def _evict(self, connection: sqlite3.Connection, limits: Limits, items: int, excess: int) -> None:
        """One round: a little more than is needed now."""
        if items > 0:
            items += min((limits.max_items or 0) // _ITEM_SHARE, _MOST_ITEMS)
        if excess > 0:
            excess += min((limits.max_bytes or 0) // _SHARE, _MOST_BYTES)
            self._drop_promises(connection)
        candidates = self._oldest(connection, _CHOICE * max(items, 0), _CHOICE * max(excess, 0))
        doomed = least_worth(candidates, nbytes=excess, items=items, now=self._clock())
        connection.execute(_EVICT, (f"[{','.join(map(str, doomed))}]",))
        self._unlink_unused(connection)

    def _oldest(
        self, connection: sqlite3.Connection, items: int, nbytes: int
    ) -> list[tuple[int, float, int, float]]:
        """The records that were used least recently, at least so many and so large together, if there are."""
        cursor = connection.execute(_OLDEST)
        found: list[tuple[int, float, int, float]] = []
        held = 0
        while (len(found) < items or held < nbytes) and (rows := cursor.fetchmany(_PORTION)):
            found += rows
            held += sum([row[2] for row in rows]) if nbytes > 0 else 0
        cursor.close()
        return found

    def _unlink_unused(self, connection: sqlite3.Connection) -> None:
        """Remove the blobs that no record holds any more.

        Before the end of the transaction: whoever comes next may use their place at once. If it does not end,
        there are records whose blobs are gone. They are misses, which is what they were to become.
        """
        unused = connection.execute(_UNUSED).fetchall()
        for (digest,) in unused:
            discard(self._database.blobs.path(digest))
        if unused:
            connection.execute("DELETE FROM blobs WHERE uses = 0")

    def _drop_promises(self, connection: sqlite3.Connection) -> None:
        """Forget what was promised to processes that do not live any more."""
        for (token,) in connection.execute("SELECT DISTINCT token FROM pending").fetchall():
            if not self._database.locks.is_alive(token):
                connection.execute("DELETE FROM pending WHERE token = ?", (token,))


def give_back_pages(connection: sqlite3.Connection, pages: int | None = None) -> None:
    """Shorten the database by pages that are empty; not now if others are writing."""
    count = "" if pages is None else f"({pages})"
    try:
        connection.executescript(f"PRAGMA incremental_vacuum{count}")  # `execute` would free one page only
    except sqlite3.Error as exc:
        if not is_busy(exc):
            raise


def _empty_journal(connection: sqlite3.Connection) -> None:
    """Wait, though not for ever, until what the journal holds is in the database."""
    deadline = time.monotonic() + _LONGEST_WAIT
    while time.monotonic() < deadline:
        (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if not is_busy:
            return
        os.sched_yield()  # another process is at it, and SQLite waits for writers only


def _journal(max_bytes: int) -> int:
    """The share of a limit that is set aside for the journal."""
    return min(max(max_bytes // _JOURNAL_SHARE, _LEAST_JOURNAL), _MOST_JOURNAL, max_bytes // 4)


def _no_room(nbytes: int, limits: Limits) -> StoreUnavailable:
    return StoreUnavailable(
        errno.EFBIG,
        f"there is no room for {nbytes:,} bytes within max_bytes={limits.max_bytes} and "
        f"max_items={limits.max_items}: raise the limit, or write less at the same time",
    )
