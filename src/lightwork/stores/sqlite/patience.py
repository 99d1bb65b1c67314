"""Waiting for other processes that use the database.

SQLite waits by itself, with pauses that grow to a tenth of a second: whoever has waited for long looks more
and more rarely, and with busy writers around it starves. So SQLite is told to wait for a moment only, and is
asked again, which begins with short pauses again.
"""

import sqlite3
import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["MOMENT", "Patience", "is_busy"]

T = TypeVar("T")

MOMENT = 0.05
"""Seconds that SQLite waits by itself: pauses of 1, 2, 5, 10 and 15 ms, and the rest."""

LONGEST = 20.0
"""Seconds. Eight processes that do nothing but write keep one waiting for less than half a second; a process
that was stopped inside a transaction (SIGSTOP, a debugger) keeps all others waiting for ever."""

_SHORTEST = 0.2
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)


class Patience:
    """How long the threads of a process wait for a database: `longest` seconds.

    After that was in vain, a moment only, until somebody gets through: a program does not stand still because
    its cache does.
    """

    def __init__(self, longest: float = LONGEST) -> None:
        self._longest = longest
        self._seconds = longest

    def wait(self, attempt: Callable[[], T]) -> T:
        """What `attempt` gives, which is called again as long as the database is busy.

        Raises
        ------
        sqlite3.Error
            What it raises at last.
        """
        deadline = time.monotonic() + self._seconds
        while True:
            try:
                found = attempt()
            except sqlite3.Error as exc:
                if not is_busy(exc):
                    raise
                if time.monotonic() >= deadline:
                    self._seconds = min(_SHORTEST, self._longest)
                    raise
            else:
                self._seconds = self._longest
                return found

    def begin(self, connection: sqlite3.Connection) -> None:
        """Begin a transaction, when it is our turn, that excludes other writers. Errors as from `wait`."""
        try:  # nearly always
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as exc:
            if not is_busy(exc):
                raise
            self.wait(lambda: connection.execute("BEGIN IMMEDIATE"))


def is_busy(exc: BaseException) -> bool:
    """Whether an error says that others were using the database, and nothing else."""
    code = getattr(exc, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _BUSY
