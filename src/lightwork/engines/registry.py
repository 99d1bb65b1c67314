"""Which engine a name means. Each is made when it is first asked for, one per process."""

import sys
import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from ..errors import InvalidOption
from ..protocols import Engine, supports
from ..system.forks import after_fork_in_child
from ..system.optional import loaded

__all__ = [
    "ENGINES",
    "Engines",
    "MakeBackend",
    "adopted",
    "engine",
    "has_options",
    "register_parallel_backend",
]

_NONE: Mapping[str, Any] = MappingProxyType({})  # Any: options of engines

# Any: options of whatever kind the user's function takes, and objects of a protocol that is joblib's.
MakeBackend: TypeAlias = Callable[..., Any]
"""Makes an `Engine`, an executor, or a backend as joblib has them: a class, or a function."""


# An engine is imported when it is first used: the process pool alone needs a third of the import budget.
def _processes() -> Engine:
    if not sys.platform.startswith("linux"):
        from .spawned import SpawnedEngine

        return SpawnedEngine()
    from .processes import ProcessEngine

    return ProcessEngine()


def _sequential() -> Engine:
    from .sequential import SequentialEngine

    return SequentialEngine()


def _threads() -> Engine:
    from .threads import ThreadEngine

    return ThreadEngine()


def _dask(**options: Any) -> Engine:  # Any: the engine checks them
    from .futures.dask import DaskEngine

    return DaskEngine(**options)


def _ray(**options: Any) -> Engine:  # Any: as above
    from .futures.ray import RayEngine

    return RayEngine(**options)


_MAKERS: dict[str, Callable[..., Engine]] = {
    "dask": _dask,
    "processes": _processes,
    "ray": _ray,
    "sequential": _sequential,
    "threads": _threads,
}

_WITH_OPTIONS = frozenset({"dask", "ray"})
"""Engines that take options of their own: ``backend="dask", client=...``."""

# joblib's names for the same things.
_ALIASES = {"loky": "processes", "multiprocessing": "processes", "threading": "threads"}

_OWN_NAMES: Final = frozenset({*_MAKERS, *_ALIASES, "auto"})
_DEFAULT: Final = "processes"


class Engines:
    """The engines of this process by name. Safe to use from several threads.

    A forked child starts with none: the workers of its parent are not its own. The parent's engines are kept
    there unused, since closing what they hold is for their own fork actions to decide. What was registered is
    known there too.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Engine] = {}
        self._parked: list[dict[str, Engine]] = []
        self._registered: dict[str, MakeBackend] = {}
        self._default = _DEFAULT
        after_fork_in_child(self._forget)

    def get(self, name: str, options: Mapping[str, Any] = _NONE) -> Engine:
        """The engine of that name, made now if need be; with options (see `has_options`) a new one.

        Raises
        ------
        InvalidOption
            There is none, and the message lists the names; or it has no such option.
        MissingDependency
            It needs a library that is not installed.
        """
        name = _ALIASES.get(name, name)
        if options:
            return self._make(name, options)
        with self._lock:
            made = self._made.get(name)
        if made is not None:
            return made
        made = self._make(name, options)  # perhaps users' code, which may ask for another engine
        with self._lock:
            return self._made.setdefault(name, made)

    def default(self) -> Engine:
        """The engine of calls that name none and are not made in a task."""
        return self.get(self._default)

    def register(self, name: str, make: MakeBackend, *, make_default: bool) -> None:
        """Know a name from now on, in the place of what was registered under it before.

        Raises
        ------
        InvalidOption
            The name is one of lightwork's own.
        """
        if name in _OWN_NAMES:
            raise InvalidOption(f"name={name!r} is the name of a backend of lightwork: choose another one")
        with self._lock:
            self._registered[name] = make
            self._made.pop(name, None)
            if make_default:
                self._default = name

    def is_registered(self, name: str) -> bool:
        """Whether a name is not one of lightwork's own."""
        return name in self._registered

    def shutdown(self) -> None:
        """Shut down what was made so far. Engines may be used again afterwards."""
        with self._lock:
            made = list(self._made.values())
        for each in made:
            each.shutdown()

    def _make(self, name: str, options: Mapping[str, Any]) -> Engine:
        if name in _MAKERS:
            return _MAKERS[name](**options)
        if name in self._registered:
            return _registered(name, self._registered[name], options)
        names = ", ".join(sorted({*_OWN_NAMES, *self._registered}))
        raise InvalidOption(
            f"backend={name!r} is not known: give one of {names}, or an Engine, or register yours with "
            "lightwork.register_parallel_backend"
        )

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._parked.append(self._made)
        self._made = {}


ENGINES = Engines()


def engine(name: str, options: Mapping[str, Any] = _NONE) -> Engine:
    """The engine that a name means: one of lightwork's, of joblib's names for those, or a registered one."""
    return ENGINES.get(name, options)


def has_options(name: str) -> bool:
    """Whether an engine takes options of its own."""
    return name in _WITH_OPTIONS or ENGINES.is_registered(name)


def adopted(workers: object, options: Mapping[str, Any] = _NONE) -> Engine | None:
    """The engine for workers that the user has made; ``None`` for anything else.

    They are a client of Dask, a backend as joblib has them, or an executor.

    Raises
    ------
    InvalidOption
        There are options that it has not.
    """
    distributed = loaded("distributed")
    if distributed is not None and isinstance(workers, distributed.Client):
        return _dask(**{"client": workers, **options})
    if isinstance(workers, type) or not (_can(workers, "submit") or _can(workers, "apply_async")):
        return None
    name = type(workers).__name__
    if options:
        listed = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise InvalidOption(f"backend={name} has no option {listed}")
    if _can(workers, "configure"):
        return _joblib(workers, name)
    from .futures.executor import ExecutorEngine

    return ExecutorEngine(workers) if _can(workers, "submit") else None


def register_parallel_backend(name: str, factory: MakeBackend, make_default: bool = False) -> None:
    """Make a place where calls run known as ``Parallel(backend=name)``, in this process.

    Parameters
    ----------
    name
        What ``backend=`` will call it. One that was registered before is replaced; those of lightwork, and
        joblib's names for them, cannot be.
    factory
        Called when the name is first used, as ``factory(**options)`` with the options that `Parallel` or
        `parallel_config` were given for it. It makes a `lightwork.protocols.Engine`, an executor, or a
        backend with joblib's protocol; classes derived from joblib's ``ParallelBackendBase`` will do. Of
        those backends each call makes one of its own. What was made without options is kept.
    make_default
        Calls that name no backend, and are not made in a task, use this one from now on.

    Raises
    ------
    InvalidOption
        No text for a name, a name that cannot be replaced, or nothing that can be called. What the factory
        makes is looked at when the name is used.

    Notes
    -----
    `lightwork.testing.engines.EngineSuite` is the exam of an engine.
    """
    given: Any = name
    if not isinstance(given, str) or not given:
        raise InvalidOption(f"name={given!r}: give the text that backend= will take")
    if not callable(factory):
        raise InvalidOption(f"factory={factory!r} makes no backends: give a class, or a function")
    ENGINES.register(given, factory, make_default=make_default)


def _registered(name: str, make: MakeBackend, options: Mapping[str, Any]) -> Engine:
    made = make(**options)
    if supports(made, Engine) and not isinstance(made, type):
        return made
    if _can(made, "configure") and not isinstance(made, type):
        return _joblib(made, name, lambda: make(**options))
    engine = adopted(made)
    if engine is None:
        raise InvalidOption(
            f"backend={name!r}: its factory has made {made!r}, which is neither an Engine, nor an executor, "
            "nor a backend as joblib has them"
        )
    return engine


def _joblib(backend: object, name: str, make: MakeBackend | None = None) -> Engine:
    from .joblib_protocol import JoblibEngine, missing_methods

    missing = missing_methods(backend)
    if missing:
        raise InvalidOption(f"backend={backend!r} is no backend as joblib has them: it has no {missing}")
    return JoblibEngine(backend, name=name, make=make)


def _can(workers: object, method: str) -> bool:
    return callable(getattr(workers, method, None))
