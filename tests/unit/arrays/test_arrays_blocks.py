"""Blocks: an array's bytes in logical C order, whatever its layout."""

import numpy as np
import pytest

from lightwork.arrays.blocks import blocks, flat_view, span_blocks

BASE = np.arange(2 * 3 * 4 * 5, dtype="f8").reshape(2, 3, 4, 5)
LAYOUTS = {
    "C": BASE,
    "F": np.asfortranarray(BASE),
    "strided": BASE[:, ::2, 1:, ::-1],
    "transposed": BASE.transpose(2, 0, 3, 1),
    "broadcast": np.broadcast_to(np.arange(5.0), (4, 5)),
    "0-d": np.array(3.5),
    "empty": np.zeros((3, 0, 2)),
    "datetime64": np.arange(6).astype("M8[ns]").reshape(2, 3).T,
    "structured": np.zeros(7, dtype="i4, f8, S3")[::2],
    "text": np.array([["a", "bcd"], ["é", ""]]).T,
    "bool": np.array([True, False, True])[::-1],
    "matrix": np.arange(4).reshape(2, 2).view(np.matrix).T,
    "big-endian": np.arange(9, dtype=">i2")[::3],
    "1-d strided": np.arange(100)[::7],
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("nbytes", [1, 16, 40, 1 << 20])
def test_blocks_are_the_elements_in_logical_order(name: str, nbytes: int) -> None:
    """Joined, the blocks are what a C-ordered copy holds."""
    array = LAYOUTS[name]
    views = list(blocks(array, nbytes=nbytes))
    assert b"".join(views) == np.ascontiguousarray(np.asarray(array)).tobytes()
    assert all(view.format == "B" and view.ndim == 1 and view.nbytes > 0 for view in views)
    assert all(view.nbytes <= max(nbytes, array.dtype.itemsize) for view in views)


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_span_is_a_slice_of_the_flat_array(name: str) -> None:
    """Any range of items can be had without those before and after it."""
    array = LAYOUTS[name]
    flat = np.ascontiguousarray(np.asarray(array)).reshape(-1)
    for start in range(0, array.size, 3):
        for stop in range(start, array.size + 1, 5):
            pieces = list(span_blocks(array, start, stop, nbytes=24))
            assert b"".join(piece.tobytes() for piece in pieces) == flat[start:stop].tobytes()


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_flat_view_exists_only_for_c_order(name: str) -> None:
    """The view is the array's own bytes, or there is none."""
    array = LAYOUTS[name]
    view = flat_view(array)
    assert (view is not None) == array.flags.c_contiguous
    if view is not None:
        assert (view.format, view.ndim, view.nbytes) == ("B", 1, array.nbytes)
        assert view.tobytes() == array.tobytes()


def test_a_flat_view_shares_memory_and_writability() -> None:
    """No copy is made; a read-only array gives a read-only view."""
    array = np.arange(10)
    view = flat_view(array)
    assert view is not None
    view[0] = 7
    assert array[0] == 7
    array.flags.writeable = False
    readonly = flat_view(array)
    assert readonly is not None
    assert readonly.readonly


def test_arrays_of_objects_have_no_bytes() -> None:
    """Pointers are not content."""
    array = np.array([1, "a", None], dtype=object)
    assert flat_view(array) is None
    with pytest.raises(TypeError, match="Python objects"):
        next(blocks(array))


def test_wide_arrays_in_f_order_are_copied_right() -> None:
    """Tiles meet without gaps, in two and three dimensions, also where the last one is narrower."""
    for shape in ((5, 1000), (4, 3, 600), (3, 257)):
        array = np.asfortranarray(np.arange(np.prod(shape), dtype="i4").reshape(shape))
        assert b"".join(blocks(array)) == array.tobytes(order="C")
        assert b"".join(blocks(array[::-1, ..., ::-1], nbytes=5000)) == array[::-1, ..., ::-1].tobytes(
            order="C"
        )
