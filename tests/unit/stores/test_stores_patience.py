import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lightwork.protocols import Record
from lightwork.stores import SqliteStore
from lightwork.stores.sqlite.patience import MOMENT, Patience
from lightwork.testing.stores import key_of

SMALL = Record(b"small", (), b"{}")


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection inside a transaction that nobody else can write beside."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), SMALL)
    store.close()
    with closing(_connect(tmp_path / "lightwork-1" / "records.sqlite")) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def _begin_after(tries: int, holder: sqlite3.Connection, waiter: sqlite3.Connection) -> None:
    count = 0

    def attempt() -> None:
        nonlocal count
        count += 1
        if count == tries:
            holder.execute("COMMIT")
        waiter.execute("BEGIN IMMEDIATE")

    Patience(60).wait(attempt)
    assert count == tries


def test_whoever_waits_asks_until_it_is_its_turn(tmp_path: Path, holder: sqlite3.Connection) -> None:
    """A busy database is asked again, as often as it takes."""
    with closing(_connect(tmp_path / "lightwork-1" / "records.sqlite")) as waiter:
        _begin_after(3, holder, waiter)
        assert waiter.in_transaction


def test_patience_ends(tmp_path: Path, holder: sqlite3.Connection) -> None:
    """After the longest wait the error of SQLite comes through."""
    with closing(_connect(tmp_path / "lightwork-1" / "records.sqlite")) as waiter:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            Patience(0).begin(waiter)
        assert not waiter.in_transaction
        assert holder.in_transaction


def test_other_errors_are_not_waited_for() -> None:
    """What waiting cannot change is raised at once."""
    with closing(sqlite3.connect(":memory:")) as connection:
        calls = []

        def attempt() -> None:
            calls.append(1)
            connection.execute("SELECT * FROM absent")

        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            Patience(60).wait(attempt)
        assert len(calls) == 1


def test_records_are_read_while_others_write(tmp_path: Path, holder: sqlite3.Connection) -> None:
    """A transaction of somebody else keeps nobody from reading."""
    store = SqliteStore(tmp_path)
    assert store.get(key_of(1)) == SMALL
    assert holder.in_transaction
    store.close()


def test_a_read_is_over_when_it_returns(tmp_path: Path) -> None:
    """The cursor that all reads of a thread share holds no snapshot, which would let the journal grow."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), SMALL)
    assert store.get(key_of(1)) == SMALL
    store.put(key_of(2), SMALL)
    with closing(_connect(tmp_path / "lightwork-1" / "records.sqlite")) as other:
        assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    store.close()


def test_notes_wait_too(tmp_path: Path) -> None:
    """To remove everything while another process writes for longer than a moment fails nobody."""
    store = SqliteStore(tmp_path)
    store.put(key_of(1), SMALL)
    store.note(key_of(1), b"text")
    with closing(_connect(tmp_path / "lightwork-1" / "records.sqlite")) as holder:
        holder.execute("BEGIN IMMEDIATE")
        clearing = threading.Thread(target=store.clear)
        clearing.start()
        clearing.join(4 * MOMENT)
        assert clearing.is_alive()
        holder.execute("COMMIT")
        clearing.join()
    assert store.noted(key_of(1)) is None
    assert store.totals() == (0, 0)
    store.close()
