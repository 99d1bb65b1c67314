"""Where records live: SQLite with blob files on a local disk (the default), one file per record on any other,
or the memory of one process.

The names are imported on first use.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import eviction
    from .files import FileStore
    from .opening import has_store, open_store
    from .sqlite import SqliteStore
    from .transient import TransientStore

__all__ = ["FileStore", "SqliteStore", "TransientStore", "eviction", "has_store", "open_store"]

__getattr__ = on_first_use(
    __name__,
    parts=["eviction"],
    names={
        "FileStore": "files",
        "SqliteStore": "sqlite",
        "TransientStore": "transient",
        "has_store": "opening",
        "open_store": "opening",
    },
)
