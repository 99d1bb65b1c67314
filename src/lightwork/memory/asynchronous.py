"""Cached ``async`` functions: they are awaited, and nothing they do holds up the event loop for long.

What is small is done at once. Hashing, reading or storing more than 1 MiB, or what cannot be told to be less,
and whatever asks a store over a network, happens in a thread; then, and whenever the call has waited for
others, other tasks may have changed the arguments between their digest and the end of the computation: so the
digest is taken once more, and a result that belongs to neither state is not kept.
"""

import asyncio
import contextlib
import inspect
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast

from .. import memory
from ..errors import UnhashableError
from ..hashing.signatures import unwrap
from ..protocols import IsRemote, supports
from ..system.computing import COMPUTING
from .boarding import board
from .cached import CachedFunction
from .facts import LEAVES_AFTER, Metadata
from .flights import Ticket
from .keeper import ABSENT, Keeper
from .notices import Notices
from .options import Options
from .shelved import MemorizedResult, NotMemorizedResult
from .sizes import LARGE, are_small
from .uncached import UncachedFunction

if TYPE_CHECKING:
    from ..hashing.calls import CallKey

__all__ = ["AsyncCachedFunction", "AsyncUncachedFunction"]

P = ParamSpec("P")
R = TypeVar("R")


class AsyncCachedFunction(CachedFunction[P, Coroutine[Any, Any, R]], Generic[P, R]):
    """What ``@memory.cache`` makes of an ``async`` function: `CachedFunction`, awaited.

    One of several tasks that ask for the same call at once computes, in whatever loop, thread or process
    they are; the others await its result. If it is cancelled one of them takes over; if it fails each of
    them computes, and gets an error of its own.

    Calling, `call` and `call_and_shelve` are awaited. Functions given as ``key=`` run in the loop; with
    results of more than 1 MiB ``cache_validation_callback=`` runs in a thread.
    """

    def __init__(self, func: Callable[P, Coroutine[Any, Any, R]], keeper: Keeper, options: Options) -> None:
        super().__init__(func, keeper, options)
        lead = unwrap(func)
        self._held = (lead.args, lead.kwargs)  # hashed with each call
        self._is_remote = supports(keeper.store, IsRemote)
        _mark(self)

    async def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of the function for these arguments, kept or computed now."""
        call, moved = await self._call_key(args, kwargs)
        value, waited = await self._find(call.key)
        if value is not ABSENT:
            self._counts.hits += 1
            return cast(R, value)
        if self._refreshes is not None:
            old = await asyncio.to_thread(self._outdated, call.key)
            if old is not ABSENT:
                self._refreshes.begin(call.key, lambda: self._ask(call, args, kwargs, True))
                return cast(R, old)
        return await self._ask(call, args, kwargs, moved or waited)

    def recall(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        """Nothing is known: the result of a call is a coroutine."""
        return None

    async def call(  # type: ignore[override]  # awaited, as with joblib
        self, /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[R, Metadata]:
        """As `CachedFunction.call`."""
        self._counts.asked += 1
        call, moved = await self._call_key(args, kwargs)
        value, metadata, _ = await self._compute_in_loop(call, args, kwargs, moved)
        return value, metadata

    async def call_and_shelve(  # type: ignore[override]  # awaited, as with joblib
        self, /, *args: P.args, **kwargs: P.kwargs
    ) -> MemorizedResult[R] | NotMemorizedResult[R]:
        """As `CachedFunction.call_and_shelve`."""
        call, moved = await self._call_key(args, kwargs)
        is_kept, asked = await self._ask_whether_kept(call.key)
        if is_kept:
            self._counts.hits += 1
            return self._reference(call.key)
        ticket, waited = await board(self._keeper.flights, call.key, bound=self._bound())
        with self._aboard(ticket) as flight:
            is_kept, _ = await self._ask_whether_kept(call.key)
            flight.failed = not is_kept
            if is_kept:
                self._counts.hits += 1
                return self._reference(call.key)
            value, _, is_kept = await self._compute_in_loop(call, args, kwargs, moved or waited or asked)
            flight.failed = not is_kept
        return self._reference(call.key) if is_kept else NotMemorizedResult(value)

    def _refreshing(self) -> Any:  # Any: as `CachedFunction._refreshing`
        return _Refreshes(self._keys.function_id, self._keeper.notices)

    async def _call_key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple["CallKey", bool]:
        """The key of a call, and whether other tasks may have run since its first byte was hashed."""
        by_hand = self._options.key is not None  # is cheap, and may belong to the loop
        files = self._keys.depends is not None
        if by_hand or (not files and are_small(args, kwargs, self._held)):
            return self._key(args, kwargs), False
        return await asyncio.to_thread(self._key, args, kwargs), True

    async def _find(self, key: bytes) -> tuple[Any, bool]:  # Any: the user's value, or ABSENT
        """What is kept and valid, and whether other tasks may have run meanwhile."""
        if self._is_remote:
            return await asyncio.to_thread(self._find_now, key), True
        nbytes = next((entry.nbytes for entry in self._keeper.store.scan(key)), 0)
        if nbytes > LARGE:
            return await asyncio.to_thread(self._find_now, key), True
        return (self._find_now(key) if nbytes else ABSENT), False

    def _find_now(self, key: bytes) -> Any:  # Any: as `_find`
        record = self._read(key)
        return ABSENT if record is None else self._accept(record)

    async def _ask_whether_kept(self, key: bytes) -> tuple[bool, bool]:
        """As `_is_kept`, and whether other tasks may have run meanwhile."""
        if self._is_remote:
            return await asyncio.to_thread(self._is_kept, key), True
        return self._is_kept(key), False

    async def _ask(self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any], moved: bool) -> R:
        """Compute, unless somebody else is at it and the result comes in time."""
        ticket, waited = await board(self._keeper.flights, call.key, bound=self._bound())
        with self._aboard(ticket) as flight:
            value, read = await self._find(call.key)
            flight.failed = value is ABSENT
            if not flight.failed:
                self._counts.hits += 1
                return cast(R, value)
            value, _, is_kept = await self._compute_in_loop(call, args, kwargs, moved or waited or read)
            flight.failed = not is_kept
        return value

    @contextlib.contextmanager
    def _aboard(self, ticket: Ticket) -> "Iterator[_Flight]":
        """Give the ticket back at the end; whoever is cancelled, or thrown away, hands it on."""
        flight = _Flight()
        handed_on = True
        try:
            yield flight
            handed_on = False
        except Exception:
            handed_on = False
            raise
        finally:
            self._keeper.flights.land(ticket, failed=flight.failed and not handed_on, handed_on=handed_on)

    async def _compute_in_loop(
        self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any], moved: bool
    ) -> tuple[R, Metadata, bool]:
        """As `_compute`; with `moved` the result is kept only if the arguments have the same key still."""
        begun = self._begin(args, kwargs)
        value, seconds = await self._await(call.key, args, kwargs)
        if moved and not await self._is_same(call, args, kwargs):
            self._keeper.notices.warn_once(
                ("changed", self._keys.function_id),
                f"an argument of {self._keys.function_id} changed while it was computed: the result is "
                "returned, but not kept; give it a copy, or let no other task change it",
            )
            return value, {}, False
        result: Any = value
        slow = self._is_remote or self._options.check_mutation or seconds >= LEAVES_AFTER
        if are_small(value) and not slow:
            kept: Any = self._finish(call, args, kwargs, begun, result, seconds)
        else:
            kept = await asyncio.to_thread(self._finish, call, args, kwargs, begun, result, seconds)
        return cast("tuple[R, Metadata, bool]", kept)

    async def _is_same(self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        try:
            again, _ = await self._call_key(args, kwargs)
        except (UnhashableError, OSError):  # the result is there all the same
            return False
        return again.key == call.key

    async def _await(self, key: bytes, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[R, float]:
        """The result of the function, and the seconds that it took, those of other tasks included."""
        token = COMPUTING.set(COMPUTING.get() | {key})
        start = time.perf_counter()
        try:
            value = await self.func(*args, **kwargs)
        finally:
            seconds = time.perf_counter() - start
            with contextlib.suppress(ValueError):  # thrown away from outside of its task: there it is not set
                COMPUTING.reset(token)
            self._counts.misses += 1
            self._counts.seconds += seconds
        self._longest = max(self._longest, seconds)
        return value, seconds


class _Flight:
    """A computation while it lasts."""

    __slots__ = ("failed",)

    def __init__(self) -> None:
        self.failed = True


class _Refreshes:
    """Computations of one ``async`` function that go on as tasks of their callers' event loops."""

    def __init__(self, name: str, notices: Notices) -> None:
        self._name = name
        self._notices = notices
        self._tasks: dict[bytes, asyncio.Task[Any]] = {}

    def begin(self, key: bytes, compute: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Run `compute` as a task, unless one does so already for this key."""
        running = self._tasks.get(key)
        if running is None or running.done():  # that of a loop which has ended is cancelled
            task = self._tasks[key] = asyncio.get_running_loop().create_task(compute())
            task.add_done_callback(lambda ended: self._end(key, ended))

    def _end(self, key: bytes, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            memory.stale.tell_failure(self._notices, self._name, error)


class AsyncUncachedFunction(UncachedFunction[P, Coroutine[Any, Any, R]], Generic[P, R]):
    """An async function that is called through, with the methods of an `AsyncCachedFunction`."""

    def __init__(self, func: Callable[P, Coroutine[Any, Any, R]]) -> None:
        super().__init__(func)
        _mark(self)

    async def call(  # type: ignore[override]  # see AsyncCachedFunction
        self, /, *args: P.args, **kwargs: P.kwargs
    ) -> tuple[R, Metadata]:
        """The result, and no metadata."""
        return await self.func(*args, **kwargs), {}

    async def call_and_shelve(  # type: ignore[override]  # see AsyncCachedFunction
        self, /, *args: P.args, **kwargs: P.kwargs
    ) -> NotMemorizedResult[R]:
        """The result, in the form of a reference."""
        return NotMemorizedResult(await self.func(*args, **kwargs))


def _mark(function: Any) -> None:
    """Let `inspect.iscoroutinefunction` know, which web frameworks ask. Before Python 3.12 nobody can."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(function)
