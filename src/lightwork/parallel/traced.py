"""Reading what ``trace=`` wrote: the report of the call, and what ran when, for a picture of it."""

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from ..errors import CorruptFileError, UnknownFormatError
from ..pictures.timeline import Lane, Span
from .gauge import MemoryCourse
from .report import Phases, Report, SlowCall, WorkerTimes

__all__ = ["Traced", "joined", "read_trace"]

_MOST: Final = 200_000
"""Spans of a page. Beyond, short neighbours are drawn together: no screen shows more at once."""

_KINDS: Final = ("input", "pickling", "task")
_WITHOUT: Final = "This trace was written without a report: only running and waiting can be told apart."

Event = Mapping[str, Any]  # Any: one event as JSON has it


class Traced(NamedTuple):
    """A trace that was read."""

    title: str
    report: Report
    lanes: list[Lane]


def read_trace(path: str | os.PathLike[str]) -> Traced:
    """The content of a file that ``trace=`` wrote.

    Raises
    ------
    UnknownFormatError
        It is no JSON, or a trace that another program wrote.
    CorruptFileError
        It begins like a trace of lightwork and is damaged.
    OSError
        It cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read()
    name = os.fspath(path)
    try:
        content = json.loads(data)
        other, events = content["otherData"], content["traceEvents"]
        title = other["title"]
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        is_cut = data.startswith(b'{"displayTimeUnit": "ms", "otherData": {"title": ')
        if is_cut:
            raise CorruptFileError(f"{name!r} is damaged or cut off: {exc}") from exc
        raise UnknownFormatError(f"{name!r} is no trace that trace= of a Parallel has written") from exc
    try:
        lanes = _lanes(events)
        report = _report(other["report"], events) if "report" in other else _told_by(lanes)
        return Traced(str(title), report, joined(lanes))
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise CorruptFileError(f"{name!r} is damaged: {type(exc).__name__}: {exc}") from exc


def joined(lanes: list[Lane], most: int = _MOST) -> list[Lane]:
    """The lanes with at most `most` spans in all, as far as joining neighbours can do it.

    Neighbours in a lane become one span if they cover no more than some time together, which doubles until
    they are few enough. Longer spans, and those of failed tasks, stay as they are.
    """
    count = sum(len(lane.spans) for lane in lanes)
    wall = max((lane.spans[-1].end for lane in lanes if lane.spans), default=0.0)
    grain, found = wall / most, lanes
    while count > most and grain <= wall:
        found = [lane._replace(spans=_together(lane.spans, grain)) for lane in lanes]
        count = sum(len(lane.spans) for lane in found)
        grain *= 2
    return found


def _together(spans: Iterable[Span], grain: float) -> list[Span]:
    found: list[Span] = []
    for span in spans:
        last = found[-1] if found else None
        if last is not None and span.end - last.begin <= grain and not (span.error or last.error):
            busy, tasks = last.busy + span.busy, last.tasks + span.tasks
            first, end = min(last.first, span.first), max(_last(last), _last(span))
            found[-1] = Span(last.begin, span.end, busy, tasks, first, end)
        else:
            found.append(span)
    return found


def _last(span: Span) -> int:
    return span.first + span.tasks - 1 if span.last < 0 else span.last


def _lanes(events: Iterable[Event]) -> list[Lane]:
    """One per row of the trace, the parent's first."""
    names: dict[int, str] = {}
    spans: dict[int, list[Span]] = defaultdict(list)
    kinds: dict[int, str] = {}
    for event in events:
        kind, row = event["ph"], event["tid"]
        if kind == "X":
            if event["cat"] not in _KINDS:
                raise ValueError(f"an event of the unknown category {event['cat']!r}")
            kinds[row] = event["cat"]
            spans[row].append(_span(event))
        elif kind == "M" and event["name"] == "thread_name":
            names[row] = str(event["args"]["name"]).removesuffix(" (parent)")
    for found in spans.values():
        found.sort(key=lambda span: span.begin)
    shown = [row for row in sorted(names) if spans[row] or names[row].startswith("worker")]
    return [
        Lane(names[row], "run" if kinds.get(row, "task") == "task" else kinds[row], spans[row])
        for row in shown
    ]


def _span(event: Event) -> Span:
    begin, seconds, args = _time(event["ts"]) * 1e-6, _time(event["dur"]) * 1e-6, event["args"]
    count = args.get("tasks", 1) if event["cat"] == "task" else 1
    index = int(args.get("index", args.get("first", -1)))
    text = str(event["name"])
    if event["cat"] != "task":
        text = f"{text} of {args['tasks']} tasks, from task {args['first']} on"
    error = str(args.get("error", ""))
    return Span(begin, begin + seconds, seconds, int(count), index, text=text, error=error)


def _time(value: Any) -> float:  # Any: as JSON has it
    """A number that can be a time."""
    number = float(value)
    if not 0 <= number < 1e15:
        raise ValueError(f"{value} is no time")
    return number


def _report(told: Mapping[str, Any], events: Iterable[Event]) -> Report:  # Any: as JSON has it
    return Report(
        wall=_time(told["wall"]),
        n_jobs=len(told["workers"]),
        backend=str(told["backend"]),
        tasks=int(told["tasks"]),
        phases=Phases(**{name: _time(told["phases"][name]) for name in Phases._fields}),
        workers=tuple(
            WorkerTimes(int(worker["tasks"]), _time(worker["busy"]), _time(worker["share"]))
            for worker in told["workers"]
        ),
        slowest=tuple(
            SlowCall(
                int(slow["index"]), str(slow["call"]), _time(slow["seconds"]), str(slow.get("error", ""))
            )
            for slow in told["slowest"]
        ),
        failed=tuple(map(int, told["failed"])),
        skipped=tuple(map(int, told["skipped"])),
        advice=str(told["advice"]),
        memory=_memory(events),
        known=int(told.get("known", 0)),
        attempts=int(told.get("attempts", told["tasks"])),
    )


def _memory(events: Iterable[Event]) -> tuple[MemoryCourse, ...]:
    moments: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "C":
            name = str(event["name"]).removeprefix("memory of ")
            moments[name].append((_time(event["ts"]) * 1e-6, int(event["args"]["bytes"])))
    return tuple(MemoryCourse(name, tuple(found)) for name, found in moments.items())


def _told_by(lanes: list[Lane]) -> Report:
    """The report of a trace that was written before traces had one."""
    workers = [lane.spans for lane in lanes if lane.kind == "run"]
    wall = max((spans[-1].end for spans in workers if spans), default=0.0)
    busy = [sum(span.busy for span in spans) for spans in workers]
    tasks = sorted((span for spans in workers for span in spans), key=lambda span: -span.busy)
    return Report(
        wall=wall,
        n_jobs=len(workers),
        backend="unknown",
        tasks=sum(span.tasks for span in tasks),
        phases=Phases(0.0, 0.0, 0.0, sum(busy), 0.0, max(wall * len(workers) - sum(busy), 0.0)),
        workers=tuple(
            WorkerTimes(sum(span.tasks for span in spans), seconds, seconds / wall if wall else 0.0)
            for spans, seconds in zip(workers, busy, strict=True)
        ),
        slowest=tuple(SlowCall(span.first, span.text, span.busy) for span in tasks[:5] if span.tasks == 1),
        failed=tuple(sorted(span.first for span in tasks if span.error)),
        skipped=(),
        advice=_WITHOUT,
        attempts=sum(span.tasks for span in tasks),
    )
