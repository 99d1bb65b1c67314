"""Tasks on their way out: batches as frames."""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from ...errors import UnpicklableError
from ...parcel.parcels import split
from ...protocols import Batch, Call
from ..workers.channel import Piece
from ..workers.wire import (
    COLUMNS,
    NUMBER,
    SCALARS,
    STREAM,
    Placed,
    StreamWriter,
    pickle_scalars,
    transpose,
)
from .functions import Shipyard

__all__ = ["EncodedBatch", "EncodedTasks", "TaskEncoder"]


_WEIGHTY: Final = 1 << 20
"""Bytes of an argument from which its tasks leave at the next `wait` only. 200 tasks that share 100 MB take
50 ms in place of 85 to 250, because the array does not travel in the first task's frame as well."""


class EncodedTasks(NamedTuple):
    """Tasks that follow each other, as a frame."""

    kind: int
    start: int
    length: int
    body: Piece
    buffers: Sequence[Placed]
    functions: Sequence[int]
    """Numbers of the functions that the worker must have."""

    def is_weighty(self) -> bool:
        """Whether it pays to wait for a second sight of an array before the first one is sent in full."""
        if not self.buffers:
            return False
        return any(not isinstance(item, int) and item.nbytes >= _WEIGHTY for item in self.buffers)


class EncodedBatch(NamedTuple):
    """A batch as frames, and the tasks of it that cannot travel."""

    frames: list[EncodedTasks]
    failures: list[tuple[int, UnpicklableError]]


class TaskEncoder:
    """Encodes the batches of one session."""

    def __init__(self, shipyard: Shipyard, writer: StreamWriter) -> None:
        self._shipyard = shipyard
        self._writer = writer

    def encode(self, batch: Batch) -> EncodedBatch:
        """The frames of a batch: one, unless some of its tasks cannot travel."""
        frame = self._as_columns(batch)
        if frame is not None:
            return EncodedBatch([frame], [])
        encoded = self._as_stream(batch, self._writer.add)
        if encoded is None:
            encoded = self._as_stream(batch, self._writer.add_by_value)
        assert encoded is not None, "by-value pickles are never refused"
        return encoded

    def _as_columns(self, batch: Batch) -> EncodedTasks | None:
        """``None`` unless all tasks call one stateless function with scalars only, by position."""
        calls = batch.calls
        function = calls[0][0]
        if len(calls) == 1:  # as below, in half the time
            columns = _as_single(calls[0])
        else:
            functions, arguments, keywords = zip(*calls, strict=True)
            if any(keywords) or any(other is not function for other in functions):
                return None
            columns = transpose(arguments)
        if columns is None:
            return None
        try:
            number = self._shipyard.ship(function)
        except (UnpicklableError, SystemExit):
            return None  # the stream reports it, task by task
        if number is None:
            return None
        body = NUMBER.pack(number) + pickle_scalars(columns)
        return EncodedTasks(COLUMNS, batch.start, len(calls), body, (), (number,))

    def _as_stream(self, batch: Batch, add: Callable[..., None]) -> EncodedBatch | None:
        """``None`` if a task that was pickled by reference names ``__main__``."""
        frames: list[EncodedTasks] = []
        failures: list[tuple[int, UnpicklableError]] = []
        start, needed = batch.start, set[int]()
        for index, call in enumerate(batch.calls, batch.start):
            try:
                self._add(call, add, needed)
            # Users' code: it becomes the failure of this task. One that leaves the program while it is taken
            # apart does not mean the caller's; Ctrl-C does.
            except (Exception, SystemExit) as error:  # noqa: BLE001
                failures.append((index, _unpicklable_call(index, call, error)))
                if index > start:
                    frames.append(self._cut(start, index, needed))
                start, needed = index + 1, set()
        if add == self._writer.add and self._writer.names_main():
            self._writer.clear()
            return None
        stop = batch.start + len(batch.calls)
        if stop > start:
            frames.append(self._cut(start, stop, needed))
        return EncodedBatch(frames, failures)

    def _add(self, call: Call, add: Callable[..., None], needed: set[int]) -> None:
        function, arguments, keywords = call
        number = self._shipyard.ship(function)
        if number is None:
            add((function, arguments, keywords))
            return
        add((arguments, keywords), function=number)
        needed.add(number)

    def _cut(self, start: int, stop: int, needed: set[int]) -> EncodedTasks:
        body, buffers = self._writer.take()
        return EncodedTasks(STREAM, start, stop - start, body, buffers, tuple(needed))


def _unpicklable_call(index: int, call: Call, error: BaseException) -> UnpicklableError:
    """The error to report for a task that cannot travel: one that names the part."""
    function, arguments, keywords = call
    parts = {"function": function, "args": arguments, **keywords}
    for name, part in parts.items():
        try:
            split(part, by_value=True, path=name)
        except UnpicklableError as named:
            return _caused(UnpicklableError(f"task {index}: {named}"), error)
        except SystemExit:
            break  # as when it was first pickled
    text = f"task {index}: cannot pickle its arguments: {type(error).__name__}: {error}"
    return _caused(UnpicklableError(text), error)


def _caused(error: UnpicklableError, cause: BaseException) -> UnpicklableError:
    error.__cause__ = cause
    return error


def _as_single(call: Call) -> list[tuple[Any, ...]] | None:
    """The columns of one task, as `transpose` gives them."""
    _, arguments, keywords = call
    if keywords or not SCALARS.issuperset(map(type, arguments)):
        return None
    return [(argument,) for argument in arguments]
