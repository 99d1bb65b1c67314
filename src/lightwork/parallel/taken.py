"""The surroundings of a call that its tasks should find too: looked at here, put in place by `surroundings`.

What is as a new worker has it anyway stays behind: looking costs microseconds per call, and the workers learn
nothing of it.
"""

import functools
import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextvars import Context, ContextVar, copy_context
from typing import TYPE_CHECKING, Any, Final

from .. import parallel, parcel  # the parts of both are loaded when there is something to take along
from ..system import log
from ..system.optional import loaded

if TYPE_CHECKING:
    from .contexts import Getter, Setter
    from .surroundings import Decimals, Errors, Filters, Levels, Part, Registered, Surroundings, Variable

__all__ = ["has_handlers", "surroundings"]

_LARGEST: Final = 64 << 10
"""Bytes of a pickled variable. What is larger is no setting but data, and belongs into the arguments."""

_NOT_SENT: Final = frozenset({"decimal_context", "numpy.ufunc.extobj"})
"""Variables of C modules, by their own names: what they hold travels as `Decimals` and `Errors`."""

_OURS: Final = "lightwork_"

_STAY: Final = frozenset(
    {
        "_decimal",
        "_pydecimal",
        "aiohttp",
        "anyio",
        "asgiref",
        "asyncio",
        "celery",
        "contextvars",
        "decimal",
        "django",
        "fastapi",
        "flask",
        "gevent",
        "gradio",
        "ipykernel",
        "IPython",
        "lightwork",
        "litestar",
        "numpy",
        "quart",
        "sanic",
        "sniffio",
        "starlette",
        "streamlit",
        "tornado",
        "trio",
        "twisted",
        "uvicorn",
        "werkzeug",
        "zmq",
    }
)
"""Packages whose variables stand for an event loop, a request or a kernel of this very process."""

_FILTERS: Final = [
    ("default", None, DeprecationWarning, "__main__", 0),
    ("ignore", None, DeprecationWarning, None, 0),
    ("ignore", None, PendingDeprecationWarning, None, 0),
    ("ignore", None, ImportWarning, None, 0),
    ("ignore", None, ResourceWarning, None, 0),
]
"""What Python starts with."""

_NUMPYS: Final = frozenset(f"numpy.{kind} size changed" for kind in ("dtype", "ndarray", "ufunc"))
"""The beginnings of warnings that numpy tells Python to ignore."""

_ERRORS: Final = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn"}
_DECIMALS: Final = (28, "ROUND_HALF_EVEN", -999999, 999999, 1, 0)
_TRAPS: Final = frozenset({"InvalidOperation", "DivisionByZero", "Overflow"})
_WARNING: Final = 30
"""``logging.WARNING``, the root's level if nobody sets one."""


def surroundings(*, shares_memory: bool, alone: bool = True) -> "Surroundings | None":
    """What differs here from a new worker, or from a new thread; ``None`` if nothing does.

    What a process has once (warning filters, levels of loggers) is left out unless a task is `alone` in its.

    Raises
    ------
    UnpicklableError
        A registered context cannot travel; the message names it. A variable that cannot is left out, with one
        record of level DEBUG for all of them.
    """
    context = copy_context()
    parts: list[Part] = [*_decimals(context, shared=shares_memory), *_errors(shared=shares_memory)]
    if shares_memory:
        parts += [parallel.surroundings.Shared(setter, getter()) for _, getter, setter in _contexts()]
    else:
        parts += _variables(context)
        if alone:
            parts += [*_filters(), *_levels()]
        parts += _registered()
    return parallel.surroundings.Surroundings(parts) if parts else None


def has_handlers() -> bool:
    """Whether this process has set up what becomes of log records."""
    logging = loaded("logging")
    if logging is None:
        return False
    if logging.root.handlers:
        return True
    loggers = list(logging.root.manager.loggerDict.values())
    return any(
        not isinstance(handler, logging.NullHandler)
        for logger in loggers
        for handler in getattr(logger, "handlers", ())  # those that were only named have none
    )


def _decimals(context: Context, *, shared: bool) -> "Iterator[Decimals]":
    decimal = loaded("decimal")
    if decimal is None:
        return
    mine = [value for variable, value in context.items() if variable.name == "decimal_context"]
    current = mine[0] if mine else decimal.DefaultContext
    values = (current.prec, current.rounding, current.Emin, current.Emax, current.capitals, current.clamp)
    traps = {signal.__name__ for signal, trapped in current.traps.items() if trapped}
    # A thread begins with the variables of the caller, hence with his very context: it gets a copy of it.
    if (shared and mine) or values != _DECIMALS or traps != _TRAPS:
        clean = current.copy()
        clean.clear_flags()
        yield parallel.surroundings.Decimals(clean)


def _errors(*, shared: bool) -> "Iterator[Errors]":
    numpy = loaded("numpy")
    if numpy is None:
        return
    states, function = numpy.geterr(), numpy.geterrcall()
    if function is not None and not shared and parcel.parcels.split_small(function, _LARGEST) is None:
        log.debug("the function of numpy.seterrcall does not reach the workers: %r", function)
        function = None
        states = {kind: "warn" if state in ("call", "log") else state for kind, state in states.items()}
    if states != _ERRORS or function is not None:
        yield parallel.surroundings.Errors(states, function)


def _variables(context: Context) -> "Iterator[Variable]":
    behind: list[str] = []
    for variable, value in context.items():
        if variable.name in _NOT_SENT or variable.name.startswith(_OURS):
            continue
        place = parcel.variables.VARIABLES.place(variable)
        if place is None:
            behind.append(f"{variable.name} (in no module)")
        elif place[0].partition(".")[0] not in _STAY:
            taken = _pickled(variable, value)
            if taken is None:
                behind.append(".".join(place))
            else:
                yield taken
    if behind:
        log.debug("context variables that do not reach the workers: %s", ", ".join(behind))


def _pickled(variable: ContextVar[Any], value: object) -> "Variable | None":
    """``None`` for what does not travel."""
    taken = parcel.parcels.split_small((parcel.variables.reduce_variable(variable), value), _LARGEST)
    if taken is None:
        return None
    buffers = [bytearray(buffer) for buffer in taken.buffers]
    return parallel.surroundings.Variable(variable.name, taken.skeleton, buffers)


def _filters() -> "Iterator[Filters]":
    filters: Sequence[Any] = warnings.filters  # Any: typeshed has no type for their patterns
    if filters != _FILTERS and [one for one in filters if not _is_numpys(*one)] != _FILTERS:
        yield _pickled_filters(tuple(filters))


def _is_numpys(action: str, message: Any, category: type, module: object, line: int) -> bool:
    """Whether numpy sets a filter when it is imported, in any process. Any: a pattern or None."""
    if message is None:
        return category.__name__ == "RankWarning" and action == "always"
    return action == "ignore" and getattr(message, "pattern", None) in _NUMPYS


@functools.lru_cache(maxsize=4)
def _pickled_filters(filters: tuple[Any, ...]) -> "Filters":  # Any: as above
    # The same from call to call, as a rule.
    named = [
        (action, message, (category.__module__, category.__qualname__), module, line)
        for action, message, category, module, line in filters
    ]
    return parallel.surroundings.Filters(pickle.dumps(named, pickle.HIGHEST_PROTOCOL).hex())


def _levels() -> "Iterator[Levels]":
    logging = loaded("logging")
    if logging is None:
        return
    manager = logging.root.manager
    levels = {
        name: logger.level
        for name, logger in list(manager.loggerDict.items())
        if getattr(logger, "level", 0)  # those that were only named have none
    }
    if logging.root.level != _WARNING:
        levels[""] = logging.root.level
    if levels or manager.disable:
        yield parallel.surroundings.Levels(levels, manager.disable)


def _registered() -> "Iterator[Registered]":
    for name, getter, setter in _contexts():
        taken = parcel.parcels.split((getter, setter, getter()), by_value=True, path=f"the context {name!r}")
        yield parallel.surroundings.Registered(
            name, taken.skeleton, [bytearray(buffer) for buffer in taken.buffers]
        )


def _contexts() -> "list[tuple[str, Getter, Setter]]":
    contexts = loaded("lightwork.parallel.contexts")
    return [] if contexts is None else contexts.CONTEXTS.all()  # nothing was registered before it was loaded
