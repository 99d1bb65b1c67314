"""Results of finished tasks, kept in a folder as they arrive: a later run computes only what is missing.

A result is found by what its task is: function, version of its code, arguments, and how many tasks before it
in the input were the same. Its place plays no part, so the input may grow, shrink or be shuffled. Records are
those of a store: whole or not there, whatever kills a run, and as many runs at once as there may be.
"""

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import hashing, parallel, parcel, stores
from ..errors import ParallelWarning, StoreUnavailable, UnhashableError, UnpicklableError
from ..protocols import FUNCTION_BYTES, Call, Known, Record, Store
from ..system.clock import Clock, time_of_day
from ..system.optional import on_demand
from .failures import add_note, describe, not_a_call
from .given import Given
from .sheet import Sheet

if TYPE_CHECKING:
    from ..hashing.calls import CallKeys

__all__ = ["Checkpoint", "open_checkpoint"]

_OURS = b"lightwork checkpoint\n"
_TRIAL = hashing.digests.BLAKE3.of(_OURS)


class _Sent(NamedTuple):
    """A task whose result is awaited."""

    key: bytes
    function: str
    call: str


def open_checkpoint(
    path: str, tasks: Iterable[Call], seed: int | None, sheet: Sheet, given: Given
) -> "Checkpoint":
    """The checkpoint of a call that begins now. With a `seed` it is part of each key.

    The tasks of a list are identified here, those of any other input when they are read. The `sheet` hears
    how long that takes. Shared objects among the arguments count as they are `given`.

    Raises
    ------
    StoreUnavailable
        The folder cannot be made, or not be written to.
    UnhashableError, OSError
        See `Checkpoint.ask`.
    """
    store = stores.open_store(path)
    # Now, and not after hours of work that could not be kept. It is no result, and so does not stay.
    store.put(_TRIAL, Record(b"", [], b"{}"))
    store.drop([_TRIAL])
    by_index = None if seed is None else partial(parallel.seeding.digest, seed)
    checkpoint = Checkpoint(store, given, seed=by_index)
    if isinstance(tasks, list | tuple):
        begin = sheet.clock()
        checkpoint.identify(tasks)
        sheet.read(0, len(tasks), begin, exhausted=False)
    return checkpoint


class Checkpoint:
    """The kept results of one call. A `Recall`; used by one thread.

    Parameters
    ----------
    store
        Where they are kept.
    given
        What tasks are given in the place of handles.
    seed
        By the index of a task: what its result depends on beside its call. It is part of its key.
    """

    def __init__(
        self,
        store: Store,
        given: Given,
        *,
        seed: Callable[[int], bytes] | None = None,
        clock: Clock = time_of_day,
    ) -> None:
        self._store = store
        self._given = given
        self._clock = clock
        self._seed = seed
        # By the id of the function, which is kept with it: so nothing else gets that id.
        self._functions: dict[int, tuple[CallKeys, Any]] = {}  # Any: users' functions
        self._met: dict[bytes, int] = {}  # tasks before this one that were the same
        self._identified: list[bytes | None] = []
        self._sent: dict[int, _Sent] = {}
        self._warned = False

    def identify(self, tasks: Sequence[Any]) -> None:  # Any: not looked at yet
        """Make the keys of a whole input before any of it runs. Errors as from `ask`."""
        for index, call in enumerate(tasks):
            if not isinstance(call, tuple) or len(call) != 3:
                raise not_a_call(index, call)
            self._identified.append(self._key(index, call))

    def ask(self, index: int, call: Call) -> "Known | Call":
        """The kept result of a task, or its call.

        Raises
        ------
        UnhashableError
            An argument has no key. The message names the task and the place in the argument.
        OSError
            A `File` among the arguments cannot be read.
        """
        key = self._identified[index] if index < len(self._identified) else self._key(index, call)
        if key is None:
            return call
        record = self._store.get(key)
        if record is not None:
            try:
                return Known(parcel.parcels.join(record.skeleton, record.buffers))
            except Exception as error:  # noqa: BLE001 - building a value runs users' code, which may have changed
                self._warn(f"a kept result cannot be read any more, and is computed again: {_told(error)}")
        function, args, kwargs = call
        keys, _ = self._functions[id(function)]
        self._sent[index] = _Sent(key, keys.function_id, keys.summary(args, kwargs))
        return call

    def keep(self, start: int, values: Sequence[Any], seconds: float) -> None:
        """Keep results. One that cannot be kept is computed again by the next run; one warning tells so.

        `seconds` are what they took together, of which each is said to have taken its share.
        """
        share = round(seconds / max(len(values), 1), 9)
        for index, value in enumerate(values, start):
            sent = self._sent.pop(index, None)
            if sent is None:
                continue
            try:
                skeleton, buffers = parcel.parcels.split(value, path=f"the result of task {index}")
                facts = _facts(sent, share, self._clock())
                self._store.put(sent.key, Record(skeleton, buffers, facts), seconds=share)
            except (UnpicklableError, StoreUnavailable) as error:
                self._warn(f"results are returned, but not kept in the checkpoint: {_told(error)}")

    def _key(self, index: int, call: Call) -> bytes | None:
        """The key of a task; ``None`` if its function cannot be called so, which the task will tell."""
        function, args, kwargs = call
        try:
            keys, _ = self._functions.get(id(function)) or self._register(function)
            with self._given.counted():
                key = keys.key(args, kwargs) + _said_of(function)
        except UnhashableError as error:
            raise UnhashableError(
                f"{describe(index, call)} cannot be found again in a checkpoint: {error}"
            ) from error
        except OSError as error:
            add_note(error, describe(index, call))
            raise
        except TypeError:  # from the binding of the arguments
            return None
        if self._seed is not None:
            key += self._seed(index)
        before = self._met.get(key, 0)
        self._met[key] = before + 1
        return key[:FUNCTION_BYTES] + hashing.digests.BLAKE3.of(b"%b%d\n%b" % (_OURS, before, key))[:24]

    def _register(self, function: Any) -> "tuple[CallKeys, Any]":
        # A function that remembers is the function that it remembers for, and what was said of it.
        known_as = getattr(function, "__wrapped__", function) if _remembers(function) else function
        found = self._functions[id(function)] = hashing.calls.CallKeys(known_as), function
        return found

    def _warn(self, message: str) -> None:
        if not self._warned:
            self._warned = True
            warnings.warn(message, ParallelWarning, stacklevel=2)


def _facts(sent: _Sent, seconds: float, now: float) -> bytes:
    """What the command line tells of a result."""
    about = {"duration": seconds, "time": now, "function": sent.function, "call": sent.call}
    text: str = on_demand("json").dumps({**about, "checkpoint": True}, separators=(",", ":"))
    return text.encode()


def _remembers(function: object) -> bool:
    return hasattr(type(function), "__cache_head__")


def _said_of(function: Any) -> bytes:
    """What counts of a function that remembers beside its code: ``version=``, ``depends_on=`` and so on."""
    if not _remembers(function):
        return b""
    head: bytes = function.__cache_head__
    depends = function.__cache_depends__
    return head if depends is None else head + depends.token()


def _told(error: Exception) -> str:
    if isinstance(error, StoreUnavailable):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"
