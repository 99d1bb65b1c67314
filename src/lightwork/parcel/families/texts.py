"""Arrays of texts: one run of UTF-8 in the place of a million objects in the pickle.

numpy keeps texts of any length as an array of ``str`` objects (so does pandas in its ``object`` and Python
string columns), or as ``StringDType``. Here they are joined with a separator that none of them contains:
joining and splitting run at the speed of C, a million texts take a third of pickle's time. Other rows may be
``None``, a NaN or ``pandas.NA``: these are noted by position.
"""

from typing import Any, NamedTuple, TypeAlias

from ...system.optional import loaded
from ..rebuild import text_array

__all__ = ["reduce_texts"]

_SEPARATORS = ("\0", "\x1f", "\x1e", "\n", "\x01")
_AT_ONCE = 8 << 10  # items; they are looked at several times, which is quick as long as they are in the cache
_RUNS, _RUN = 8, 64

# Any: arrays of a library that may not be installed.
Array: TypeAlias = Any


class _OtherItemError(Exception):
    """There is an item that is no text, and nothing that can be noted by position."""


class _Joined(NamedTuple):
    """The texts of an array one after the other; what is no text, by type: a value, and where it is."""

    content: bytearray
    gaps: dict[type, tuple[object, list[int]]]


def reduce_texts(array: Array) -> tuple[Any, ...] | None:
    """The reduction of an array of objects or of ``StringDType``; ``None`` if it is not one of texts.

    Texts that are the same object many times (categories, say) are no case either: the pickle refers to
    each object once, which is shorter, and keeps them one.
    """
    order = "F" if array.flags.fnc else "C"
    flat = array.ravel(order)
    if array.dtype.char == "O":
        if _is_repetitive(flat):
            return None
    elif isinstance(getattr(array.dtype, "na_object", None), str):
        return None  # a missing text cannot be told from a text
    for separator in _SEPARATORS:
        try:
            joined = _joined(flat, separator)
        except _OtherItemError:
            return None
        if joined is not None:
            numpy = loaded("numpy")
            gaps = tuple((value, numpy.array(places, numpy.int64)) for value, places in joined.gaps.values())
            content = numpy.frombuffer(joined.content, "u1")
            return text_array, (array.shape, array.dtype, order, content, separator, gaps)
    return None


def _is_repetitive(flat: Array) -> bool:
    """Whether texts are met again, by a look at runs of them here and there."""
    starts = range(0, len(flat), max(1, len(flat) // _RUNS))
    texts = [item for start in starts for item in flat[start : start + _RUN] if type(item) is str]
    return len(set(map(id, texts))) * 2 <= len(texts)


def _joined(flat: Array, separator: str) -> _Joined | None:
    """The texts in UTF-8, ``None`` if one of them contains the separator."""
    content, gaps = bytearray(), dict[type, tuple[object, list[int]]]()
    for start in range(0, len(flat), _AT_ONCE):
        items = flat[start : start + _AT_ONCE].tolist()
        kinds = list(map(type, items))
        if kinds.count(str) != len(kinds):
            _take_gaps(items, kinds, start, gaps)
        text = separator.join(items)
        if text.count(separator) != len(items) - 1:
            return None
        if start:
            content += separator.encode()
        content += text.encode("utf-8", "surrogatepass")
    return _Joined(content, gaps)


def _take_gaps(
    items: list[Any], kinds: list[type], start: int, gaps: dict[type, tuple[object, list[int]]]
) -> None:
    """Replace what is no text by empty texts, and note it in `gaps`."""
    pandas = loaded("pandas")
    allowed = {str, type(None), float} | ({type(pandas.NA)} if pandas is not None else set())
    if not allowed.issuperset(kinds):
        raise _OtherItemError
    for place in [place for place, kind in enumerate(kinds) if kind is not str]:
        kind, value = kinds[place], items[place]
        if kind is float and value == value:
            raise _OtherItemError  # a number, not only NaN
        gaps.setdefault(kind, (value, []))[1].append(start + place)
        items[place] = ""
