"""The stores that this process has open: one object per kind and folder."""

import collections
import os
import threading
import weakref
from collections.abc import Callable
from typing import Protocol

from ..protocols import Store
from ..system.forks import after_fork_in_child

__all__ = ["opened", "shared"]

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

    def at(self, place: tuple[object, ...], make: Callable[[], Store]) -> Store:
        with self._lock:
            store = self._stores.get(place)
        if store is None:
            made = make()
            with self._lock:  # another thread may have been faster
                store = self._stores.setdefault(place, made)
                self._recent.append(store)
        return store

    def _renew(self) -> None:
        self._lock = threading.Lock()


_OPEN = _OpenStores()


def opened(kind: _Kind, location: str | os.PathLike[str], trusted: bool = False) -> Store:
    """The store of a kind in a folder; one object per process, as long as somebody holds it.

    Touches nothing. A relative path is that of the current folder of this moment.
    """
    path = os.path.abspath(os.fspath(location))
    return _OPEN.at((kind, path, trusted), lambda: kind(path, trusted=trusted))


def shared(make: Callable[..., Store], *place: object) -> Store:
    """The store that ``make(*place)`` gives; one object per process, as long as somebody holds it.

    Every part of `place` has a hash; what makes it is compared with it.
    """
    return _OPEN.at((make, *place), lambda: make(*place))
