"""What the frames between parent and worker mean, and how tasks and results become bytes.

::

    parent ──► worker                                     worker ──► parent
    BEGIN     environment, limits, the runner             VALUES   results that are all plain, one pickle
    FUNCTION  one function, once per worker and session   PARCELS  any other results, one pickle each
    SEGMENT   where a published buffer is                  ERROR    one task failed
    COLUMNS   tasks of one function, plain arguments      ENDED    the session is over; modules loaded so far
    STREAM    any other tasks, one pickle each
    DROP      a segment that no task will need             TOLD     what the runner said of a task
    END       the session is over

Every task is a value of its own, whatever the batch: a list that is an argument of two tasks is two lists
in the worker. One pickle for a whole batch would share it, so its memo is cleared after each task. Only
what nobody could see to be shared goes into one pickle together (a tenth to a third of the time): scalars,
and builtin containers of scalars, if no list or dict is there twice (`is_plain`).
"""

import io
import pickle
import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from ...parcel.pickling import PROTOCOL, dump_by_value, make_pickler, needs_value_pickling
from .channel import Piece

__all__ = [
    "BEGIN",
    "COLUMNS",
    "DROP",
    "END",
    "ENDED",
    "ERROR",
    "EXTENT",
    "FUNCTION",
    "NUMBER",
    "PARCELS",
    "SCALARS",
    "SEGMENT",
    "STREAM",
    "TOLD",
    "UNSHIPPED",
    "VALUES",
    "Entry",
    "Placed",
    "StreamWriter",
    "entries",
    "is_plain",
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
TOLD: Final = 11
DROP: Final = 12

UNSHIPPED: Final = 0xFFFFFFFF
"""Stands for the number of a function that travels with its task."""

SCALARS: Final = frozenset({int, float, str, bytes, bool, type(None)})
"""Exactly these types: nothing that refers to one of them can see a change of it."""

_IMMUTABLE: Final = SCALARS | {tuple}
_PLAIN: Final = SCALARS | {tuple, list, dict}

_LEVELS: Final = 4
"""How deep `is_plain` looks."""

_PARTS: Final = 32
"""Parts per value on one level from which looking at all of them costs as much as it saves."""

_COUNT = struct.Struct("<Q")

NUMBER: Final = struct.Struct("<I")
"""What a COLUMNS body begins with: the number of the function."""

EXTENT: Final = struct.Struct("<QQQ")
"""The body of a SEGMENT frame: which file, where in it the segment begins, how many bytes it has."""

Placed = memoryview | int
"""A buffer that travels with its frame, or the number of the segment where it was published."""


def transpose(arguments: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]] | None:
    """The positional arguments of tasks as columns, if all are plain and all tasks have as many.

    ``None`` for anything else. Tasks without arguments have no columns.
    """
    try:
        columns = list(zip(*arguments, strict=True))
    except ValueError:
        return None
    return columns if is_plain(list(chain.from_iterable(columns))) else None


def is_plain(values: Sequence[Any]) -> bool:  # Any: this is the test
    """Whether one pickle for all values is as good as one for each.

    It is for scalars, and for tuples, lists and dicts of scalars (to a depth of four), if no list or dict is
    there twice. ``False`` also where finding out would take as long as pickling.
    """
    level, changeable = values, list[Any]()
    most = _PARTS * len(values)
    for _ in range(_LEVELS):
        kinds = set(map(type, level))
        if kinds <= SCALARS:
            return len(set(map(id, changeable))) == len(changeable)
        if not kinds <= _PLAIN:
            return False
        parts = [value for value in level if type(value) not in SCALARS]
        if sum(map(len, parts)) > most:
            return False
        if not kinds <= _IMMUTABLE:
            changeable += [value for value in parts if type(value) is not tuple]
        level = list(chain.from_iterable(parts))
        if dict in kinds:
            level += chain.from_iterable(value.values() for value in parts if type(value) is dict)
    return False


Entry = tuple[int, int, int]
"""One value of a stream: the function it belongs to, how many buffers it has, where its pickle begins."""


class StreamWriter:
    """Values pickled one after the other, each for itself.

    Use: `add` each value, `take` what they became, `add` the next ones. Not safe for several threads.
    """

    def __init__(self, place: Callable[[pickle.PickleBuffer], Placed]) -> None:
        """`place` decides where each large buffer goes."""
        self._place = place
        self._file = io.BytesIO()
        self._entries = array("Q")  # three words per value, see `Entry`
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
        except BaseException as error:  # taking a value apart runs users' code
            self._rewind(offset, buffers)
            if not isinstance(error, Exception):
                raise
            # The second try reports.
            self._add_by_value(value, offset, buffers)
        else:
            self._pickler.clear_memo()
        self._entries.extend((function, len(self._buffers) - buffers, offset))

    def add_by_value(self, value: object, *, function: int = UNSHIPPED) -> None:
        """Append one value that names things of ``__main__``. Raises as `add` does."""
        offset, buffers = self._file.tell(), len(self._buffers)
        self._add_by_value(value, offset, buffers)
        self._entries.extend((function, len(self._buffers) - buffers, offset))

    def names_main(self) -> bool:
        """Whether a by-reference pickle in the stream seems to name ``__main__``."""
        return needs_value_pickling(self._file.getvalue())

    def take(self) -> tuple[Piece, list[Placed]]:
        """Body and buffers of a frame with the values added so far; the stream is empty again."""
        table = self._entries.tobytes()
        body = b"".join((_COUNT.pack(len(table)), table, self._file.getbuffer()))
        buffers = self._buffers
        self.clear()
        return body, buffers

    def clear(self) -> None:
        """Forget the values added so far."""
        self._file.seek(0)
        self._file.truncate()
        self._entries = array("Q")
        self._buffers = []

    def _add_by_value(self, value: object, offset: int, buffers: int) -> None:
        try:
            self._file.write(dump_by_value(value, self._keep))
        except BaseException:
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
    (nbytes,) = _COUNT.unpack_from(body)
    stop = _COUNT.size + nbytes
    words = iter(body[_COUNT.size : stop].cast("Q").tolist())
    return list(zip(words, words, words, strict=True)), body[stop:]


def rebuild(pickles: memoryview, entry: Entry, buffers: Iterator[memoryview]) -> Any:  # Any: the user's value
    """The value of one entry. Takes exactly its own buffers from `buffers`, also when it cannot be built."""
    _, count, offset = entry
    if not count:
        return pickle.loads(pickles[offset:])
    return pickle.loads(pickles[offset:], buffers=[next(buffers) for _ in range(count)])


def pickle_scalars(values: object) -> bytes:
    """One pickle for scalars and containers of scalars that nobody changes."""
    return pickle.dumps(values, PROTOCOL)


def load_scalars(data: memoryview) -> Any:  # Any: what `pickle_scalars` was given
    """What `pickle_scalars` was given."""
    return pickle.loads(data)
