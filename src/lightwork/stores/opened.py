"""The stores that this process has open: one object per kind and folder."""

import collections
import os
import threading
import weakref
from typing import Protocol

from ..protocols import Store
from ..system.forks import after_fork_in_child

__all__ = ["opened"]

_MOST_RECENT = 4


class _Kind(Protocol):
    """A class of stores that lie in a folder."""

    def __call__(self, location: str, /, *, trusted: bool) -> Store: ...


class _OpenStores:
    """The stores of this process by kind and location: equal ones share connections and times of access.

    A worker that gets a cached function, or references to a thousand results, opens their database once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stores: weakref.WeakValueDictionary[tuple[object, ...], Store] = weakref.WeakValueDictionary()
        # A worker that gets its function anew for each task would open and close all the time.
        self._recent: collections.deque[Store] = collections.deque(maxlen=_MOST_RECENT)
        after_fork_in_child(self._renew)

    def at(self, kind: _Kind, location: str, trusted: bool) -> Store:
        with self._lock:
            store = self._stores.get((kind, location, trusted))
            if store is None:
                store = self._stores[kind, location, trusted] = kind(location, trusted=trusted)
                self._recent.append(store)
            return store

    def _renew(self) -> None:
        self._lock = threading.Lock()


_OPEN = _OpenStores()


def opened(kind: _Kind, location: str | os.PathLike[str], trusted: bool = False) -> Store:
    """The store of a kind in a folder; one object per process, as long as somebody holds it.

    Touches nothing. A relative path is that of the current folder of this moment.
    """
    return _OPEN.at(kind, os.path.abspath(os.fspath(location)), trusted)
