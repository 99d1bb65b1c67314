"""joblib's file format: names, the state of its array wrappers, padding, old headers. Pure.

A file is a pickle in which each array is replaced by an instance of a wrapper class. From 0.10 on the bytes
of the array follow directly behind the opcode that completes that instance, inside of the stream; before,
they were in files of their own beside it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from ...errors import CorruptFileError

__all__ = [
    "ALIGNMENT",
    "ARRAY_WRAPPER",
    "OLD_HEADER",
    "OLD_MAGIC",
    "ArrayState",
    "is_wrapper",
    "old_length",
    "padding",
    "wrapper_state",
]

ALIGNMENT = 16
"""Position of an array's first byte is a multiple of this, in files of joblib 1.2 and later."""

ARRAY_WRAPPER = ("joblib.numpy_pickle", "NumpyArrayWrapper")
_WRAPPERS = {"NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"}
# The module was also shipped inside scikit-learn, as sklearn.externals.joblib, and by others like it.
_HOMES = ("joblib.numpy_pickle", "joblib.numpy_pickle_compat")

OLD_MAGIC = b"ZF"
OLD_HEADER = len(OLD_MAGIC) + 19
"""Bytes of the header of a compressed file before 0.10; some writers put one more space behind it."""


def is_wrapper(module: str, name: str) -> bool:
    """Whether a pickle means one of the wrapper classes by this name."""
    return name in _WRAPPERS and any(module == home or module.endswith(f".{home}") for home in _HOMES)


class ArrayState(NamedTuple):
    """What a wrapper tells of the array behind it."""

    shape: tuple[int, ...]
    order: str
    dtype: Any  # Any: a dtype of a library that may not be installed
    mappable: bool
    padded: bool
    """Whether a byte that holds their number and padding bytes come before the array."""

    subclass: Any  # Any: a class, ``numpy.ndarray`` or one of its own

    @classmethod
    def of(cls, state: Any) -> "ArrayState":  # Any: whatever the file says
        """The state from the dictionary in the file; `CorruptFileError` if it is none."""
        try:
            found = cls(
                tuple(map(int, state["shape"])),
                state["order"],
                state["dtype"],
                bool(state.get("allow_mmap", False)),
                state.get("numpy_array_alignment_bytes") is not None,
                state["subclass"],
            )
        except (AttributeError, KeyError, TypeError, ValueError) as exc:
            raise CorruptFileError(f"the description of an array in it is damaged ({exc!r})") from exc
        if found.order not in ("C", "F") or any(length < 0 for length in found.shape):
            raise CorruptFileError("the description of an array in it is damaged")
        return found

    @property
    def nbytes(self) -> int:
        """How many bytes the elements have."""
        nbytes = int(self.dtype.itemsize)
        for length in self.shape:
            nbytes *= length
        return nbytes


def padding(position: int) -> bytes:
    """What stands between a wrapper that ends at `position` and its array: a number, then so many bytes."""
    count = ALIGNMENT - (position + 1) % ALIGNMENT
    return bytes([count]) + b"\xff" * count


def old_length(header: bytes) -> int:
    """The uncompressed length that the header of a ``ZF`` file tells."""
    try:
        return int(header[len(OLD_MAGIC) :], 16)
    except ValueError:
        raise CorruptFileError("the length in its header is damaged") from None


def wrapper_state(array: Any, subclass: Any, *, padded: bool) -> Mapping[str, Any]:
    """What a wrapper tells of `array`, in the order in which joblib writes it."""
    return {
        "subclass": subclass,
        "shape": array.shape,
        "order": "F" if array.flags.fnc else "C",
        "dtype": array.dtype,
        "allow_mmap": not array.dtype.hasobject,
        "numpy_array_alignment_bytes": ALIGNMENT if padded else None,
    }
