"""Any value, any array layout: what goes into a parcel or a file comes out of it."""

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lightwork import dumps, loads
from lightwork.parcel.codecs import CODECS, compressor, decode
from lightwork.parcel.parcels import join, split
from lightwork.parcel.sources import pieces

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)
DTYPES = st.one_of(
    arrays.boolean_dtypes(),
    arrays.integer_dtypes(),
    arrays.floating_dtypes(),
    arrays.complex_number_dtypes(),
    arrays.datetime64_dtypes(),
    arrays.timedelta64_dtypes(),
    arrays.unicode_string_dtypes(),
    arrays.byte_string_dtypes(),
    arrays.array_dtypes(),
)


@st.composite
def laid_out(draw: st.DrawFn) -> Any:
    """An array of any dtype, whole, sliced, reversed or transposed."""
    dtype = draw(DTYPES)
    shape = draw(arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=9))
    count = math.prod(shape)
    content = draw(st.binary(min_size=count * dtype.itemsize, max_size=count * dtype.itemsize))
    # any bytes will do: a parcel moves them and does not look at them
    array = np.frombuffer(content, "u1").view(dtype) if count and dtype.itemsize else np.zeros(count, dtype)
    array = array.reshape(shape)
    axes = draw(st.permutations(range(array.ndim)))
    steps = tuple(slice(None, None, draw(st.sampled_from([1, 2, -1, -3]))) for _ in axes)
    cut: Any = (*steps, ...)  # Any: numpy has no type for the tuples that it takes
    return array.transpose(axes)[cut]


def bits(array: Any) -> bytes:
    return bytes(array.tobytes("C"))


def agree(found: Any, array: Any) -> bool:
    return bool(found.dtype == array.dtype and found.shape == array.shape and bits(found) == bits(array))


@given(st.lists(laid_out(), max_size=4))
def test_arrays_survive_a_parcel(values: list[Any]) -> None:
    """Bit for bit, in dtype and shape, writable, whatever lies beside them in the same buffer."""
    parcel = split(values)
    found = join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])
    assert all(agree(*pair) for pair in zip(found, values, strict=True))
    assert all(array.flags.writeable for array in found)


@settings(deadline=None)
@given(VALUES, st.lists(laid_out(), max_size=3), st.sampled_from([0, True, "zlib", "bz2", "lzma"]))
def test_values_survive_a_file(value: Any, values: list[Any], compress: Any) -> None:
    """Containers, scalars and arrays, with every codec."""
    found, found_arrays = loads(dumps((value, values), compress), ensure_native_byte_order=False)
    assert repr(found) == repr(value)  # as text, since nan differs from itself
    assert all(agree(*pair) for pair in zip(found_arrays, values, strict=True))


@given(laid_out(), st.integers(1, 64))
def test_pieces_are_the_elements_in_order(array: Any, nbytes: int) -> None:
    """Cut anywhere, joined again: the elements in C order (of a Fortran array: in its own order)."""
    found = list(pieces(array, nbytes))
    assert b"".join(found) == array.tobytes("F" if array.flags.fnc else "C")
    assert all(len(piece) == nbytes for piece in found[:-1])


@given(st.binary(max_size=2000), st.integers(1, 40), st.sampled_from(sorted(CODECS)), st.booleans())
def test_blocks_survive_their_codec(data: bytes, width: int, name: str, sparse: bool) -> None:
    """Random bytes, and bytes most of whose planes are constant."""
    content = b"".join(bytes([byte]).ljust(width, b"\7") for byte in data) if sparse else data
    packed = compressor(name, 1)(memoryview(content), width)
    out = bytearray(len(content))
    decode(memoryview(packed.payload), packed.codec, packed.width, memoryview(out))
    assert out == content
