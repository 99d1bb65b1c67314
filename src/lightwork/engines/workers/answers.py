"""Results on their way back: encoded in the worker, decoded in the parent.

A result that cannot travel is a failure of its task alone. Results of one batch travel together, and each
is what its task returned, whatever the next task does to it: what can be changed is pickled at once, and
large arrays, which are not copied, leave before the next task starts. They go from the worker's memory into
the socket, and from the socket into their final place.
"""

import pickle
import struct
import time
import traceback
from array import array
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from ...errors import RemoteTraceback, UnpicklableError
from ...parcel.parcels import join, split
from .channel import Frame, Piece
from .wire import (
    ERROR,
    PARCELS,
    SCALARS,
    VALUES,
    Placed,
    StreamWriter,
    entries,
    load_scalars,
    pickle_scalars,
    rebuild,
)

__all__ = ["Answers", "Outcome", "Put", "Times", "outcomes", "parted", "scalars"]

_TIMES = struct.Struct("<ddqd")
"""At the head of each frame of results: seconds, when the first task began, the slowest task, its seconds."""

_NOBODY: Final = -1  # as the slowest task

_SHORT: Final = 32
"""Items of a tuple up to which looking at each saves time."""

_CURE: Final = "give its class a __reduce__, or call super().__init__ with all arguments of its own __init__"

_COPIED: Final = 64 << 10
"""Bytes below which a copy of a buffer costs less than sending it by itself."""


class Outcome(NamedTuple):
    """What a frame says of tasks ``start .. start + len(values) - 1``, or of task `start` if it failed."""

    start: int
    values: Sequence[Any]  # Any: what users' functions return
    error: BaseException | None
    times: "Times"


Times: TypeAlias = "tuple[float, float, tuple[int, float] | None, Sequence[int] | None]"
"""`Done.seconds`, `began`, `slowest` and `ends`. Plain, since one is made for each frame."""


class Put(Protocol):
    """Takes a frame on its way to the parent. Buffers may refer to memory of the user's."""

    def __call__(
        self,
        kind: int,
        body: Piece,
        *,
        flag: int = 0,
        start: int = 0,
        length: int = 0,
        buffers: Sequence[Placed] = (),
    ) -> None: ...


class Answers:
    """The worker's side of one session: results waiting to be put into frames, in the order of their tasks.

    Scalars are appended to `values`, all others given to `add`.
    """

    def __init__(self, put: Put) -> None:
        self._put = put
        self._writer = StreamWriter(self._place)
        self._first = 0  # the task of the oldest result that waits
        self._pickled = 0  # results in the writer, older than those in `values`
        self._refers = False  # to memory of the user's
        self._slowest = _NOBODY
        self._base = 0  # the task of the first item in `ends`
        self.values: list[Any] = []
        self.began_ns = 0
        self.longest_ns = 0
        """Of the tasks that ended since the last results were gathered."""
        self.is_timed = False
        self.copies = False
        """Whether large buffers are copied, as they will not leave before the next task."""

        self.ends: array[int] | None = None
        """When each task since `begin` ended, if the session wants to know."""

    def begin(self, index: int) -> None:
        """The next result will be that of task `index`."""
        self._first = self._base = index
        self.ends = array("q") if self.is_timed else None
        self.began_ns = time.monotonic_ns()

    def note_slowest(self, index: int, nanoseconds: int) -> None:
        """Task `index` took longer than all before it."""
        self._slowest, self.longest_ns = index, nanoseconds

    def add(self, index: int, value: object, *, began: int) -> bool:
        """Take the result of task `index`; whether all must leave before the next task starts.

        `began` (ns): when the task did, so that its time is not taken for that of tasks before it.
        """
        if not self._pickled and _is_frozen(value):
            self.values.append(value)
            return False
        if self._pickled:
            values, self.values = self.values, []
            for scalar in values:
                self._writer.add(scalar)
            self._pickled += len(values)
        else:
            self.gather(began)
        try:
            self._writer.add(value)
        except BaseException as error:  # noqa: BLE001 - users' code; it becomes the failure of this task
            self.fail(index, _unpicklable_result(index, value, error), began=began)
        else:
            self._pickled += 1
        return self._refers

    def gather(self, until: int | None = None) -> None:
        """Make frames of the results that wait, the last of which was there at `until` (ns), or is now."""
        pickled, values = self._pickled, self.values
        count = pickled + len(values)
        if not count:
            return
        began = self.began_ns * 1e-9
        share = self._seconds(until) / count
        self._pickled, self.values, self._refers = 0, [], False
        if pickled:
            self._put_results(PARCELS, pickled, began, share, *self._writer.take())
        if values:
            self._put_results(VALUES, len(values), began + share * pickled, share, pickle_scalars(values), ())
        self._slowest, self.longest_ns = _NOBODY, 0

    def fail(self, index: int, error: BaseException, *, began: int) -> None:
        """Report that task `index`, which `began` then (ns), failed, after the results that wait."""
        self.gather(began)
        since = self.began_ns * 1e-9
        body = pickle.dumps((self._seconds(), since, _encode_error(error), _trace(error)))
        self._put(ERROR, body, start=index, length=1)
        self._first = index + 1
        _let_go(error)

    def _seconds(self, until: int | None = None) -> float:
        now = time.monotonic_ns() if until is None else until
        seconds = (now - self.began_ns) * 1e-9
        self.began_ns = now
        return seconds

    def _put_results(
        self, kind: int, count: int, began: float, share: float, body: Piece, buffers: Sequence[Placed]
    ) -> None:
        """One frame with the next `count` results, each of which took `share` seconds."""
        first = self._first
        head = _TIMES.pack(share * count, began, self._slowest, self.longest_ns * 1e-9)
        if self.ends is not None:
            head += self.ends[first - self._base : first - self._base + count].tobytes()
        self._put(kind, head + body, flag=int(self.is_timed), start=first, length=count, buffers=buffers)
        self._first += count

    def _place(self, buffer: pickle.PickleBuffer) -> memoryview:
        view = buffer.raw()
        if view.nbytes < _COPIED:
            return memoryview(bytes(view))
        if self.copies:
            return memoryview(bytearray(view))
        self._refers = True
        return view


def _is_frozen(value: object) -> bool:
    """Whether nobody can change the value: a short tuple of scalars."""
    return type(value) is tuple and len(value) <= _SHORT and SCALARS.issuperset(map(type, value))


def scalars(frame: Frame) -> Outcome:
    """What a VALUES frame says: by far the most frequent kind, so it has the short way."""
    times, body = parted(frame)
    return Outcome(frame.start, load_scalars(body), None, times)


def outcomes(frame: Frame) -> Iterator[Outcome]:
    """What a PARCELS or ERROR frame says, in the order of the tasks."""
    if frame.kind == ERROR:
        seconds, began, parcel, text = pickle.loads(frame.body)
        error = _decode_error(frame.start, parcel, text)
        yield Outcome(frame.start, (), error, (seconds, began, None, None))
    else:
        yield from _rebuilt(frame)


def _rebuilt(frame: Frame) -> Iterator[Outcome]:
    times, body = parted(frame)
    table, pickles = entries(body)
    buffers = iter([item for item in frame.buffers if not isinstance(item, int)])
    first, count, start, values = frame.start, len(table), 0, []
    for place, entry in enumerate(table):
        try:
            values.append(rebuild(pickles, entry, buffers))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - users' code; it fails this task alone
            if values:
                yield Outcome(first + start, values, None, _part(times, start, place, count))
            broken = _broken_result(first + place, error)
            yield Outcome(first + place, (), broken, _part(times, place, place + 1, count))
            start, values = place + 1, []
    if values:
        yield Outcome(first + start, values, None, _part(times, start, count, count) if start else times)


def parted(frame: Frame) -> tuple[Times, memoryview]:
    """What the head of a frame of results says, and the rest of the frame."""
    seconds, began, slowest, longest = _TIMES.unpack_from(frame.body)
    at, ends = _TIMES.size, None
    if frame.flag:
        ends = array("q", bytes(frame.body[at : at + 8 * frame.length]))
        at += 8 * frame.length
    is_known = frame.start <= slowest < frame.start + frame.length
    return (seconds, began, (slowest, longest) if is_known else None, ends), frame.body[at:]


def _part(times: Times, start: int, stop: int, of: int) -> Times:
    """Those of the results ``start .. stop - 1`` of so many."""
    seconds, began, _, ends = times
    share = seconds / of
    return share * (stop - start), began + share * start, None, ends and ends[start:stop]


class _ErrorParcel(NamedTuple):
    """An error on its way. Travels as a plain tuple."""

    skeleton: bytes | None
    """``None``: the error itself cannot travel."""

    buffers: list[bytearray]
    is_bare: bool
    """The skeleton holds what `_bare` takes, since the class cannot be called with the error's ``args``."""

    description: str
    kinds: tuple[str, ...]
    """Its classes by name, see `UnpicklableError.kinds`."""

    reason: str = ""
    """Why it cannot travel, and what helps."""


def _encode_error(error: BaseException) -> tuple[Any, ...]:
    described = (
        _describe(error),
        tuple(f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__),
    )
    try:
        whole = _rebuildable(error)
    except _Unloadable as failed:
        reason = f"it can be pickled, but loading it failed with {failed}: {_CURE}"
    except Exception as exc:  # noqa: BLE001 - users' code; the description goes instead
        reason = f"{exc} (give the error's class a __reduce__ that leaves this out)"
    else:
        return _ErrorParcel(*whole, *described)[:]
    return _ErrorParcel(None, [], False, *described, reason)[:]


def _rebuildable(error: BaseException) -> tuple[bytes, list[bytearray], bool]:
    """Skeleton and buffers that were loaded once, and whether they are those of a bare error."""
    parcel = split(error, by_value=True, path="error")
    buffers = [bytearray(buffer) for buffer in parcel.buffers]
    try:
        join(parcel.skeleton, buffers)  # many exceptions can be pickled and not be built again
    except Exception as exc:  # noqa: BLE001 - users' code; the error is built without its constructor
        failed = _Unloadable(_describe(exc))
    else:
        return parcel.skeleton, buffers, False
    try:
        # What the builtin class says, whatever a class of the user's has put over it.
        parcel = split(_builtin(type(error)).__reduce__(error), by_value=True, path="error")
        buffers = [bytearray(buffer) for buffer in parcel.buffers]
        _bare(*join(parcel.skeleton, buffers))
    except Exception:  # noqa: BLE001 - users' code; what was wrong at first is told
        raise failed from None
    return parcel.skeleton, buffers, True


class _Unloadable(Exception):
    """An error can be pickled and not be loaded; the message says why."""


def _builtin(kind: type[BaseException]) -> Any:  # Any: its methods are called on instances of others
    """The builtin class that an exception class is derived from."""
    return next(base for base in kind.__mro__ if base.__module__ == "builtins")


def _bare(
    kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any] | None = None
) -> BaseException:
    """An error made by a builtin constructor, which sets what is no attribute, and given its attributes."""
    error: BaseException = kind.__new__(kind, *args)
    _builtin(kind).__init__(error, *args)
    for name, value in (state or {}).items():
        object.__setattr__(error, name, value)  # a frozen dataclass allows no other way
    return error


def _decode_error(index: int, fields: tuple[Any, ...], text: str) -> BaseException:
    parcel = _ErrorParcel(*fields)
    error: object = None
    reason = parcel.reason
    if parcel.skeleton is not None:
        try:
            error = join(parcel.skeleton, parcel.buffers)
            error = _bare(*error) if parcel.is_bare else error  # type: ignore[misc]  # made by `_rebuildable`
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - users' code; the description goes instead
            reason = f"loading it failed here, though not in the worker ({_describe(exc)})"
    if not isinstance(error, BaseException):
        error = UnpicklableError(
            f"task {index} raised {parcel.description}; the error itself is missing: {reason}"
        )
        error.kinds = parcel.kinds
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


def _broken_result(index: int, error: BaseException) -> UnpicklableError:
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
