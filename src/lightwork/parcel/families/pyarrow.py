"""Arrow arrays: their own way sends the buffers out of band, and those of a slice whole. Here a slice is cut.

Chunked arrays, tables and batches, and columns of pandas that hold such, consist of arrays.

Buffers of whole numbers tell how wide these are, for the byte shuffle: compressed, offsets of texts take 0.02
to 0.4 of the bytes that they take without, whole numbers 0.75, time stamps in a row 0.04. Buffers of real
numbers do not: random ones would take 0.92, prices in cents 1.56.
"""

import pickle
import struct
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from ...system.optional import loaded

__all__ = ["find"]

_SLACK = 64 << 10  # bytes besides the visible ones that may come along; to cut them costs a copy

_Form: TypeAlias = Literal["h", "i", "q"]
_FORMS: dict[int, _Form] = {16: "h", 32: "i", 64: "q"}
_VIEW = 16  # bytes of an item of a view type


# Any: arrays of a library that may not be installed.
def find(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """The reducer of a type of pyarrow."""
    return _reduce_array if issubclass(kind, loaded("pyarrow").Array) else None


def _reduce_array(array: Any) -> tuple[Any, ...]:
    """Arrow's own reduction of the visible part of an array."""
    arrow = loaded("pyarrow")
    own: tuple[Any, ...] = _trimmed(array).__reduce__()
    if type(array).__reduce__ is not arrow.Array.__reduce__:  # an extension of somebody
        return own
    restore, (parts,) = own
    return restore, (_widened(parts, arrow),)


class _Wide:
    """A buffer of numbers, pickled as Arrow pickles its buffers."""

    def __init__(self, buffer: Any, form: _Form, make: Any) -> None:
        self._buffer = buffer
        self._form = form
        self._make = make

    def __reduce_ex__(self, _: Any) -> tuple[Any, ...]:
        return self._make, (pickle.PickleBuffer(memoryview(self._buffer).cast("B").cast(self._form)),)


def _widened(parts: Any, arrow: Any) -> Any:
    """What Arrow makes an array of: type, length, missing, offset, buffers, children, dictionary."""
    if parts is None:
        return None
    kind, *middle, buffers, children, dictionary = parts
    form = _form_of(kind, arrow.types)
    if form:
        size = struct.calcsize(form)
        buffers = [
            buffer if place != 1 or not buffer or buffer.size % size else _Wide(buffer, form, arrow.py_buffer)
            for place, buffer in enumerate(buffers)
        ]
    inside = [_widened(child, arrow) for child in children]
    return (kind, *middle, buffers, inside, _widened(dictionary, arrow))


def _form_of(kind: Any, types: Any) -> _Form | None:
    """The form of the whole numbers in the second buffer of an array; ``None`` if there are none."""
    if types.is_dictionary(kind):
        kind = kind.index_type
    if any(getattr(types, f"is_{name}")(kind) for name in ("string", "binary", "list", "map")):
        return "i"
    if any(getattr(types, f"is_{name}")(kind) for name in ("large_string", "large_binary", "large_list")):
        return "q"
    is_whole = types.is_integer(kind) or (types.is_temporal(kind) and not types.is_interval(kind))
    return _FORMS.get(kind.bit_width) if is_whole else None


def _trimmed(array: Any) -> Any:
    """The array itself, or a copy of its visible part if it lies in buffers that are much larger."""
    arrow = loaded("pyarrow")
    size = array.get_total_buffer_size()
    if size <= _SLACK:
        return array
    if arrow.types.is_string_view(array.type) or arrow.types.is_binary_view(array.type):
        return _trimmed_views(array, arrow)
    seen = _seen(array)
    if size - seen <= _SLACK + seen // 8:
        return array
    try:
        # Joining two arrays copies what can be seen of them and no more.
        return arrow.concat_arrays([array.slice(0, 0), array])
    except NotImplementedError:
        return array  # a type that this version of arrow cannot join


def _seen(array: Any) -> int:
    """Bytes of what can be seen of an array; 0 where this version of arrow cannot count them, as of views."""
    try:
        return int(array.nbytes)
    except TypeError:
        return 0


def _trimmed_views(array: Any, arrow: Any) -> Any:
    """Texts as views lie in buffers that no length tells the used part of: every slice is cut."""
    views = array.buffers()[1]
    if array.offset == 0 and views.size < (len(array) + 1) * _VIEW:
        return array
    packed = arrow.large_string() if arrow.types.is_string_view(array.type) else arrow.large_binary()
    try:
        return array.cast(packed).cast(array.type)
    except NotImplementedError:
        return array  # this version of arrow cannot turn them into others
