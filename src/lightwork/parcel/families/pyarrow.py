"""Arrow arrays: their own way sends the buffers out of band, and those of a slice whole. Here a slice is cut.

Chunked arrays, tables and batches, and columns of pandas that hold such, consist of arrays.
"""

from collections.abc import Callable
from typing import Any

from ...system.optional import loaded

__all__ = ["find"]

_SLACK = 64 << 10  # bytes besides the visible ones that may come along; to cut them costs a copy

_VIEW = 16  # bytes of an item of a view type


# Any: arrays of a library that may not be installed.
def find(kind: type) -> Callable[[Any], tuple[Any, ...]] | None:
    """The reducer of a type of pyarrow."""
    return _reduce_array if issubclass(kind, loaded("pyarrow").Array) else None


def _reduce_array(array: Any) -> tuple[Any, ...]:
    """Arrow's own reduction of the visible part of an array."""
    own: tuple[Any, ...] = _trimmed(array).__reduce__()
    return own


def _trimmed(array: Any) -> Any:
    """The array itself, or a copy of its visible part if it lies in buffers that are much larger."""
    arrow = loaded("pyarrow")
    size = array.get_total_buffer_size()
    if size <= _SLACK:
        return array
    if arrow.types.is_string_view(array.type) or arrow.types.is_binary_view(array.type):
        return _trimmed_views(array, arrow)
    if size - array.nbytes <= _SLACK + array.nbytes // 8:
        return array
    try:
        # Joining two arrays copies what can be seen of them and no more.
        return arrow.concat_arrays([array.slice(0, 0), array])
    except NotImplementedError:
        return array  # a type that this version of arrow cannot join


def _trimmed_views(array: Any, arrow: Any) -> Any:
    """Texts as views lie in buffers that no length tells the used part of: every slice is cut."""
    views = array.buffers()[1]
    if array.offset == 0 and views.size < (len(array) + 1) * _VIEW:
        return array
    packed = arrow.large_string() if arrow.types.is_string_view(array.type) else arrow.large_binary()
    return array.cast(packed).cast(array.type)
