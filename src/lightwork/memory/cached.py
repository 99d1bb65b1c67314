"""A function whose results are kept."""

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from .. import memory
from ..errors import StoreUnavailable, UnhashableError
from ..protocols import Known, Record, StatelessCallable, Store
from ..system import log
from ..system.computing import COMPUTING
from .bound import BoundCachedFunction
from .facts import LEAVES_AFTER, TTL, Metadata, read_facts
from .keeper import ABSENT, Keeper
from .options import Options, check_function
from .shelved import AnyResult, MemorizedResult, NotMemorizedResult

if TYPE_CHECKING:
    from ..hashing.calls import CallKey
    from ..hashing.dependencies import Dependencies
    from ..hashing.depends import DependsOn
    from .basis import Basis
    from .plan import Plan
    from .reasons import Explanation
    from .stats import CallStats

__all__ = ["CachedFunction"]

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)
S = TypeVar("S")
T = TypeVar("T")
Q = ParamSpec("Q")

_clock = time.perf_counter
_LONGEST_WAIT = 3600.0
_SHORTEST_WAIT = 60.0
_SMALL = 256 << 10
"""Bytes that are hashed in less time than a task takes to a worker and back."""


class CachedFunction(StatelessCallable, Generic[P, R_co]):
    """What ``@memory.cache`` makes of a function: called like it, and remembered.

    It has the name, text and signature of the function. In a class body it makes a method, whose ``self``
    is part of the key. Picklable: by name if it is what its module calls so, else with its function.

    Attributes
    ----------
    func
        The function itself; calling it bypasses the cache.
    """

    def __init__(self, func: Callable[P, R_co], keeper: Keeper, options: Options) -> None:
        self._keys = options.keys_of(func)
        # Copying the attributes of a callable object would overwrite ours.
        copied = functools.WRAPPER_UPDATES if type(func) is type(check_function) else ()
        functools.update_wrapper(self, func, updated=copied)
        self.func = func
        self._keeper = keeper
        self._options = options
        self._key: Callable[[tuple[Any, ...], Mapping[str, Any]], CallKey] = self._keys.call
        if options.key is None and memory.methods.is_method(func):
            self._key = memory.methods.watched(self._keys, func, keeper.notices)
        store, nbytes = keeper.store, options.hot_bytes
        self._read = memory.hot.TIERS.of(store, nbytes).get if nbytes else store.get
        self._rebuild = keeper.rebuilder(self._keys.function_id, read_only=options.mmap_mode == "r")
        self._is_plain = options.is_valid is None and options.ttl is None and options.verbose <= 1
        self._counts = keeper.ledger.open(self, self._keys.function_id)
        self._refreshes: Any = None if options.stale is None else self._refreshing()  # Any: or the async ones
        self._longest = 0.0
        self._noted = (0, "")  # the generation and code whose note is known to be kept

    if sys.version_info >= (3, 14):  # where `update_wrapper` copies what makes them, to be run when needed

        def __getattr__(self, name: str) -> Any:
            if name == "__annotations__":
                return self.func.__annotations__
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """The result of the function for these arguments, kept or computed now."""
        begun = _clock()
        call = self._key(args, kwargs)
        keyed = _clock()
        record = self._read(call.key)
        if record is not None:
            value: R_co = self._accept(record)
            if value is not ABSENT:
                if self._counts.hit(begun, keyed, _clock(), record):
                    self._warn_of_loss()
                return value
        self._counts.hashing += keyed - begun
        return self._miss(call, args, kwargs)

    def recall(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        """The result of a call as `Known` if it is kept; else the key for `resume`, or ``None``.

        The key is empty if it is to be made anew. ``None`` for arguments of more than 256 KiB: `Parallel`,
        which asks, has workers to hash those.
        """
        if not memory.sizes.are_small(*args, *kwargs.values(), limit=_SMALL):
            return None
        call, value = self._look(args, kwargs)
        if value is not ABSENT:
            return Known(value)
        # What the key says of functions and classes in the arguments is told by those, where they arrive.
        return () if call.met else tuple(call[:-1])

    def resume(self, key: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> R_co:
        """The result of a call that `recall` gave a key for, without making the key again."""
        call = self._keys.carried(key) if key else None
        if call is None:  # or a call before this one has changed what the function holds
            return self(*args, **kwargs)
        return self._miss(call, args, kwargs)

    def basis(self) -> "Basis":
        """What results depend on beside the arguments, as it is in this process, for `differing`."""
        return memory.basis.basis_of(self._keys)

    def differing(self, basis: "Basis") -> list[str]:
        """The names of what is another one here than in the process that made `basis`."""
        return memory.basis.differing(self._keys, basis)

    @overload
    def __get__(self, instance: None, owner: type) -> "CachedFunction[P, R_co]": ...

    @overload
    def __get__(
        self: "CachedFunction[Concatenate[S, Q], R_co]", instance: S, owner: type[S] | None = None
    ) -> BoundCachedFunction[S, Q, R_co]: ...

    @overload  # below ``@classmethod``, of an object: it takes the class
    def __get__(
        self: "CachedFunction[Concatenate[type[S], Q], R_co]", instance: S, owner: type[S] | None = None
    ) -> BoundCachedFunction[type[S], Q, R_co]: ...

    @overload  # below ``@staticmethod``
    def __get__(self, instance: object, owner: type | None = None) -> "CachedFunction[P, R_co]": ...

    def __get__(self, instance: Any, owner: Any = None) -> Any:  # Any: see the overloads
        """The cached method of an object; of the class, this."""
        return self if instance is None else BoundCachedFunction(instance, cast("Any", self))

    @overload
    def call(
        self: "CachedFunction[P, AnyResult]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "tuple[Any, Metadata]": ...

    @overload
    def call(  # type: ignore[overload-overlap]  # the narrower one is first
        self: "CachedFunction[P, Coroutine[Any, Any, T]]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "Coroutine[Any, Any, tuple[T, Metadata]]": ...

    @overload
    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> tuple[R_co, Metadata]: ...

    def call(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:  # Any: see the overloads
        """Run the function whatever is kept, keep its result, and return it with its metadata.

        It waits for nobody and nobody waits for it: of concurrent calls each runs the function.
        """
        value, metadata, _ = self._compute(self._key(args, kwargs), args, kwargs)
        self._counts.asked += 1
        return value, metadata

    @overload
    def call_and_shelve(
        self: "CachedFunction[P, AnyResult]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "MemorizedResult[Any] | NotMemorizedResult[Any]": ...

    @overload
    def call_and_shelve(  # type: ignore[overload-overlap]  # the narrower one is first
        self: "CachedFunction[P, Coroutine[Any, Any, T]]", /, *args: P.args, **kwargs: P.kwargs
    ) -> "Coroutine[Any, Any, MemorizedResult[T] | NotMemorizedResult[T]]": ...

    @overload
    def call_and_shelve(
        self, /, *args: P.args, **kwargs: P.kwargs
    ) -> MemorizedResult[R_co] | NotMemorizedResult[R_co]: ...

    def call_and_shelve(self, /, *args: P.args, **kwargs: P.kwargs) -> Any:  # Any: see the overloads
        """A reference to the result, which is computed if it is not kept yet, and not read if it is.

        Of concurrent callers, of this and of the function itself, one computes and the others wait for it.
        """
        call = self._key(args, kwargs)
        if not self._is_kept(call.key):
            return self._shelve(call, args, kwargs)
        self._counts.hits += 1
        return self._reference(call.key)

    def check_call_in_cache(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether a call with these arguments would find its result kept. Changes nothing.

        Only looks whether it is there: `explain` also looks at files (`File`) that belong to it.
        """
        return self._is_kept(self._key(args, kwargs).key)

    def forget(self, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Remove the result of one call; whether there was one."""
        return self._keeper.forget(self._key(args, kwargs).key)

    def clear(self, warn: bool = True) -> None:
        """Remove all results of this function, those of older versions of its code too.

        With `warn`, and ``verbose`` above 0, that is logged.
        """
        if warn and self._options.verbose > 0:
            log.warning("Clearing function cache identified by %s", self._keys.function_id)
        self._keeper.clear(self._keys.prefix)

    def __cache_key__(self) -> tuple[object, ...]:
        """As part of a value it is its function and what was said of it, wherever results are kept."""
        return self.func, self._keys.head, self._keys.depends

    @property
    def __cache_head__(self) -> bytes:
        """What the keys of functions that call this one contain beside its code: ``version=``, say."""
        return self._keys.head

    @property
    def __cache_depends__(self) -> "DependsOn | None":
        """What such keys contain too: the state of what ``depends_on=`` lists."""
        return self._keys.depends

    def dependencies(self) -> "Dependencies":
        """Which code and globals the keys depend on, and which not and why. Prints as a list."""
        return self._keys.dependencies()

    def explain(self, /, *args: P.args, **kwargs: P.kwargs) -> "Explanation":
        """Whether a call would be a hit, and why: which argument, function or value is another one.

        Changes nothing; a hit is not counted. Of the results of this function the latest 1,000 are compared.
        Which part of an argument differs is known of calls that took 0.1 s or more.
        """
        call = self._key(args, kwargs)
        arguments = self._keys.arguments(args, kwargs)
        return memory.explain.explain(self._keeper, self._keys, call, self._options, arguments)

    def plan(self, calls: Iterable[object]) -> "Plan":
        """What `calls` would compute now, and how long that took last time; see `Memory.plan`."""
        given = map(memory.plan.arguments, calls)
        return memory.plan.plan(self._keeper.store, self._keys, given, self._is_kept)

    @property
    def store(self) -> Store:
        """Where its results are."""
        return self._keeper.store

    def stats(self) -> "CallStats":
        """Hits, misses and their causes, time saved and spent, by the calls in this process so far."""
        return self._counts.stats()

    def __repr__(self) -> str:
        return f"CachedFunction(func={self.func!r}, store={self._keeper.store!r})"

    def __reduce__(self) -> str | tuple[object, ...]:
        name = getattr(self, "__qualname__", "")
        if _is_named(self, getattr(self, "__module__", None), name):
            return cast(str, name)
        return type(self), (self.func, self._keeper, self._options)

    def _look(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> "tuple[CallKey, Any]":
        """The key of a call, and its value if that is kept, else `ABSENT`.

        `__call__` has it written out: the hit of one call is worth the repetition.
        """
        begun = _clock()
        call = self._key(args, kwargs)
        keyed = _clock()
        record = self._read(call.key)
        if record is not None:
            value = self._accept(record)
            if value is not ABSENT:
                if self._counts.hit(begun, keyed, _clock(), record):
                    self._warn_of_loss()
                return call, value
        self._counts.hashing += keyed - begun
        return call, ABSENT

    def _accept(self, record: Record) -> Any:  # Any: the user's value, or ABSENT
        """The value of a record, if it is valid and can be built."""
        if self._is_plain and TTL not in record.facts:
            return self._rebuild(record)
        if not self._is_valid(read_facts(record.facts)):
            return ABSENT
        if self._options.verbose > 1:
            log.info("loading %s", read_facts(record.facts).get("call", self._keys.function_id))
        return self._rebuild(record)

    def _is_valid(self, facts: Metadata) -> bool:
        is_valid = self._options.is_valid
        if not memory.validity.is_alive(facts, self._options.ttl, time.time()):
            return False
        return is_valid is None or bool(is_valid(facts))

    def _is_kept(self, key: bytes) -> bool:
        facts = memory.validity.kept_facts(self._keeper.store, key)
        return facts is not None and self._is_valid(facts)

    def _miss(self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any]) -> R_co:
        """Compute, unless another thread or process is at it and its result comes in time."""
        if self._refreshes is not None:
            old = self._outdated(call.key)
            if old is not ABSENT:
                self._refreshes.begin(call.key, lambda: self._refresh(call, args, kwargs))
                return cast(R_co, old)
        ticket = self._keeper.flights.board(call.key, bound=self._bound())
        failed = True
        try:
            record = self._read(call.key)
            value = ABSENT if record is None else self._accept(record)
            if value is ABSENT:
                if record is not None:
                    self._count_cause(record)
                value, _, is_kept = self._compute(call, args, kwargs)
                failed = not is_kept
            else:
                self._counts.hits += 1
                failed = False
        finally:
            self._keeper.flights.land(ticket, failed=failed)
        return cast(R_co, value)

    def _shelve(
        self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> MemorizedResult[R_co] | NotMemorizedResult[R_co]:
        """As `_miss`, for a reference."""
        ticket = self._keeper.flights.board(call.key, bound=self._bound())
        failed = True
        try:
            if self._is_kept(call.key):
                self._counts.hits += 1
                failed = False
                return self._reference(call.key)
            value, _, is_kept = self._compute(call, args, kwargs)
            failed = not is_kept
            return self._reference(call.key) if is_kept else NotMemorizedResult(value)
        finally:
            self._keeper.flights.land(ticket, failed=failed)

    def _reference(self, key: bytes) -> MemorizedResult[Any]:  # Any: R_co, or what awaiting it gives
        return MemorizedResult(self._keeper.store, key, self._keys.function_id)

    def _refreshing(self) -> Any:  # Any: see `__init__`
        return memory.stale.Refreshes(self._keys.function_id, self._keeper.notices)

    def _outdated(self, key: bytes) -> Any:  # Any: the user's value, or ABSENT
        """A result that has expired and is good enough until there is a new one."""
        record = self._read(key)
        if record is None:
            return ABSENT
        facts, options = read_facts(record.facts), self._options
        if not memory.stale.is_stale(facts, options.ttl, options.stale, time.time()):
            return ABSENT
        if options.is_valid is not None and not options.is_valid(facts):
            return ABSENT
        value = self._rebuild(record)
        self._counts.hits += value is not ABSENT
        return value

    def _refresh(self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Compute anew, while the caller goes on: if he changes the arguments the result is not kept."""
        ticket = self._keeper.flights.board(call.key, bound=self._bound())
        failed = True
        try:
            if self._is_kept(call.key):
                failed = False
                return
            begun = self._begin(args, kwargs)
            value, seconds = self._run(call.key, args, kwargs)
            if self._key(args, kwargs).key == call.key:
                _, _, is_kept = self._finish(call, args, kwargs, begun, value, seconds)
                failed = not is_kept
        finally:
            self._keeper.flights.land(ticket, failed=failed)

    def _count_cause(self, record: Record) -> None:
        """Why a record that is there was of no use."""
        if self._is_valid(read_facts(record.facts)):
            self._counts.unreadable += 1
        else:
            self._counts.invalid += 1

    def _warn_of_loss(self) -> None:
        if self._counts.is_loss:
            name = self._keys.function_id
            self._keeper.notices.warn_once(
                ("loss", name),
                f"keeping the results of {name} costs more than it saves ({self._counts.stats()}): its calls "
                "are too short, or their arguments too large, for a cache",
            )

    def _bound(self) -> float:
        """How long to wait for others (seconds)."""
        return max(_SHORTEST_WAIT, 10 * self._longest) if self._longest else _LONGEST_WAIT

    def _compute(
        self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[R_co, Metadata, bool]:
        """Run the function and keep the result: the result, its metadata, and whether it was kept."""
        begun = self._begin(args, kwargs)
        value, seconds = self._run(call.key, args, kwargs)
        return self._finish(call, args, kwargs, begun, value, seconds)

    def _begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[str, int]:
        """What is taken down before the function runs: the call as text, and the store's generation."""
        summary = self._keys.summary(args, kwargs)  # now: the call may change its arguments
        if self._options.verbose > 0:
            log.info("computing %s", summary)
        return summary, self._keeper.generation

    def _finish(
        self,
        call: "CallKey",
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        begun: tuple[str, int],
        value: Any,  # Any: an R_co, which is for results alone
        seconds: float,
    ) -> tuple[R_co, Metadata, bool]:
        """Keep a result that was computed: as `_compute`."""
        summary, generation = begun
        changed = self._changed_arguments(call, args, kwargs) if self._options.check_mutation else ""
        made = memory.made.facts_of(self._keys, call)
        arguments = self._keys.arguments(args, kwargs)
        if paths := memory.made.paths_of(arguments):
            made["paths"] = paths
        if seconds >= LEAVES_AFTER:
            made["leaves"] = memory.leaves.leaves_of(arguments, call.tokens, seconds=seconds)
        metadata = self._keeper.metadata(self._keys.function_id, summary, seconds, made)
        if self._options.ttl not in (None, float("inf")):
            metadata["ttl"] = self._options.ttl
        storing = _clock()
        is_kept = generation == self._keeper.generation and self._keeper.keep(
            call.key,
            value,
            metadata,
            on_error=self._options.on_error,
            limits=self._options.limits,
            compression=self._options.compression,
        )
        self._counts.storing += _clock() - storing
        self._counts.unkept += not is_kept
        if is_kept and self._noted != (generation, made["code"]):
            self._noted = generation, made["code"]
            # The result is kept; to explain it is a luxury. A file that it depends on may be gone by now.
            with contextlib.suppress(StoreUnavailable, UnhashableError, OSError):
                memory.made.keep_note(self._keeper.store, self._keys, call, made["code"])
        if changed:
            name = self._keys.function_id
            self._keeper.notices.warn_once(
                ("mutation", name, changed),
                f"{name} changed its argument {changed}, which a call whose result is kept will not do: let "
                "it work on a copy, or return what it has changed",
            )
        if is_kept and self._options.mmap_mode is not None:
            value = self._reread(call.key, value)
        return value, metadata, is_kept

    def _changed_arguments(self, call: "CallKey", args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """The names of the arguments that are other ones than before the call."""
        try:
            return ", ".join(map(repr, call.changed(self._key(args, kwargs))))
        except (UnhashableError, OSError) as exc:  # the result is there all the same
            return f"so that it has no key any more ({exc})"

    def _run(self, key: bytes, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[R_co, float]:
        """The result of the function, and the seconds that it took."""
        token = COMPUTING.set(COMPUTING.get() | {key})
        start = time.perf_counter()
        try:
            value = self.func(*args, **kwargs)
        finally:
            seconds = time.perf_counter() - start
            COMPUTING.reset(token)
            self._counts.misses += 1
            self._counts.seconds += seconds
        self._longest = max(self._longest, seconds)
        return value, seconds

    def _reread(self, key: bytes, value: Any) -> R_co:  # Any: an R_co, which is for results alone
        """The value as later calls will get it: with ``mmap_mode`` that is another kind of array."""
        record = self._read(key)
        again = ABSENT if record is None else self._rebuild(record)
        return cast(R_co, value if again is ABSENT else again)


def _is_named(item: object, module: str | None, name: str) -> bool:
    """Whether another process finds `item` by importing `module` and looking up `name`."""
    if module is None or module in ("__main__", "__mp_main__"):
        return False
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is item
