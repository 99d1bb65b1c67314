"""Results on their way back: encoded in the worker, decoded in the parent.

A result that cannot travel is a failure of its task alone. Results of one batch travel together, and each
is what its task returned, whatever the next task does to it: what can be changed is pickled at once, and
large arrays, which are not copied, leave before the next task starts. They go from the worker's memory into
the socket, and from the socket into their final place.
"""

import pickle
import socket
import struct
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple

from ...errors import RemoteTraceback, UnpicklableError
from ...parcel.parcels import join, split
from .channel import Frame, Piece, make_frame, send_all
from .wire import (
    ERROR,
    PARCELS,
    SCALARS,
    TOLD,
    VALUES,
    Placed,
    StreamWriter,
    entries,
    load_scalars,
    pickle_scalars,
    rebuild,
)

__all__ = ["Answers", "Outcome", "outcomes", "scalars"]

_SECONDS = struct.Struct("<d")

_SHORT: Final = 32
"""Items of a tuple up to which looking at each saves time."""

_COPIED: Final = 64 << 10
"""Bytes below which a copy of a buffer costs less than sending it by itself."""


class Outcome(NamedTuple):
    """What a frame says of tasks ``start .. start + len(values) - 1``, or of task `start` if it failed."""

    start: int
    values: Sequence[Any]  # Any: what users' functions return
    error: BaseException | None
    seconds: float


class Answers:
    """The worker's side of one session: results waiting to leave, in the order of their tasks.

    Scalars are appended to `values`, all others given to `add`.
    """

    def __init__(self, connection: socket.socket, session: int) -> None:
        self._socket = connection
        self._session = session
        self._pieces: list[Piece] = []
        self._writer = StreamWriter(self._place)
        self._first = 0  # the task of the oldest result that waits
        self._pickled = 0  # results in the writer, older than those in `values`
        self._refers = False  # to memory of the user's
        self._told: deque[Sequence[Piece]] = deque()  # by any thread
        self._sending = threading.Lock()
        self.values: list[Any] = []
        self.began_ns = 0

    def begin(self, index: int) -> None:
        """The next result will be that of task `index`."""
        self._first = index
        self.began_ns = time.monotonic_ns()

    def add(self, index: int, value: object) -> bool:
        """Take the result of task `index`; whether all must leave before the next task starts."""
        if not self._pickled and _is_frozen(value):
            self.values.append(value)
            return False
        if self._pickled:
            values, self.values = self.values, []
            for scalar in values:
                self._writer.add(scalar)
            self._pickled += len(values)
        else:
            self.gather()
        try:
            self._writer.add(value)
        except BaseException as error:  # noqa: BLE001 - users' code; it becomes the failure of this task
            self.fail(index, _unpicklable_result(index, value, error))
        else:
            self._pickled += 1
        return self._refers

    def gather(self) -> None:
        """Make frames of the results that wait."""
        pickled, values = self._pickled, self.values
        count = pickled + len(values)
        if not count:
            return
        share = self._seconds() / count
        self._pickled, self.values = 0, []
        if pickled:
            self._put(PARCELS, pickled, share, *self._writer.take())
        if values:
            self._put(VALUES, len(values), share, pickle_scalars(values), ())

    def fail(self, index: int, error: BaseException) -> None:
        """Report that task `index` failed, after the results that wait."""
        self.gather()
        body = pickle.dumps((self._seconds(), _encode_error(index, error), _trace(error)))
        self._pieces += make_frame(ERROR, self._session, body, start=index, length=1)
        self._first = index + 1
        _let_go(error)

    def send(self) -> None:
        """Send what was encoded. What tasks printed goes out before their results."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
        pieces, self._pieces, self._refers = self._pieces, [], False
        if pieces:
            with self._sending:
                self._send_told()
                send_all(self._socket, _joined(pieces))
            self._pass_on()

    def tell(self, index: int, what: object) -> None:
        """Send what the runner says of task `index`, at once. From any thread, signal handlers too.

        Raises whatever pickling it raises.
        """
        body = pickle.dumps(what, pickle.HIGHEST_PROTOCOL)
        self._told.append(make_frame(TOLD, self._session, body, start=index))
        self._pass_on()

    def _pass_on(self) -> None:
        # Nobody waits for the lock here: who holds it may be the very code that a signal has interrupted.
        # Instead the holder looks again when it has let go, so nothing stays behind.
        while self._told and self._sending.acquire(blocking=False):
            try:
                self._send_told()
            finally:
                self._sending.release()

    def _send_told(self) -> None:
        while self._told:
            send_all(self._socket, list(self._told.popleft()))

    def _seconds(self) -> float:
        now = time.monotonic_ns()
        seconds = (now - self.began_ns) * 1e-9
        self.began_ns = now
        return seconds

    def _put(self, kind: int, count: int, share: float, body: Piece, buffers: Sequence[Placed]) -> None:
        """One frame with the next `count` results, each of which took `share` seconds."""
        body = _SECONDS.pack(share * count) + body
        self._pieces += make_frame(
            kind, self._session, body, start=self._first, length=count, buffers=buffers
        )
        self._first += count

    def _place(self, buffer: pickle.PickleBuffer) -> memoryview:
        view = buffer.raw()
        if view.nbytes < _COPIED:
            return memoryview(bytes(view))
        self._refers = True
        return view


def _is_frozen(value: object) -> bool:
    """Whether nobody can change the value: a short tuple of scalars."""
    return type(value) is tuple and len(value) <= _SHORT and SCALARS.issuperset(map(type, value))


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


def _unpicklable_result(index: int, value: object, error: BaseException) -> UnpicklableError:
    """The error to report for a result that cannot travel: one that names the part."""
    if isinstance(error, Exception):
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


def _let_go(error: BaseException) -> None:
    """Clear the frames of an error: in a cycle with it they would keep the task's arguments in memory."""
    waiting, seen = [error], set[int]()
    while waiting:
        found = waiting.pop()
        if id(found) not in seen:
            seen.add(id(found))
            traceback.clear_frames(found.__traceback__)
            waiting += [other for other in (found.__cause__, found.__context__) if other is not None]


def _skip_own(trace: TracebackType | None) -> TracebackType | None:
    """Leave out the frames of lightwork at the top, unless there are no others."""
    inner = trace
    while inner is not None and str(inner.tb_frame.f_globals.get("__name__", "")).startswith("lightwork."):
        inner = inner.tb_next
    return inner or trace
