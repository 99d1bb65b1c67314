"""A parcel whose bytes are compressed: its only buffer is a container in compressed blocks.

Its skeleton is the call ``unpack(container)``, so whoever joins a parcel need not know whether it is one of
these. The name of `unpack` is part of what is kept: never move it.
"""

import io
import pickle
from typing import Any

from .. import parcel
from ..protocols import Buffer
from .codecs import Encoder
from .parcels import Parcel, join, split

__all__ = ["split_packed", "unpack"]

_WORTH_IT = 2048
"""Bytes. A container has some 500 of its own, and reading one takes 100 µs."""


def split_packed(value: object, *, encode: Encoder, path: str = "value") -> Parcel:
    """As `parcels.split`, compressed, unless that would save nothing.

    Parameters
    ----------
    encode
        Compresses a block (`codecs.compressor`).
    path
        What an error message calls the value.

    Raises
    ------
    UnpicklableError
        A part cannot be pickled.
    """
    plain = split(value, path=path)
    nbytes = _size(plain)
    if nbytes < _WORTH_IT:
        return plain
    file = io.BytesIO()
    parcel.writer.write(value, file, encode=encode, path=path)
    packed = split(_Packed(file.getbuffer()), path=path)
    return packed if _size(packed) < nbytes else plain


def unpack(container: Buffer) -> Any:  # Any: the user's value
    """The value in a container. Its arrays are writable, unless `container` is not.

    Raises
    ------
    CorruptFileError
        The bytes are damaged.
    """
    view = memoryview(container)
    content = parcel.reader.read(parcel.inputs.StreamInput(io.BytesIO(view), size=view.nbytes))
    buffers = content.buffers
    if view.readonly:
        buffers = [memoryview(buffer).toreadonly() for buffer in buffers]
    return join(content.skeleton, buffers)


class _Packed:
    """Stands for a value while a parcel is made of its container."""

    def __init__(self, container: memoryview) -> None:
        self._container = container

    def __reduce_ex__(self, _protocol: object) -> tuple[object, ...]:
        return unpack, (pickle.PickleBuffer(self._container),)


def _size(taken: Parcel) -> int:
    return len(taken.skeleton) + sum(buffer.nbytes for buffer in taken.buffers)
