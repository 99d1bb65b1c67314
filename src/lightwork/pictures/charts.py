"""Figures over time, as SVG: lines, or areas one upon the other."""

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final, NamedTuple, TypeAlias

from ..system.units import duration
from .markup import Markup, element

__all__ = ["Series", "Words", "areas", "lines"]

Words: TypeAlias = Callable[[float], str]
"""A value as it is written beside the axis."""

_WIDE: Final = 1000
_HIGH: Final = 200
_COLOURED: Final = 6
"""Series with a colour of their own; the others together are one more."""


class Series(NamedTuple):
    """A figure that changes in steps: each value holds until the next moment."""

    name: str
    moments: Sequence[tuple[float, float]]
    """Seconds and values ``>= 0``, by time."""


def lines(series: Sequence[Series], until: float, words: Words, title: str) -> Markup:
    """One line for each series, from 0 to `until` seconds; the values in `words`."""
    most = max((value for one in series for _, value in one.moments), default=0.0)
    scale = _Scale(0.0, until, most)
    curves = [
        element(
            "path", element("title", one.name), d=_line(one.moments, scale), class_=f"curve stroke-{place}"
        )
        for place, one in _coloured(series)
    ]
    # A line is not filled, whatever the class of its colour says.
    drawn = [element("g", *curves, style="fill-opacity:0")]
    return _chart(series, drawn, scale, words, title, ("0 s", duration(until)))


def areas(
    series: Sequence[Series],
    begin: float,
    end: float,
    words: Words,
    title: str,
    *,
    ends: tuple[str, str],
) -> Markup:
    """The series one upon the other, the first at the bottom, so that the edge is their sum.

    `ends`: what is written at the two ends of the axis.
    """
    series = _bounded(series)
    moments = sorted(
        {moment for one in series for moment, _ in one.moments if begin <= moment <= end} | {begin, end}
    )
    rows = [[_at(one.moments, moment) for moment in moments] for one in series]
    sums = [[0.0] * len(moments)]
    for row in rows:
        sums.append([below + value for below, value in zip(sums[-1], row, strict=True)])
    scale = _Scale(begin, end, max(sums[-1], default=0.0))
    drawn = [
        element(
            "path",
            element("title", f"{one.name}: {words(rows[place][-1])}"),
            d=_area(moments, sums[place], sums[place + 1], scale),
            class_=f"stroke-{colour}",
            fill_opacity=0.85,
        )
        for place, (colour, one) in enumerate(_coloured(series))
    ]
    return _chart(series, drawn, scale, words, title, ends)


class _Scale:
    """From seconds and values to places in the picture."""

    def __init__(self, begin: float, end: float, most: float) -> None:
        self.begin = begin
        self.span = (end - begin) or 1.0
        self.step = _nice(most / 4)
        self.top = max(self.step * math.ceil(most / self.step - 1e-9), self.step)

    def x(self, moment: float) -> float:
        return round((moment - self.begin) / self.span * _WIDE, 1)

    def y(self, value: float) -> float:
        return round((1 - value / self.top) * _HIGH, 1)


def _nice(value: float) -> float:
    """The least of 1, 2, 5, 10, 20, ... that is no less."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value * (1 - 1e-9))


def _bounded(series: Sequence[Series]) -> list[Series]:
    """At most one more than there are colours: the rest is added up."""
    if len(series) <= _COLOURED + 1:
        return list(series)
    rest = series[_COLOURED:]
    moments = sorted({moment for one in rest for moment, _ in one.moments})
    summed = [(moment, sum(_at(one.moments, moment) for one in rest)) for moment in moments]
    return [*series[:_COLOURED], Series(f"{len(rest)} others", summed)]


def _coloured(series: Sequence[Series]) -> list[tuple[int, Series]]:
    return [(min(place, _COLOURED), one) for place, one in enumerate(series)]


def _at(moments: Sequence[tuple[float, float]], moment: float) -> float:
    """The value that holds at a moment, 0 before the first."""
    place = bisect_right(moments, moment, key=itemgetter(0))
    return moments[place - 1][1] if place else 0.0


def _line(moments: Sequence[tuple[float, float]], scale: _Scale) -> str:
    return "".join(
        f"{'L' if place else 'M'}{scale.x(moment)} {scale.y(value)}"
        for place, (moment, value) in enumerate(moments)
    )


def _area(moments: list[float], below: list[float], above: list[float], scale: _Scale) -> str:
    """The stairs of the upper edge, and back along those of the lower one."""
    there, back = [f"M{scale.x(moments[0])} {scale.y(above[0])}"], list[str]()
    for place in range(1, len(moments)):
        x = scale.x(moments[place])
        there.append(f"H{x}V{scale.y(above[place])}")
        back.append(f"V{scale.y(below[place - 1])}H{scale.x(moments[place - 1])}")
    return f"{''.join(there)}{''.join(reversed(back))}Z"


def _chart(
    series: Sequence[Series],
    drawn: Sequence[Markup],
    scale: _Scale,
    words: Words,
    title: str,
    ends: tuple[str, str],
) -> Markup:
    """The curves, stretched to the width there is, and the texts beside them, which keep their size."""
    grid, marks = [], []
    for number in range(round(scale.top / scale.step) + 1):
        value = number * scale.step
        grid.append(element("path", d=f"M0 {scale.y(value)}H{_WIDE}", class_="grid"))
        place = f"top:{100 * (1 - value / scale.top):.1f}%"
        marks.append(element("span", words(value) if number else "0", class_="mark", style=place))
    svg = element(
        "svg",
        *grid,
        *drawn,
        viewBox=f"0 0 {_WIDE} {_HIGH}",
        preserveAspectRatio="none",
        role="img",
        aria_label=title,
    )
    names = [
        element("span", element("span", class_=f"key stroke-{place}"), one.name)
        for place, one in _coloured(series)[: _COLOURED + 1]
    ]
    return element(
        "div",
        element("div", *marks, svg, class_="plot"),
        element("div", element("span", ends[0]), element("span", ends[1]), class_="ends"),
        element("div", *names, class_="names"),
        class_="chart",
    )
