"""Which engine a name means. Each is made when it is first asked for, one per process."""

import threading
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from ..errors import InvalidOption
from ..protocols import Engine
from ..system.forks import after_fork_in_child
from ..system.optional import loaded

__all__ = ["ENGINES", "Engines", "adopted", "engine", "has_options"]

_NONE: Mapping[str, Any] = MappingProxyType({})  # Any: options of engines


# An engine is imported when it is first used: the process pool alone needs a third of the import budget.
def _processes() -> Engine:
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


_MAKERS: dict[str, Callable[..., Engine]] = {
    "dask": _dask,
    "processes": _processes,
    "sequential": _sequential,
    "threads": _threads,
}

_WITH_OPTIONS = frozenset({"dask"})
"""Engines that take options of their own: ``backend="dask", client=...``."""

# joblib's names for the same things.
_ALIASES = {"loky": "processes", "multiprocessing": "processes", "threading": "threads"}


class Engines:
    """The engines of this process by name. Safe to use from several threads.

    A forked child starts with none: the workers of its parent are not its own. The parent's engines are kept
    there unused, since closing what they hold is for their own fork actions to decide.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[str, Engine] = {}
        self._parked: list[dict[str, Engine]] = []
        after_fork_in_child(self._forget)

    def get(self, name: str, options: Mapping[str, Any] = _NONE) -> Engine:
        """The engine of that name, made now if need be; with options a new one that has them.

        Raises
        ------
        InvalidOption
            There is none, and the message lists the names; or it has no such option.
        MissingDependency
            It needs a library that is not installed.
        """
        name = _ALIASES.get(name, name)
        if name not in _MAKERS:
            names = ", ".join(sorted({*_MAKERS, *_ALIASES, "auto"}))
            raise InvalidOption(f"backend={name!r} is not known: give one of {names}, or an Engine")
        if options:
            return _MAKERS[name](**options)
        with self._lock:
            if name not in self._made:
                self._made[name] = _MAKERS[name]()
            return self._made[name]

    def shutdown(self) -> None:
        """Shut down what was made so far. Engines may be used again afterwards."""
        with self._lock:
            made = list(self._made.values())
        for each in made:
            each.shutdown()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._parked.append(self._made)
        self._made = {}


ENGINES = Engines()


def engine(name: str, options: Mapping[str, Any] = _NONE) -> Engine:
    """The engine that a name means: one of ours, or one of joblib's for the same."""
    return ENGINES.get(name, options)


def has_options(name: str) -> bool:
    """Whether an engine takes options of its own."""
    return name in _WITH_OPTIONS


def adopted(workers: object, options: Mapping[str, Any] = _NONE) -> Engine | None:
    """The engine for workers that the user has made: a client of Dask, an executor. ``None`` for all else.

    Raises
    ------
    InvalidOption
        There are options that it has not.
    """
    distributed = loaded("distributed")
    if distributed is not None and isinstance(workers, distributed.Client):
        return _dask(**{"client": workers, **options})
    if isinstance(workers, type) or not callable(getattr(workers, "submit", None)):
        return None
    if options:
        listed = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise InvalidOption(f"backend={type(workers).__name__} has no option {listed}")
    from .futures.executor import ExecutorEngine

    return ExecutorEngine(workers)
