"""The default store: one SQLite database and immutable blob files in one folder.

``store`` is the face; ``reading`` and ``writing`` do the work; ``..layout`` (pure) says how a record lies in
its row; ``database`` keeps the connections, ``schema`` the tables, ``blobs`` the files.
"""

from .store import SqliteStore

__all__ = ["SqliteStore"]
