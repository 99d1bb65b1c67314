"""What keys cost: a small file can hold keys whose hashes take for ever, or all agree."""

import sys
from collections import Counter
from typing import Any

from ...errors import UnsafeFileError

__all__ = ["Keys"]

_CHEAP = frozenset({str, bytes, bool, float, type(None)})  # hashed once, or at once, and hardly ever alike
_CHEAP_INT = 1 << 60  # smaller ones are their own hash
_DEPTH = 50  # tuples in tuples; the interpreter descends without a limit and would overrun its stack
_ALIKE = 100  # keys of one hash in one container: more take a time that grows with their square
_PER_BYTE, _AT_LEAST = 64, 100_000
_CATEGORY = 5
_UNIT = 64  # bytes of a number or text that count as one step


class Keys:
    """Checks the keys of dicts and sets before they are hashed. `nbytes`: of the skeleton they are in."""

    def __init__(self, nbytes: int) -> None:
        self._left = _AT_LEAST + _PER_BYTE * nbytes
        self._alike: Counter[tuple[int, int]] = Counter()

    def check(self, owner: object, keys: Any) -> None:  # Any: an iterable of the values of a file
        """Raise `UnsafeFileError` if hashing or comparing `keys` may take long; else what `hash` raises."""
        for key in keys:
            kind = type(key)
            if kind in _CHEAP or (kind is int and -_CHEAP_INT < key < _CHEAP_INT):
                continue
            self._weigh(key, 0)
            place = id(owner), hash(key)
            self._alike[place] += 1
            if self._alike[place] > _ALIKE:
                raise UnsafeFileError(f"more than {_ALIKE} keys of one of its dicts or sets have one hash")

    def _weigh(self, key: Any, depth: int) -> None:
        if depth > _DEPTH:
            raise UnsafeFileError(f"a key is nested more than {_DEPTH} levels deep")
        kind = type(key)
        if kind is tuple:
            self._left -= 1
            for item in key:
                self._weigh(item, depth + 1)
        elif kind is frozenset:  # its hash is kept, its items have been weighed
            self._left -= 1 + len(key)
        elif kind in _CHEAP:
            self._left -= 1
        else:
            # categories, of a dtype of pandas, are hashed anew each time
            self._left -= 1 + sys.getsizeof(key, 0) // _UNIT + _CATEGORY * len(_categories(key))
        if self._left < 0:
            raise UnsafeFileError("hashing its keys would take very long")


def _categories(key: Any) -> Any:
    found = getattr(key, "categories", None) if type(key).__module__.startswith("pandas") else None
    return () if found is None else found
