"""The constructor for arrays of texts that lie in one run of bytes."""

from typing import Any

from ...errors import CorruptFileError
from ...parcel.rebuild import text_array
from ...system.optional import loaded
from .arrays import checked_array, count_of
from .constructors import Constructor, Family, Kit, checked
from .scan import Name

# Any: values of a file, arrays of a library that may not be installed.
__all__ = ["FAMILY"]

_TEXT, _WIDEST = 64, 4  # bytes of memory of a text, and of each of its characters


def _texts(kit: Kit) -> Constructor:
    def call(shape: Any, dtype: Any, order: Any, content: Any, separator: Any, missing: Any) -> Any:
        count = count_of(kit, shape, dtype)
        if dtype.char not in "OT" or checked(order, str, "an order") not in ("C", "F"):
            raise CorruptFileError(f"texts of {dtype} are not written in this way")
        checked_array(kit, content, 1, "u")
        if content.itemsize != 1 or not content.flags.c_contiguous:
            raise CorruptFileError(f"{content.dtype} is no dtype of the bytes of texts")
        if len(checked(separator, str, "a separator")) != 1 or not separator.isascii():
            raise CorruptFileError(f"{separator[:40]!r} is no separator of texts")
        kit.spend(_TEXT * count + _WIDEST * len(content))
        found = int((content == ord(separator)).sum()) + 1
        if found != count:
            raise CorruptFileError(f"{found} texts are no array of shape {shape}")
        _check_missing(kit, missing, count)
        return text_array(shape, dtype, order, content, separator, missing)

    return Constructor(None, call, views=True)


def _check_missing(kit: Kit, missing: Any, count: int) -> None:
    """Raise one of our errors unless no position is there twice, and each is one of `count` texts."""
    numpy, pandas = kit.numpy, loaded("pandas")
    places = [numpy.empty(0, "i8")]
    for pair in checked(missing, tuple, "what is missing"):
        value, where = checked(pair, tuple, "what is missing")
        is_nan = type(value) is float and value != value
        if not (value is None or is_nan or (pandas is not None and value is pandas.NA)):
            raise CorruptFileError(f"a {type(value).__name__} does not stand for what is missing")
        places.append(checked_array(kit, where, 1, "i"))
        kit.spend(where.nbytes)
    every = numpy.sort(numpy.concatenate(places))
    if len(every) and (every[0] < 0 or every[-1] >= count or (every[1:] == every[:-1]).any()):
        raise CorruptFileError("the positions of what is missing are not those of texts")


FAMILY: Family = {Name("lightwork.parcel.rebuild", "text_array"): _texts}
