"""Which store a folder gets."""

import os
from typing import TYPE_CHECKING

from .. import stores
from ..system.filesystems import is_local
from .folder import VERSION
from .opened import opened

if TYPE_CHECKING:
    from ..protocols import Store

__all__ = ["has_store", "open_store"]


def open_store(location: str | os.PathLike[str], *, trusted: bool = False) -> "Store":
    """The store in a folder; one object per folder and process, as long as somebody holds it.

    SQLite where the file system is known to be local; else one file per record, which needs neither locks
    nor memory maps (`system.filesystems`). Touches nothing. A relative path is that of the current folder
    of this moment. `trusted`: also if others may write to the folder.
    """
    return opened(stores.SqliteStore if is_local(location) else stores.FileStore, location, trusted)


def has_store(location: str | os.PathLike[str]) -> bool:
    """Whether anything was ever kept in a folder. Touches nothing."""
    return os.path.isdir(os.path.join(location, VERSION))
