"""Views of the parts of an open file: what is in it, without what it costs to load."""

import math
from collections.abc import Iterator
from typing import Any

from .. import arrays, parcel
from ..errors import CorruptFileError
from ..parcel.outline import ArrayAt, Name, Node
from ..system.optional import require
from .access import Access

# Any: the user's keys and values, and arrays of a library that may not be installed.
__all__ = ["LazyArray", "Parts", "entries_of", "type_name", "view_of"]

_PLAIN = (str, int, float, bytes, type(None))  # keys that an outline has as they are


class LazyArray:
    """An array that lies in a file. Indexing it reads what is asked for and gives a new numpy array.

    Integers, slices, an ellipsis and ``newaxis`` are taken as numpy takes them, and along one axis an array
    of integers or booleans. Every block that is read is compared with its checksum. ``array[...]`` and
    ``numpy.asarray(array)`` read all of it. Safe to use from several threads.
    """

    def __init__(self, access: Access, at: ArrayAt) -> None:
        numpy = require("numpy", purpose="an array in a file", extra="numpy")
        self._access = access
        self._at = at
        self._dtype = access.turned(numpy.empty(0, access.dtype(at.dtype))).dtype
        nbytes = self.size * self._dtype.itemsize
        if not 0 <= at.offset <= at.offset + nbytes <= access.segments.slots[at.segment].nbytes:
            raise CorruptFileError(f"cannot read {access.path!r}: an array reaches beyond its buffer")

    @property
    def shape(self) -> tuple[int, ...]:
        """Its lengths."""
        return self._at.shape

    @property
    def dtype(self) -> Any:
        """The type of its items, as they come out."""
        return self._dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._at.shape)

    @property
    def size(self) -> int:
        """Number of items."""
        return math.prod(self._at.shape)

    @property
    def nbytes(self) -> int:
        """Size in memory when it is loaded."""
        return self.size * int(self._dtype.itemsize)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("an array without dimensions has no length")
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        selection = arrays.selection.select(index, self.shape)
        return self._access.read(self._at, selection.positions)[selection.local]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError("an array in a file cannot be used without a copy: map it with load(mmap_mode=)")
        found = self[...]
        return found if dtype is None else found.astype(dtype, copy=False)

    def __repr__(self) -> str:
        return f"<LazyArray {self.shape} {self.dtype} in {self._access.path!r}>"


class Parts:
    """A container in a file: keys, and under each of them a view or a value.

    The keys are those of a dictionary, the positions in a list or tuple, or the names of the attributes that
    an object was written with. An array comes out as a `LazyArray`, a dictionary, list or tuple that holds
    arrays as `Parts`, everything else is loaded.
    """

    def __init__(self, access: Access, part: Any) -> None:
        self._access = access
        self._part = part
        self._found: dict[Any, Any] | None = None

    @property
    def _entries(self) -> dict[Any, Any]:
        """The outlines by key. Keys are built when they are asked for: before, nothing of a file runs."""
        if self._found is None:
            entries = entries_of(self._part)
            keys = [key for key, _ in entries]
            if not all(isinstance(key, _PLAIN) for key in keys):
                keys = self._access.load(keys)
            self._found = dict(zip(keys, (inner for _, inner in entries), strict=True))
        return self._found

    def keys(self) -> list[Any]:
        """All keys, in their order."""
        return list(self._entries)

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Each key and what is under it."""
        return ((key, self[key]) for key in self._entries)

    def load(self) -> Any:
        """The whole container or object."""
        return self._access.load(self._part)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def __getitem__(self, key: Any) -> Any:
        return view_of(self._access, self.part(key))

    def part(self, key: Any) -> Any:
        """The outline of what is under a key; `KeyError` if there is none."""
        if isinstance(self._part, list | tuple) and isinstance(key, int) and -len(self) <= key < 0:
            key += len(self)
        try:
            return self._entries[key]
        except (KeyError, TypeError):  # the latter for lists and slices
            raise KeyError(f"{key!r} is no key of {self!r}, which has {self._some_keys()}") from None

    def _some_keys(self) -> str:
        first = ", ".join(repr(key) for key in self.keys()[:20])
        return f"{first}, …" if len(self) > 20 else first or "none"

    def __repr__(self) -> str:
        return f"<{type_name(self._part)} of {len(self)} in {self._access.path!r}>"


def view_of(access: Access, part: Any) -> Any:
    """What stands for a part of the outline: a view, or the value itself."""
    at = parcel.outline.array_at(part)
    if at is not None:
        return LazyArray(access, at)
    piece = parcel.outline.cut(part)
    if piece.buffers and isinstance(part, dict | list | tuple) and _holds_arrays(part):
        return Parts(access, part)
    return access.join(piece)


def entries_of(part: Any) -> list[tuple[Any, Any]]:
    """The outlines of keys and values of a container, or of the attributes of an object."""
    if isinstance(part, dict):
        return list(part.items())
    if isinstance(part, list | tuple):
        return list(enumerate(part))
    if not isinstance(part, Node) or part.setter is not None:
        return []
    if part.entries or part.items:  # a dictionary or list of another class
        return list(part.entries or enumerate(part.items))
    states = part.state if isinstance(part.state, tuple) and len(part.state) == 2 else (part.state,)
    if not all(
        state is None or (type(state) is dict and all(type(key) is str for key in state)) for state in states
    ):
        return []
    return [entry for state in states if state for entry in state.items()]


def type_name(part: Any) -> str:
    """What a part of the outline is of, as far as that can be told without importing it."""
    if isinstance(part, Name):
        return ".".join(part.path)
    if not isinstance(part, Node):
        return type(part).__name__
    names = [name for name in (part.maker, *part.args) if isinstance(name, Name)]
    public = [name for name in names if not name.path[1].startswith("_") and "lightwork" not in name.path[0]]
    shown = (public or names)[:1]
    return ".".join(shown[0].path).removeprefix("builtins.") if shown else "object"


def _holds_arrays(part: Any) -> bool:
    waiting, seen = [part], {id(part)}
    while waiting:
        for _, inner in entries_of(waiting.pop()):
            if parcel.outline.array_at(inner) is not None:
                return True
            if isinstance(inner, dict | list | tuple) and id(inner) not in seen:
                seen.add(id(inner))
                waiting.append(inner)
    return False
