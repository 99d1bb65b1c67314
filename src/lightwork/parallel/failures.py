"""Tasks that failed: what stands in their place, and the note that says which they were."""

import contextlib
import reprlib
from typing import Any, NamedTuple

from .. import parallel
from ..errors import UnpicklableError
from ..protocols import Call
from .task import Resumed

__all__ = [
    "Failure",
    "add_note",
    "all_of",
    "brief",
    "describe",
    "kind_of",
    "no_end",
    "not_a_call",
]

_LIMIT = 200  # characters of a note
_LONG = 1e-3  # seconds of a call that is worth the 10 µs that its arguments take to write down
_PLAIN = frozenset({bool, bytearray, bytes, complex, float, int, range, slice, str, type(None), type(...)})
_SHAPED = frozenset({"numpy", "pandas", "polars", "scipy", "torch"})


class Failure(NamedTuple):
    """A task without a result, in the place of its result (``on_error="return"``)."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    """Place of the task in the input, from 0."""

    error: BaseException
    """What it raised, or `WorkerDied`. ``raise failure.error`` raises it with its own traceback."""

    attempts: int
    """How many times it was sent to a worker."""

    def _repr_html_(self) -> str:
        return parallel.picture.fragment_of_failure(self)


class _Brief(reprlib.Repr):
    """`reprlib` without a single call of a user's ``__repr__``: it may be slow, or fail in its turn."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = 4
        self.maxlevel = 3

    def repr1(self, x: object, level: int) -> str:
        kind = type(x)
        if kind in _PLAIN:
            return self.repr_str(x, level) if isinstance(x, str) else _cut(repr(x), self.maxother)
        if kind in (tuple, list, dict, set, frozenset):
            return super().repr1(x, level)
        return self.repr_instance(x, level)

    def repr_instance(self, x: object, level: int) -> str:
        kind = type(x)
        if kind.__module__.partition(".")[0] in _SHAPED:
            # Any: a table or an array of a known library, whose `shape` and `dtype` are cheap.
            return _shaped(kind.__name__, x)
        name = getattr(x, "__qualname__", None) if kind.__module__ == "builtins" else None
        return name if isinstance(name, str) else f"<{kind.__name__}>"


def describe(index: int, call: Call) -> str:
    """``"task 5: f(3, ndarray(float64, (10, 2)))"``, at most 200 characters, without running users' code."""
    return _cut(f"task {index}: {_text(call)}", _LIMIT)


def brief(call: Call, seconds: float) -> str:
    """The call as `describe` writes it; without its arguments if it took less than a millisecond."""
    return _cut(_text(call), _LIMIT) if seconds >= _LONG else f"{_name(call[0])}(...)"


def add_note(error: BaseException, note: str) -> None:
    """Put the note on the error, once."""
    if note in getattr(error, "__notes__", ()):
        return
    # An exception class may forbid new attributes (a frozen dataclass does). Its own error must not be
    # replaced by ours, so the note is what gets lost.
    with contextlib.suppress(AttributeError, TypeError):
        error.add_note(note)


def no_end(error: BaseException) -> None:
    """Refuse an error of a task that would look like the end of the generator that raises it.

    Raises
    ------
    RuntimeError
        It is a `StopIteration` or `StopAsyncIteration`; caused by it, and with its notes.
    """
    if isinstance(error, (StopIteration, StopAsyncIteration)):
        notes = getattr(error, "__notes__", ())
        refused = RuntimeError(f"a task raised {type(error).__name__}: {'; '.join(notes) or error}")
        raise refused from error


def kind_of(error: BaseException) -> str:
    """The name of the class of an error, or of the one that it stands for."""
    kinds = error.kinds if isinstance(error, UnpicklableError) else ()
    return kinds[0].rpartition(".")[2] if kinds else type(error).__name__


def all_of(errors: list[BaseException], tasks: int) -> BaseException:
    """The errors of a call as one, for ``except*``; each carries the note that names its task."""
    return BaseExceptionGroup(f"{len(errors)} of {tasks} tasks failed", errors)


def not_a_call(index: int, call: object) -> TypeError:
    """The error for a task that is no call. Usually ``delayed`` was forgotten."""
    return TypeError(
        f"task {index} is of type {type(call).__name__}, not a call: write delayed(f)(x), not f(x)"
    )


def _text(call: Call) -> str:
    function, args, kwargs = call
    if isinstance(function, Resumed):  # the key is none of the user's arguments
        args = args[1:]
    short = _Brief()
    parts = [short.repr(value) for value in args[:8]]
    parts += [f"{name}={short.repr(value)}" for name, value in list(kwargs.items())[:8]]
    if len(args) > 8 or len(kwargs) > 8:
        parts.append("...")
    return f"{_name(function)}({', '.join(parts)})"


def _name(function: object) -> str:
    if isinstance(function, Resumed):
        return _name(function.function)
    for name in ("__qualname__", "__name__"):
        found = getattr(function, name, None)
        if isinstance(found, str):
            return found
    return type(function).__name__


def _shaped(name: str, value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None:
        return f"<{name}>"
    if shape == () and dtype is not None:
        return _cut(str(value), 30)  # a numpy scalar prints as its number
    return f"{name}({dtype}, {tuple(shape)})" if dtype is not None else f"{name}({tuple(shape)})"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
