"""Arrays of texts: one run of UTF-8 in the place of a million objects in the pickle.

numpy keeps texts of any length as an array of ``str`` objects (so does pandas in its ``object`` and Python
string columns), or as ``StringDType``. Here they are joined with a separator that none of them contains:
joining and splitting run at the speed of C, a million texts take a third of pickle's time. Other rows may be
``None``, a NaN or ``pandas.NA``: these are noted by position.
"""

from functools import partial
from typing import Any, NamedTuple, TypeAlias

from ...system.optional import loaded
from ..rebuild import text_array

__all__ = ["reduce_texts"]

_SEPARATORS = ("\0", "\x1f", "\x1e", "\n", "\x01")
_AT_ONCE = 1 << 16  # items that are joined at a time: what is held besides the result
_RUNS, _RUN = 8, 64

# Any: arrays of a library that may not be installed.
Array: TypeAlias = Any


class _Gap(NamedTuple):
    """A value that is no text, and where it is."""

    value: object
    places: list[int]


def reduce_texts(array: Array) -> tuple[Any, ...] | None:
    """The reduction of an array of objects or of ``StringDType``; ``None`` if it is not one of texts.

    Texts that are the same object many times (categories, say) are no case either: the pickle refers to
    each object once, which is shorter, and keeps them one.
    """
    order = "F" if array.flags.fnc else "C"
    items: list[Any] = array.ravel(order).tolist()
    if array.dtype.char == "O":
        if _is_repetitive(items):
            return None
    elif isinstance(getattr(array.dtype, "na_object", None), str):
        return None  # a missing text cannot be told from a text
    gaps = _take_gaps(items)
    if gaps is None:
        return None
    joined = next(filter(None, map(partial(_joined, items), _SEPARATORS)), None)
    if joined is None:
        return None
    numpy = loaded("numpy")
    missing = tuple((gap.value, numpy.array(gap.places, numpy.int64)) for gap in gaps)
    content, separator = numpy.frombuffer(joined.content, "u1"), joined.separator
    return text_array, (array.shape, array.dtype, order, content, separator, missing)


def _is_repetitive(items: list[Any]) -> bool:
    """Whether texts are met again, by a look at runs of them here and there."""
    starts = range(0, len(items), max(1, len(items) // _RUNS))
    texts = [item for start in starts for item in items[start : start + _RUN] if type(item) is str]
    return len(set(map(id, texts))) * 2 <= len(texts)


def _take_gaps(items: list[Any]) -> list[_Gap] | None:
    """What is no text, replaced by empty texts; ``None`` if there is anything that cannot be noted."""
    kinds = list(map(type, items))
    found = set(kinds)
    others = found - {str}
    pandas = loaded("pandas")
    allowed = {type(None), float} | ({type(pandas.NA)} if pandas is not None else set())
    if str not in found or not others <= allowed:
        return None
    gaps: dict[type, _Gap] = {}
    for place, kind in enumerate(kinds) if others else ():
        if kind is not str:
            value = items[place]
            if kind is float and value == value:
                return None  # a number, not only NaN
            gaps.setdefault(kind, _Gap(value, [])).places.append(place)
            items[place] = ""
    return list(gaps.values())


class _Joined(NamedTuple):
    content: bytearray
    separator: str


def _joined(items: list[str], separator: str) -> _Joined | None:
    """The texts in UTF-8, ``None`` if one of them contains the separator."""
    content = bytearray()
    for start in range(0, len(items), _AT_ONCE):
        part = items[start : start + _AT_ONCE]
        text = separator.join(part)
        if text.count(separator) != len(part) - 1:
            return None
        if start:
            content += separator.encode()
        content += text.encode("utf-8", "surrogatepass")
    return _Joined(content, separator)
