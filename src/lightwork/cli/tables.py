"""Tables and figures as text for people. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Column", "lines_of", "span_text", "widths_of"]

_SPANS = (("y", 365.25 * 86400.0), ("d", 86400.0), ("h", 3600.0), ("min", 60.0))


class Column(NamedTuple):
    """One column of a table."""

    title: str
    is_number: bool = False
    """Numbers stand to the right."""


def widths_of(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    """The characters that each column needs."""
    cells = [[column.title for column in columns], *rows]
    return [max(map(len, column)) for column in zip(*cells, strict=True)]


def lines_of(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> list[str]:
    """A table as lines, the titles first; longer ones are cut to `width` columns of the terminal."""
    cells = [[column.title for column in columns], *rows]
    widths = widths_of(columns, rows)
    lines = []
    for row in cells:
        parts = [
            cell.rjust(wide) if column.is_number else cell.ljust(wide)
            for cell, wide, column in zip(row, widths, columns, strict=True)
        ]
        line = "  ".join(parts).rstrip()
        lines.append(line if width is None or len(line) <= width else f"{line[: width - 3]}...")
    return lines


def span_text(seconds: float) -> str:
    """How long ago something was, roughly: ``"3 d"``, ``"2 h"``, ``"40 s"``."""
    for unit, length in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
