"""Where records live: SQLite with blob files on a local disk (the default), one file per record on any other,
an object store that many hosts share, with or without local copies, or the memory of one process.

The names are imported on first use.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import eviction, urls
    from .files import FileStore
    from .locations import open_url
    from .objects import ObjectStore
    from .opening import has_store, open_store
    from .sqlite import SqliteStore
    from .tiered import TieredStore
    from .transient import TransientStore

__all__ = [
    "FileStore",
    "ObjectStore",
    "SqliteStore",
    "TieredStore",
    "TransientStore",
    "eviction",
    "has_store",
    "open_store",
    "open_url",
    "urls",
]

__getattr__ = on_first_use(
    __name__,
    parts=["eviction", "urls"],
    names={
        "FileStore": "files",
        "ObjectStore": "objects",
        "SqliteStore": "sqlite",
        "TieredStore": "tiered",
        "TransientStore": "transient",
        "has_store": "opening",
        "open_store": "opening",
        "open_url": "locations",
    },
)
