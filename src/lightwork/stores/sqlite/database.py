"""The connections of one process to one database: one per thread, none across a fork.

SQLite keeps tables of its own about open files, their locks and their shared memory. A child that inherits
them believes to hold locks which only its parent has, even for connections that it opens itself. So before
a fork all connections of the process are closed, while no thread is inside SQLite; parent and child open
new ones when they next need them (0.3 ms). Each thread has a *seat*: a connection and the lock that a fork
waits for.

::

    thread ── seat (lock, connection) ──┐
    thread ── seat (lock, connection) ──┼── records.sqlite
    fork:  takes all seats' locks, closes, forks, gives them back
"""

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

from ...errors import StoreUnavailable
from ...system.filesystems import file_system, is_local
from ...system.forks import around_forks
from ...system.locks import HOUSEKEEPING, LOCK_FILES, LockFile
from ..folder import BLOBS, DATABASE, LOCKS, TMP, TRASH, VERSION, check_trust, make_folder, mend_folder
from .blobs import BlobFolder, discard
from .patience import MOMENT, Patience, is_busy
from .schema import create_database, prepare, prepare_writing

__all__ = ["Database", "Seat"]

_PARTS = (BLOBS, TMP, TRASH)
_LOOK_AGAIN = 0.5  # seconds after which a read looks whether the database is still the one it has open
_now = time.monotonic
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNQUOTED = frozenset(b"/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


class _Connection(sqlite3.Connection):
    """Closed with the last reference to it, which from Python 3.13 on would be a `ResourceWarning`."""

    def __del__(self) -> None:
        self.close()


class Seat:
    """One thread's connection. Used inside ``with seat:``, which keeps forks away.

    Attributes
    ----------
    lock
        What ``with seat:`` holds. ``with seat.lock:`` is the same without two calls of Python.
    """

    __slots__ = ("_connection", "_database", "_find", "_inode", "_look_at", "_try_at", "lock", "thread")

    def __init__(self, database: "Database", thread: threading.Thread) -> None:
        self._database = database
        self.lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._find: Callable[[str, tuple[object, ...]], sqlite3.Cursor] | None = None
        self._inode = (0, 0)
        self._look_at = 0.0
        self._try_at = 0.0
        self.thread = thread

    def __enter__(self) -> "Seat":
        self.lock.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.lock.release()

    def row(self, query: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:  # Any: the columns
        """The only row of an answer; ``None`` if there is none, or the answer cannot be had."""
        if _now() >= self._look_at:
            self.reader()
        find = self._find
        if find is None:
            return None
        try:
            # A signal handler may use the cursor in between: the row is gone then, which is a miss.
            found: tuple[Any, ...] | None = find(query, values).fetchone()
        except sqlite3.Error as exc:
            rows = self._again(query, values, exc)
            return rows[0] if rows else None
        return found

    def rows(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:  # Any: the columns
        """The answer to a query; nothing if it cannot be had."""
        connection = self.reader()
        if connection is None:
            return []
        try:
            return connection.execute(query, values).fetchall()
        except sqlite3.Error as exc:
            return self._again(query, values, exc)

    def reader(self) -> sqlite3.Connection | None:
        """A connection for one query, or ``None`` if there is no database that can be read."""
        now = time.monotonic()
        if now < self._look_at:
            return self._connection
        if now < self._try_at:
            return None
        try:
            if self._connection is None or self._database.inode() != self._inode:
                self._reopen(create=False)
            else:
                self._look_at = now + _LOOK_AGAIN
        except (OSError, sqlite3.Error) as exc:  # a read that cannot be answered is a miss
            self.failed(exc)
            self._try_at = now + _LOOK_AGAIN
        return self._connection

    def writer(self) -> sqlite3.Connection:
        """A connection for a transaction; the database is created if there is none.

        Raises `OSError` or `sqlite3.Error`.
        """
        if self._connection is None or self._database.inode() != self._inode:
            self._reopen(create=True)
        if self._connection is None:
            raise StoreUnavailable(f"there is no database at {self._database.path!r}")
        return self._connection

    def failed(self, exc: Exception) -> None:
        """Let go of a connection that answered with an error; set the database aside if it is damaged."""
        if is_busy(exc):
            return
        inode = self._inode
        self.close()
        self._database.note_damage(exc, inode)

    def close(self) -> None:
        """Close the connection, if there is one. The next use opens another."""
        connection, self._connection = self._connection, None
        self._find = None
        self._look_at = 0.0
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.close()

    def _again(self, query: str, values: tuple[object, ...], exc: sqlite3.Error) -> list[tuple[Any, ...]]:
        """The answer to a query that was answered with an error, if it only has to wait."""
        connection = self._connection
        if is_busy(exc) and connection is not None:
            try:
                return self._database.patience.wait(lambda: connection.execute(query, values).fetchall())
            except sqlite3.Error as last:
                exc = last
        self.failed(exc)
        return []

    def _reopen(self, *, create: bool) -> None:
        self.close()
        inode = self._database.inode()
        if inode is None and create:
            self._database.create()
            inode = self._database.inode()
        if inode is not None:
            self._connection = self._database.patience.wait(self._database.connect)
            self._find = self._connection.cursor().execute  # a new cursor for each query takes 0.3 µs
            self._inode = inode
            self._look_at = time.monotonic() + _LOOK_AGAIN


class Database:
    """The database of one cache, created when something is first written to it.

    Parameters
    ----------
    location
        The user's folder, absolute. Need not exist.
    boot
        The run of the machine, see `system.boot`.
    trusted
        Whether the folder is used even if others may write to it.
    """

    def __init__(self, location: str, boot: str, *, trusted: bool) -> None:
        self._location = location
        self._trusted = trusted
        self._boot = boot
        self._folder = os.path.join(location, VERSION)
        self.path = os.path.join(self._folder, DATABASE)
        self.locks: LockFile = LOCK_FILES.at(os.path.join(self._folder, LOCKS))
        self.blobs = BlobFolder(self._folder, self.locks)
        self.patience = Patience()
        self._adding = threading.Lock()
        self._opening = threading.Lock()
        self._seats: dict[int, Seat] = {}
        self._swept = (0, 0)
        self._local: bool | None = None
        around_forks(self.quiesce, self.resume)

    def seat(self) -> Seat:
        """The seat of the calling thread."""
        seat = self._seats.get(threading.get_ident())
        return seat if seat is not None else self._add_seat()

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:  # Any: the columns
        """The answer to a query; nothing if it cannot be had."""
        with self.seat() as seat:
            return seat.rows(query, values)

    def inode(self) -> tuple[int, int] | None:
        """What tells the database file from another of the same name; ``None`` if there is none."""
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_dev, found.st_ino

    def journal_size(self) -> int:
        """Bytes of SQLite's journal."""
        try:
            return os.stat(f"{self.path}-wal").st_size
        except FileNotFoundError:
            return 0

    def create(self) -> None:
        """Make the folder and an empty database, unless they are there."""
        self._check_folder()
        with self._opening:
            make_folder(self._location, _PARTS)
            create_database(self.path, self.blobs.temporary_path(), self._boot)

    def connect(self) -> sqlite3.Connection:
        """A new connection to the database that is there."""
        self._check_folder()
        can_write = os.access(self._folder, os.W_OK) and os.access(self.path, os.W_OK)
        if not can_write and os.path.exists(f"{self.path}-wal"):
            raise StoreUnavailable(
                f"the folder {self._location!r} may not be written, and was left with unfinished business "
                f"({DATABASE}-wal): open it once from an account that may write there"
            )
        mode = "mode=rw" if can_write else "mode=ro&immutable=1"
        connection = sqlite3.connect(
            f"file://{_quoted(self.path)}?{mode}",
            uri=True,
            timeout=MOMENT,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        try:
            prepare(connection)
            if can_write:
                self.mend()
                self._check_boot(connection)
                prepare_writing(connection)
                self._sweep(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def mend(self) -> None:
        """Make up for what was removed around the database: folders, and the file of the locks."""
        mend_folder(self._folder, _PARTS)
        self.locks.renew()

    def leases(self) -> LockFile:
        """The locks, for the leases of keys. Raises `StoreUnavailable` if the folder is not to be used."""
        if not self._trusted:
            check_trust(self._location)
            self._trusted = os.path.isdir(self._folder)
        return self.locks

    def lease(self, offset: int) -> bool:
        """Take a lock of the cache, made for it if there is none, unless another process has it."""
        try:
            return self.leases().acquire(offset)
        except FileNotFoundError:
            self.create()
        return self.locks.acquire(offset)

    def note_damage(self, exc: Exception, inode: tuple[int, int]) -> None:
        """Set the database aside if `exc` says that it is damaged, and it is still the one with `inode`.

        Nothing else is a reason: a full disk, an I/O error or too many open files will pass.
        """
        code = getattr(exc, "sqlite_errorcode", None)
        if code is None or code & 0xFF not in _DAMAGE:
            return
        with self._opening, contextlib.suppress(OSError):
            if not self.locks.acquire(HOUSEKEEPING):
                return  # another process is at it
            try:
                if inode in ((0, 0), self.inode()):
                    self._set_aside()
            finally:
                self.locks.release(HOUSEKEEPING)

    def close(self) -> None:
        """Close all connections."""
        with self._adding:
            for seat in self._seats.values():
                with seat:
                    seat.close()
            self._seats.clear()

    def quiesce(self) -> None:
        """Before a fork: wait until no thread is inside SQLite, and close all connections."""
        self._adding.acquire()
        for seat in self._seats.values():
            seat.__enter__()
            seat.close()

    def resume(self) -> None:
        """After a fork, in the parent and in the child: let threads go on."""
        for seat in self._seats.values():
            seat.__exit__()
        self._adding.release()

    def _add_seat(self) -> Seat:
        # For a thread that Python did not start this makes an object that counts as alive for ever: its
        # seat stays until the number is used again.
        thread = threading.current_thread()
        with self._adding:
            for ident in [ident for ident, seat in self._seats.items() if not seat.thread.is_alive()]:
                with self._seats.pop(ident) as gone:
                    gone.close()
            return self._seats.setdefault(threading.get_ident(), Seat(self, thread))

    def _check_folder(self) -> None:
        if self._local is None:
            self._local = is_local(self._location)
        if not self._local:
            raise StoreUnavailable(
                f"{self._location!r} lies on a file system of type {file_system(self._location)!r}, where "
                "SQLite and memory maps cannot be trusted: choose a folder on a local disk"
            )
        if not self._trusted:
            check_trust(self._location)

    def _check_boot(self, connection: sqlite3.Connection) -> None:
        """The first to open the database after a start of the machine looks whether it survived."""
        tables = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'facts'").fetchone()
        if tables == (0,):  # a file of that name without our tables was cut off or emptied
            raise _damage("it has no tables")
        row = connection.execute("SELECT value FROM facts WHERE name = 'boot'").fetchone()
        if row is not None and row[0] == self._boot:
            return
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise _damage(verdict)
        connection.execute("REPLACE INTO facts VALUES ('boot', ?)", (self._boot,))

    def _sweep(self, connection: sqlite3.Connection) -> None:
        """Once per process: remove what killed processes left in ``tmp/`` and ``trash/``."""
        inode = self.inode() or (0, 0)
        with self._opening:
            if inode == self._swept:
                return
            self._swept = inode
            for leftover in list(self.blobs.leftovers()):
                if leftover.digest is not None:
                    self.drop_orphan(connection, leftover.digest)
                discard(leftover.path)
            self.blobs.empty_trash()

    def drop_orphan(self, connection: sqlite3.Connection, digest: bytes) -> None:
        """Unlink a blob unless a row knows it: a transaction that did not end has put it in place."""
        try:
            self.patience.begin(connection)  # so that nobody begins to use it meanwhile
            known = connection.execute("SELECT 1 FROM blobs WHERE digest = ?", (digest,)).fetchone()
            if known is None:
                discard(self.blobs.path(digest))
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")

    def _set_aside(self) -> None:
        """Give database and blobs other names, so that the next write begins afresh."""
        damaged = os.path.join(self._folder, f"damaged-{DATABASE}")
        os.replace(self.path, damaged)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                os.replace(self.path + suffix, damaged + suffix)
        blobs = os.path.join(self._folder, BLOBS)
        os.rename(blobs, os.path.join(self._folder, TRASH, os.path.basename(self.blobs.temporary_path())))
        os.mkdir(blobs)


def _damage(what: str) -> sqlite3.DatabaseError:
    """The error that SQLite would raise if it had found the damage itself."""
    damage = sqlite3.DatabaseError(f"the database is damaged: {what}")
    damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return damage


def _quoted(path: str) -> str:
    """A path as part of a URI. (`pathlib` and `urllib` do the same and take 6 ms to import.)"""
    return "".join(chr(byte) if byte in _UNQUOTED else f"%{byte:02X}" for byte in os.fsencode(path))
