"""Padding: bytes inside items that belong to no value are zeroed before they are looked at."""

from typing import Any

import numpy as np
import pytest

from lightwork.arrays.padding import array_spans, clean_blocks, has_padding

ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", "i2")], align=True)
NESTED = np.dtype(
    {"names": ["x", "y"], "formats": [ALIGNED, ("i2", (3,))], "offsets": [0, 26], "itemsize": 40}
)


@pytest.mark.parametrize("dtype", [ALIGNED, NESTED, np.dtype((ALIGNED, (2,)))])
def test_gaps_between_fields_are_padding(dtype: Any) -> None:
    """Aligned, nested and repeated structures are known to have gaps."""
    assert has_padding(dtype)


@pytest.mark.parametrize("dtype", ["f8", "i1", "S5", "U2", "V7", "M8[s]", "c16", "i4, i4"])
def test_ordinary_items_have_none(dtype: str) -> None:
    """All bytes of packed items are content."""
    assert not has_padding(np.dtype(dtype))


@pytest.mark.parametrize(
    "dtype", [ALIGNED, NESTED, np.dtype("g"), np.dtype("G"), np.dtype("g").newbyteorder()]
)
def test_equal_items_give_equal_bytes(dtype: Any) -> None:
    """What the memory held before does not show, in any layout."""
    clean = np.zeros(8, dtype)
    dirty = np.frombuffer(bytearray(b"\xff" * clean.nbytes), dtype).copy()
    if dtype.names is None:
        clean[:] = dirty[:] = np.arange(8)
    else:
        for name in dtype.names:
            dirty[name] = clean[name]
            if dirty[name].dtype.names:
                for inner in dirty[name].dtype.names:
                    dirty[name][inner] = 0
    assert b"".join(clean_blocks(clean[::2])) == b"".join(clean_blocks(dirty[::2]))


def test_spans_cover_the_array_once() -> None:
    """Spans follow each other and end with the array; items that would straddle them give none."""
    assert array_spans(np.zeros((5, 5), "f8"), 80) == [(0, 10), (10, 20), (20, 25)]
    assert array_spans(np.zeros(9, "S3"), 8) is None
