"""`load` and `loads`: a file into a value."""

import io
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from .. import parcel, persistence  # whose parts are loaded when they are needed
from ..errors import CorruptFileError, InvalidOption, UnknownFormatError
from .joining import Wanted, explained, joined, named
from .mapping import join_mapped
from .options import MmapMode, is_for_text, native_byte_order, path_of
from .renames import renaming
from .ways import Way, chosen_way

if TYPE_CHECKING:
    from ..parcel.inputs import Readable
    from ..parcel.reader import Content, Mapped

__all__ = ["load", "loads"]

_TELLING = 8  # bytes that tell whether a file is ours


def load(
    filename: "str | os.PathLike[str] | Readable",
    mmap_mode: MmapMode | None = None,
    ensure_native_byte_order: bool | Literal["auto"] = "auto",
    *,
    keys: Iterable[object] | None = None,
    renames: Mapping[str, str] | None = None,
    safe: bool = False,
    trusted: Collection[str] = (),
) -> Any:
    """The value that `dump` has kept. Its arrays are writable.

    Reads files of ours, also compressed as a whole, files of joblib 0.8 to 1.6 (joblib is not needed), and
    plain pickles. Every byte of our own is compared with its checksum before anything is unpickled, except
    for mapped arrays, which are not read. Arrays that differ after they were mapped for writing give a
    `FileWarning`. Unpickling runs what the file says: load files that you do not trust with ``safe=True``.

    Parameters
    ----------
    filename
        A path, or an object with ``read`` for bytes, which is read forwards from its position to the end
        of one dumped value; the next `load` finds the next value.
    mmap_mode
        Leave the arrays of an uncompressed file where they are, as ``numpy.memmap``: ``"r"`` read-only;
        ``"r+"``, ``"w+"`` changes go to the file, whose checksums do not follow; ``"c"`` changes are private.
        Nothing may truncate the file while they live; `dump` to its path makes a new one.
    ensure_native_byte_order
        Whether numeric arrays of the other byte order are turned round; ``"auto"``: unless mapped.
    keys
        Load these alone, as a dictionary: keys of a dictionary, positions of a list or tuple, attributes of
        an object. Nothing else is read or built. Needs the path of a file of ours; see `lightwork.open`.
    renames
        What has moved since: ``{"old.module": "new.module"}`` for all in it and the modules in it, or
        ``{"old.module.Class": "new.module.Class"}``.
    safe
        Refuse everything but scalars, containers, dates, arrays, sparse matrices and frames, before anything
        is imported or called. May take 128 MiB of memory, and 1,000 bytes for each byte of the file.
    trusted
        With `safe`: packages, modules or types whose objects are built too, by their own code:
        ``["sklearn"]``. No foreign code is called; a crafted model may still crash.

    Raises
    ------
    InvalidOption
        An argument that cannot be right, such as mapping a compressed file.
    CorruptFileError, UnknownFormatError
        The file is damaged or cut short; it is in no format that is read here, or of a newer release.
    UnsafeFileError
        With `safe`: it holds what is refused. The message names the types.
    OSError
        The file cannot be opened or read.
    ImportError, AttributeError
        A module or class that the value needs is not here; a note tells what wrote the file.
    """
    native = native_byte_order(ensure_native_byte_order, mmap_mode)
    wanted = Wanted(native, mmap_mode, chosen_way(safe, trusted, renaming(renames)))
    path = path_of(filename)
    if keys is not None:
        return persistence.keyed.load_keys(path, keys, wanted)
    return _load_checked(filename, wanted) if path is None else _load_path(path, wanted)


def loads(
    data: bytes | bytearray | memoryview,
    ensure_native_byte_order: bool | Literal["auto"] = "auto",
    *,
    renames: Mapping[str, str] | None = None,
    safe: bool = False,
    trusted: Collection[str] = (),
) -> Any:
    """The value in bytes that `dumps` has made. Arrays are copies, and writable. The rest as for `load`."""
    way = chosen_way(safe, trusted, renaming(renames))
    wanted = Wanted(native_byte_order(ensure_native_byte_order, None), way=way)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidOption(f"loads needs bytes, not {type(data).__name__}; load reads files")
    if isinstance(data, memoryview) and not data.c_contiguous:
        raise InvalidOption(
            "loads needs bytes that lie in one piece, not a memoryview with gaps: copy it first"
        )
    nbytes = memoryview(data).nbytes
    name = f"{nbytes} bytes"
    file = io.BytesIO(data)
    value = _load_stream(file, wanted, name, size=nbytes)
    with named(name):
        _check_end(nbytes, file.tell())
    return value


def _load_path(path: str, wanted: Wanted) -> Any:  # Any: the user's value
    mmap_mode = wanted.mmap_mode
    shared = mmap_mode in ("r+", "w+")
    with open(path, "r+b" if shared else "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            if mmap_mode is not None:
                raise InvalidOption(f"mmap_mode={mmap_mode!r} needs a regular file, {path!r} is none")
            return _load_stream(file, wanted, repr(path))
        if not parcel.layout.is_container(os.pread(file.fileno(), _TELLING, 0)):
            _check_foreign(repr(path), wanted.way)
            return persistence.foreign.opening.load_file(file, path, wanted)
        if mmap_mode is not None:
            return _load_mapped(file, path, mmap_mode, wanted.way)
        with named(repr(path)):
            content = _read_file(file, wanted.way)
    return joined(content, wanted, repr(path))


# Any: whatever the caller gave; the user's value.
def _load_checked(file: Any, wanted: Wanted) -> Any:
    _check_stream(file, wanted.mmap_mode)
    return _load_stream(file, wanted, _name_of(file))


# Any: an object with `read`; the user's value.
def _load_stream(stream: Any, wanted: Wanted, name: str, *, size: int | None = None) -> Any:
    with named(name):
        head = parcel.inputs.StreamInput(stream).read(1)
    if not parcel.layout.is_container(head):
        _check_foreign(name, wanted.way)
        return persistence.foreign.opening.load_stream(stream, head, wanted, name)
    with named(name):
        source = parcel.inputs.StreamInput(stream, head, size=size)
        content = parcel.reader.read(source, *wanted.way.guards)
    return joined(content, wanted, name)


def _check_foreign(name: str, way: Way) -> None:
    if way.guards:
        raise UnknownFormatError(
            f"cannot read {name}: safe=True reads lightwork's own format alone, and this is another "
            "(joblib's, say), or compressed as a whole: then decompress it first"
        )


def _name_of(file: object) -> str:
    name = getattr(file, "name", None)
    return repr(name) if isinstance(name, str) else f"<{type(file).__name__}>"


def _check_stream(file: Any, mmap_mode: MmapMode | None) -> None:  # Any: whatever the caller gave
    if not hasattr(file, "read"):
        raise InvalidOption(
            f"First argument should be a filename or a file-like object, not {file!r} (type {type(file)})"
        )
    if getattr(file, "closed", False):
        raise InvalidOption(f"cannot read from {file!r}: it is closed")
    if is_for_text(file):
        raise InvalidOption(f'cannot read from {file!r}: it is open for text; open it with "rb"')
    if isinstance(file, io.IOBase) and not file.readable():
        raise InvalidOption(f'cannot read from {file!r}: it is not open for reading; open it with "rb"')
    if mmap_mode is not None:
        raise InvalidOption(
            f"mmap_mode={mmap_mode!r} needs a path, not {_name_of(file)}: a stream cannot be mapped"
        )


def _read_file(file: BinaryIO, way: Way) -> "Content":
    source = parcel.inputs.FileInput(file.fileno())
    content = parcel.reader.read(source, *way.guards)
    _check_end(os.fstat(file.fileno()).st_size, source.position)
    return content


def _check_end(size: int, end: int) -> None:
    if size != end:
        raise CorruptFileError(f"it has {size - end} bytes after its end")


def _load_mapped(file: BinaryIO, path: str, mode: MmapMode, way: Way) -> Any:  # Any: the user's value
    with named(repr(path)):
        mapped = _read_mapped(file, path, way)
    # Before there is a mapping, for a crash, and for good: forks and other processes may map the file too,
    # and nobody can tell when the last of them has written. What was not changed still matches.
    if mode in ("r+", "w+") and mapped.places and not mapped.footer.changed:
        footer = mapped.footer._replace(changed=True)
        content = parcel.layout.pack_footer(footer)
        os.pwrite(file.fileno(), content, footer.total - len(content))
    with explained(mapped.facts, repr(path)), named(repr(path)):
        return join_mapped(mapped, file, mode, way.join)


def _read_mapped(file: BinaryIO, path: str, way: Way) -> "Mapped":
    source = parcel.inputs.FileInput(file.fileno())
    try:
        mapped = parcel.reader.read_mapped(source, *way.guards)
    except InvalidOption as exc:
        raise InvalidOption(f"cannot map {path!r}: {exc}; load it without mmap_mode") from None
    _check_end(os.fstat(file.fileno()).st_size, source.position)
    return mapped
