"""``trace="run.json"``: what ran where and when, in the Chrome trace format, for Perfetto or ``chrome://tracing``.

While the call runs a `Recording` keeps what engines tell, per batch: eight bytes per task, and the text of a
call that took a millisecond or longer. The file is made from it when the call has ended.

Source
------
"Trace Event Format", Google: docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
Complete events (``X``), instant events (``i``), metadata (``M``); times in microseconds.
"""

import json
import os
from array import array
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from ..errors import InvalidOption
from ..protocols import Batch, Call, Done, Failed, Lost, Report
from ..system.atomic import atomic_writer
from .failures import brief
from .window import Window

__all__ = ["Recording", "check_path", "write_trace"]

_INPUT: Final = 1
_PICKLING: Final = 2
_FIRST_WORKER: Final = 10
_NANO: Final = 1e-9
_LONG_NS: Final = 1_000_000
"""Tasks that took as long have a text of their own."""


class _Slice(NamedTuple):
    row: int
    begin: float
    end: float
    name: str
    args: dict[str, object]


class _Stretch(NamedTuple):
    """Tasks that one worker ran one after the other."""

    slot: int
    start: int
    began: float
    ends: "array[int]"  # nanoseconds
    name: str
    texts: dict[int, str]
    """By index, of those that are not called `name`."""


class Recording:
    """What is needed to draw a call. Written by the thread that drives the call."""

    def __init__(self) -> None:
        self._slices: list[_Slice] = []
        self._stretches: list[_Stretch] = []
        self._losses: list[tuple[int, float, str]] = []  # slot, moment, why

    def sent(self, batch: Batch, begin: float, end: float) -> None:
        """The parent pickled a batch."""
        args: dict[str, object] = {"first": batch.start, "tasks": len(batch.calls)}
        self._slices.append(_Slice(_PICKLING, begin, end, "pickling", args))

    def read(self, start: int, count: int, begin: float, end: float) -> None:
        """The parent read tasks from the input."""
        self._slices.append(_Slice(_INPUT, begin, end, "input", {"first": start, "tasks": count}))

    def ran(self, index: int, call: Call, begin: float, end: float, error: BaseException | None) -> None:
        """A task ran in the thread of the parent."""
        self._task(0, index, call, begin, end, error)

    def took(self, report: Report, calls: Window[Call], now: float) -> None:
        """A worker reported. `calls` still holds the tasks of the report."""
        if isinstance(report, Done):
            self._done(report, calls.get(report.start, report.start + len(report.values)), now)
        elif isinstance(report, Failed):
            call = calls.get(report.index, report.index + 1)[0]
            began = now - report.seconds if report.began is None else report.began
            self._task(report.slot, report.index, call, began, began + report.seconds, report.error)
        elif isinstance(report, Lost):
            self._losses.append((report.slot, now, str(report.error)))

    def _done(self, report: Done, calls: Sequence[Call], now: float) -> None:
        slot, start, _, seconds, began, _, ends = report
        if began is None:
            began = now - seconds
        if len(calls) == 1:
            self._task(slot, start, calls[0], began, began + seconds, None)
        elif ends is None:
            args: dict[str, object] = {"first": start, "tasks": len(calls)}
            row, name = _FIRST_WORKER + slot, f"{brief(calls[0], 0.0)} and {len(calls) - 1} more"
            self._slices.append(_Slice(row, began, began + seconds, name, args))
        else:
            self._stretches.append(_stretch(slot, start, began, array("q", ends), calls))

    def _task(
        self, slot: int, index: int, call: Call, begin: float, end: float, error: BaseException | None
    ) -> None:
        args: dict[str, object] = {"index": index}
        if error is not None:
            args["error"] = type(error).__name__
        self._slices.append(_Slice(_FIRST_WORKER + slot, begin, end, brief(call, end - begin), args))

    def slices(self) -> Iterator[_Slice]:
        """All that took some time, by row and time."""
        parts = sorted(self._slices, key=lambda part: part[:2])
        yield from (part for part in parts if part.row < _FIRST_WORKER)
        tasks = [part for part in parts if part.row >= _FIRST_WORKER]
        for stretch in self._stretches:
            tasks += _tasks(stretch)
        yield from sorted(tasks, key=lambda part: part[:2])

    def losses(self) -> list[tuple[int, float, str]]:
        """Row, moment and reason of each death of a worker."""
        return [(_FIRST_WORKER + slot, moment, reason) for slot, moment, reason in self._losses]


def _stretch(slot: int, start: int, began: float, ends: "array[int]", calls: Sequence[Call]) -> _Stretch:
    first = calls[0][0]
    name, texts = brief(calls[0], 0.0), {}
    if not all(call[0] is first for call in calls):
        texts = {start + offset: brief(call, 0.0) for offset, call in enumerate(calls)}
    before = int(began / _NANO)
    for offset, end in enumerate(ends):
        if end - before >= _LONG_NS:
            texts[start + offset] = brief(calls[offset], (end - before) * _NANO)
        before = end
    return _Stretch(slot, start, began, ends, name, texts)


def _tasks(stretch: _Stretch) -> Iterator[_Slice]:
    row, begin = _FIRST_WORKER + stretch.slot, stretch.began
    for index, nanoseconds in enumerate(stretch.ends, stretch.start):
        end = nanoseconds * _NANO
        yield _Slice(row, begin, end, stretch.texts.get(index, stretch.name), {"index": index})
        begin = end


def check_path(trace: object) -> str | None:
    """The path as text; ``None`` for no trace.

    Raises
    ------
    InvalidOption
        It is no path, or its folder is not there.
    """
    if trace is None:
        return None
    if isinstance(trace, bytes) or not isinstance(trace, str | os.PathLike):
        raise InvalidOption(f"trace={trace!r}: give the path of a file to write, or None")
    path = os.path.abspath(os.fspath(trace))
    folder = os.path.dirname(path)
    if not os.path.isdir(folder) or os.path.isdir(path):
        raise InvalidOption(f"trace={trace!r}: give a file in a folder that is there")
    return path


def write_trace(path: str, recording: Recording, *, began: float, slots: int, title: str) -> None:
    """Write the file, whole or not at all.

    Parameters
    ----------
    began
        The moment that becomes 0, seconds of `time.monotonic`.
    slots
        Workers of the call: each has a row, also one that ran nothing.
    title
        Of the call.

    Raises
    ------
    OSError
        As from `open` and `write`.
    """
    with atomic_writer(path, sync=False) as file:
        head = {"displayTimeUnit": "ms", "otherData": {"title": title}}
        opening = json.dumps(head)[:-1] + ', "traceEvents": [\n'
        chunk = [opening, ",\n".join(map(json.dumps, _rows(slots, title)))]
        for event in _events(recording, began):
            chunk.append(event)
            if len(chunk) > 4096:
                file.write("".join(chunk).encode())
                chunk.clear()
        file.write(("".join(chunk) + "\n]}\n").encode())


def _rows(slots: int, title: str) -> Iterator[dict[str, object]]:
    pid = os.getpid()
    names = {_INPUT: "input (parent)", _PICKLING: "pickling (parent)"}
    names |= {_FIRST_WORKER + slot: f"worker {slot}" for slot in range(slots)}
    yield {"name": "process_name", "ph": "M", "pid": pid, "tid": _INPUT, "args": {"name": title}}
    for row, name in names.items():
        yield {"name": "thread_name", "ph": "M", "pid": pid, "tid": row, "args": {"name": name}}
        yield {"name": "thread_sort_index", "ph": "M", "pid": pid, "tid": row, "args": {"sort_index": row}}


def _events(recording: Recording, began: float) -> Iterator[str]:
    pid, row, last = os.getpid(), 0, 0.0
    kinds = {_INPUT: "input", _PICKLING: "pickling"}
    for part in recording.slices():
        if part.row != row:
            row, last = part.row, 0.0
        # Two slices of a row that overlap by rounding would be drawn as one inside the other.
        begin = max(part.begin - began, last)
        last = max(part.end - began, begin)
        yield (
            f',\n{{"name": {json.dumps(part.name)}, "cat": "{kinds.get(row, "task")}", "ph": "X", '
            f'"ts": {begin * 1e6:.3f}, "dur": {(last - begin) * 1e6:.3f}, "pid": {pid}, "tid": {row}, '
            f'"args": {json.dumps(part.args)}}}'
        )
    for row, moment, reason in recording.losses():
        yield ",\n" + json.dumps(
            {
                "name": "worker died",
                "ph": "i",
                "s": "t",
                "ts": round((moment - began) * 1e6, 3),
                "pid": pid,
                "tid": row,
                "args": {"reason": reason},
            }
        )
