"""Tables of Arrow from its stream format, which is what polars pickles.

Arrow's reader is made for the data of strangers, but for some things: it unpacks compressed buffers whatever
they become, turns numbers and joins pieces of dictionaries before anything of them is checked, and asks
whoever has registered an extension type. So the header of each message is looked at first, as the few tables
of FlatBuffers that it is; what has been read is then checked in full.

::

    message    version · header type · header · ...
    batch      length · nodes · buffers · compression ...
    dictionary id · batch · is it a piece
"""

import struct
from typing import Any

from ...errors import CorruptFileError
from .arrow_types import counted
from .constructors import Kit

# Any: what a library that may not be installed makes of the bytes of a file.
__all__ = ["table_of"]

# Fields, by their number in their table.
_HEADER, _ENDIANNESS, _COMPRESSION, _DICTIONARY_BATCH, _IS_PIECE = 2, 0, 3, 1, 2
_MESSAGE, _COLUMN = 10_000, 10_000  # bytes that they count as, by the time they take


def table_of(kit: Kit, content: bytes) -> Any:
    """The checked table in `content`, which is read without a copy.

    Raises
    ------
    CorruptFileError
        It is none, or one that Arrow's reader is not to be given.
    """
    arrow = kit.arrow
    reader = arrow.ipc.MessageReader.open_stream(arrow.py_buffer(content))
    for message in reader:
        kit.spend(_MESSAGE)
        _check_message(message.type, message.metadata.to_pybytes())
    kit.spend(len(content))
    with arrow.ipc.open_stream(arrow.py_buffer(content)) as stream:
        kit.spend(_COLUMN * len(stream.schema))
        for field in stream.schema:
            counted(kit, field.type)
        table = stream.read_all()
    table.validate(full=True)
    return table


def _check_message(kind: str, header: bytes) -> None:
    (start,) = struct.unpack_from("<I", header)
    message = _Table(header, start)
    if kind == "schema":
        if b"ARROW:" in header:
            raise CorruptFileError("a table of Arrow has an extension type")
        if message.table(_HEADER).truth(_ENDIANNESS):
            raise CorruptFileError("a table of Arrow is in another byte order")
        return
    batch = message.table(_HEADER)
    if kind == "dictionary":
        if batch.truth(_IS_PIECE):
            raise CorruptFileError("a table of Arrow has a dictionary in pieces")
        batch = batch.table(_DICTIONARY_BATCH)
    elif kind != "record batch":
        raise CorruptFileError(f"a table of Arrow has a {kind}"[:100])
    if batch.at(_COMPRESSION):
        raise CorruptFileError("a table of Arrow is compressed")


class _Table:
    """A table of FlatBuffers in `data`. `struct.error` if it is not in there."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data = data
        self._start = start
        self._fields = start - self._number("<i", start)

    def at(self, field: int) -> int:
        """Where a field begins; 0 if it is left out."""
        place = 4 + 2 * field
        if place + 2 > self._number("<H", self._fields):
            return 0
        offset = self._number("<H", self._fields + place)
        return self._start + offset if offset else 0

    def table(self, field: int) -> "_Table":
        """The table that a field refers to."""
        at = self.at(field)
        if not at:
            raise CorruptFileError("a message of Arrow is without its content")
        return _Table(self._data, at + self._number("<I", at))

    def truth(self, field: int) -> bool:
        """A truth value; False if it is left out."""
        at = self.at(field)
        return bool(at and self._number("<B", at))

    def _number(self, form: str, at: int) -> int:
        if at < 0:
            raise CorruptFileError("a message of Arrow refers to what is before it")
        found: int = struct.unpack_from(form, self._data, at)[0]
        return found
