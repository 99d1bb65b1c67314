"""`Memory`: where results are kept, and the decorator that keeps them."""

import os
import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Never, ParamSpec, TypeVar, cast, overload

from .. import memory, stores, system
from ..protocols import Limits, Store, SupportsLimits, supports
from ..system import log
from .bound import BoundCachedFunction
from .cached import CachedFunction
from .facts import Metadata
from .keeper import forget_hot, keeper_of
from .options import Options, check_function, check_mmap_mode, check_place, dependencies, names

if TYPE_CHECKING:
    from datetime import timedelta

    from ..hashing.depends import Dependency
    from .backends import MakeStore
    from .entries import CacheEntry, Verification
    from .plan import Plan
    from .stats import MemoryStats

__all__ = ["Memory"]

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D", bound="classmethod[Any, ..., Any] | property | cached_property[Any]")

_DESCRIPTORS = (classmethod, staticmethod, property, cached_property)


class Memory:
    """Keeps the results of functions on disk: a call that was made before costs microseconds.

    ::

        memory = Memory("~/.cache/my-project")

        @memory.cache
        def slow(x): ...

    Results are kept by function, code and arguments: a changed function (or a function that it uses) finds
    nothing, and after the change is taken back its old results are there again.

    Constructing a `Memory` touches no disk. The folder is made when the first result is kept. Equal
    locations may be used by any number of threads and processes, folders of one host, URLs of many.

    Parameters
    ----------
    location
        A folder; ``~`` stands for the home folder. A URL, ``s3://bucket/prefix``, ``gs://``, ``az://`` or
        ``file:///folder``, for a cache that many hosts share. ``None``: nothing is kept, functions are called
        through.
    backend
        ``"local"``, or a name that `register_store_backend` was given. A store that is there already is given
        as ``store=``.
    mmap_mode
        ``None`` and ``"c"``: arrays of results are private and writable, and large ones (1 MiB) are mapped,
        not read. ``"r"``: they are read-only. Other modes would change what is kept, and are refused.
        With ``"c"`` and ``"r"`` the first call too returns the arrays as they were kept.
    compress
        ``True``, a level from 1 to 9 (0: none), a method (``"zstd"``, ``"zlib"``, ``"bz2"``, ``"lzma"``,
        ``"lz4"``) or (method, level): results take less room, and are decompressed on each hit, not mapped.
        What would not get smaller is kept as it is. What is kept already is read whatever is said here.
    verbose
        Above 0 computed calls are logged (level INFO of the logger ``lightwork``), above 1 hits too.
    backend_options
        Keyword arguments for what was registered as `backend`; ``"local"`` knows none for folders. For URLs:
        ``local`` (a folder for copies), ``local_bytes``, ``fresh`` (seconds for which a copy is good without
        asking), ``config`` (as obstore takes it).
    store
        Any `lightwork.protocols.Store`, instead of `location`.
    max_bytes
        The cache never takes more of the disk than this, in bytes or as ``"1GB"``: before a result is
        kept, those go that save the least time per byte and were used long ago.
    max_items
        Largest number of results, at least 1.
    max_age
        What was not used for so long goes, with the next results that are kept: seconds, a `timedelta` or
        ``"30 days"``.
    trust_folder
        Use a cache that belongs to another user or that everybody may write to. Whoever can write there can
        make this program run anything; so without it such a cache is neither read nor written.
    user_code
        Names of installed packages whose functions are followed like those of your own project when a
        cached function uses them.
    sign
        A secret (bytes or text, 16 bytes at least) that authenticates results: those that were not kept with
        it, or were changed since, are never unpickled; they are a miss, and a warning tells of them. All
        bytes are checked on each hit, so large arrays are read, not mapped. The secret travels with pickled
        cached functions and `Memory` objects.
    ttl
        How long results live: seconds, a `timedelta` or a text like ``"90s"``, ``"1h"``, ``"7 days"``. One
        is good as long as ``written <= now < written + ttl``.
    hot_bytes
        Small results (64 KiB) that were read in the last second stay in the memory of the process, up to so
        many bytes, or ``"100MB"``: a hit is then half as dear. What another process removes, or an eviction,
        may be given for up to a second more.

    Raises
    ------
    InvalidOption
        A value that is not supported; nothing was done.
    """

    def __init__(
        self,
        location: str | os.PathLike[str] | None = None,
        backend: str = "local",
        mmap_mode: str | None = None,
        compress: bool | int | str | tuple[str, int | None] | None = False,
        verbose: int = 0,
        backend_options: Mapping[str, Any] | None = None,  # Any: of unknown backends
        *,
        store: Store | None = None,
        max_bytes: int | str | None = None,
        max_items: int | None = None,
        max_age: "float | str | timedelta | None" = None,
        trust_folder: bool = False,
        user_code: Iterable[str] = (),
        sign: bytes | str | None = None,
        ttl: "float | str | timedelta | None" = None,
        hot_bytes: int | str = 0,
        **unknown: Never,
    ) -> None:
        if unknown:
            system.hints.refuse_unknown("Memory", unknown, Memory.__init__)
        check_place(location, backend, backend_options, store, trust_folder)
        check_mmap_mode(mmap_mode)
        self._compression = memory.compression.chosen(compress) if compress else None
        if self._compression is not None:
            memory.compression.check_mapping(self._compression, mmap_mode)
        self.location = location
        self.backend = backend
        self.mmap_mode = mmap_mode
        self.compress = compress
        self.verbose = verbose
        self.backend_options = dict(backend_options or {})
        self.user_code = tuple(user_code)
        self.ttl = None if ttl is None else memory.ttl.parse_ttl(ttl)
        self._given = store
        self.trust_folder = trust_folder
        self.hot_bytes = 0 if hot_bytes == 0 else memory.bounds.hot_size(hot_bytes)
        self._sign = sign
        secret = None if sign is None else memory.signing.secret_of(sign)
        chosen = store if location is None else self._opened(os.path.expanduser(location))
        if chosen is not None and secret is not None:
            chosen = memory.signing.signed(chosen, secret)
        given = (max_bytes, max_items, max_age)
        self._limits = None if given == (None, None, None) else memory.bounds.bounds(*given, chosen)
        self._keeper = None if chosen is None else keeper_of(chosen)

    @overload
    def cache(
        self,
        func: D,
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: str | bool | None = False,
        cache_validation_callback: Callable[[Metadata], bool] | None = None,
        *,
        version: str | float | bytes | None = None,
        track: str = "deep",
        key: Callable[..., Any] | None = None,
        on_error: str = "warn",
        depends_on: "Iterable[Dependency]" = (),
        check_mutation: bool = False,
        ttl: "float | str | timedelta | None" = None,
        stale: "float | str | timedelta | None" = None,
    ) -> D: ...

    @overload
    def cache(
        self,
        func: Callable[P, R],
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: str | bool | None = False,
        cache_validation_callback: Callable[[Metadata], bool] | None = None,
        *,
        version: str | float | bytes | None = None,
        track: str = "deep",
        key: Callable[..., Any] | None = None,
        on_error: str = "warn",
        depends_on: "Iterable[Dependency]" = (),
        check_mutation: bool = False,
        ttl: "float | str | timedelta | None" = None,
        stale: "float | str | timedelta | None" = None,
    ) -> CachedFunction[P, R]: ...

    @overload
    def cache(
        self,
        func: None = None,
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: str | bool | None = False,
        cache_validation_callback: Callable[[Metadata], bool] | None = None,
        *,
        version: str | float | bytes | None = None,
        track: str = "deep",
        key: Callable[..., Any] | None = None,
        on_error: str = "warn",
        depends_on: "Iterable[Dependency]" = (),
        check_mutation: bool = False,
        ttl: "float | str | timedelta | None" = None,
        stale: "float | str | timedelta | None" = None,
    ) -> "_Decorator": ...

    def cache(
        self,
        func: Any = None,
        ignore: Iterable[str] | None = None,
        verbose: int | None = None,
        mmap_mode: str | bool | None = False,
        cache_validation_callback: Callable[[Metadata], bool] | None = None,
        *,
        version: str | float | bytes | None = None,
        track: str = "deep",
        key: Callable[..., Any] | None = None,
        on_error: str = "warn",
        depends_on: "Iterable[Dependency]" = (),
        check_mutation: bool = False,
        ttl: "float | str | timedelta | None" = None,
        stale: "float | str | timedelta | None" = None,
    ) -> Any:  # Any: see the overloads
        """Keep the results of a function; a decorator, with or without arguments.

        Parameters
        ----------
        func
            Any callable: a function, method, partial, ... One that is cached already is cached anew.
        ignore
            Names of parameters that do not count; ``"*"`` and ``"**"`` for extra arguments.
        verbose, mmap_mode
            As for `Memory`; ``verbose=None`` and ``mmap_mode=False`` take those of it.
        cache_validation_callback
            Asked, with its `Metadata`, before a kept result is used; false: a miss. See `expires_after`.
        track, version
            Whose code counts: ``"deep"``, also of what it uses; ``"self"``; ``"none"``. Any text or number
            as another part of the key, which stands for the code by itself with ``track="none"``.
        key
            ``key(*args, **kwargs)`` gives what stands for the arguments.
        depends_on
            What else counts: functions (their code), `lightwork.File`, installed packages (version).
        on_error, check_mutation
            When a result cannot be kept: ``"warn"`` once, or ``"raise"``. Whether to warn, once, if a
            computed call changes its arguments, which a hit would not: they are hashed again.
        ttl, stale
            As for `Memory`, or ``math.inf``; kept with each result, and the shorter one holds. For `stale`
            after that a result is still returned, at once, while a thread (or task) computes it anew.

        Raises
        ------
        InvalidOption
            An option cannot be right, or functions of this kind cannot be cached.
        """
        options = self._options(ignore, verbose, mmap_mode, ttl, stale)._replace(
            is_valid=cache_validation_callback,
            version=version,
            track=track,
            key=key,
            on_error=on_error,
            depends_on=dependencies(depends_on),
            check_mutation=check_mutation,
        )
        decorate = _Decorator(self, options)
        return decorate if func is None else decorate(func)

    def eval(self, func: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """``self.cache(func)(*args, **kwargs)``."""
        return self.cache(func)(*args, **kwargs)

    def clear(self, warn: bool = True) -> None:
        """Remove all results of all functions. With `warn` the logger ``"lightwork"`` gets a warning."""
        if self._keeper is not None:
            if warn:
                log.warning("Flushing completely the cache")
            self._keeper.clear()

    def reduce_size(
        self,
        bytes_limit: int | str | None = None,
        items_limit: int | None = None,
        age_limit: "float | str | timedelta | None" = None,
    ) -> None:
        """Remove the results that were used least recently, until all limits hold.

        Parameters
        ----------
        bytes_limit
            Largest size of all results, in bytes or as ``"500M"``.
        items_limit
            Largest number of results.
        age_limit
            What was not used for longer goes: seconds, a `timedelta` or a text like ``"30 days"``.

        Raises
        ------
        InvalidOption
            A limit is no limit.
        StoreUnavailable
            The cache cannot be written.
        """
        limits = memory.limits.parse_limits(bytes_limit, items_limit, age_limit, time.time())
        if self._keeper is None or limits == memory.limits.Limits():
            return
        store = self._keeper.store
        if supports(store, SupportsLimits):
            store.trim(**limits._asdict())
        else:
            store.drop(stores.eviction.least_recent(store.scan(), **limits._asdict()))
        forget_hot()

    def stats(self) -> "MemoryStats":
        """What the cache holds, and what the calls of its functions came to in this process so far.

        All `Memory` objects of one location count together.
        """
        return memory.entries.stats_of(self._keeper)

    def entries(self) -> "list[CacheEntry]":
        """What is kept: function, call, size, age and cost of each result. None of them counts as used."""
        return [] if self._keeper is None else [*memory.entries.entries(self._keeper.store, time.time())]

    def facts(self, key: bytes) -> Metadata:
        """What is kept about a result beside its value, which is neither read nor counted as used.

        Parameters
        ----------
        key
            The 32 bytes of `CacheEntry.key`.

        Returns
        -------
        dict
            ``function``, ``call``, ``time`` (since the epoch), ``duration`` (s), and what the key was made
            of: ``args`` (a digest of each argument), ``code`` (its number), ``parts`` (what that code
            consists of). ``ttl`` (s) if the result lives for a span of time. Empty if nothing is known.
        """
        return {} if self._keeper is None else memory.entries.facts(self._keeper.store, key)

    def plan(self, func: Callable[..., Any], calls: Iterable[object]) -> "Plan":
        """Which of a number of calls would be computed now, and how long they took last time.

        Nothing is run; the arguments are hashed.

        Parameters
        ----------
        func
            What `cache` made of a function, or a function (then as ``cache(func)`` would do it).
        calls
            The arguments of each: a tuple of them, a mapping of named ones, or anything else as the only one.
        """
        is_cached = isinstance(func, CachedFunction | memory.UncachedFunction | BoundCachedFunction)
        cached: Any = func if is_cached else self.cache(func)  # Any: any of the three
        found: Plan = cached.plan(calls)
        return found

    def verify(self) -> "Verification":
        """Read every kept result to its last byte, and remove those that are damaged.

        Raises
        ------
        StoreUnavailable
            The cache cannot be written.
        """
        if self._keeper is None:
            return memory.entries.Verification(0, 0, ())
        found = memory.entries.verify(self._keeper.store, time.time())
        forget_hot()
        return found

    @property
    def store(self) -> Store | None:
        """Where the results are; ``None`` if nothing is kept."""
        return None if self._keeper is None else self._keeper.store

    def __repr__(self) -> str:
        return f"Memory(location={None if self.location is None else os.fspath(self.location)})"

    def _repr_html_(self) -> str:
        counted = {} if self._keeper is None else self._keeper.ledger.by_function()
        calls = {name: counts.stats() for name, counts in counted.items()}
        return memory.picture.fragment_of_memory(self, self._limits, calls)

    def __reduce__(self) -> tuple[object, ...]:
        positional = (self.location, self.backend, self.mmap_mode, self.compress, self.verbose)
        more = {
            "backend_options": self.backend_options,
            "store": self._given,
            "trust_folder": self.trust_folder,
            "user_code": self.user_code,
            "sign": self._sign,
            "ttl": self.ttl,
            "hot_bytes": self.hot_bytes,
            **(self._limits or Limits())._asdict(),
        }
        make = None if self.backend == "local" else memory.backends.BACKENDS.named(self.backend)
        return _restore, (positional, more, make)

    def _opened(self, location: str) -> Store:
        """The store in a location."""
        if self.backend != "local":
            return memory.backends.BACKENDS.open(self.backend, location, self.backend_options)
        # An absolute path now: the user may change the working folder before the first call.
        return stores.open_store(location, trusted=self.trust_folder, options=self.backend_options)

    # Any: checked here or by `Options.check`
    def _options(self, ignore: Any, verbose: int | None, mmap_mode: Any, ttl: Any, stale: Any) -> Options:
        """The options that `Memory` has too, or that come in several forms."""
        lives = self.ttl if ttl is None else memory.ttl.parse_ttl(ttl)
        return Options(
            ignore=names(ignore),
            verbose=self.verbose if verbose is None else verbose,
            mmap_mode=self.mmap_mode if mmap_mode is False else mmap_mode,
            user_code=self.user_code,
            compression=self._compression,
            ttl=lives,
            hot_bytes=self.hot_bytes,
            stale=None if stale is None else memory.stale.parse_stale(stale, lives),
        )

    def wrap(self, func: Callable[P, R], options: Options) -> CachedFunction[P, R]:
        """What `cache` makes of a function."""
        if isinstance(func, CachedFunction | memory.UncachedFunction):
            func = func.func
        given: Any = func
        if isinstance(given, _DESCRIPTORS):
            return cast(
                "CachedFunction[P, R]", memory.methods.around(given, lambda inner: self.wrap(inner, options))
            )
        check_function(func)
        if self._keeper is None:
            options.keys_of(func)  # what would be refused with a location is refused without one
            uncached: Any = (
                memory.asynchronous.AsyncUncachedFunction
                if memory.kinds.is_async(func)
                else memory.UncachedFunction
            )
            # Not a CachedFunction, but with all that one has: callers need not know.
            return cast("CachedFunction[P, R]", uncached(func))
        cached: Any = (
            memory.asynchronous.AsyncCachedFunction if memory.kinds.is_async(func) else CachedFunction
        )
        return cast("CachedFunction[P, R]", cached(func, self._keeper, options._replace(limits=self._limits)))


class _Decorator:
    """``memory.cache(...)`` that waits for its function."""

    __slots__ = ("_memory", "_options")

    def __init__(self, memory: Memory, options: Options) -> None:
        options.check()
        self._memory = memory
        self._options = options

    @overload
    def __call__(self, func: D) -> D: ...

    @overload
    def __call__(self, func: Callable[P, R]) -> CachedFunction[P, R]: ...

    def __call__(self, func: Any) -> Any:  # Any: see the overloads
        return self._memory.wrap(func, self._options)


# Any: options travel as they were given.
def _restore(positional: tuple[Any, ...], more: dict[str, Any], make: "MakeStore | None") -> Memory:
    if make is not None:
        memory.backends.BACKENDS.add_new(positional[1], make)
    return Memory(*positional, **more)
