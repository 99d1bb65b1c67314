"""Constructors for the texts of pandas that are kept by Arrow: decoded here, with checked offsets.

Arrow's own reading of a pickle believes offsets and lengths, so pyarrow is not given any: pandas makes a new
array of the texts.
"""

from itertools import pairwise
from typing import Any, NamedTuple

from ...errors import CorruptFileError
from .constructors import Constructor, Family, Kit, Later, checked, checked_all
from .scan import Name

# Any: values of a file, and what a library that may not be installed makes of them.
__all__ = ["FAMILY"]

_OFFSETS = {"string": "<i4", "large_string": "<i8"}


class _Type(NamedTuple):
    """A type of Arrow; its offsets are numbers of this dtype."""

    offsets: str


class _Texts(NamedTuple):
    """An array of Arrow."""

    items: list[str | None]


def _type(kit: Kit) -> Constructor:
    def call(alias: Any) -> _Type:
        if checked(alias, str, "a type of Arrow") not in _OFFSETS:
            raise CorruptFileError(f"arrays of Arrow are built if they hold texts, not {alias[:40]!r}")
        return _Type(_OFFSETS[alias])

    return Constructor(None, call)


def _buffer(kit: Kit) -> Constructor:
    return Constructor(
        None, lambda buffer: checked(buffer, (memoryview, bytes, bytearray), "a buffer"), views=True
    )


def _array(kit: Kit) -> Constructor:
    """From type, length, number of missing items, offset, and buffers: what is valid, offsets, texts."""

    def call(data: Any) -> _Texts:
        kind, length, _, offset, buffers, *_ = checked(data, tuple, "an array of Arrow")
        checked(kind, _Type, "a type of Arrow")
        if min(checked_all((length, offset), int, "a length")) < 0:
            raise CorruptFileError("an array of Arrow has a negative length")
        valid, offsets, texts = checked(buffers, list, "buffers")
        if not length:
            return _Texts([])
        kit.spend(100 * length)
        ends = _ends(kit, offsets, kind, offset, length)
        content = b"" if texts is None else bytes(texts)
        if ends[0] < 0 or ends[-1] > len(content) or (ends[1:] < ends[:-1]).any():
            raise CorruptFileError("a text of an array of Arrow lies outside of its buffer")
        items: list[str | None] = [content[start:end].decode() for start, end in pairwise(ends.tolist())]
        for missing in _missing(kit, valid, offset, length):
            items[missing] = None
        return _Texts(items)

    return Constructor(None, call, views=True)


def _ends(kit: Kit, offsets: Any, kind: _Type, offset: int, length: int) -> Any:
    """Where the texts begin and end; numpy compares the count with the buffer."""
    numpy = kit.numpy
    return numpy.frombuffer(offsets, kind.offsets, length + 1, offset * numpy.dtype(kind.offsets).itemsize)


def _missing(kit: Kit, valid: Any, offset: int, length: int) -> Any:
    if valid is None:
        return ()
    bits = kit.numpy.unpackbits(kit.numpy.frombuffer(valid, "u1"), bitorder="little")[
        offset : offset + length
    ]
    if len(bits) < length:
        raise CorruptFileError("an array of Arrow has too few marks of what is missing")
    return (bits == 0).nonzero()[0].tolist()


def _chunked(kit: Kit) -> Constructor:
    def call(chunks: Any, kind: Any = None) -> _Texts:
        checked_all(checked(chunks, (list, tuple), "chunks"), _Texts, "an array of Arrow")
        kit.spend(100 * sum(len(chunk.items) for chunk in chunks))
        return _Texts([item for chunk in chunks for item in chunk.items])

    return Constructor(None, call)


def _strings(kit: Kit) -> Constructor:
    def build(state: Any) -> Any:
        texts = checked(
            checked(state, dict, "the state of an array")["_pa_array"], _Texts, "an array of Arrow"
        )
        dtype = checked(state["_dtype"], kit.pandas.StringDtype, "a dtype")
        kit.spend(100 * len(texts.items))
        return kit.pandas.array(texts.items, dtype=dtype)

    return Constructor(None, None, lambda: Later(build))


FAMILY: Family = {
    Name("pyarrow.lib", "type_for_alias"): _type,
    Name("pyarrow.lib", "py_buffer"): _buffer,
    Name("pyarrow.lib", "_restore_array"): _array,
    Name("pyarrow.lib", "chunked_array"): _chunked,
    Name("pandas.arrays", "ArrowStringArray"): _strings,
    Name("pandas.core.arrays.string_arrow", "ArrowStringArray"): _strings,
    Name("pandas.core.arrays.string_arrow", "ArrowStringArrayNumpySemantics"): _strings,
}
