"""Where records live: SQLite with blob files on a local disk (the default), or the memory of one process.

The names are imported on first use.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from .sqlite import SqliteStore, open_store
    from .transient import TransientStore

__all__ = ["SqliteStore", "TransientStore", "open_store"]

__getattr__ = on_first_use(
    __name__, names={"SqliteStore": "sqlite", "TransientStore": "transient", "open_store": "sqlite"}
)
