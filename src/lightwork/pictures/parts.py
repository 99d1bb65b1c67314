"""Parts of pages: headline figures, shares of a whole, tables."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .markup import Content, Markup, element

__all__ = ["Share", "facts", "figures", "note", "section", "shares", "table"]


class Share(NamedTuple):
    """One part of a whole."""

    name: str
    """Also the name of its colour in ``style.css``: ``"run"``, ``"idle"``, ..."""

    part: float
    """0 to 1."""

    amount: str
    """In words: ``"3 s"``."""

    meaning: str = ""
    """What it is, in a few words."""


def section(title: str, *content: Content) -> Markup:
    """A titled part of a page."""
    return element("section", element("h2", title), *content)


def note(text: str) -> Markup:
    """A sentence that stands out."""
    return element("p", text, class_="note")


def figures(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Headline figures: names and values."""
    cells = [
        element("div", element("dt", name), element("dd", value), class_="figure") for name, value in pairs
    ]
    return element("dl", *cells, class_="figures")


def facts(pairs: Iterable[tuple[str, Content]]) -> Markup:
    """Names and what they stand for, one below the other."""
    rows = [element("tr", element("th", name), element("td", value)) for name, value in pairs]
    return element("div", element("table", element("tbody", *rows)), class_="scroll")


def shares(parts: Sequence[Share]) -> Markup:
    """One bar that is divided, and what its parts are."""
    bar = [
        element(
            "div",
            class_=f"fill-{share.name}",
            style=f"width:{100 * share.part:.3f}%",
            title=f"{share.name}: {share.amount}",
        )
        for share in parts
    ]
    rows = [
        element(
            "tr",
            element("td", element("span", class_=f"key fill-{share.name}"), share.name),
            element("td", f"{100 * share.part:.0f} %", class_="number"),
            element("td", share.amount, class_="number"),
            element("td", share.meaning, class_="meaning"),
        )
        for share in parts
    ]
    legend = element("table", element("tbody", *rows), class_="legend")
    return element("div", element("div", *bar, class_="shares"), legend)


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Content]],
    *,
    words: Sequence[int] = (),
    targets: Sequence[int] | None = None,
) -> Markup:
    """A table.

    Parameters
    ----------
    words
        Columns that hold text; the others hold numbers.
    targets
        For each row the index of the task that the timeline shows when the row is clicked.
    """
    head = [
        element("th", name, class_=None if place in words else "number") for place, name in enumerate(heads)
    ]
    body = []
    for number, row in enumerate(rows):
        cells = [
            element("td", cell, class_="words" if place in words else "number")
            for place, cell in enumerate(row)
        ]
        target = None if targets is None else targets[number]
        body.append(element("tr", *cells, data_task=target, tabindex=None if target is None else 0))
    content = element("table", element("thead", element("tr", *head)), element("tbody", *body))
    return element("div", content, class_="scroll")
