"""Loading what is no bare container of ours: compressed files, joblib's files, plain pickles."""

import os
from collections.abc import Callable
from typing import Any, BinaryIO

from ... import parcel
from ...errors import CorruptFileError, InvalidOption, LightworkError, UnknownFormatError
from ...parcel.inputs import FileInput, Input, StreamInput
from ...parcel.layout import foreign
from ..compressors.registry import COMPRESSORS
from ..joining import Wanted, explained_foreign, joined, named
from .detection import PROTOCOL, Found, recognized
from .joblib_legacy import open_old
from .joblib_reading import Surroundings, read
from .resumed import Resumed

# Any: users' values, and file objects of any kind.
__all__ = ["load_file", "load_stream", "survey"]


def load_file(file: BinaryIO, path: str, wanted: Wanted) -> Any:
    """The value in a regular file that stands at its first byte. Errors as from `lightwork.load`."""
    name = repr(path)
    with named(name):
        head, found = recognized(file.read)
        file.seek(0)
        if found.kind != "pickle":
            if wanted.mmap_mode is not None:
                raise InvalidOption(f"cannot map {name}: it is compressed; load it without mmap_mode")
            return _compressed(file, found, wanted, name, os.path.dirname(path))
        around = Surroundings(wanted.native, wanted.way.rename, os.path.dirname(path), file, wanted.mmap_mode)
        return _pickled(FileInput(file.fileno()), head, around, name)


def load_stream(stream: Any, head: bytes, wanted: Wanted, name: str) -> Any:
    """The value in a file object of which `head` was read already."""
    with named(name):
        head, found = recognized(Resumed(head, stream).read)
        file = Resumed(head, stream)
        if found.kind != "pickle":
            return _compressed(file, found, wanted, name, None)
        return _pickled(StreamInput(file), head, Surroundings(wanted.native, wanted.way.rename), name)


def _compressed(file: Any, found: Found, wanted: Wanted, name: str, folder: str | None) -> Any:
    if found.kind == "old":
        plain: Any = open_old(file)[0]
    else:
        plain = COMPRESSORS[found.compressor].decompressor_file(file)
    try:
        head, inside = recognized(plain.read)
    except UnknownFormatError:
        while plain.read(1 << 20):  # perhaps it is damaged: the checksum at its end tells
            pass
        raise
    source = StreamInput(Resumed(head, plain))
    if inside.kind == "container":
        content = parcel.reader.read(source)
        _check_end(plain)
        return joined(content, wanted, name)
    if inside.kind != "pickle":
        raise UnknownFormatError("it is compressed twice: decompress it once")
    value = _pickled(source, head, Surroundings(wanted.native, wanted.way.rename, folder), name)
    _check_end(plain)
    return value


def survey(
    file: BinaryIO, look: Callable[[Input], parcel.reader.Survey] = parcel.reader.survey_forwards
) -> tuple[str, parcel.reader.Survey]:
    """What the ends of a container tell that is compressed as a whole, and by what.

    Parameters
    ----------
    look
        Reads the container; by default it steps over what lies between its ends.

    Raises
    ------
    UnknownFormatError, CorruptFileError
        It is something else; it is damaged.
    """
    _, found = recognized(file.read)
    if found.kind == "compressed":
        file.seek(0)
        plain = COMPRESSORS[found.compressor].decompressor_file(file)
        head, inside = recognized(plain.read)
        if inside.kind == "container":
            surveyed = look(StreamInput(Resumed(head, plain)))
            _check_end(plain)
            return found.compressor, surveyed
    raise UnknownFormatError(
        "it is a file of joblib or a bare pickle, which does not tell what is in it; if you trust it, load "
        "it or convert it (lightwork convert)"
    )


def _pickled(source: Input, head: bytes, around: Surroundings, name: str) -> Any:
    try:
        with explained_foreign(name):
            return read(source, around)
    except (ValueError, LookupError, OverflowError) as exc:
        if isinstance(exc, LightworkError) or head.startswith(PROTOCOL):
            raise
        # Pickles of protocol 0 and 1 begin like many a text. It was none.
        raise UnknownFormatError(foreign(head)) from exc


def _check_end(plain: Any) -> None:
    """The checksums of compressed streams are behind their last byte, so they are read to the end."""
    if plain.read(1):
        raise CorruptFileError("there are more bytes after its end")
