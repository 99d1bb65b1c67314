"""What ran when, one lane per worker: the data of a canvas to zoom in, and a small drawing for a notebook."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from ..system.units import duration
from .markup import Markup, element

__all__ = ["Lane", "Span", "canvas", "drawing", "timeline_data"]

_BINS: Final = 400  # columns of the small drawing
_SHADES: Final = 4
_LANES: Final = 32  # lanes of the small drawing; the page has all


class Span(NamedTuple):
    """Something that went on for a while. Times in seconds since the beginning."""

    begin: float
    end: float
    busy: float
    """Seconds between the two in which it really went on: less if several are joined."""

    tasks: int = 1
    """How many it stands for; 0 if it has not ended."""

    first: int = -1
    """Index of the first of them; -1 if it is none."""

    last: int = -1
    """Index of the last of them; -1 if they are one after the other."""

    text: str = ""
    """What it was; empty if nobody knows more than the index."""

    error: str = ""
    """What it failed with."""


class Lane(NamedTuple):
    """One row."""

    name: str
    kind: str
    """``"run"`` for tasks, else the name of a share (``"input"``): it gives the colour."""

    spans: Sequence[Span]
    """By time; none overlaps the next."""


def timeline_data(lanes: Iterable[Lane], wall: float) -> dict[str, Any]:  # Any: what json takes
    """What ``timeline.js`` draws. `wall`: seconds from the beginning to the end.

    Times are whole nanoseconds, each begin counted from the end before, each index from the one that
    was expected: small numbers, so that 100,000 tasks take 1.2 MB. Texts are listed once.
    """
    texts: dict[str, int] = {}
    return {
        "wall": _nanoseconds(wall),
        "lanes": [_columns(lane, texts) for lane in lanes],
        "texts": list(texts),  # filled by the line before
    }


def canvas() -> Markup:
    """The place where the script draws, with what moves it."""
    filter = element(
        "input",
        type="search",
        id="filter",
        placeholder="filter: call, error or #task",
        aria_label="show tasks whose call, error or number matches",
    )
    buttons = [
        element("button", label, type="button", id=name, title=title)
        for name, label, title in (
            ("closer", "+", "zoom in (+)"),
            ("farther", "\u2212", "zoom out (\u2212)"),
            ("all", "all", "show all (0)"),
        )
    ]
    view = element("div", element("canvas", id="timeline", tabindex=0, role="img"), id="view")
    hint = "Ctrl + wheel or pinch zooms, drag moves, Enter in the filter goes to the next match."
    return element(
        "div",
        element("div", filter, *buttons, element("output", id="matches"), class_="tools"),
        element("div", view, element("div", role="tooltip", id="tip", hidden=True), id="stage"),
        element("p", element("output", id="range"), " ", hint, class_="hint"),
        element("div", id="names", class_="names"),
        element("noscript", "The timeline is drawn by a script of this page, which is switched off."),
    )


def drawing(lanes: Sequence[Lane], wall: float) -> Markup:
    """All lanes as shades along one line each, without script."""
    rows = [
        element(
            "tr",
            element("td", lane.name),
            element("td", _shaded(lane, wall), class_="lane"),
            title=f"{lane.name}: {duration(sum(span.busy for span in lane.spans))} of {duration(wall)}",
        )
        for lane in lanes[:_LANES]
    ]
    more = len(lanes) - _LANES
    rest = [element("p", f"and {more} more lanes", class_="hint")] if more > 0 else []
    return element("div", element("table", element("tbody", *rows), class_="lanes"), *rest)


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _columns(lane: Lane, texts: dict[str, int]) -> dict[str, Any]:  # Any: as above
    gaps, lengths, numbers, skips = [], [], [], []
    counts: dict[int, list[int]] = {}  # of those that are not one task from begin to end
    errors: dict[int, str] = {}
    last, expected = 0, 0
    for place, span in enumerate(lane.spans):
        begin = max(_nanoseconds(span.begin), last)
        gaps.append(begin - last)
        lengths.append(max(_nanoseconds(span.end) - begin, 0))
        numbers.append(texts.setdefault(span.text, len(texts)))
        skips.append(span.first - expected)
        if span.tasks != 1:
            end = span.first + span.tasks - 1 if span.last < 0 else span.last
            counts[place] = [span.tasks, _nanoseconds(span.busy), end]
        if span.error:
            errors[place] = span.error
        last, expected = begin + lengths[-1], span.first + 1
    return {
        "name": lane.name,
        "kind": lane.kind,
        "gaps": gaps,
        "lengths": lengths,
        "texts": numbers,
        "skips": skips,
        "counts": counts,
        "errors": errors,
    }


def _shaded(lane: Lane, wall: float) -> Markup:
    """The part of each of `_BINS` columns that is busy, in `_SHADES` steps; equal neighbours are one."""
    steps = [min(_SHADES, int(part * _SHADES + 0.999)) for part in _busy(lane.spans, wall)]
    paths: dict[int, list[str]] = {}
    start = 0
    for place in range(1, _BINS + 1):
        if place == _BINS or steps[place] != steps[start]:
            if steps[start]:
                paths.setdefault(steps[start], []).append(f"M{start} 0h{place - start}v1h-{place - start}z")
            start = place
    drawn = [
        element("path", d="".join(parts), fill_opacity=(0.2 + 0.8 * step / _SHADES))
        for step, parts in sorted(paths.items())
    ]
    return element(
        "svg",
        *drawn,
        viewBox=f"0 0 {_BINS} 1",
        preserveAspectRatio="none",
        class_=f"fill-{lane.kind}",
        aria_hidden="true",
    )


def _busy(spans: Iterable[Span], wall: float) -> list[float]:
    """For each column the part of its time, 0 to 1, in which something went on."""
    parts = [0.0] * _BINS
    width = wall / _BINS
    if not width:
        return parts
    for span in spans:
        share = span.busy / (span.end - span.begin) if span.end > span.begin else 1.0
        first = min(max(int(span.begin / width), 0), _BINS - 1)
        last = min(max(int(span.end / width), 0), _BINS - 1)
        for place in range(first, last + 1):
            covered = min(span.end, (place + 1) * width) - max(span.begin, place * width)
            parts[place] += max(covered, 0.0) * share / width
    return parts
