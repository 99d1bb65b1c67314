"""The tables of a cache, and the making of an empty one.

``totals`` and the reference counts of blobs are changed by triggers, in the transaction that changes what
they count: they cannot disagree with it, and asking for the size of a cache is one look-up.
"""

import contextlib
import os
import sqlite3

__all__ = ["create_database", "empty", "prepare", "prepare_writing"]

# Bytes that are promised to records on their way to disk; `token` tells whether their writer lives.
_PENDING = "CREATE TABLE IF NOT EXISTS pending (id INTEGER PRIMARY KEY, token INTEGER, nbytes INTEGER)"

_FRAME = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE totals (id INTEGER PRIMARY KEY, records INTEGER NOT NULL, nbytes INTEGER NOT NULL);
INSERT INTO totals VALUES (0, 0, 0);
"""

_RECORDS = """
-- A table with row numbers: rows lie in the order of writing, which is nearly that of eviction. A table
-- clustered by key answers 0.4 µs faster and takes twice as long to trim.
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    nbytes INTEGER NOT NULL,    -- the record with all its blobs
    own INTEGER NOT NULL,       -- the row alone
    blobs INTEGER NOT NULL,
    written REAL NOT NULL,
    accessed REAL NOT NULL,
    seconds REAL NOT NULL,
    body BLOB NOT NULL          -- last, so that a scan need not read it
);
CREATE INDEX recency ON records (accessed, nbytes, seconds);  -- all that eviction looks at

CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    nbytes INTEGER NOT NULL,
    boot TEXT NOT NULL,         -- the run of the machine in which the file was written or last verified
    uses INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX unused ON blobs (digest) WHERE uses = 0;

CREATE TABLE holds (key BLOB NOT NULL, digest BLOB NOT NULL, PRIMARY KEY (key, digest)) WITHOUT ROWID;

CREATE TRIGGER record_added AFTER INSERT ON records BEGIN
    UPDATE totals SET records = records + 1, nbytes = nbytes + new.own;
END;
CREATE TRIGGER record_removed AFTER DELETE ON records BEGIN
    UPDATE totals SET records = records - 1, nbytes = nbytes - old.own;
END;
CREATE TRIGGER record_with_blobs_removed AFTER DELETE ON records WHEN old.blobs > 0 BEGIN
    DELETE FROM holds WHERE key = old.key;
END;
CREATE TRIGGER hold_added AFTER INSERT ON holds BEGIN
    UPDATE blobs SET uses = uses + 1 WHERE digest = new.digest;
END;
CREATE TRIGGER hold_removed AFTER DELETE ON holds BEGIN
    UPDATE blobs SET uses = uses - 1 WHERE digest = old.digest;
END;
CREATE TRIGGER blob_added AFTER INSERT ON blobs BEGIN
    UPDATE totals SET nbytes = nbytes + new.nbytes;
END;
CREATE TRIGGER blob_removed AFTER DELETE ON blobs BEGIN
    UPDATE totals SET nbytes = nbytes - old.nbytes;
END;
"""

_MOST_JOURNAL = 16 << 20

_PAGE_CACHE = 16 << 10
"""KiB of the database that a connection keeps at most. With SQLite's own 2 MiB a get from a million entries
takes 1.75 times as long as one from a thousand, with this 1.4 times (benchmarks/bench_memory.py)."""


def create_database(path: str, temporary: str, boot: str) -> None:
    """Make an empty database at `path`, unless another process is faster.

    It is built under the name `temporary` and linked into place: switching an existing file to the journal
    mode WAL fails with "database is locked" whenever several processes try, in spite of every timeout.
    """
    connection = sqlite3.connect(temporary, isolation_level=None)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # has to come before the first table
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(f"BEGIN; {_FRAME} {_RECORDS} COMMIT;")
        connection.execute("INSERT INTO facts VALUES ('boot', ?)", (boot,))
    finally:
        connection.close()
    try:
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        os.unlink(temporary)


def empty(connection: sqlite3.Connection) -> None:
    """Inside a transaction: remove all records and blobs at once, many times faster than one by one."""
    for table in ("records", "holds", "blobs"):  # their indexes and triggers go with them
        connection.execute(f"DROP TABLE {table}")
    connection.execute("UPDATE totals SET records = 0, nbytes = 0")
    statement = ""
    for line in _RECORDS.splitlines():  # not `executescript`, which would end the transaction
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def prepare(connection: sqlite3.Connection) -> None:
    """Set what SQLite does not keep in the file."""
    # A crash of the machine may cost the last seconds; every row has a check and every blob its length and
    # digest, so it cannot make a wrong result. SIGKILL loses nothing.
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA recursive_triggers = ON")  # so that REPLACE counts what it removes
    connection.execute(f"PRAGMA journal_size_limit = {_MOST_JOURNAL}")
    connection.execute("PRAGMA temp_store = MEMORY")
    # Debian builds SQLite so that it overwrites with zeros what is removed: to empty a cache of 5,000 records
    # then takes five times as long. Elsewhere SQLite does not do it either.
    connection.execute("PRAGMA secure_delete = OFF")
    connection.execute(f"PRAGMA cache_size = -{_PAGE_CACHE}")


def prepare_writing(connection: sqlite3.Connection) -> None:
    """Add the table that databases of earlier versions lack."""
    connection.execute(_PENDING)
