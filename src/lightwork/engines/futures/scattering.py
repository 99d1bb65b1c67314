"""Parts that lie on the workers of a cluster: sent once, found there by all batches that need them.

::

    an array of 64 KiB ──► first sight: with its batch        1 MiB and more ──► scattered at once
                           second sight: scattered
    runner, functions  ──► with each batch, or scattered if they are large

Workers get scattered parts from each other. What was lost with its worker is scattered again when the next
batch needs it.
"""

import itertools
import os
import pickle
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from ...arrays.sightings import SHARED_FROM, Seen, Sightings, published_map
from ...protocols import Batch, Call
from ..workers.wire import Placed
from .blobs import Blob
from .packets import Part, StandIn, Whole

__all__ = ["LARGE", "Depot", "ScatteringCarrier"]

LARGE: Final = 1 << 20
"""Bytes from which a buffer does not go with its batch, through a scheduler. Dask warns of 10 MB and more."""


class Depot(Protocol):
    """Where things are kept near the workers: the memory of a cluster. For one session."""

    def store(self, thing: Part | Whole, *, everywhere: bool) -> Any:  # Any: a reference
        """What stands for a thing among the arguments of a function; the thing itself when that is called.

        It is kept as long as somebody holds the reference. `everywhere`: each worker will need it.
        """

    def is_lost(self, reference: Any) -> bool:  # Any: as above
        """Whether what was stored is gone, though its reference is held."""


class ScatteringCarrier:
    """A `lightwork.engines.futures.packing.Carrier` over the memory of a cluster. For one session.

    Parameters
    ----------
    depot
        Where parts lie.
    wholes
        Objects that are sent to each worker once. Where a task gets one of them as an argument, it gets the
        worker's, which all its tasks share.
    """

    def __init__(self, depot: Depot, wholes: Sequence[Any] = ()) -> None:  # Any: users' objects
        self._depot = depot
        self._wholes = {id(value): Whole(os.urandom(16), value) for value in wholes}
        self._standing: dict[bytes, Any] = {}  # the futures of those that were asked for
        self._needed: set[bytes] = set()  # of those, the ones of this batch
        self._sightings = Sightings()
        self._numbers = itertools.count()
        self._carried: dict[int, Any] = {}  # the futures of runner and functions
        self._placed: dict[int, Any] = {}  # the futures of buffers of this batch
        self._maps: dict[int, tuple[object, Seen]] = {}  # by the id of the mapping, which is kept

    def begin(self, batch: Batch) -> Batch:
        """The batch with stand-ins for scattered objects. What the last one needed alone is let go of."""
        self._placed.clear()
        self._needed.clear()
        if not self._wholes:
            return batch
        return batch._replace(calls=[self._with_stand_ins(call) for call in batch.calls])

    def carry(self, part: Part) -> object:
        """The part if it is small, else its future."""
        if part.nbytes() < LARGE:
            return part
        future = self._carried.get(part.number)
        if future is None or self._depot.is_lost(future):
            future = self._carried[part.number] = self._depot.store(part, everywhere=True)
        return future

    def place(self, buffer: pickle.PickleBuffer) -> Placed:
        """A number for what is scattered."""
        view = buffer.raw()
        if view.nbytes < SHARED_FROM:
            return view
        seen, is_first = self._meet(view)
        if is_first and view.nbytes < LARGE:
            return view
        number = next(self._numbers)
        part = Part(number, None, [Blob(view)])
        if seen is None:
            self._placed[number] = self._depot.store(part, everywhere=False)
            return number
        if seen.mark is None or self._depot.is_lost(seen.mark[1]):
            # What is there twice in one batch is one part of it, hence the same number each time.
            seen.mark = number, self._depot.store(part, everywhere=not is_first)
        known: int = seen.mark[0]
        self._placed[known] = seen.mark[1]
        return known

    def placed(self, numbers: Iterable[int]) -> Sequence[object]:
        """The futures of buffers, and of scattered objects. Who holds them keeps those on the cluster."""
        needed = [whole for whole in self._wholes.values() if whole.name in self._needed]
        return [*(self._placed[number] for number in numbers), *map(self._future_of, needed)]

    def close(self) -> None:
        """Let go of all futures: Dask forgets what nobody holds."""
        self.forget()
        self._placed = {}

    def forget(self) -> None:
        """Whatever was scattered may be gone: what is needed again is scattered again."""
        self._carried, self._maps, self._standing = {}, {}, {}
        self._sightings.clear()

    def _with_stand_ins(self, call: Call) -> Call:
        function, args, kwargs = call
        return (
            function,
            tuple(self._stand_in(value) for value in args),
            {name: self._stand_in(value) for name, value in kwargs.items()},
        )

    def _stand_in(self, value: object) -> object:
        whole = self._wholes.get(id(value))
        if whole is None:
            return value
        self._needed.add(whole.name)
        return StandIn(whole.name)

    def _future_of(self, whole: Whole) -> Any:  # Any: distributed.Future
        future = self._standing.get(whole.name)
        if future is None or self._depot.is_lost(future):
            future = self._standing[whole.name] = self._depot.store(whole, everywhere=True)
        return future

    def _meet(self, view: memoryview) -> tuple[Seen | None, bool]:
        mapping = published_map(view)
        if mapping is None:
            return self._sightings.meet(view)
        known = self._maps.get(id(mapping))
        if known is not None:
            return known[1], False
        seen = Seen()
        self._maps[id(mapping)] = mapping, seen
        return seen, True
