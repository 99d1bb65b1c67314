"""Tasks in the worker: each call is built from its frame when its turn has come, not before."""

from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any, Final

from ...errors import UnpicklableError
from ...protocols import Call
from .channel import Frame
from .wire import NUMBER, STREAM, UNSHIPPED, Placed, entries, load_scalars, rebuild

__all__ = ["Broken", "calls"]

_NO_KEYWORDS: Final[dict[str, Any]] = {}  # Any: arguments; never changed, `f(**{})` copies it


class Broken:
    """Stands for a function that could not be rebuilt in the worker."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


def calls(
    frame: Frame,
    functions: Mapping[int, Any],  # Any: users' functions, or Broken
    place: Callable[[Placed], memoryview],
) -> Callable[[], Call]:
    """What gives the calls of a COLUMNS or STREAM frame, one by one, each built when it is asked for.

    A call that cannot be built raises `UnpicklableError`; the next one can be asked for all the same.
    `place` gives the memory of a buffer.
    """
    if frame.kind == STREAM:
        return _StreamCalls(frame, functions, place).take
    (number,) = NUMBER.unpack_from(frame.body)
    function = functions[number]
    if isinstance(function, Broken):
        return _refuse(function.error)
    columns = load_scalars(frame.body[NUMBER.size :])
    arguments = zip(*columns, strict=True) if columns else repeat((), frame.length)
    return zip(repeat(function), arguments, repeat(_NO_KEYWORDS), strict=False).__next__


def _refuse(error: BaseException) -> Callable[[], Call]:
    def refuse() -> Call:
        raise _cannot_rebuild("function", error) from error

    return refuse


def _cannot_rebuild(what: str, error: BaseException) -> UnpicklableError:
    return UnpicklableError(f"the {what} cannot be rebuilt in the worker: {type(error).__name__}: {error}")


class _StreamCalls:
    def __init__(
        self,
        frame: Frame,
        functions: Mapping[int, Any],  # Any: users' functions, or Broken
        place: Callable[[Placed], memoryview],
    ) -> None:
        table, self._pickles = entries(frame.body)
        self._entries = iter(table)
        self._waiting = list(reversed(frame.buffers))
        self._place = place
        self._functions = functions

    def take(self) -> Call:
        entry = next(self._entries)
        number, count, _ = entry
        # All of them, also if one cannot be placed: the rest must not become those of the next task.
        buffers = [self._waiting.pop() for _ in range(count)]
        function = None if number == UNSHIPPED else self._functions[number]
        try:
            value = rebuild(self._pickles, entry, map(self._place, buffers))
        except (Exception, SystemExit) as error:  # users' code
            raise _cannot_rebuild("arguments", error) from error
        if isinstance(function, Broken):
            raise _cannot_rebuild("function", function.error) from function.error
        if function is None:
            call: Call = value
            return call
        arguments, keywords = value
        return function, arguments, keywords
