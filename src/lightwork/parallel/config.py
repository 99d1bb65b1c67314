"""Where a parallel call runs: explicit arguments, then `parallel_config`, then the defaults."""

import sys
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from types import MappingProxyType, TracebackType
from typing import Any, NamedTuple, SupportsInt

from .. import parallel  # its `preloading` is loaded by who names modules
from ..engines.registry import ENGINES, adopted, engine, has_options
from ..errors import InvalidOption
from ..protocols import Engine, SupportsSubmit, supports
from ..system import log
from ..system.figures import whole
from .options import (
    Unset,
    check_choice,
    default_n_jobs,
    parse_mmap_mode,
    parse_n_jobs,
    parse_verbose,
    refuse_memmapping,
    refuse_unknown,
)
from .task import nesting_level

__all__ = [
    "Place",
    "Settings",
    "active_settings",
    "choose",
    "effective_n_jobs",
    "parallel_backend",
    "parallel_config",
]

_PREFER = ("processes", "threads", None)
_REQUIRE = ("sharedmem", None)
_BY_LEVEL = ("processes", "threads", "sequential")
"""What a call runs on if nobody says: processes, in their tasks threads, and below those nothing parallel."""

VERBOSE = Unset(0)
TEMP_FOLDER = Unset(None)
MAX_NBYTES = Unset("1M")
MMAP_MODE = Unset("c")
PREFER = Unset(None)
REQUIRE = Unset(None)
INNER = Unset(None)

_NONE: Mapping[str, Any] = MappingProxyType({})  # Any: options of engines


class Settings(NamedTuple):
    """What `parallel_config` has set; `None` or an `Unset` stands for what it has not."""

    backend: Engine | None = None
    n_jobs: int | None = None
    verbose: int | Unset = VERBOSE
    prefer: str | Unset | None = PREFER
    require: str | Unset | None = REQUIRE
    inner_max_num_threads: int | None = None
    initializer: Callable[..., object] | None = None
    initargs: tuple[Any, ...] = ()  # Any: arguments of the user's function
    mmap_mode: str | Unset | None = MMAP_MODE
    preload: tuple[str, ...] = ()
    level: int = 0
    """The nesting level it was made at: tasks do not see the settings of the call that runs them."""


class Place(NamedTuple):
    """Where a call runs."""

    engine: Engine
    n_jobs: int
    """As asked for: negative numbers count back from the number of cores."""


_ACTIVE: ContextVar[Settings] = ContextVar("lightwork_parallel_config", default=Settings())  # noqa: B039 - immutable


def active_settings() -> Settings:
    """The settings that hold for a call that is made here."""
    settings, level = _ACTIVE.get(), nesting_level()
    return settings if settings.level == level else Settings(level=level)


def choose(
    backend: object,
    n_jobs: SupportsInt | str | None,
    prefer: str | Unset | None,
    require: str | Unset | None,
    options: Mapping[str, Any] = _NONE,
    *,
    needs_processes: bool = False,
) -> Place:
    """The engine and the number of workers of a call. Hints (`prefer`) yield to a backend that was named.

    `options` are those of the engine alone, which has to be named with them. What only processes can do
    decides where nobody has said a word: in tasks too, where threads are the rule.
    """
    settings = active_settings()
    require_given = not isinstance(require, Unset)
    prefer = given(settings.prefer if isinstance(prefer, Unset) else prefer)
    require = given(settings.require if isinstance(require, Unset) else require)
    check_choice("prefer", prefer, _PREFER)
    check_choice("require", require, _REQUIRE)
    if prefer == "processes" and require == "sharedmem":
        raise InvalidOption(
            'prefer="processes" and require="sharedmem" exclude each other: leave one of them out'
        )
    number = None if n_jobs is None else parse_n_jobs(n_jobs)
    shared = require == "sharedmem"
    if backend is not None:
        chosen = _resolve(backend, options, needs_processes=needs_processes)
        if shared and require_given and not chosen.shares_memory:
            raise InvalidOption(
                f'backend={chosen.name!r} does not support shared memory, which require="sharedmem" asks'
            )
        return Place(chosen, number or settings.n_jobs or default_n_jobs(chosen))
    refuse_unknown("Parallel", options)
    named = settings.backend is not None or settings.level > 0
    is_free = needs_processes and not shared and prefer != "threads"
    active = settings.backend or _by_level(settings.level, needs_processes=is_free)
    if not active.shares_memory and (shared or (prefer == "threads" and not named)):
        # As in joblib: the number that was configured was meant for processes.
        return Place(engine("threads"), number or 1)
    if active.shares_memory and prefer == "processes" and not named:
        active = engine("processes")
    return Place(active, number or settings.n_jobs or default_n_jobs(active))


def _resolve(
    backend: object,
    options: Mapping[str, Any] = _NONE,
    name: str = "Parallel",
    *,
    needs_processes: bool = False,
) -> Engine:
    """The engine that is meant by `backend`. Any: options that it checks itself, if it has any."""
    if isinstance(backend, str) and backend != "auto":
        if options and not has_options(backend):
            refuse_unknown(name, options)
        return engine(backend, options)
    found = None if backend == "auto" or supports(backend, Engine) else adopted(backend, options)
    if found is not None:
        return found
    refuse_unknown(name, options)
    if backend == "auto":
        return engine("processes" if needs_processes else _by_build(nesting_level()))
    if supports(backend, Engine) and not isinstance(backend, type):
        return backend
    raise InvalidOption(
        f"backend={backend!r} is neither the name of a backend nor an Engine, nor an executor"
    )


def _by_level(level: int, *, needs_processes: bool) -> Engine:
    """What a call runs on that is so deep in others, if nobody says."""
    if level == 0:
        return ENGINES.default()
    return engine("processes" if needs_processes else _BY_LEVEL[min(level, 2)])


def _by_build(level: int) -> str:
    """What ``backend="auto"`` means at a nesting level."""
    name = _BY_LEVEL[min(level, 2)]
    reason = f"the call is {level} deep in others"
    if level == 0:
        # As it is now: a library that was not made for it turns the lock on again.
        has_lock = getattr(sys, "_is_gil_enabled", _always)()
        name = "processes" if has_lock else "threads"
        reason = f"this interpreter runs {'one thread at a time' if has_lock else 'threads in parallel'}"
    log.info("backend='auto' is %r: %s", name, reason)
    return name


def _always() -> bool:
    """Interpreters that do not say have the lock."""
    return True


def effective_n_jobs(n_jobs: SupportsInt | str | None = -1) -> int:
    """How many workers a call with this `n_jobs` would have here, ``>= 1``.

    Parameters
    ----------
    n_jobs
        As for `Parallel`; ``None`` asks for what `parallel_config` has set.
    """
    place = choose(None, n_jobs, None, None)
    return 1 if place.n_jobs == 1 else place.engine.effective_n_jobs(place.n_jobs)


class parallel_config:
    """Set defaults for the `Parallel` calls of this thread, from now on or for a ``with`` block.

    It takes effect when it is constructed; `unregister`, or the end of the block, brings back what was there
    before. Options that are not given are inherited from an enclosing `parallel_config`; arguments of
    `Parallel` have precedence. Other threads, and the tasks of a call, are not affected.

    Parameters
    ----------
    backend
        ``"processes"`` (``"loky"``, ``"multiprocessing"``), ``"threads"`` (``"threading"``),
        ``"sequential"``, ``"auto"``, ``"dask"``, ``"ray"``, a registered name, or an object, see `Parallel`.
    n_jobs, verbose, prefer, require, mmap_mode
        As for `Parallel`.
    inner_max_num_threads, initializer, initargs
        As for `Parallel`. Only together with `backend`.
    preload
        As for `Parallel`.
    temp_folder, max_nbytes
        Accepted with their defaults only, see `Parallel`.
    **options
        Of the backend alone, see `Parallel`.

    Raises
    ------
    InvalidOption
        Before anything was set.
    """

    def __init__(
        self,
        backend: str | Engine | SupportsSubmit | None = None,
        *,
        n_jobs: SupportsInt | str | None = None,
        verbose: int | Unset = VERBOSE,
        temp_folder: object = TEMP_FOLDER,
        max_nbytes: object = MAX_NBYTES,
        mmap_mode: str | Unset | None = MMAP_MODE,
        prefer: str | Unset | None = PREFER,
        require: str | Unset | None = REQUIRE,
        inner_max_num_threads: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),  # Any: arguments of the user's function
        preload: Iterable[str] | None = None,
        **options: Any,  # Any: each backend has its own
    ) -> None:
        if backend is None:
            refuse_unknown("parallel_config", options)
        refuse_memmapping(given(temp_folder), given(max_nbytes))
        parse_mmap_mode(given(mmap_mode))
        check_choice("prefer", given(prefer), _PREFER)
        check_choice("require", given(require), _REQUIRE)
        for name, value in (("inner_max_num_threads", inner_max_num_threads), ("initializer", initializer)):
            if value is not None and backend is None:
                raise InvalidOption(f"{name}={value!r} is only supported when backend is not None")
        threads = parse_inner(inner_max_num_threads)
        args = check_initializer(initializer, initargs)
        names = None if preload is None else parallel.preloading.parse_preload(preload)
        outer = active_settings()
        self._before = _ACTIVE.get()
        self.settings = Settings(
            backend=outer.backend if backend is None else _resolve(backend, options, "parallel_config"),
            n_jobs=outer.n_jobs if n_jobs is None else parse_n_jobs(n_jobs),
            verbose=outer.verbose if isinstance(verbose, Unset) else parse_verbose(verbose),
            prefer=outer.prefer if isinstance(prefer, Unset) else prefer,
            require=outer.require if isinstance(require, Unset) else require,
            inner_max_num_threads=threads or outer.inner_max_num_threads,
            initializer=initializer or outer.initializer,
            initargs=args if initializer else outer.initargs,
            mmap_mode=outer.mmap_mode if isinstance(mmap_mode, Unset) else mmap_mode,
            preload=outer.preload if names is None else names,
            level=nesting_level(),
        )
        _ACTIVE.set(self.settings)

    def unregister(self) -> None:
        """Bring back what was set when this was constructed."""
        _ACTIVE.set(self._before)

    def __enter__(self) -> dict[str, object]:
        return self.settings._asdict()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.unregister()


class parallel_backend(parallel_config):
    """The older form of `parallel_config`: a backend, and how many workers.

    Parameters
    ----------
    backend
        As for `parallel_config`, and required.
    n_jobs
        As for `Parallel`. Without it all workers that there are, whatever an enclosing block has set.
    inner_max_num_threads, **options
        As for `parallel_config`.

    Raises
    ------
    InvalidOption
        Before anything was set.
    """

    def __init__(
        self,
        backend: str | Engine | SupportsSubmit,
        n_jobs: SupportsInt | str = -1,
        inner_max_num_threads: int | None = None,
        **options: Any,  # Any: each backend has its own
    ) -> None:
        if backend is None:
            raise InvalidOption("backend=None: give a backend, or use parallel_config")
        super().__init__(backend, n_jobs=n_jobs, inner_max_num_threads=inner_max_num_threads, **options)

    def __enter__(self) -> tuple[Engine | None, int | None]:  # type: ignore[override]  # as in joblib
        """The backend and the number of workers."""
        return self.settings.backend, self.settings.n_jobs


def given(value: object) -> Any:  # Any: what the option is
    """The value of an option, or its default."""
    return value.default if isinstance(value, Unset) else value


def either(value: object, configured: object) -> Any:  # Any: what the option is
    """The value of an option of a call: its own, else the configured one, else its default."""
    return given(configured if isinstance(value, Unset) else value)


def check_initializer(initializer: object, initargs: Iterable[Any]) -> tuple[Any, ...]:
    """The arguments for an initializer. Refuses what cannot be called, and arguments without it."""
    if initializer is not None and not callable(initializer):
        raise InvalidOption(f"initializer={initializer!r} cannot be called: give a function")
    if not isinstance(initargs, Iterable):
        raise InvalidOption(f"initargs={initargs!r}: give a tuple of arguments for the initializer")
    args = tuple(initargs)
    if args and initializer is None:
        raise InvalidOption(f"initargs={args!r}: there is no initializer= that they could be given to")
    return args


def parse_inner(threads: object) -> int | None:
    """A limit for inner threads, ``>= 1``, or ``None`` for no limit."""
    if threads is None:
        return None
    number = whole(threads)
    if number is None or number < 1:
        raise InvalidOption(f"inner_max_num_threads={threads!r}: give a positive number of threads")
    return number
