"""What the frames between parent and worker mean, and how tasks and results become bytes.

::

    parent ──► worker                                     worker ──► parent
    BEGIN     environment, limits, the runner             VALUES   results that are all scalars, one pickle
    FUNCTION  one function, once per worker and session   PARCELS  any other results, one pickle each
    SEGMENT   a published buffer, with its descriptor     ERROR    one task failed
    COLUMNS   tasks of one function with scalars only     ENDED    the session is over; modules loaded so far
    STREAM    any other tasks, one pickle each
    END       the session is over

Every task is a value of its own, whatever the batch: a list that is an argument of two tasks is two lists
in the worker. One pickle for a whole batch would share it, so its memo is cleared after each task; only
scalars, which nobody can change, go into one pickle together (a tenth of the time).
"""

import io
import pickle
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from ...parcel.pickling import PROTOCOL, dump_by_value, make_pickler, needs_value_pickling
from .channel import Piece

__all__ = [
    "BEGIN",
    "COLUMNS",
    "END",
    "ENDED",
    "ERROR",
    "FUNCTION",
    "NBYTES",
    "NUMBER",
    "PARCELS",
    "SCALARS",
    "SEGMENT",
    "STREAM",
    "UNSHIPPED",
    "VALUES",
    "Entry",
    "Placed",
    "StreamWriter",
    "entries",
    "load_scalars",
    "pickle_scalars",
    "rebuild",
    "transpose",
]

BEGIN: Final = 1
FUNCTION: Final = 2
SEGMENT: Final = 3
COLUMNS: Final = 4
STREAM: Final = 5
END: Final = 6
VALUES: Final = 7
PARCELS: Final = 8
ERROR: Final = 9
ENDED: Final = 10

UNSHIPPED: Final = 0xFFFFFFFF
"""Stands for the number of a function that travels with its task."""

SCALARS: Final = frozenset({int, float, str, bytes, bool, type(None)})
"""Exactly these types: nothing that refers to one of them can see a change of it."""

_ENTRY = struct.Struct("<IIQ")

NUMBER: Final = struct.Struct("<I")
"""What a COLUMNS body begins with: the number of the function."""

NBYTES: Final = struct.Struct("<Q")
"""The body of a SEGMENT frame."""

Placed = memoryview | int
"""A buffer that travels with its frame, or the number of the segment where it was published."""


def transpose(arguments: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]] | None:
    """The positional arguments of tasks as columns, if all are scalars and all tasks have as many.

    ``None`` for anything else. Tasks without arguments have no columns.
    """
    try:
        columns = list(zip(*arguments, strict=True))
    except ValueError:
        return None
    for column in columns:
        if not SCALARS.issuperset(map(type, column)):
            return None
    return columns


class Entry(NamedTuple):
    """One value of a stream: the function it belongs to, how many buffers it has, where its pickle lies."""

    function: int
    buffers: int
    offset: int


class StreamWriter:
    """Values pickled one after the other, each for itself.

    Use: `add` each value, `take` what they became, `add` the next ones. Not safe for several threads.
    """

    def __init__(self, place: Callable[[pickle.PickleBuffer], Placed]) -> None:
        """`place` decides where each large buffer goes."""
        self._place = place
        self._file = io.BytesIO()
        self._entries: list[int] = []
        self._buffers: list[Placed] = []
        self._pickler = make_pickler(self._file, buffer_callback=self._keep)

    def add(self, value: object, *, function: int = UNSHIPPED) -> None:
        """Append one value; by reference if that works, else by value.

        Raises
        ------
        Exception
            Whatever pickling the value raises. Nothing of it is in the stream then.
        """
        offset, buffers = self._file.tell(), len(self._buffers)
        try:
            self._pickler.dump(value)
        except Exception:  # noqa: BLE001 - taking a value apart runs users' code; the second try reports
            self._rewind(offset, buffers)
            self._add_by_value(value, offset, buffers)
        else:
            self._pickler.clear_memo()
        self._entries += (function, len(self._buffers) - buffers, offset)

    def add_by_value(self, value: object, *, function: int = UNSHIPPED) -> None:
        """Append one value that names things of ``__main__``. Raises as `add` does."""
        offset, buffers = self._file.tell(), len(self._buffers)
        self._add_by_value(value, offset, buffers)
        self._entries += (function, len(self._buffers) - buffers, offset)

    def names_main(self) -> bool:
        """Whether a by-reference pickle in the stream seems to name ``__main__``."""
        return needs_value_pickling(self._file.getvalue())

    def take(self) -> tuple[Piece, list[Placed]]:
        """Body and buffers of a frame with the values added so far; the stream is empty again."""
        count = len(self._entries) // 3
        fields = iter(self._entries)
        table = b"".join(_ENTRY.pack(*entry) for entry in zip(fields, fields, fields, strict=True))
        body = struct.pack("<I", count) + table + self._file.getvalue()
        buffers = self._buffers
        self.clear()
        return body, buffers

    def clear(self) -> None:
        """Forget the values added so far."""
        self._file.seek(0)
        self._file.truncate()
        self._entries = []
        self._buffers = []

    def _add_by_value(self, value: object, offset: int, buffers: int) -> None:
        try:
            self._file.write(dump_by_value(value, self._keep))
        except Exception:
            self._rewind(offset, buffers)
            raise

    def _rewind(self, offset: int, buffers: int) -> None:
        self._file.seek(offset)
        self._file.truncate()
        del self._buffers[buffers:]
        # The old one may hold buffers of the value that failed.
        self._pickler = make_pickler(self._file, buffer_callback=self._keep)

    def _keep(self, buffer: pickle.PickleBuffer) -> None:
        self._buffers.append(self._place(buffer))


def entries(body: memoryview) -> tuple[list[Entry], memoryview]:
    """The table of a stream's body, and the part with the pickles."""
    (count,) = struct.unpack_from("<I", body)
    stop = 4 + count * _ENTRY.size
    table = [Entry(*fields) for fields in _ENTRY.iter_unpack(body[4:stop])]
    return table, body[stop:]


def rebuild(pickles: memoryview, entry: Entry, buffers: Iterator[memoryview]) -> Any:  # Any: the user's value
    """The value of one entry. Takes exactly its own buffers from `buffers`, also when it cannot be built."""
    own: Iterable[memoryview] = [next(buffers) for _ in range(entry.buffers)] if entry.buffers else ()
    return pickle.loads(pickles[entry.offset :], buffers=own)


def pickle_scalars(values: object) -> bytes:
    """One pickle for scalars and containers of scalars that nobody changes."""
    return pickle.dumps(values, PROTOCOL)


def load_scalars(data: memoryview) -> Any:  # Any: what `pickle_scalars` was given
    """What `pickle_scalars` was given."""
    return pickle.loads(data)
