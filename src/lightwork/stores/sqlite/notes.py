"""Notes: small texts beside the records, which tell why a call found none (`SupportsNotes`).

Their table is made with the first note: most caches never need one before something is explained.
"""

import sqlite3
from functools import partial

from ..layout import decode_body
from .database import Database

__all__ = ["Notes"]

_TABLE = "CREATE TABLE IF NOT EXISTS notes (key BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID"
_HAS_TABLE = "SELECT 1 FROM sqlite_master WHERE name = 'notes'"
_RECENT = "SELECT key, body FROM records WHERE key >= ? AND key < ? ORDER BY written DESC LIMIT ?"


class Notes:
    """The notes of one cache. Writing raises `OSError` or `sqlite3.Error`; what cannot be read is missing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, key: bytes, text: bytes) -> None:
        """Keep a note, in place of one of its key."""
        self._change([(_TABLE, ()), ("REPLACE INTO notes VALUES (?, ?)", (key, text))])

    def read(self, key: bytes) -> bytes | None:
        """The note of a key."""
        rows = (
            self._database.rows("SELECT text FROM notes WHERE key = ?", (key,))
            if self._database.rows(_HAS_TABLE)
            else []
        )
        return rows[0][0] if rows else None

    def clear(self, low: bytes, high: bytes) -> None:
        """Remove the notes of all keys from `low` on, and before `high`."""
        if self._database.rows(_HAS_TABLE):
            self._change([("DELETE FROM notes WHERE key >= ? AND key < ?", (low, high))])

    def facts(self, low: bytes, high: bytes, limit: int) -> list[bytes]:
        """The facts of the records with such keys that were written last; damaged ones are left out."""
        found = [decode_body(key, body) for key, body in self._database.rows(_RECENT, (low, high, limit))]
        return [bytes(record.facts) for record in found if record is not None]

    def _change(self, statements: list[tuple[str, tuple[bytes, ...]]]) -> None:
        with self._database.seat() as seat:
            connection = seat.writer()
            try:
                for each in statements:
                    self._database.patience.wait(partial(connection.execute, *each))
            except sqlite3.Error as exc:
                seat.failed(exc)
                raise
