"""One computation for one call, however many threads and processes of the host ask for it at once.

Threads that share a store settle it in a table, processes of a user through locks of one file for all
caches, freed by the kernel when their holder ends. The file is in the folder for temporary files, so that a
cache holds nothing but what joblib expects there. All this only saves work: where there are no locks
everybody computes, as with joblib.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

from ...memory.flights import Flights
from ...system.computing import COMPUTING
from ...system.forks import after_fork_in_child
from ...system.locks import LOCK_FILES, LockFile
from ._store_backends import CallId, FileSystemStoreBackend

__all__ = ["Flight", "alone"]

_SHORTEST_WAIT, _LONGEST_WAIT = 60.0, 3600.0  # seconds, as for `lightwork.Memory`


class Flight:
    """A computation that others may wait for."""

    is_stored = False
    """Whether they will find a result; set by whoever computes."""


@contextlib.contextmanager
def alone(store: Any, call_id: CallId) -> Iterator[Flight]:  # Any: a store, whoever wrote it
    """A block that runs once nobody else computes this call; who waited will find what was stored.

    The wait ends after ten times as long as any call of the function took here, an hour if none has ended.
    """
    flight = Flight()
    try:
        field = _FIELDS.of(store)
    except TypeError:  # a store that cannot be referred to weakly
        yield flight
        return
    name = "\0".join([field.place, *call_id])
    key = hashlib.sha256(name.encode(errors="surrogateescape")).digest()
    longest = field.longest.get(call_id[0])
    bound = _LONGEST_WAIT if longest is None else max(_SHORTEST_WAIT, 10 * longest)
    ticket = field.flights.board(key, bound=bound)
    begun = time.monotonic()
    computing = COMPUTING.set(COMPUTING.get() | {key})
    try:
        yield flight
    finally:
        COMPUTING.reset(computing)
        field.flights.land(ticket, failed=not flight.is_stored)
        field.longest[call_id[0]] = max(longest or 0.0, time.monotonic() - begun)


class _Leases:
    """One lock for each key; as `lightwork.protocols.SupportsLease` says."""

    def __init__(self) -> None:
        self._file: LockFile | None = None

    def lease(self, key: bytes) -> bool:
        """Take the lease of a key, unless another process has it. Where there are none, everybody gets it."""
        for _ in range(2):
            try:
                if self._file is None:
                    self._file = LOCK_FILES.at(os.path.join(_own_folder(), "locks"))
                self._file.renew()
                return self._file.acquire(_offset(key))
            except FileNotFoundError:  # somebody has removed what was old among the temporary files
                self._file = None
            except OSError:
                return True
        return True

    def release(self, key: bytes, *, failed: bool) -> None:
        """Give a lease back, after telling whether its holder failed."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            if failed:
                self._file.note_failure(_offset(key))
            self._file.release(_offset(key))

    def failures(self, key: bytes) -> bytes:
        """A mark that changes when a holder of the key's lease failed."""
        try:
            return b"" if self._file is None else self._file.failures(_offset(key))
        except OSError:
            return b""


def _own_folder() -> str:
    """A folder that nobody but this user can write to. `OSError` if there is none."""
    folder = os.path.join(tempfile.gettempdir(), f"lightwork-{os.getuid()}")
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder of this user alone")
    return folder


def _offset(key: bytes) -> int:
    return int.from_bytes(key[:8], "big") >> 2


class _Field(NamedTuple):
    """What a store has in this process: who computes, and the longest time (s) that each function took."""

    place: str
    """The store's location, the same in all processes."""

    flights: Flights
    longest: dict[str, float]


class _Fields:
    """One `_Field` for each store, as long as the store is there."""

    def __init__(self) -> None:
        self._adding = threading.Lock()
        self._leases = _Leases()
        self._fields: weakref.WeakKeyDictionary[object, _Field] = weakref.WeakKeyDictionary()
        after_fork_in_child(self._renew)

    def of(self, store: Any) -> _Field:
        """The field of a store. `TypeError` if the store cannot have one."""
        with self._adding:
            found = self._fields.get(store)
            if found is None:
                is_folder = isinstance(store, FileSystemStoreBackend)
                place = os.path.realpath(str(store.location))
                found = _Field(place, Flights(self._leases if is_folder else None), {})
                self._fields[store] = found
            return found

    def _renew(self) -> None:
        self._adding = threading.Lock()


_FIELDS = _Fields()
