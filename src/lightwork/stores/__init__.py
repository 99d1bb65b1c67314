"""Where records live: SQLite with blob files on a local disk (the default), or the memory of one process."""

from .sqlite import SqliteStore, open_store
from .transient import TransientStore

__all__ = ["SqliteStore", "TransientStore", "open_store"]
