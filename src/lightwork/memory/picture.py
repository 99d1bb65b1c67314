"""What a cache looks like: a page in a file, and a smaller drawing in a notebook."""

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..pictures import charts, document, parts
from ..pictures.charts import Series
from ..pictures.markup import Content, Markup, element
from ..protocols import Limits
from ..system.units import counted, duration, size
from .history import FunctionHistory, histories_of
from .stats import CallStats, MemoryStats

if TYPE_CHECKING:
    from .entries import CacheEntry
    from .memory import Memory
    from .plan import Plan

__all__ = [
    "fragment_of",
    "fragment_of_calls",
    "fragment_of_memory",
    "fragment_of_plan",
    "page_of_cache",
    "page_of_entries",
    "page_of_stats",
    "save_page",
]

_ROWS = 200
_PLANNED = 50


def page_of_stats(stats: MemoryStats) -> str:
    """A whole HTML file on a cache and on the calls of this process."""
    histories = _ranked([] if stats.history is None else stats.history.read())
    return document.document(
        f"{counted(stats.records, 'result')}, {size(stats.nbytes)}",
        parts.figures(_figures(stats.calls)),
        *_over_time(histories, "Counted in this process: each hit saved what its computation took."),
        parts.section("Functions", _table(histories, stats)),
    )


def page_of_entries(entries: "Iterable[CacheEntry]", title: str) -> str:
    """A whole HTML file on results that `Memory.entries` has just listed, whoever has used them."""
    return page_of_cache(histories_of(entries, time.time()), title)


def page_of_cache(histories: Sequence[FunctionHistory], title: str) -> str:
    """A whole HTML file on what a cache holds, whoever has used it."""
    histories = _ranked(histories)
    records, nbytes = sum(one.records for one in histories), sum(one.nbytes for one in histories)
    figures = [
        ("results", f"{records:,}"),
        ("in all", size(nbytes)),
        ("functions", f"{len(histories):,}"),
        ("what computing them took", duration(sum(one.seconds for one in histories))),
    ]
    least = "At least so much: a result that was used since it was written has saved its computation once."
    return document.document(
        title,
        parts.figures(figures),
        *_over_time(histories, least),
        parts.section("Functions", _table(histories)),
    )


def save_page(path: str | os.PathLike[str], page: str) -> None:
    """Write a page; see `MemoryStats.save`."""
    document.save(path, page)


def fragment_of(stats: MemoryStats) -> str:
    """What Jupyter shows below a cell: what this process has counted. No store is read for it."""
    title = f"{counted(stats.records, 'result')}, {size(stats.nbytes)}"
    return document.fragment(
        element("div", element("b", title)), parts.figures(_figures(stats.calls)), _functions(stats.functions)
    )


def fragment_of_calls(calls: CallStats) -> str:
    """What Jupyter shows of the figures of one function."""
    return document.fragment(parts.figures(_figures(calls)))


def fragment_of_memory(cache: "Memory", limits: Limits | None, functions: Mapping[str, CallStats]) -> str:
    """What Jupyter shows of a `Memory`: where results go, and what this process has counted.

    No store is read for it. What may be secret (``sign=``, ``backend_options=``) is not shown.
    """
    most = limits or Limits()
    place = cache.store if cache.location is None else os.fspath(cache.location)
    facts: list[tuple[str, Content]] = [
        ("results in", "nowhere" if place is None else str(place)),
        ("at most", None if most.max_bytes is None else size(most.max_bytes)),
        ("results at most", None if most.max_items is None else f"{most.max_items:,}"),
        ("unused at most", None if most.max_age is None else duration(most.max_age)),
        ("live for", None if cache.ttl is None else duration(cache.ttl)),
        ("compressed", str(cache.compress) if cache.compress else None),
    ]
    return document.fragment(
        element("div", element("b", "Memory")),
        parts.facts((name, value) for name, value in facts if value is not None),
        _functions(functions),
    )


def fragment_of_plan(plan: "Plan") -> str:
    """What Jupyter shows of a plan: the calls that would be computed."""
    missing = plan.missing
    rows = [
        (call.call, "" if call.seconds is None else duration(call.seconds)) for call in missing[:_PLANNED]
    ]
    more = len(missing) - len(rows)
    return document.fragment(
        element("div", element("b", str(plan).partition("\n")[0])),
        parts.table(("call", "took last time"), rows, words=(0,)) if rows else None,
        element("p", f"and {more:,} more", class_="hint") if more else None,
    )


def _functions(functions: Mapping[str, CallStats]) -> Markup | None:
    """A row for each function that was called; nothing if none was."""
    rows: list[tuple[Content, ...]] = [
        (name, f"{calls.hits:,}", f"{calls.misses:,}", duration(calls.saved), duration(calls.seconds))
        for name, calls in functions.items()
    ]
    heads = ("function", "hits", "misses", "saved", "computed")
    return parts.table(heads, rows[:_ROWS], words=(0,)) if rows else None


def _figures(calls: CallStats) -> list[tuple[str, str]]:
    found = [
        ("hits", f"{calls.hits:,}"),
        ("misses", f"{calls.misses:,}"),
        ("saved", duration(calls.saved)),
        ("computed", duration(calls.seconds)),
        ("spent on keys", duration(calls.hashing)),
        ("on reading", duration(calls.loading)),
        ("on keeping", duration(calls.storing)),
    ]
    return [*found, ("results not kept", f"{calls.unkept:,}")] if calls.unkept else found


def _over_time(histories: Sequence[FunctionHistory], about_saved: str) -> list[Markup]:
    # A function has one colour in both: its place, also where it has nothing to draw.
    sizes = [Series(one.name, one.sizes) for one in histories]
    saved = [Series(one.name, one.saved) for one in histories]
    found = []
    if any(one.sizes for one in histories):
        about = "What is kept now, by when it was written: results that were removed since are not in it."
        found.append(_section("Size by function", sizes, size, about))
    if any(one.saved for one in histories):
        found.append(_section("Seconds saved by function", saved, duration, about_saved))
    return found


def _section(title: str, series: Sequence[Series], words: charts.Words, about: str) -> Markup:
    begin = min(one.moments[0][0] for one in series if one.moments)
    end = max(one.moments[-1][0] for one in series if one.moments)
    form = "%Y-%m-%d %H:%M" if end - begin > 600 else "%H:%M:%S"
    ends = (_date(begin, form), _date(end, form))
    drawn = charts.areas(series, begin, end, words, title, ends=ends)
    return parts.section(title, drawn, element("p", about, class_="hint"))


def _date(moment: float, form: str) -> str:
    return time.strftime(form, time.localtime(moment))


def _ranked(histories: Sequence[FunctionHistory]) -> list[FunctionHistory]:
    """Those with the greatest parts of all bytes and of all seconds saved first."""
    nbytes = sum(one.nbytes for one in histories) or 1
    seconds = sum(_saved(one) for one in histories) or 1.0
    return sorted(histories, key=lambda one: -(one.nbytes / nbytes + _saved(one) / seconds))


def _saved(one: FunctionHistory) -> float:
    return one.saved[-1][1] if one.saved else 0.0


def _table(histories: Sequence[FunctionHistory], stats: MemoryStats | None = None) -> Markup:
    heads = ["function", "results", "size", "took", "saved"]
    if stats is not None:
        heads += ["hits", "misses"]
    rows = []
    for one in histories[:_ROWS]:
        row: list[Content] = [
            one.name,
            f"{one.records:,}",
            size(one.nbytes),
            duration(one.seconds),
            duration(_saved(one)),
        ]
        if stats is not None:
            calls = stats.functions.get(one.name, CallStats())
            row += [f"{calls.hits:,}", f"{calls.misses:,}"]
        rows.append(row)
    table = parts.table(heads, rows, words=(0,))
    more = len(histories) - len(rows)
    return table if more <= 0 else element("div", table, element("p", f"and {more:,} more", class_="hint"))
