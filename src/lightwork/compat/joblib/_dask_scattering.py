"""Arguments that lie on the workers of Dask, so that many batches name them and none carries them.

::

    an object of `scatter=`        ──► to all workers, when the first call begins; kept with the backend
    an argument of 1 MiB and more  ──► to one worker, from which the others get it; kept while the call and
                                       the argument last
    one of more than 1 kB          ──► likewise, from its second appearance on
"""

import weakref
from collections.abc import Iterator, Sequence
from typing import Any, Final

from ...engines.futures.dask_client import DaskDepot
from ...engines.futures.scattering import LARGE
from ...system.optional import imported
from ._dask_batches import Apart, Place, Task

__all__ = ["Scattered", "Wholes"]

# Any throughout: arguments are users', futures are those of `distributed`.

_SMALL: Final = 1000
"""Bytes up to which an argument always travels with its task, as in joblib."""


class Wholes:
    """The objects of ``scatter=``, by identity. Their futures live as long as this.

    Parameters
    ----------
    values
        Kept, and sent as they are when the first call begins; later changes are not seen by workers.
    """

    def __init__(self, values: Sequence[Any]) -> None:
        self._values = {id(value): value for value in values}
        self._futures: dict[int, Any] = {}
        self._were_sent: set[int] = set()

    def find(self, value: Any, depot: DaskDepot, finders: Sequence[str]) -> Any:
        """The future of an object of ``scatter=``; ``None`` for others."""
        key = id(value)
        if key not in self._values:
            return None
        future = self._futures.get(key)
        if future is None or depot.is_lost(future):
            # A second time under a new key: the first one is perhaps being forgotten on its way.
            store = depot.store if key in self._were_sent else depot.store_by_content
            future = self._futures[key] = store(_packed(value, finders), everywhere=True)
            self._were_sent.add(key)
        return future

    def send(self, depot: DaskDepot, finders: Sequence[str]) -> None:
        """Send those that were not sent yet."""
        for value in self._values.values():
            self.find(value, depot, finders)

    def forget(self, futures: Sequence[Any]) -> None:
        """These are perhaps gone: what they stand for is sent again when it is needed."""
        gone = set(map(id, futures))
        self._futures = {key: future for key, future in self._futures.items() if id(future) not in gone}


class _Sighting:
    """An argument that was met, as long as somebody has it."""

    __slots__ = ("count", "future", "nbytes", "reference")

    def __init__(self, reference: "weakref.ref[Any]", nbytes: int) -> None:
        self.reference = reference
        self.nbytes = nbytes
        self.count = 0
        self.future: Any = None


class Scattered:
    """The arguments of one call that travel by themselves. Rule: not for two threads at once.

    Parameters
    ----------
    client, wholes
        As for `Sending`.
    finders
        As for `Apart`.
    """

    def __init__(self, client: Any, wholes: Wholes, finders: Sequence[str]) -> None:
        self._depot = DaskDepot(client)
        self._future_class = imported("distributed").Future
        self._size_of = imported("dask.sizeof").sizeof
        self._wholes = wholes
        self._finders = finders
        self._sightings: dict[int, _Sighting] = {}

    def begin(self) -> None:
        """Send the objects of ``scatter=``."""
        self._wholes.send(self._depot, self._finders)

    def lift(self, tasks: Sequence[Task]) -> tuple[Sequence[Task], list[Any]]:
        """The tasks with a `Place` for each argument that travels by itself, and the futures of those.

        A ``distributed.Future`` among the arguments of a task is the value that it stands for.
        """
        for value in _arguments(tasks):
            self._meet(value)
        futures: dict[int, Any] = {}
        for value in _arguments(tasks):
            if id(value) not in futures and (future := self._find(value)) is not None:
                futures[id(value)] = future
        if not futures:
            return tasks, []
        places = {key: Place(number) for number, key in enumerate(futures)}
        lifted = [
            (
                function,
                tuple(places.get(id(value), value) for value in args),
                {name: places.get(id(value), value) for name, value in kwargs.items()},
            )
            for function, args, kwargs in tasks
        ]
        return lifted, list(futures.values())

    def forget(self, futures: Sequence[Any]) -> None:
        """These are perhaps gone: what they stand for is sent again when it is needed."""
        gone = set(map(id, futures))
        for sighting in list(self._sightings.values()):
            if id(sighting.future) in gone:
                sighting.future = None
        self._wholes.forget(futures)

    def _meet(self, value: Any) -> None:
        sighting = self._sightings.get(id(value))
        if sighting is None or sighting.reference() is not value:
            sighting = self._begun(value)
        if sighting is not None:
            sighting.count += 1

    def _begun(self, value: Any) -> _Sighting | None:
        """The first sighting of an argument, if it is one that may be scattered."""
        if isinstance(value, type):
            return None  # it travels by its name
        key, sightings = id(value), self._sightings
        try:
            # With the argument goes its future, and with that what lies on the workers.
            reference = weakref.ref(value, lambda _: sightings.pop(key, None))
        except TypeError:
            return None
        nbytes = int(self._size_of(value))
        if nbytes <= _SMALL:
            return None
        sighting = sightings[key] = _Sighting(reference, nbytes)
        return sighting

    def _find(self, value: Any) -> Any:
        """The future of an argument that travels by itself."""
        if isinstance(value, self._future_class):
            return value
        whole = self._wholes.find(value, self._depot, self._finders)
        if whole is not None:
            return whole
        sighting = self._sightings.get(id(value))
        if sighting is None or (sighting.count < 2 and sighting.nbytes < LARGE):
            return None
        if sighting.future is None or self._depot.is_lost(sighting.future):
            sighting.future = self._depot.store(_packed(value, self._finders), everywhere=False)
        return sighting.future


def _packed(value: Any, finders: Sequence[str]) -> Any:
    return Apart(value, finders) if finders else value


def _arguments(tasks: Sequence[Task]) -> Iterator[Any]:
    for _, args, kwargs in tasks:
        yield from args
        yield from kwargs.values()
