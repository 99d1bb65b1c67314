"""What a worker finds as it is where the call was made: variables, filters, contexts, levels.

All is put in place before the first task of a session and put back after its last: nothing is done per task.
Workers import this module if there is something to put in place. The caller's side is `taken`.
"""

import builtins
import functools
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol, TypeAlias

from ..protocols import Run, Tell
from ..system import log
from ..system.optional import on_demand, require
from .contexts import CONTEXTS, Setter

__all__ = [
    "Back",
    "Decimals",
    "Errors",
    "Filters",
    "Levels",
    "Part",
    "Registered",
    "Shared",
    "Surroundings",
    "Variable",
]

Back: TypeAlias = Callable[[], object]
"""Puts something back as it was."""


class Part(Protocol):
    """One thing of the caller's surroundings, on its way."""

    def put(self) -> Back | None:
        """Put it in place here."""


_BACK: ContextVar[list[Back]] = ContextVar("lightwork_back")
"""What has to be put back, for each thread of a session. Set anew by each `enter`."""


class Surroundings:
    """All parts together. A `Layer`."""

    __slots__ = ("_parts",)

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(parts)

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Put all parts in place; if one fails, none is."""
        back: list[Back] = []
        _BACK.set(back)
        try:
            for part in self._parts:
                undo = part.put()
                if undo is not None:
                    back.append(undo)
        except BaseException:
            self.leave()
            raise
        return inner

    def leave(self) -> None:
        """Put back what was there before, the last first."""
        back = _BACK.get()
        while back:
            back.pop()()


class Variable(NamedTuple):
    """A context variable and its value: the parcel of ``((find, arguments), value)``."""

    name: str
    skeleton: bytes
    buffers: list[bytearray]

    def put(self) -> Back | None:
        try:
            # The module of the variable is imported for this. It may be missing here, or the value's class.
            (find, arguments), value = pickle.loads(self.skeleton, buffers=self.buffers)
            variable: ContextVar[Any] = find(*arguments)  # Any: the user's value
        except Exception as error:  # noqa: BLE001 - users' code; the tasks run as if the variable were not set
            log.debug("the context variable %r stays as it is in this worker: %r", self.name, error)
            return None
        token = variable.set(value)
        return lambda: variable.reset(token)


class Filters(NamedTuple):
    """The warning filters. Not for threads, which share them."""

    data: str
    """The pickle of ``warnings.filters``, with module and qualified name of each category. In hexadecimal,
    since a text ``__main__`` in the runner's pickle would have it pickled again, by value."""

    def put(self) -> Back:
        before = list(warnings.filters)
        _filter(_filters(self.data))
        return lambda: _filter(before)


@functools.lru_cache(maxsize=4)
def _filters(data: str) -> list[Any]:  # Any: as `warnings` has them
    # Those of one call and the next are the same, as a rule, and patterns take long to build.
    return [
        (action, message, _category(*kind), module, line)
        for action, message, kind, module, line in pickle.loads(bytes.fromhex(data))
    ]


def _filter(filters: Sequence[Any]) -> None:  # Any: as `warnings` has them
    warnings.filters[:] = filters  # type: ignore[index]  # a Sequence for typeshed, a list for the documentation
    with warnings.catch_warnings():  # which lets the C code notice
        pass


class _Named(type):
    """A class that has all classes of one name for subclasses, wherever and whenever they are made.

    So a filter can wait for a warning of a library that this worker may never load.
    """

    target: tuple[str, str]

    def __subclasscheck__(cls, other: type) -> bool:
        return any((base.__module__, base.__qualname__) == cls.target for base in other.__mro__)


def _category(module: str, name: str) -> type:
    if module == "builtins":
        found: type = getattr(builtins, name)
        return found
    return _Named(name, (Warning,), {"target": (module, name)})


class Decimals(NamedTuple):
    """The context of `decimal`. A copy for each worker and thread: who computes changes its flags."""

    context: Any  # Any: decimal.Context, if that is loaded

    def put(self) -> Back:
        decimal = on_demand("decimal")
        before = decimal.getcontext()
        decimal.setcontext(self.context.copy())
        return lambda: decimal.setcontext(before)


class Errors(NamedTuple):
    """What numpy does about floating-point errors (``numpy.errstate``)."""

    states: Mapping[str, str]
    function: Any  # Any: what `numpy.seterrcall` takes

    def put(self) -> Back:
        numpy = require("numpy", purpose="numpy.errstate in a worker", extra="numpy")
        before = Errors(numpy.geterr(), numpy.geterrcall())
        self._set(numpy)
        return lambda: before._set(numpy)

    def _set(self, numpy: Any) -> None:  # Any: the module
        numpy.seterr(**self.states)
        numpy.seterrcall(self.function)


class Levels(NamedTuple):
    """The levels of loggers (the root's under ``""``), and what `logging` has disabled. Not for threads."""

    levels: Mapping[str, int]
    disabled: int

    def put(self) -> Back:
        logging = on_demand("logging")
        loggers = {name: logging.getLogger(name) for name in self.levels}
        before = Levels(
            {name: logger.level for name, logger in loggers.items()}, logging.root.manager.disable
        )
        self._set(logging)
        return lambda: before._set(logging)

    def _set(self, logging: Any) -> None:  # Any: the module
        logging.disable(self.disabled)
        for name, level in self.levels.items():
            logging.getLogger(name).setLevel(level)


class Shared(NamedTuple):
    """A registered context, for threads."""

    setter: Setter
    value: Any  # Any: the user's

    def put(self) -> None:
        self.setter(self.value)


class Registered(NamedTuple):
    """A registered context: the parcel of ``(getter, setter, value)``."""

    name: str
    skeleton: bytes
    buffers: list[bytearray]

    def put(self) -> None:
        getter, setter, value = pickle.loads(self.skeleton, buffers=self.buffers)
        CONTEXTS.add(self.name, getter, setter)  # for the calls that tasks make
        setter(value)
