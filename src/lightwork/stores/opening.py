"""Which store a location gets."""

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from .. import stores
from ..system.filesystems import is_local
from .folder import VERSION
from .opened import opened

if TYPE_CHECKING:
    from ..protocols import Store

__all__ = ["has_store", "open_store"]

_NOTHING: Mapping[str, object] = MappingProxyType({})


def open_store(
    location: str | os.PathLike[str], *, trusted: bool = False, options: Mapping[str, object] = _NOTHING
) -> "Store":
    """The store in a location; one object per location and process, as long as somebody holds it.

    A URL (``s3://``, ``gs://``, ``az://``, ``file://``) gets an object store, with a local one before it if
    the options name a folder for that. A folder gets SQLite where the file system is known to be local;
    else one file per record, which needs neither locks nor memory maps (`system.filesystems`). Touches
    nothing. A relative path is that of the current folder of this moment.

    Parameters
    ----------
    location
        A folder or a URL.
    trusted
        Also if others may write to the folder.
    options
        For URLs: ``local``, ``local_bytes``, ``fresh``, ``config``; see ``docs/shared.md``.

    Raises
    ------
    InvalidOption, MissingDependency
        A URL or an option cannot be right, or what the URL needs is not installed.
    """
    if isinstance(location, str) and "://" in location and stores.urls.is_url(location):
        return stores.open_url(location, trusted=trusted, options=options)
    return opened(stores.SqliteStore if is_local(location) else stores.FileStore, location, trusted)


def has_store(location: str | os.PathLike[str]) -> bool:
    """Whether anything was ever kept in a folder. Touches nothing."""
    return os.path.isdir(os.path.join(location, VERSION))
