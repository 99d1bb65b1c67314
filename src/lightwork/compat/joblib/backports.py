"""joblib's small stand-ins: versions that compare, mapped arrays, renames that try again."""

import contextlib
import os
import re
import sys
import time
from functools import total_ordering
from typing import Any, SupportsIndex

from ...system.optional import imported

__all__ = ["LooseVersion", "concurrency_safe_rename", "make_memmap"]

_PARTS = re.compile(r"(\d+|[a-z]+|\.)")
_RENAMES = 10


@total_ordering
class LooseVersion:
    """A version such as ``"1.5.2b2"`` that compares number by number, with texts too."""

    def __init__(self, vstring: str) -> None:
        self.vstring = vstring
        parts = [part for part in _PARTS.split(vstring) if part and part != "."]
        self.version: list[Any] = [int(part) if part.isdigit() else part for part in parts]

    def __repr__(self) -> str:
        return f"LooseVersion ('{self.vstring}')"

    def __str__(self) -> str:
        return self.vstring

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LooseVersion | str) and _parts(self) == _parts(other)

    def __lt__(self, other: "LooseVersion | str") -> bool:
        return _parts(self) < _parts(other)

    def __hash__(self) -> int:
        return hash(self.vstring)


def _parts(version: LooseVersion | str) -> list[tuple[bool, Any]]:
    """What two versions are compared by: a number comes before a word."""
    found = version if isinstance(version, LooseVersion) else LooseVersion(version)
    return [(isinstance(part, str), part) for part in found.version]


def make_memmap(
    filename: str,
    dtype: Any = "uint8",
    mode: Any = "r+",
    offset: int = 0,
    shape: SupportsIndex | tuple[SupportsIndex, ...] | None = None,
    order: Any = "C",
    unlink_on_gc_collect: bool = False,
) -> Any:
    """A `numpy.memmap`. Any: dtypes, modes and orders as numpy takes them.

    With `unlink_on_gc_collect` the file has no name any more once it is mapped, so it goes with the array.
    """
    numpy = imported("numpy")
    mapped = numpy.memmap(filename, dtype=dtype, mode=mode, offset=offset, shape=shape, order=order)
    if unlink_on_gc_collect:
        with contextlib.suppress(OSError):
            os.unlink(filename)
    return mapped


def concurrency_safe_rename(src: str, dst: str) -> None:
    """Replace `dst` by `src`; on Windows, where a file that is open cannot be replaced, try for a second."""
    attempts = _RENAMES if sys.platform == "win32" else 1
    for attempt in range(attempts):
        try:
            os.replace(src, dst)
        except PermissionError:
            if attempt == attempts - 1:
                raise
            time.sleep(0.1)  # nobody tells when the other process closes it
        else:
            return
