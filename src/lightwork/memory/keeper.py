"""What all cached functions of one `Memory` share: the store, and how results go in and come out."""

import contextlib
import errno
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from .. import memory, parcel
from ..errors import EntryMissing, StoreUnavailable, UnpicklableError
from ..protocols import Buffer, Limits, Record, Store, SupportsLimits, SupportsPrefix, supports
from ..system.forks import after_fork_in_child
from ..system.optional import loaded
from .counts import Ledger
from .facts import Metadata, write_facts
from .flights import Flights
from .notices import Notices

if TYPE_CHECKING:
    from .compression import Compression

__all__ = ["ABSENT", "Keeper", "forget_hot", "keeper_of"]


_MOST_ARRIVALS = 10_000


class _Absent:
    """The type of `ABSENT`."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Stands where there is no value; ``None`` is a value like any other."""


class Keeper:
    """A store with the doings around it, made by `keeper_of` only. Safe to use from several threads.

    Attributes
    ----------
    generation
        Counts the clearings: a result that was begun before one is not kept after it.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.flights = Flights(store)
        self.notices = Notices()
        self.ledger = Ledger()
        self.arrivals = Arrivals()
        self.generation = 0

    def __reduce__(self) -> tuple[object, ...]:
        return keeper_of, (self.store,)

    def rebuilder(self, name: str, *, read_only: bool) -> Callable[[Record], Any]:  # Any: the user's value
        """What gives the value of a record of the function `name`; `ABSENT` if it cannot be built any more.

        Nothing is lost but time, so there is no warning: `explain` tells why, and the log does once.
        """
        join = parcel.parcels.join

        def rebuild(record: Record) -> Any:
            skeleton, buffers, _ = record
            try:
                return join(skeleton, _read_only(buffers) if read_only and buffers else buffers)
            except EntryMissing:
                return ABSENT
            except Exception as exc:  # noqa: BLE001 - building a value runs users' code, which may have changed since
                self.notices.log_once(
                    ("unreadable", name, type(exc)),
                    f"a kept result of {name} cannot be read any more and is computed again "
                    f"({type(exc).__name__}: {exc})",
                )
                return ABSENT

        return rebuild

    def keep(
        self,
        key: bytes,
        value: object,
        metadata: Metadata,
        *,
        on_error: str,
        limits: Limits | None,
        compression: "Compression | None",
    ) -> bool:
        """Store a result; whether that worked. If not there was a warning, or an error if so asked for."""
        name = metadata["function"]
        try:
            (skeleton, buffers), files = _taken_apart(value, compression)
            record = Record(skeleton, buffers, write_facts({**metadata, **files}))
            if limits is None:
                self.store.put(key, record, seconds=metadata["duration"])
            else:  # `bounds` has seen that the store can
                limited = cast(SupportsLimits, self.store)
                limited.put_within(key, record, seconds=metadata["duration"], limits=limits)
        except UnpicklableError as exc:
            if on_error == "raise":
                raise
            self.notices.warn_once(
                ("unpicklable", name), f"the result of {name} is returned, but cannot be kept: {exc}"
            )
        except StoreUnavailable as exc:
            if on_error == "raise":
                raise
            if exc.errno != errno.EBUSY:  # others were writing all the time, which the user cannot change
                self.notices.warn_once(
                    ("store", exc.errno), f"results are returned, but not kept: {exc.strerror or exc}"
                )
        else:
            self.arrivals.add(key, metadata["time"])
            forget_hot(key)
            return True
        return False

    def forget(self, key: bytes) -> bool:
        """Remove one record; whether there was one."""
        self.arrivals.forget(key)
        count = self.store.drop([key])
        forget_hot(key)
        return count > 0

    def clear(self, prefix: bytes = b"") -> None:
        """Remove all records whose keys begin with `prefix`; calls that run now will not be kept."""
        self.generation += 1
        self.arrivals.forget(prefix)
        if supports(self.store, SupportsPrefix):
            self.store.clear(prefix)
        else:
            self.store.drop([entry.key for entry in self.store.scan(prefix)])
        forget_hot()

    def metadata(self, function_id: str, call: str, seconds: float, made: Metadata) -> Metadata:
        """What is kept about a call that ended now; `made` is what its key was made of."""
        # To the nanosecond: each hit reads the duration, and seventeen digits take it as long as a clock.
        duration = round(seconds, 9)
        return {"duration": duration, "time": time.time(), "function": function_id, "call": call, **made}


class Arrivals:
    """Which results this process kept, and when: to know of one that it is gone. The latest 10,000."""

    def __init__(self) -> None:
        self._times: dict[bytes, float] = {}

    def add(self, key: bytes, time: float) -> None:
        """Take down that a result was kept."""
        self._times[key] = time
        if len(self._times) > _MOST_ARRIVALS:
            with contextlib.suppress(StopIteration, RuntimeError):  # another thread is at it
                self._times.pop(next(iter(self._times)), None)

    def time(self, key: bytes) -> float | None:
        """When it was kept (s since the epoch); ``None`` if not by this process, or removed by it."""
        return self._times.get(key)

    def forget(self, prefix: bytes) -> None:
        """Results whose keys begin with `prefix` are removed by those who kept them."""
        if self._times.pop(prefix, None) is None:
            for key in [key for key in self._times.copy() if key.startswith(prefix)]:
                self._times.pop(key, None)


class _Keepers:
    """One `Keeper` for each store that is in use: all `Memory` objects of a store settle things together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keepers: weakref.WeakValueDictionary[int, Keeper] = weakref.WeakValueDictionary()
        after_fork_in_child(self._renew)

    def of(self, store: Store) -> Keeper:
        with self._lock:
            # A keeper holds its store: as long as it lives nothing else has the store's number.
            keeper = self._keepers.get(id(store))
            if keeper is None:
                keeper = self._keepers[id(store)] = Keeper(store)
                tally = loaded("lightwork.system.tally")
                if tally is not None:  # else nobody has asked
                    tally.TALLY.hold(keeper)
            return keeper

    def _renew(self) -> None:
        self._lock = threading.Lock()


_KEEPERS = _Keepers()


def keeper_of(store: Store) -> Keeper:
    """The keeper of a store; one object per store, as long as somebody holds it."""
    return _KEEPERS.of(store)


def forget_hot(key: bytes | None = None) -> None:
    """After a result was kept or removed: let hot tiers of this process go of it, or of all they hold."""
    hot = loaded("lightwork.memory.hot")
    if hot is not None:
        hot.TIERS.forget(key)


def _taken_apart(
    value: object, compression: "Compression | None"
) -> tuple[tuple[bytes, Sequence[Buffer]], Metadata]:
    """The parcel of a result, and what is to be known of files that belong to it."""
    files = loaded("lightwork.hashing.files")
    if files is None:  # there can be no `File` in it
        return _parcel(value, compression), {}
    with files.keeping() as kept:
        taken = _parcel(value, compression)
    return taken, {
        "files": [(path, by, state.hex()) for path, by, state in dict.fromkeys(kept)]
    } if kept else {}


def _parcel(value: object, compression: "Compression | None") -> tuple[bytes, Sequence[Buffer]]:
    if compression is None:
        return parcel.parcels.split(value, path="result")
    encode = memory.compression.encoder(compression)
    return parcel.packed.split_packed(value, encode=encode, path="result")


def _read_only(buffers: Sequence[Buffer]) -> list[Buffer]:
    return [memoryview(buffer).toreadonly() for buffer in buffers]
