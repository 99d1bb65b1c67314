"""Results on their way back: encoded in the worker, decoded in the parent.

A result that cannot travel is a failure of its task alone. Results of one batch are gathered, encoded in
one frame where they can be, and copied once: large arrays go from the worker's memory into the socket, and
from the socket into their final place.
"""

import pickle
import socket
import struct
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, NamedTuple

from ...errors import RemoteTraceback, UnpicklableError
from ...parcel.parcels import join, split
from .channel import Frame, Piece, make_frame, send_all
from .page import NOBODY, RUNNING
from .wire import (
    ERROR,
    PARCELS,
    VALUES,
    StreamWriter,
    entries,
    is_plain,
    load_scalars,
    pickle_scalars,
    rebuild,
)

__all__ = ["Answers", "Outcome", "outcomes", "scalars"]

_SECONDS = struct.Struct("<d")


class Outcome(NamedTuple):
    """What a frame says of tasks ``start .. start + len(values) - 1``, or of task `start` if it failed."""

    start: int
    values: Sequence[Any]  # Any: what users' functions return
    error: BaseException | None
    seconds: float


class Answers:
    """The worker's side of one session. Values are gathered in `values`, from the task `first` on."""

    def __init__(self, connection: socket.socket, session: int, words: memoryview) -> None:
        self._socket = connection
        self._session = session
        self._words = words
        self._pieces: list[Piece] = []
        self._writer = StreamWriter(lambda buffer: buffer.raw())
        self.values: list[Any] = []
        self.first = 0
        self.began_ns = 0

    def begin(self, index: int) -> None:
        """The next value will be that of task `index`."""
        self.first = index
        self.began_ns = time.monotonic_ns()

    def gather(self) -> None:
        """Encode the values gathered so far; the next one belongs to the task after them."""
        values = self.values
        if not values:
            return
        seconds = self._seconds()
        self.values = []
        if is_plain(values):
            body = _SECONDS.pack(seconds) + pickle_scalars(values)
            self._pieces += make_frame(VALUES, self._session, body, start=self.first, length=len(values))
        else:
            self._gather_parcels(values, seconds)
        self.first += len(values)

    def fail(self, index: int, error: BaseException) -> None:
        """Report that task `index` failed. Values gathered before must have been encoded."""
        body = pickle.dumps((self._seconds(), _encode_error(index, error), _trace(error)))
        self._pieces += make_frame(ERROR, self._session, body, start=index, length=1)

    def send(self) -> None:
        """Send what was encoded. What tasks printed goes out before their results."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        pieces, self._pieces = self._pieces, []
        if pieces:
            send_all(self._socket, _joined(pieces))

    def _seconds(self) -> float:
        now = time.monotonic_ns()
        seconds = (now - self.began_ns) * 1e-9
        self.began_ns = now
        return seconds

    def _gather_parcels(self, values: list[Any], seconds: float) -> None:
        writer, share = self._writer, seconds / len(values)
        start = self.first
        for index, value in enumerate(values, self.first):
            # Who takes a value apart runs its code: if that kills the worker, this task did it.
            self._words[RUNNING] = index
            try:
                writer.add(value)
            except Exception as error:  # noqa: BLE001 - users' code; it becomes the failure of this task
                self._cut(start, index, share)
                self.fail(index, _unpicklable_result(index, value, error))
                start = index + 1
        self._cut(start, self.first + len(values), share)
        self._words[RUNNING] = NOBODY

    def _cut(self, start: int, stop: int, share: float) -> None:
        """One frame with the values that are in the writer."""
        body, buffers = self._writer.take()
        if stop > start:
            body = _SECONDS.pack(share * (stop - start)) + body
            self._pieces += make_frame(
                PARCELS, self._session, body, start=start, length=stop - start, buffers=buffers
            )


def scalars(frame: Frame) -> Outcome:
    """What a VALUES frame says: by far the most frequent kind, so it has the short way."""
    (seconds,) = _SECONDS.unpack_from(frame.body)
    return Outcome(frame.start, load_scalars(frame.body[_SECONDS.size :]), None, seconds)


def outcomes(frame: Frame) -> Iterator[Outcome]:
    """What a PARCELS or ERROR frame says, in the order of the tasks."""
    if frame.kind == ERROR:
        seconds, parcel, text = pickle.loads(frame.body)
        yield Outcome(frame.start, (), _decode_error(frame.start, parcel, text), seconds)
        return
    (seconds,) = _SECONDS.unpack_from(frame.body)
    body = frame.body[_SECONDS.size :]
    yield from _rebuilt(frame, body, seconds)


def _rebuilt(frame: Frame, body: memoryview, seconds: float) -> Iterator[Outcome]:
    table, pickles = entries(body)
    buffers = iter([item for item in frame.buffers if not isinstance(item, int)])
    share, start, values = seconds / len(table), frame.start, []
    for index, entry in enumerate(table, frame.start):
        try:
            values.append(rebuild(pickles, entry, buffers))
        except Exception as error:  # noqa: BLE001 - users' code; it becomes the failure of this task
            if values:
                yield Outcome(start, values, None, share * len(values))
            yield Outcome(index, (), _broken_result(index, error), share)
            start, values = index + 1, []
    if values:
        yield Outcome(start, values, None, share * len(values))


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Small pieces side by side: one piece costs the kernel more than copying a few hundred bytes."""
    if all(len(piece) < 4096 for piece in pieces):
        return [b"".join(pieces)]
    return pieces


class _ErrorParcel(NamedTuple):
    skeleton: bytes | None
    """``None``: the error itself cannot travel."""

    buffers: list[bytearray]
    description: str


def _encode_error(index: int, error: BaseException) -> tuple[bytes | None, list[bytearray], str]:
    description = _describe(error)
    try:
        parcel = split(error, by_value=True, path="error")
        buffers = [bytearray(buffer) for buffer in parcel.buffers]
        join(parcel.skeleton, buffers)  # many exceptions can be pickled and not be built again
    except Exception:  # noqa: BLE001 - users' code; the description goes instead
        return _ErrorParcel(None, [], description)[:]
    return _ErrorParcel(parcel.skeleton, buffers, description)[:]


def _decode_error(index: int, fields: tuple[bytes | None, list[bytearray], str], text: str) -> BaseException:
    parcel = _ErrorParcel(*fields)
    error: BaseException | None = None
    reason = "it cannot be pickled"
    if parcel.skeleton is not None:
        try:
            error = join(parcel.skeleton, parcel.buffers)
        except Exception as exc:  # noqa: BLE001 - users' code; the description goes instead
            reason = f"it cannot be rebuilt here ({_describe(exc)})"
    if not isinstance(error, BaseException):
        error = UnpicklableError(
            f"task {index} raised {parcel.description}; the error itself is missing: {reason}"
        )
    error.__cause__ = RemoteTraceback(text)
    return error


def _unpicklable_result(index: int, value: object, error: Exception) -> UnpicklableError:
    """The error to report for a result that cannot travel: one that names the part."""
    try:
        split(value, by_value=True, path="result")
    except UnpicklableError as named:
        return UnpicklableError(f"task {index}: {named}")
    return UnpicklableError(f"task {index}: cannot pickle result: {_describe(error)}")


def _broken_result(index: int, error: Exception) -> UnpicklableError:
    broken = UnpicklableError(f"task {index}: its result cannot be rebuilt here: {_describe(error)}")
    broken.__cause__ = error
    return broken


def _describe(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - users' code; the type alone must do
        text = ""
    return f"{type(error).__name__}: {text}"[:500]


def _trace(error: BaseException) -> str:
    """The traceback as text, from the user's function on."""
    try:
        lines = traceback.format_exception(type(error), error, _skip_own(error.__traceback__))
    except Exception as exc:  # noqa: BLE001 - users' code in __str__ or a source that cannot be read
        return f"{_describe(error)}\n(its traceback cannot be printed: {_describe(exc)})\n"
    return "".join(lines)


def _skip_own(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of lightwork at the top, unless there are no others."""
    inner = trace
    while inner is not None and str(inner.tb_frame.f_globals.get("__name__", "")).startswith("lightwork."):
        inner = inner.tb_next
    return inner or trace
