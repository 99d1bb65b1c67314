"""The bytes of arrow arrays that can be seen: no slack, no offsets of slices, nothing under a null.

A column is given as a *source*: a function that yields its arrays (chunks) anew on each call. What is made
from it is one again, so that a column of any size is looked at some blocks at a time, as often as needed.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

from ..system.optional import require

__all__ = [
    "Source",
    "each",
    "fixed_bytes",
    "lengths",
    "missing",
    "reads_views",
    "run_end_decoded",
    "shown",
    "text_bytes",
    "totals",
    "truths",
]

# Any: pyarrow is optional, its types have no name here.
Source: TypeAlias = "Callable[[], Iterator[Any]]"

ROWS = 1 << 17
BYTES = 1 << 20
"""Blocks have at most so many rows, and so many bytes on average."""


def totals(source: Source) -> tuple[int, int]:
    """Rows in all, and how many of them are null."""
    count = nulls = 0
    for piece in source():
        count, nulls = count + len(piece), nulls + piece.null_count
    return count, nulls


def missing(source: Source) -> Iterator[memoryview]:
    """One byte per row: 1 where it is null."""
    return (_cast_bytes(block.is_null(), "uint8") for block in _blocks(source))


def shown(source: Source) -> Source:
    """The rows that are not null. Arrays without nulls pass as they are."""

    def pieces() -> Iterator[Any]:
        for piece in source():
            if piece.null_count:
                yield from map(_drop_null, _blocks(partial(iter, (piece,))))
            else:
                yield piece

    return pieces


def each(source: Source, change: Callable[[Any], Any]) -> Source:
    """The blocks of a source, each through `change`."""
    return lambda: map(change, _blocks(source))


def fixed_bytes(source: Source, width: int) -> Iterator[memoryview]:
    """The items of arrays without nulls, `width` bytes each; nothing is copied."""
    for piece in source():
        if len(piece) and width:
            start = piece.offset * width
            yield memoryview(piece.buffers()[-1]).cast("B")[start : start + len(piece) * width]


def truths(source: Source) -> Iterator[memoryview]:
    """The items of boolean arrays without nulls, one byte each."""
    return (_cast_bytes(block, "uint8") for block in _blocks(source))


def lengths(source: Source, function: str) -> Iterator[memoryview]:
    """What a function of `pyarrow.compute` says of each item, 8 bytes each."""
    measure = getattr(_compute(), function)
    return (_cast_bytes(measure(_gathered(block)), "int64") for block in _blocks(source))


def text_bytes(source: Source) -> Iterator[memoryview]:
    """The texts (bytes) of arrays without nulls, one after the other. Views are gathered block by block."""
    for block in _blocks(source):
        block = _gathered(block)
        _, offsets, data = block.buffers()
        if len(block) and data is not None:
            places = memoryview(offsets).cast("B").cast("q" if str(block.type).startswith("large") else "i")
            yield memoryview(data).cast("B")[places[block.offset] : places[block.offset + len(block)]]


def reads_views() -> bool:
    """Whether this release of pyarrow can read texts that are views."""
    pyarrow = require("pyarrow", purpose="the content of an arrow array", extra="arrow")
    try:
        return pyarrow.nulls(0, pyarrow.string_view()).cast("large_binary") is not None
    except (AttributeError, pyarrow.ArrowNotImplementedError):
        return False


def run_end_decoded(block: Any) -> Any:
    """The rows of an array that is stored as runs."""
    return _compute().run_end_decode(block)


def _compute() -> Any:
    return require("pyarrow.compute", purpose="the content of an arrow array", extra="arrow")


def _drop_null(block: Any) -> Any:
    return _gathered(block).drop_null()


def _gathered(block: Any) -> Any:
    """Texts one after the other where they are views: for those arrow has few functions."""
    kind = str(block.type)
    return block.cast("large_binary") if kind in ("string_view", "binary_view") else block


def _blocks(source: Source) -> Iterator[Any]:
    """The same rows, few at a time; slices, no copies."""
    for piece in source():
        rows = min(ROWS, max(1, BYTES * len(piece) // max(1, _nbytes(piece))))
        for at in range(0, len(piece), rows):
            yield piece.slice(at, rows)


def _nbytes(piece: Any) -> int:
    """Bytes of rows; of all that they lie in where this version of arrow cannot tell (texts as views)."""
    try:
        return int(piece.nbytes)
    except TypeError:
        return int(piece.get_total_buffer_size())


def _cast_bytes(block: Any, kind: str) -> memoryview:
    made = block.cast(kind)
    width = made.type.bit_width // 8
    return memoryview(made.buffers()[-1]).cast("B")[made.offset * width : (made.offset + len(made)) * width]
