"""Memory that tasks refer to, known again when the next one does."""

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from ..system.optional import loaded
from ..system.segments import PublishedMap

__all__ = ["SHARED_FROM", "Seen", "Sightings", "Snapshot", "exporter", "published_map"]

SHARED_FROM: Final = 64 << 10
"""Bytes of memory that it pays to know again. To send less once more costs less than to map it."""

_HELD: Final = 256 << 20  # bytes of arrow buffers that are kept in order to be known again

_Key: TypeAlias = tuple[int, int]
"""Address and size."""


class Seen:
    """A place in memory that a task referred to.

    `mark`: whatever who saw it wants to know of it the next time; ``None`` at the first sight.
    """

    __slots__ = ("__weakref__", "mark", "owner")

    def __init__(self, owner: "_Owner | None" = None) -> None:
        self.owner = owner
        """Tells whether it is still the same; ``None`` where somebody else sees to that."""
        self.mark: Any = None


class _Owner(weakref.ref[Any]):
    """What owns a place in memory, for as long as it lives."""

    __slots__ = ("key",)

    key: _Key


class Snapshot(bytearray):
    """Bytes that nobody changes, so that they are known again by themselves."""

    __slots__ = ("__weakref__",)

    def holds(self, view: object) -> bool:
        """Whether these are the bytes of a view of bytes."""
        return self == view


class Sightings:
    """Memory is the same if it lies at the same address, has the same size, and the array or storage that
    owns it has lived on in between. Owners are held weakly, so nothing is kept for the sake of being
    recognised, but for 256 MiB of arrow buffers.

    Parameters
    ----------
    forgotten
        Gets the mark of each place that will not be known again.
    """

    def __init__(self, forgotten: Callable[[Any], None] | None = None) -> None:
        self._forgotten = forgotten
        self._ended: deque[_Owner] = deque()  # filled at any point of any thread
        self._seen: dict[_Key, Seen] = {}
        self._held: dict[_Key, Any] = {}  # Any: arrow buffers
        self._held_nbytes = 0

    def meet(self, view: memoryview) -> tuple[Seen | None, bool]:
        """What is known of the memory of a view, and whether this is the first sight of it.

        ``None`` if nobody can tell whether it will be the same the next time.
        """
        found = self._identity(view)
        if found is None:
            return None, True
        self.sweep()
        owner, key = found
        seen = self._seen.get(key)
        if seen is not None and seen.owner is not None and seen.owner() is owner:
            return seen, False
        self._forget(key)
        lives = _Owner(owner, self._ended.append)
        lives.key = key
        seen = self._seen[key] = Seen(lives)
        return seen, True

    def recall(self, view: memoryview) -> Seen | None:
        """What is known of memory that was met before; ``None`` if nothing."""
        found = self._identity(view)
        if found is None:
            return None
        owner, key = found
        seen = self._seen.get(key)
        is_same = seen is not None and seen.owner is not None and seen.owner() is owner
        return seen if is_same else None

    def sweep(self) -> None:
        """Forget memory that is gone: no later task can refer to it."""
        while self._ended:
            owner = self._ended.popleft()
            seen = self._seen.get(owner.key)
            if seen is not None and seen.owner is owner:
                self._forget(owner.key)

    def clear(self) -> None:
        """Forget all, and tell nobody."""
        self._seen, self._held, self._held_nbytes = {}, {}, 0

    def _identity(self, view: memoryview) -> tuple[Any, _Key] | None:  # Any: see `exporter`
        """What owns the memory of a view, and where and how large it is; ``None`` if nobody can tell."""
        source: Any = exporter(view)
        if isinstance(source, Snapshot):
            return source, (id(source), view.nbytes)
        numpy, arrow = loaded("numpy"), loaded("pyarrow")
        if numpy is not None and isinstance(source, numpy.ndarray):
            return _owner(source), (source.__array_interface__["data"][0], view.nbytes)
        if arrow is not None and isinstance(source, arrow.Buffer):
            key = source.address, source.size
            return self._hold(key, source), key
        return None

    def _hold(self, key: _Key, buffer: Any) -> Any:  # Any: arrow buffers
        """The buffer that stands for this memory: arrow makes a new object at each sight of it.

        So its end cannot be observed, and to know the memory again is to keep it; up to a limit.
        """
        if key in self._held:
            return self._held[key]
        self._held[key] = buffer
        self._held_nbytes += buffer.size
        while self._held_nbytes > _HELD and len(self._held) > 1:
            oldest = next(iter(self._held))
            self._held_nbytes -= self._held.pop(oldest).size
            self._forget(oldest)
        return buffer

    def _forget(self, key: _Key) -> None:
        seen = self._seen.pop(key, None)
        if seen is not None and seen.mark is not None and self._forgotten is not None:
            self._forgotten(seen.mark)


def published_map(view: memoryview) -> PublishedMap | None:
    """The mapping of an object that was published before (`share`), if the view shows all of it."""
    source = exporter(view)
    return source if isinstance(source, PublishedMap) and view.nbytes == len(source) else None


def exporter(view: memoryview) -> object:
    """The object whose memory a view shows."""
    source: object = view.obj
    while isinstance(source, memoryview):
        source = source.obj
    return source


def _owner(array: Any) -> Any:  # Any: numpy arrays, storages of torch
    """What lives as long as the memory of an array: the array that owns it, or a storage."""
    while isinstance(array.base, type(array)):
        array = array.base
    torch = loaded("torch")
    if torch is not None and isinstance(array.base, torch.Tensor):
        # The array was made to pickle a tensor; torch keeps one object per storage as long as that lives.
        return array.base.untyped_storage()
    return array
