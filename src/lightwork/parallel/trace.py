"""``trace="run.json"``: what ran where and when, in the Chrome trace format, for Perfetto or ``chrome://tracing``.

While the call runs a `Recording` keeps what engines tell, per batch: eight bytes per task, and the text of a
call that took a millisecond or longer. The file is made from it when the call has ended. The report of the
call is in it too, where the format leaves room for it (``otherData``); `traced` reads it all.

Source
------
"Trace Event Format", Google: docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
Complete events (``X``), instant events (``i``), counters (``C``), metadata (``M``); times in microseconds.
"""

import json
import os
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple, TypeAlias

from ..errors import InvalidOption
from ..protocols import Batch, Call, Done, Failed, Lost, Report
from ..system.atomic import atomic_writer
from .failures import brief
from .report import Report as Summary
from .window import Window

__all__ = ["Recording", "check_path", "write_trace"]

_INPUT: Final = 1
_PICKLING: Final = 2
_FIRST_WORKER: Final = 10
_KINDS: Final = {_INPUT: "input", _PICKLING: "pickling"}
_NANO: Final = 1e-9
_LONG_NS: Final = 1_000_000
"""Tasks that took as long have a text of their own."""


_Slice: TypeAlias = tuple[int, float, float, str, str]
"""Row, begin, end, name, and arguments as JSON."""


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
        self._parent: list[_Slice] = []
        self._tasks: list[_Slice] = []
        self._stretches: list[_Stretch] = []
        self._losses: list[tuple[int, float, str]] = []  # row, moment, why

    def sent(self, batch: Batch, begin: float, end: float) -> None:
        """The parent pickled a batch."""
        self._parent.append((_PICKLING, begin, end, "pickling", _range(batch.start, len(batch.calls))))

    def read(self, start: int, count: int, begin: float, end: float) -> None:
        """The parent read tasks from the input."""
        self._parent.append((_INPUT, begin, end, "input", _range(start, count)))

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
            self._losses.append((_FIRST_WORKER + report.slot, now, str(report.error)))

    def _done(self, report: Done, calls: Sequence[Call], now: float) -> None:
        slot, start, _, seconds, began, _, ends = report
        if began is None:
            began = now - seconds
        if len(calls) == 1:
            self._task(slot, start, calls[0], began, began + seconds, None)
        elif ends is None:
            name = f"{brief(calls[0], 0.0)} and {len(calls) - 1} more"
            args = _range(start, len(calls))
            self._tasks.append((_FIRST_WORKER + slot, began, began + seconds, name, args))
        else:
            self._stretches.append(_stretch(slot, start, began, array("q", ends), calls))

    def _task(
        self, slot: int, index: int, call: Call, begin: float, end: float, error: BaseException | None
    ) -> None:
        args = f'{{"index": {index}}}'
        if error is not None:
            args = json.dumps({"index": index, "error": type(error).__name__})
        self._tasks.append((_FIRST_WORKER + slot, begin, end, brief(call, end - begin), args))

    def slices(self) -> Iterator[_Slice]:
        """All that took some time, by row and time."""
        yield from sorted(self._parent)
        yield from sorted(chain(self._tasks, *map(_tasks, self._stretches)))

    def losses(self) -> list[tuple[int, float, str]]:
        """Row, moment and reason of each death of a worker."""
        return self._losses


def _range(start: int, count: int) -> str:
    return f'{{"first": {start}, "tasks": {count}}}'


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
        yield row, begin, end, stretch.texts.get(index, stretch.name), f'{{"index": {index}}}'
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
    if "\0" in path or not os.path.isdir(folder) or os.path.isdir(path):
        raise InvalidOption(f"trace={trace!r}: give a file in a folder that is there")
    return path


def write_trace(path: str, recording: Recording, *, began: float, title: str, report: Summary) -> None:
    """Write the file, whole or not at all.

    Parameters
    ----------
    began
        The moment that becomes 0, seconds of `time.monotonic`.
    title
        Of the call.
    report
        Of the call. Each worker in it has a row, also one that ran nothing.

    Raises
    ------
    OSError
        As from `open` and `write`.
    """
    with atomic_writer(path, sync=False) as file:
        head = {"displayTimeUnit": "ms", "otherData": {"title": title, "report": _summary(report)}}
        opening = json.dumps(head)[:-1] + ', "traceEvents": [\n'
        chunk = [opening, ",\n".join(map(json.dumps, _rows(report.n_jobs, title)))]
        for event in chain(_events(recording, began), _counters(report)):
            chunk.append(event)
            if len(chunk) > 4096:
                file.write("".join(chunk).encode())
                chunk.clear()
        file.write(("".join(chunk) + "\n]}\n").encode())


def _summary(report: Summary) -> dict[str, Any]:  # Any: what json takes
    """What the events do not tell."""
    workers = [worker._replace(runs=())._asdict() for worker in report.workers]
    slowest = [slow._asdict() for slow in report.slowest]
    told = report._replace(memory=())._asdict()
    return {**told, "phases": report.phases._asdict(), "workers": workers, "slowest": slowest}


def _rows(slots: int, title: str) -> Iterator[dict[str, object]]:
    pid = os.getpid()
    names = {_INPUT: "input (parent)", _PICKLING: "pickling (parent)"}
    names |= {_FIRST_WORKER + slot: f"worker {slot}" for slot in range(slots)}
    yield {"name": "process_name", "ph": "M", "pid": pid, "tid": _INPUT, "args": {"name": title}}
    for row, name in names.items():
        yield {"name": "thread_name", "ph": "M", "pid": pid, "tid": row, "args": {"name": name}}
        yield {"name": "thread_sort_index", "ph": "M", "pid": pid, "tid": row, "args": {"sort_index": row}}


def _events(recording: Recording, began: float) -> Iterator[str]:
    pid, last_row, last = os.getpid(), 0, 0.0
    names: dict[str, str] = {}  # as JSON: there are few
    for row, begin, end, name, args in recording.slices():
        if row != last_row:
            last_row, last = row, 0.0
        # Two slices of a row that overlap by rounding would be drawn as one inside the other.
        begin = max((begin - began) * 1e6, last)
        last = max((end - began) * 1e6, begin)
        text = names.get(name) or names.setdefault(name, json.dumps(name))
        yield (
            f',\n{{"name": {text}, "cat": "{_KINDS.get(row, "task")}", "ph": "X", "ts": {begin:.3f}, '
            f'"dur": {last - begin:.3f}, "pid": {pid}, "tid": {row}, "args": {args}}}'
        )
    for row, moment, reason in recording.losses():
        event = {"name": "worker died", "ph": "i", "s": "t", "ts": round((moment - began) * 1e6, 3)}
        yield ",\n" + json.dumps(event | {"pid": pid, "tid": row, "args": {"reason": reason}})


def _counters(report: Summary) -> Iterator[str]:
    pid = os.getpid()
    for course in report.memory:
        for seconds, nbytes in course.moments:
            event = {"name": f"memory of {course.name}", "ph": "C", "ts": round(seconds * 1e6, 3), "pid": pid}
            yield ",\n" + json.dumps(event | {"tid": _INPUT, "args": {"bytes": nbytes}})
