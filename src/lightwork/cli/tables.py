"""Tables and figures as text for people. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Column", "bytes_text", "counted", "lines_of", "seconds_text", "span_text", "widths_of"]

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


def bytes_text(nbytes: float) -> str:
    """A size in units of 1024: ``"512 B"``, ``"1.5 MB"``."""
    size = float(nbytes)
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024 or unit == "TB":
            break
        size /= 1024
    return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"


def counted(count: int, what: str) -> str:
    """``"1 result"``, ``"1,200 results"``."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def seconds_text(seconds: float) -> str:
    """How long something took: ``"12 ms"``, ``"3.4 s"``, ``"2.1 h"``."""
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{seconds / length:.1f} {unit}"
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"
    return ""  # not reached: the last unit is always taken


def span_text(seconds: float) -> str:
    """How long ago something was, roughly: ``"3 d"``, ``"2 h"``, ``"40 s"``."""
    for unit, length in _SPANS:
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{max(seconds, 0.0):.0f} s"
