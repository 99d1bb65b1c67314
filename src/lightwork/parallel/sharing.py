"""`share`: an object that many tasks get, taken apart once and sent to each worker once.

::

    caller                                            worker
    share(obj) ──► one segment: skeleton, buffers
    task with the handle ──► where the segment is ──► mapped once; built when the first task asks for it
                                                      later tasks get the same object

A task never sees the handle: the layer `SharedValues` puts the object in its place, on every engine. Threads,
and ``n_jobs=1``, get the object itself. Workers let go of what the caller has let go of when their next call
begins, or when they leave.
"""

import os
import pickle
import weakref
from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Final, Generic, SupportsIndex, TypeVar

from .. import hashing
from ..errors import InvalidOption
from ..parcel.parcels import join, split
from ..protocols import Call, Run, Tell
from ..system.segments import publish
from .given import given

__all__ = ["Shared", "SharedValues", "layer", "resolved", "share"]

T = TypeVar("T")

_ALIGN: Final = 64  # bytes; as arrays lie in files
_LEVELS: Final = 4
_ABSENT: Final = object()


class Shared(Generic[T]):
    """A handle on an object that was shared, see `share`. Used as ``with share(obj) as shared:`` or as is.

    It is pickled as what tells where the object is, to a worker of `Parallel`; anywhere else with its bytes.
    """

    __slots__ = ("__weakref__", "_digest", "_ends", "_is_copy", "_name", "_store", "_value")

    def __init__(self, name: bytes, value: Any, store: Any, ends: Sequence[tuple[int, int]]) -> None:
        # Any: the user's value, or _ABSENT; a mapping, or a view on its bytes, or None when it was closed
        self._name = name
        self._value = value
        self._store = store
        self._ends = ends  # where the skeleton and each buffer lie
        self._is_copy = value is _ABSENT  # what it gives is built from the copy
        self._digest = b""  # of the copy

    @property
    def value(self) -> T:
        """The object: the caller's own; in a worker process a copy that all tasks there share.

        Raises
        ------
        ValueError
            The handle was closed.
        """
        if self._store is None:
            raise ValueError("this shared object was closed: share it again")
        if self._value is _ABSENT:
            self._value = self._build()
        value: T = self._value
        return value

    @property
    def nbytes(self) -> int:
        """The size of the copy that workers map, in bytes."""
        return self._ends[-1][1]

    def close(self) -> None:
        """Let go of the object and of its copy. Calls that run keep what they have. Safe to call twice."""
        self._store = self._value = None
        _HANDLES.forget(self._name)

    def __enter__(self) -> "Shared[T]":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._store is None else f"{self.nbytes} bytes"
        return f"<Shared {type(self._value).__name__}, {state}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        if self._store is None:
            raise ValueError("this shared object was closed: share it again")
        given = pickle.PickleBuffer(self._store) if int(protocol) >= 5 else bytes(memoryview(self._store))
        return _attach, (self._name, tuple(self._ends), given)

    def __cache_key__(self) -> tuple[str, bytes]:
        """As part of a value it counts by the content of its object as it is.

        In the keys of a call it counts by the content that the tasks are given, which is hashed once.
        """
        value, call = self.value, given()
        if self._is_copy or (call is not None and call.copies):
            if not self._digest:
                # Built for this alone: the object itself may have changed since it was copied.
                self._digest = _token(value if self._is_copy else self._build())
            return "shared", self._digest
        if call is None:
            return "shared", _token(value)
        if self._name not in call.digests:
            call.digests[self._name] = _token(value)
        return "shared", call.digests[self._name]

    def _build(self) -> Any:  # Any: the user's value
        view = memoryview(self._store).toreadonly()
        skeleton, *buffers = [view[start:stop] for start, stop in self._ends]
        return join(skeleton, buffers)


def _token(value: object) -> bytes:
    return hashing.values.token_of(value, path="shared object")


def share(value: T) -> Shared[T]:
    """Take a large object apart once, for tasks that get it as an argument.

    Parameters
    ----------
    value
        Any object that can be pickled. Its arrays are copied into memory that workers map; all else is
        pickled now and built once in each worker. Later changes of `value` reach no worker.

    Returns
    -------
    Shared
        To be given to tasks in the place of the object: ``delayed(f)(shared, i)`` calls ``f(value, i)``. So
        it does in lists, tuples and dicts, up to four deep, and in a ``functools.partial`` that is called.

    Raises
    ------
    UnpicklableError
        A part cannot be pickled; the message names it.
    OSError
        There is no memory for the copy.

    Notes
    -----
    Tasks in one worker process get the same object, whose arrays are read-only there; with threads they get
    `value` itself. So they must not change it. The copy is freed with the last reference to the handle, or
    by `Shared.close`, which a ``with`` block calls. In another process than that of the caller a handle is
    made anew, with the bytes.
    """
    if isinstance(value, Shared):
        raise InvalidOption("this is the handle of a shared object already: give it to tasks as it is")
    taken = split(value, by_value=True, path="shared object")
    parts, ends, at = list[memoryview](), list[tuple[int, int]](), 0
    for part in (memoryview(taken.skeleton), *taken.buffers):
        padding = -at % _ALIGN
        parts += (memoryview(bytes(padding)), part)
        ends.append((at + padding, at + padding + part.nbytes))
        at = ends[-1][1]
    shared: Shared[T] = Shared(os.urandom(16), value, publish("lightwork-shared", parts), tuple(ends))
    _HANDLES.note(shared)
    return shared


class SharedValues:
    """A `Layer` that gives tasks the objects of the handles in their arguments.

    Parameters
    ----------
    alive
        What workers may keep from earlier calls; ``None`` in the process of the handles.
    """

    def __init__(self, alive: frozenset[bytes] | None) -> None:
        self.alive = alive

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Let go of objects that the caller has let go of."""
        if self.alive is not None:
            _HANDLES.retain(self.alive)

        def run(index: int, call: Call) -> Any:  # Any: of users' functions
            function, args, kwargs = call
            return inner(index, (resolved(function), resolved(args), resolved(kwargs)))

        return run

    def leave(self) -> None:
        """Nothing was changed."""


def resolved(value: Any, levels: int = _LEVELS + 1) -> Any:  # Any: arguments of users' functions
    """The value with the objects of all handles in it; itself if there are none."""
    kind = type(value)
    if kind is Shared:
        return value.value
    if not levels or kind not in _OPENED:
        return value
    if kind is dict:
        items = _all(value.values(), levels)
        return value if items is None else dict(zip(value, items, strict=True))
    if kind is partial:
        return _filled(value, levels)
    items = _all(value, levels)
    return value if items is None else kind(items)


_OPENED: Final = frozenset({Shared, dict, list, tuple, partial})


def _all(values: Iterable[Any], levels: int) -> list[Any] | None:
    """All values resolved, ``None`` if nothing has changed."""
    if _OPENED.isdisjoint(map(type, values)):
        return None
    items = [resolved(value, levels - 1) for value in values]
    return None if all(map(_is, items, values)) else items


def _filled(function: "partial[Any]", levels: int) -> "partial[Any]":
    args, kwargs = resolved(function.args, levels), resolved(function.keywords, levels)
    if args is function.args and kwargs is function.keywords:
        return function
    return partial(function.func, *args, **kwargs)


def _is(one: object, other: object) -> bool:
    return one is other


class _Handles:
    """The handles of this process by their names.

    In a worker those that came from the caller are kept until `retain`, so that each is built once.
    """

    def __init__(self) -> None:
        self._known: weakref.WeakValueDictionary[bytes, Shared[Any]] = weakref.WeakValueDictionary()
        self._kept: dict[bytes, Shared[Any]] = {}
        self._keeps = False  # this is a worker

    def note(self, shared: Shared[Any]) -> None:
        self._known[shared._name] = shared

    def attach(self, name: bytes, ends: Sequence[tuple[int, int]], store: Any) -> Shared[Any]:
        """The handle of a name, made if there is none."""
        shared = self._known.get(name)
        if shared is None:
            shared = self._known[name] = Shared(name, _ABSENT, store, ends)
            if self._keeps:
                self._kept[name] = shared
        return shared

    def retain(self, alive: frozenset[bytes]) -> None:
        self._keeps = True
        self._kept = {name: shared for name, shared in self._kept.items() if name in alive}

    def forget(self, name: bytes) -> None:
        self._known.pop(name, None)
        self._kept.pop(name, None)

    def alive(self) -> frozenset[bytes]:
        return frozenset(self._known)


_HANDLES = _Handles()


def _attach(name: bytes, ends: Sequence[tuple[int, int]], store: Any) -> Shared[Any]:
    return _HANDLES.attach(name, ends, store)


def layer(*, in_process: bool) -> SharedValues:
    """The layer of a call whose tasks run in this process, or in others."""
    return SharedValues(None if in_process else _HANDLES.alive())
