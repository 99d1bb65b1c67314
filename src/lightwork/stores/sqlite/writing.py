"""From a record to a row and files, and back to nothing. Each step leaves the cache whole if it is the last.

Putting a large record, and what a kill leaves behind at each point::

    write blobs to tmp/                        files that the next start sweeps
    BEGIN IMMEDIATE, link blobs into place     the same; they name the blob, which is unlinked if no row has
    row, holds, COMMIT                         the record, and names in tmp/ to sweep
    unlink the names in tmp/                   the record

Removing records moves blobs that nothing uses to trash/ inside the transaction and unlinks them after it. A
kill in between leaves rows whose blobs are gone: they are misses, and the next put mends them.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence

from ...errors import StoreUnavailable
from ...protocols import Limits, Record
from ...system.clock import Clock
from ..layout import Blob, Places, encode, encode_small, place
from .blobs import Written, discard
from .database import Database, Seat
from .reading import Touched
from .room import Room, give_back_pages
from .schema import empty

__all__ = ["Writer"]

_PUT = (
    "REPLACE INTO records (key, nbytes, own, blobs, written, accessed, seconds, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_TOUCH = "UPDATE records SET accessed = max(accessed, ?) WHERE key = ?"
_ROW = "INSERT INTO blobs VALUES (?, ?, ?, 0) ON CONFLICT DO UPDATE SET boot = excluded.boot"
_MOST_TRIES = 5
_MOST_IN_ROW = 128 << 10  # bytes of a large record that go through the journal


class _Vanished(Exception):
    """A blob that was there when the record was prepared is gone: prepare again."""


class Writer:
    """Writes and removes records. Methods raise `OSError` or `sqlite3.Error`, and leave nothing half-done."""

    def __init__(self, database: Database, touched: Touched, clock: Clock, boot: str) -> None:
        self._database = database
        self._files = database.blobs
        self._touched = touched
        self._clock = clock
        self._boot = boot
        self._begin = database.patience.begin
        self._room = Room(database, clock)

    def put(self, key: bytes, record: Record, seconds: float, limits: Limits | None = None) -> None:
        """Publish a record, in place of one of its key. With `limits` room is made for it first."""
        body = encode_small(key, record)
        with self._database.seat() as seat:
            if body is not None:
                figures = (key, len(body), len(body), 0)
                self._commit(seat, figures, seconds, body, publish=None, limits=limits)
                return
            reserved = 0 if limits is None else self._reserve(seat, record, limits)
            try:
                self._put_whole(seat, key, record, seconds, reserved)
            except BaseException:
                if reserved:
                    with contextlib.suppress(OSError, sqlite3.Error):  # the promise ends with the process
                        self._room.release(seat.writer(), reserved)
                raise

    def _reserve(self, seat: Seat, record: Record, limits: Limits) -> int:
        """Make room for a record, and promise it to it before a byte is written; the promise's number."""
        nbytes = sum(memoryview(part).nbytes for part in (record.skeleton, record.facts, *record.buffers))
        connection = seat.writer()
        try:
            try:  # as in `remove`
                self._begin(connection)
                self._use_touched(connection)
                self._room.make(connection, limits, nbytes)
                reserved = self._room.reserve(connection, nbytes)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            self._room.shrink(connection, limits, min(nbytes, _MOST_IN_ROW))
        except sqlite3.Error as exc:
            seat.failed(exc)
            raise
        return reserved

    def _put_whole(self, seat: Seat, key: bytes, record: Record, seconds: float, reserved: int) -> None:
        """Write a record that has blobs or a long body; `reserved` is the number of its promise, or 0."""
        for _ in range(_MOST_TRIES):
            try:
                self._put_large(seat, key, record, seconds, reserved)
                return
            except _Vanished:
                continue
            except FileNotFoundError:
                # A folder or temporary file was removed by somebody; the whole cache: begin anew.
                if self._database.inode() is not None:
                    self._database.mend()
        raise StoreUnavailable(
            "files of the cache are removed as fast as this process makes or looks for them"
        )

    def remove(self, statement: str, rows: Sequence[tuple[object, ...]]) -> int:
        """Run a DELETE for each of `rows`, and remove blobs that nothing uses then; how many records went."""

        def take(connection: sqlite3.Connection, trashed: list[tuple[str, bytes]]) -> int:
            count = connection.executemany(statement, rows).rowcount
            unused = connection.execute("SELECT digest FROM blobs WHERE uses = 0").fetchall()
            self._trash(unused, trashed)
            if unused:
                connection.execute("DELETE FROM blobs WHERE uses = 0")
            return count

        return self._taking(take)

    def remove_all(self) -> int:
        """Remove all records and blobs; how many records those were."""

        def take(connection: sqlite3.Connection, trashed: list[tuple[str, bytes]]) -> int:
            count: int = connection.execute("SELECT records FROM totals").fetchone()[0]
            self._trash(connection.execute("SELECT digest FROM blobs").fetchall(), trashed)
            empty(connection)
            return count

        return self._taking(take)

    def _taking(self, take: Callable[[sqlite3.Connection, list[tuple[str, bytes]]], int]) -> int:
        """Run `take` in a transaction; it lists the blobs that it moves to the trash, which are unlinked."""
        with self._database.seat() as seat:
            connection = seat.writer()
            trashed: list[tuple[str, bytes]] = []
            try:
                try:  # from the first step on: an interrupt must not leave a transaction open
                    self._begin(connection)
                    count = take(connection, trashed)
                    connection.execute("COMMIT")
                except BaseException:
                    for path, digest in trashed:
                        self._files.restore(path, digest)
                    _roll_back(connection)
                    raise
                give_back_pages(connection)
            except sqlite3.Error as exc:
                seat.failed(exc)
                raise
        for path, _ in trashed:
            discard(path)
        return count

    def flush(self) -> None:
        """Write down when records were used."""
        waiting = self._touched.take()
        if waiting and self._database.inode() is not None:
            with self._database.seat() as seat:
                connection = seat.writer()
                try:  # as in `remove`
                    self._begin(connection)
                    connection.executemany(_TOUCH, waiting)
                    connection.execute("COMMIT")
                except BaseException:
                    _roll_back(connection)
                    raise

    def _put_large(self, seat: Seat, key: bytes, record: Record, seconds: float, reserved: int) -> None:
        connection = seat.writer()  # makes the folder, if there is none
        places = place(record)
        blobs, written = self._write(connection, places)
        held = set(blobs)
        body = encode(key, record, places, blobs)
        nbytes = len(body) + sum(blob.nbytes for blob in held)
        placed: list[Blob] = []
        try:
            self._commit(
                seat,
                (key, nbytes, len(body), len(held)),
                seconds,
                body,
                publish=lambda inside: self._publish(inside, key, held, written, placed, reserved),
            )
        except BaseException:
            self._take_back(seat, placed, written)
            raise
        for item in written.values():
            self._files.forget(item)

    def _write(
        self, connection: sqlite3.Connection, places: Places
    ) -> tuple[list[Blob], dict[Blob, Written]]:
        """Write what is not there yet under temporary names."""
        blobs: list[Blob] = []
        written: dict[Blob, Written] = {}
        try:
            for view in places.own:
                blob = self._files.name(view)
                blobs.append(blob)
                if blob not in written and not self._is_sound(connection, blob):
                    written[blob] = self._files.write([view], blob.digest)
            if places.packed:
                pack = self._files.write(places.packed, None)
                blobs.append(pack.blob)
                written[pack.blob] = pack
        except BaseException:
            for item in written.values():
                self._files.forget(item)
            raise
        return blobs, written

    def _is_sound(self, connection: sqlite3.Connection, blob: Blob) -> bool:
        """Whether a row and a file are there, and no crash of the machine came between then and now."""
        row = connection.execute("SELECT boot FROM blobs WHERE digest = ?", (blob.digest,)).fetchone()
        return row is not None and row[0] == self._boot and self._files.is_whole(blob)

    def _publish(
        self,
        connection: sqlite3.Connection,
        key: bytes,
        blobs: set[Blob],
        written: dict[Blob, Written],
        placed: list[Blob],
        reserved: int,
    ) -> None:
        """Inside the transaction: put blobs in place, and note that the record holds them."""
        if reserved:
            self._room.release(connection, reserved)
        for blob in blobs:
            if not self._is_sound(connection, blob):
                if blob not in written:
                    raise _Vanished
                placed.append(blob)
                self._files.publish(written[blob])
                connection.execute(_ROW, (blob.digest, blob.nbytes, self._boot))
            connection.execute("INSERT INTO holds VALUES (?, ?)", (key, blob.digest))

    def _take_back(self, seat: Seat, placed: Sequence[Blob], written: dict[Blob, Written]) -> None:
        """After a transaction that did not end: remove its blobs, unless somebody uses them by now."""
        try:
            for blob in placed:
                self._database.drop_orphan(seat.writer(), blob.digest)
        except (OSError, sqlite3.Error):
            return  # the names in tmp/ stay, so that a later start can do it
        for item in written.values():
            self._files.forget(item)

    def _commit(
        self,
        seat: Seat,
        figures: tuple[bytes, int, int, int],
        seconds: float,
        body: bytes,
        *,
        publish: Callable[[sqlite3.Connection], None] | None,
        limits: Limits | None = None,
    ) -> None:
        """Write a row (key, bytes in all, bytes of the body, blobs) and the waiting times of access."""
        connection = seat.writer()
        now = self._clock()
        try:
            try:  # as in `remove`
                self._begin(connection)
                self._use_touched(connection)
                if limits is not None:
                    self._room.make_small(connection, limits, len(body))
                connection.execute(_PUT, (*figures, now, now, seconds, body))
                if publish is not None:
                    publish(connection)
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
            if limits is not None:
                self._room.shrink(connection, limits, len(body))
        except sqlite3.Error as exc:
            seat.failed(exc)
            raise

    def _use_touched(self, connection: sqlite3.Connection) -> None:
        waiting = self._touched.take()
        if waiting:
            connection.executemany(_TOUCH, waiting)

    def _trash(self, digests: Sequence[tuple[bytes]], trashed: list[tuple[str, bytes]]) -> None:
        for (digest,) in digests:
            path = self._files.to_trash(digest)
            if path is not None:
                trashed.append((path, digest))


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # a full disk makes SQLite roll back by itself
        connection.execute("ROLLBACK")
