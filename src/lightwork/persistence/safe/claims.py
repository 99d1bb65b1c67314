"""Who may use the bytes of a buffer: a file could give one to two values, have it checked for the first, and
leave the second to change it. What was checked must stay as it is.

Arrays of numpy are writable, and may share a buffer. Bytes that others rely on, such as the offsets of Arrow,
are *sealed*: no array lies in them, and nobody has a view of them once the value is made.
"""

import weakref
from collections.abc import Callable
from typing import Any

from ...errors import CorruptFileError
from ...protocols import Buffer

# Any: arrays of a library that may not be installed.
__all__ = ["Claims"]

_TWICE = "it gives one buffer to two values, of which one relies on what is in it"


class Claims:
    """Of the values of one file. `spend` takes note of the bytes of copies."""

    def __init__(self, spend: Callable[[int], None]) -> None:
        self._spend = spend
        self._views: list[tuple[int, weakref.ref[memoryview]]] = []
        self._shared: set[int] = set()
        self._sealed: dict[int, Any] = {}  # by id; kept, so that ids stay theirs

    def handed(self, view: memoryview) -> memoryview:
        """A view of a buffer that values are made of, and no other view than those handed out here."""
        self._views.append((id(view.obj), weakref.ref(view)))
        return view

    def share(self, buffer: Any) -> None:
        """Take note that an array lies in `buffer`.

        Raises
        ------
        CorruptFileError
            It is sealed.
        """
        if type(buffer) is memoryview:
            if id(buffer.obj) in self._sealed:
                raise CorruptFileError(_TWICE)
            self._shared.add(id(buffer.obj))

    def seal(self, buffer: memoryview | bytearray | bytes) -> Buffer:
        """The bytes of `buffer`, for one who relies on them: a copy if somebody else could write to them."""
        if type(buffer) is memoryview and id(buffer.obj) not in self._shared:
            self._sealed[id(buffer.obj)] = buffer.obj
            return memoryview(buffer)
        if type(buffer) is not bytes:
            self._spend(len(buffer))
        return bytes(buffer)

    def own(self, array: Any) -> Any:
        """A copy of an array whose items are checked and relied on: anybody may hold the array itself."""
        self._spend(array.nbytes)
        return array.copy()

    def check(self) -> None:
        """Raise `CorruptFileError` if the finished value holds a view of a sealed buffer."""
        if any(root in self._sealed and view() is not None for root, view in self._views):
            raise CorruptFileError(_TWICE)
