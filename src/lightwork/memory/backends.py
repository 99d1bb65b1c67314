"""The kinds of stores that ``Memory(backend=...)`` knows by name; `register_store_backend`."""

import contextlib
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..errors import InvalidOption
from ..protocols import Store
from ..system.forks import after_fork_in_child

__all__ = ["BACKENDS", "LOCAL", "Backends", "MakeStore", "missing_methods", "register_store_backend"]

LOCAL = "local"

# Any: options of whatever kind the user's function takes.
MakeStore: TypeAlias = Callable[..., Store]
"""``make(location, **backend_options)``: a class of stores, or a function that makes one."""

_METHODS = ("get", "put", "drop", "scan", "close")


class Backends:
    """What makes the stores of each name, and those that are open: equal calls share one store."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._makers: dict[str, MakeStore] = {}
        self._open: weakref.WeakValueDictionary[object, Store] = weakref.WeakValueDictionary()
        after_fork_in_child(self._renew)

    def add(self, name: str, make: MakeStore) -> None:
        """Register, in the place of an older one of that name if there is one."""
        self._makers[name] = make

    def add_new(self, name: str, make: MakeStore) -> None:
        """Register, unless there is one of that name."""
        self._makers.setdefault(name, make)

    def named(self, name: object) -> MakeStore:
        """What was registered under a name. Raises `InvalidOption` if nothing was."""
        if isinstance(name, str) and name in self._makers:
            return self._makers[name]
        known = ", ".join(map(repr, (LOCAL, *self._makers)))
        raise InvalidOption(
            f"backend={name!r} is not known: give one of {known}, register yours with "
            "lightwork.register_store_backend, or give a store as store="
        )

    def open(self, name: str, location: str, options: Mapping[str, Any]) -> Store:
        """The store of a location; one object for equal options, as long as somebody holds it.

        Raises
        ------
        InvalidOption
            The name is not known, or what was registered under it makes no store.
        """
        make = self.named(name)
        place: object = (make, location, tuple(sorted(options.items(), key=lambda item: item[0])))
        try:
            with self._lock:
                found = self._open.get(place)
        except TypeError:  # an option that has no hash: a store of its own
            return _made(make, name, location, options)
        if found is not None:
            return found
        store = _made(make, name, location, options)
        with contextlib.suppress(TypeError), self._lock:  # of a class with slots nobody is told when one goes
            return self._open.setdefault(place, store)
        return store

    def _renew(self) -> None:
        self._lock = threading.Lock()


BACKENDS = Backends()


def register_store_backend(backend_name: str, backend: MakeStore) -> None:
    """Make a kind of stores known to ``Memory(location, backend=backend_name)``, in this process.

    Processes that get such a `Memory`, pickled, get to know the kind with it.

    Parameters
    ----------
    backend_name
        What ``backend=`` will call it. One that is taken is replaced, but for ``"local"``.
    backend
        Called as ``backend(location, **backend_options)``, it makes a `lightwork.protocols.Store`: a class
        or a function. `location` is text, as the user gave it to `Memory` but for a ``~``, which is
        expanded. It should touch nothing until the store is used. `lightwork.testing.stores.StoreSuite` is
        the exam of such a class; a store that is to reach other processes has to be picklable.

    Raises
    ------
    InvalidOption
        No text for a name, a name that cannot be replaced, or nothing that makes stores.
    """
    given: Any = backend_name
    if not isinstance(given, str):
        raise InvalidOption(f"Store backend name should be a string, {given!r} was given")
    if given in ("", LOCAL):
        raise InvalidOption(f"backend_name={given!r} cannot be registered: choose another name")
    if not callable(backend):
        raise InvalidOption(f"backend={backend!r} makes no stores: give a class, or a function of a location")
    missing = missing_methods(backend) if isinstance(backend, type) else ""
    if missing:
        raise InvalidOption(
            f"backend={backend!r} is no class of lightwork.protocols.Store: it has no {missing}"
        )
    BACKENDS.add(given, backend)


def missing_methods(store: object) -> str:
    """What a store, or a class of stores, lacks of the protocol, in words; empty if nothing."""
    return ", ".join(name for name in _METHODS if not callable(getattr(store, name, None)))


def _made(make: MakeStore, name: str, location: str, options: Mapping[str, Any]) -> Store:
    store = make(location, **options)
    if not isinstance(store, Store):
        raise InvalidOption(
            f"backend={name!r} makes {store!r}, which is no lightwork.protocols.Store: it has no "
            f"{missing_methods(store)}"
        )
    return store
