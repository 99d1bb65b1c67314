"""What a `Report` looks like: a page in a file, and a smaller drawing in a notebook."""

import os
import traceback
from collections.abc import Sequence

from ..pictures import charts, document, parts, timeline
from ..pictures.markup import Content, Markup, element
from ..pictures.timeline import Lane, Span
from ..system.units import counted, duration, size
from .failures import Failure
from .report import Report
from .stretches import Run

__all__ = ["fragment_of", "fragment_of_failure", "page_of", "save_page"]

_MEANINGS = {
    "run": "tasks ran, arguments were unpickled and results pickled",
    "transfer": "results were on their way, or tasks came after others had ended",
    "queue": "tasks were on their way to a worker that had nothing, or that was being started",
    "pickling": "workers waited while the parent pickled and sent tasks",
    "input": "workers waited while the parent read the input",
    "idle": "workers had nothing to do for another reason",
}
_HEADS = ("task", "time", "call")
_ERROR = 4000  # characters
_WORKERS = 64  # rows of the table; the timeline has all


def page_of(report: Report, *, title: str | None = None, lanes: Sequence[Lane] | None = None) -> str:
    """A whole HTML file.

    Parameters
    ----------
    title
        By default that of the report.
    lanes
        What ran when, if more is known than the report tells: each task, from a trace.
    """
    lanes = _lanes(report) if lanes is None else lanes
    body = [
        *([] if title is None else [element("p", report.title)]),
        parts.note(report.advice),
        parts.figures(_figures(report)),
        parts.section("Where the time went", _shares(report)),
        parts.section("What ran when", timeline.canvas()),
        *([parts.section("Memory", _memory(report))] if report.memory else []),
        *([parts.section("Slowest calls", _slowest(report))] if report.slowest else []),
        *([parts.section("Failed", _failed(report))] if report.failed else []),
        *([parts.section("Workers", *_workers(report))] if report.n_jobs > 1 else []),
    ]
    return document.document(title or report.title, *body, data=timeline.timeline_data(lanes, report.wall))


def save_page(
    path: str | os.PathLike[str],
    report: Report,
    *,
    title: str | None = None,
    lanes: Sequence[Lane] | None = None,
) -> None:
    """Write the page; see `Report.save`."""
    document.save(path, page_of(report, title=title, lanes=lanes))


def fragment_of(report: Report) -> str:
    """What Jupyter shows below a cell."""
    return document.fragment(
        element("div", element("b", report.title)),
        parts.note(report.advice),
        _shares(report),
        timeline.drawing(_lanes(report), report.wall),
        *([parts.table(_HEADS, _slow_rows(report), words=(2,))] if report.slowest else []),
        *(element("div", text) for text in report.losses()),
    )


def fragment_of_failure(failure: Failure) -> str:
    """What Jupyter shows of a failed task: its error with the notes, as a traceback ends."""
    text = "".join(traceback.format_exception_only(failure.error)).rstrip()
    return document.fragment(
        element(
            "div", element("b", f"task {failure.index:,} failed, {counted(failure.attempts, 'attempt')}")
        ),
        element("pre", text if len(text) <= _ERROR else f"{text[:_ERROR]}…"),
    )


def _lanes(report: Report) -> list[Lane]:
    """What the report itself tells: batches, with the texts of the slowest calls."""
    texts = {slow.index: slow.call for slow in report.slowest}
    failed = set(report.failed)
    names = [f"worker {slot}" for slot in range(report.n_jobs)] if report.n_jobs > 1 else ["tasks"]
    return [
        Lane(name, "run", [_span(run, texts, failed) for run in worker.runs])
        for name, worker in zip(names, report.workers, strict=True)
    ]


def _span(run: Run, texts: dict[int, str], failed: set[int]) -> Span:
    is_one = run.tasks == 1
    return Span(
        run.began,
        run.ended,
        run.busy,
        run.tasks,
        run.first,
        run.last,
        texts.get(run.first, "") if is_one else "",
        "see the error of the call" if is_one and run.first in failed else "",
    )


def _figures(report: Report) -> list[tuple[str, str]]:
    busy = report.phases.run / sum(report.phases) if sum(report.phases) else 0.0
    found = [
        ("from call to end", duration(report.wall)),
        ("tasks", f"{report.tasks:,}"),
        ("workers", f"{report.n_jobs} ({report.backend})"),
        ("of their time in tasks", f"{100 * busy:.0f} %"),
    ]
    if report.known:
        found.append(("of them from cache or checkpoint", f"{report.known:,}"))
    if report.attempts:
        found.append(
            (
                "per attempt" if report.was_retried else "per task",
                duration(report.phases.run / report.attempts),
            )
        )
    if report.memory:
        peaks = [course.peak for course in report.memory]
        found.append(("most memory of one process", size(max(peaks))))
    if report.failed:
        found.append(("failed", f"{len(report.failed):,}"))
    return found


def _shares(report: Report) -> Markup:
    return parts.shares(
        [
            parts.Share(name, part, duration(seconds), _MEANINGS[name])
            for name, seconds, part in report.parts()
        ]
    )


def _memory(report: Report) -> Markup:
    series = [charts.Series(course.name, course.moments) for course in report.memory]
    return element(
        "div",
        charts.lines(series, report.wall, size, "memory of each process over time"),
        element(
            "p",
            "Of each process alone: what it shares with others or with files does not count. Looked at some "
            "times a second, so a short peak may be missing.",
            class_="hint",
        ),
    )


def _slowest(report: Report) -> Markup:
    """With rows that lead to the timeline."""
    targets = [slow.index for slow in report.slowest]
    return parts.table(_HEADS, _slow_rows(report), words=(2,), targets=targets)


def _slow_rows(report: Report) -> list[tuple[Content, ...]]:
    return [
        (slow.index, duration(slow.seconds), f"{slow.call} ({slow.error})" if slow.error else slow.call)
        for slow in report.slowest
    ]


def _failed(report: Report) -> Markup:
    listed = list(report.failed[:100])
    more = len(report.failed) - len(listed)
    text = ", ".join(map(str, listed)) + (f" and {more} more" if more else "")
    return element("p", f"{'Left out of the results' if report.skipped else 'Tasks'}: {text}.")


def _workers(report: Report) -> list[Content]:
    peaks = {course.name: size(course.peak) for course in report.memory}
    rows: list[tuple[Content, ...]] = [
        (
            slot,
            f"{worker.tasks:,}",
            duration(worker.busy),
            f"{100 * worker.share:.0f} %",
            peaks.get(f"worker {slot}", "\u2013"),
        )
        for slot, worker in enumerate(report.workers[:_WORKERS])
    ]
    more = report.n_jobs - len(rows)
    table = parts.table(
        ("worker", "attempts" if report.was_retried else "tasks", "busy", "of the time", "most memory"), rows
    )
    return [table, *([element("p", f"and {more} more", class_="hint")] if more else [])]
