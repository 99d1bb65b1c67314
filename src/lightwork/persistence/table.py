"""The parts of a file as a table for people."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from .. import parcel
from .access import Access
from .dtypes import array_facts
from .views import entries_of, type_name

# Any: parts of the user's value.
__all__ = ["Row", "rows", "table"]

_ROWS = 100
_HEADS = ("key", "type", "shape", "dtype", "bytes", "in the file")


class Row(NamedTuple):
    """One part of a file, in words; empty where there is nothing to say."""

    key: str
    type: str
    shape: str
    dtype: str
    nbytes: str
    """Bytes of its arrays when they are loaded."""

    kept: str
    """How an array is kept in the file."""


def rows(access: Access) -> list[Row]:
    """A row for each part; one with an empty key for a value without parts."""
    return [Row(*_row(access, key, inner)) for key, inner in _entries(access) or [("", access.outline)]]


def table(access: Access) -> str:
    """One line for each part: key, type, shape, dtype, bytes of its arrays, and how they are kept."""
    part, entries = access.outline, _entries(access)
    lines = [f"{access.path}: {access.nbytes:,} bytes, {type_name(part)} of {len(entries)}"]
    if not entries:
        entries, lines = [("", part)], [f"{access.path}: {access.nbytes:,} bytes"]
    cells = [_HEADS, *(_row(access, key, inner) for key, inner in entries[:_ROWS])]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines += [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    if len(entries) > _ROWS:
        lines.append(f"… and {len(entries) - _ROWS:,} more")
    return "\n".join(lines)


def _entries(access: Access) -> list[tuple[Any, Any]]:
    return [] if parcel.outline.array_at(access.outline) else entries_of(access.outline)


def _row(access: Access, key: Any, part: Any) -> Sequence[str]:
    name = "" if key == "" else _shown(key)
    at = parcel.outline.array_at(part)
    if at is not None:
        shape, dtype, nbytes = array_facts(at)
        size = "" if nbytes is None else f"{nbytes:,}"
        return name, "array", str(shape), str(dtype or ""), size, _kept(access, at.segment, nbytes)
    arrays = [array_facts(at) for at in _arrays_in(part)]
    if not arrays:
        return name, type_name(part), "", "", "", ""
    sizes = [array.nbytes for array in arrays if array.nbytes is not None]
    size = f"{sum(sizes):,}" if len(sizes) == len(arrays) else ""
    count = "1 array" if len(arrays) == 1 else f"{len(arrays)} arrays"
    return name, type_name(part), count, "", size, ""


def _shown(key: Any) -> str:
    return repr(key) if isinstance(key, str | int | float | bytes | tuple | None) else type_name(key)


def _arrays_in(part: Any) -> Iterator[Any]:
    for inner in parcel.outline.parts_of(part):
        at = parcel.outline.array_at(inner)
        if at is not None:
            yield at


def _kept(access: Access, number: int, nbytes: int | None) -> str:
    slot = access.segments.slots[number]
    if nbytes is not None and slot.nbytes != nbytes:
        return "with other small ones"
    return f"{access.segments.stored(number):,} in blocks" if slot.in_blocks else "raw"
