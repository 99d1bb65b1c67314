"""`load` and `loads`: a file into a value."""

import io
import os
import stat
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from .. import parcel
from ..errors import CorruptFileError, InvalidOption
from . import foreign
from .joining import Wanted, explained, joined, named
from .mapping import join_mapped
from .options import MmapMode, native_byte_order, path_of
from .renames import renaming

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
    renames: Mapping[str, str] | None = None,
) -> Any:
    """The value that `dump` has kept. Its arrays are writable.

    The format is seen from the first bytes: a file of ours, the same compressed as a whole, a file of joblib
    0.8 to 1.6, or a plain pickle. joblib itself is not needed, and never imported.

    Every byte of our own files is compared with its checksum before anything is unpickled, except for mapped
    arrays, which are not read. Unpickling runs what the file says: load only files that you trust.

    Parameters
    ----------
    filename
        A path, or an object with ``read`` for bytes, which is read forwards from its position to the end
        of one dumped value; the next `load` finds the next value.
    mmap_mode
        Leave the arrays of an uncompressed file where they are: ``"r"`` read-only; ``"r+"`` or ``"w+"``
        changes go to the file (which then loses the checksums of its arrays); ``"c"`` changes are private.
        They are ``numpy.memmap`` arrays. Nothing may truncate the file while they live; `dump` to the same
        path does not, it makes a new file.
    ensure_native_byte_order
        Whether numeric arrays of the other byte order are turned round; ``"auto"``: unless mapped.
    renames
        For what has moved since the file was written: ``{"old.module": "new.module"}`` counts for all in that
        module and the modules in it, ``{"old.module.Class": "new.module.Class"}`` for one class or function.

    Raises
    ------
    InvalidOption
        An argument that cannot be right, such as mapping a compressed file.
    CorruptFileError
        The file is damaged or cut short.
    UnknownFormatError
        The file is in no format that is read here, or of a newer release.
    OSError
        The file cannot be opened or read.
    ImportError, AttributeError
        A module or class that the value needs is not here; a note tells what wrote the file.
    """
    native = native_byte_order(ensure_native_byte_order, mmap_mode)
    wanted = Wanted(native, mmap_mode, renaming(renames))
    path = path_of(filename)
    if path is None:
        _check_stream(filename, mmap_mode)
        return _load_stream(filename, wanted, _name_of(filename))
    return _load_path(path, wanted)


def loads(
    data: bytes | bytearray | memoryview,
    ensure_native_byte_order: bool | Literal["auto"] = "auto",
    *,
    renames: Mapping[str, str] | None = None,
) -> Any:
    """The value in bytes that `dumps` has made. Arrays are copies, and writable. Errors as for `load`."""
    wanted = Wanted(native_byte_order(ensure_native_byte_order, None), rename=renaming(renames))
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidOption(f"loads needs bytes, not {type(data).__name__}; load reads files")
    if isinstance(data, memoryview) and not data.c_contiguous:
        raise InvalidOption(
            "loads needs bytes that lie in one piece, not a memoryview with gaps: copy it first"
        )
    nbytes = memoryview(data).nbytes
    name = f"{nbytes} bytes"
    file = io.BytesIO(data)
    value = _load_stream(file, wanted, name)
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
        if not _is_container(os.pread(file.fileno(), _TELLING, 0)):
            return foreign.opening.load_file(file, path, wanted)
        if mmap_mode is not None:
            return _load_mapped(file, path, mmap_mode, wanted)
        with named(repr(path)):
            content = _read_file(file)
    return joined(content, wanted, repr(path))


def _is_container(head: bytes) -> bool:
    """Whether bytes begin as our files do, empty ones too: the reader knows what to say about those."""
    return head == parcel.layout.MAGIC[: len(head)]


def _load_stream(stream: Any, wanted: Wanted, name: str) -> Any:  # Any: an object with `read`
    with named(name):
        head = parcel.inputs.StreamInput(stream).read(1)
    if not _is_container(head):
        return foreign.opening.load_stream(stream, head, wanted, name)
    with named(name):
        content = parcel.reader.read(parcel.inputs.StreamInput(stream, head))
    return joined(content, wanted, name)


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
    if isinstance(file, io.TextIOBase):
        raise InvalidOption(f'cannot read from {file!r}: it is open for text; open it with "rb"')
    if isinstance(file, io.IOBase) and not file.readable():
        raise InvalidOption(f'cannot read from {file!r}: it is not open for reading; open it with "rb"')
    if mmap_mode is not None:
        raise InvalidOption(
            f"mmap_mode={mmap_mode!r} needs a path, not {_name_of(file)}: a stream cannot be mapped"
        )


def _read_file(file: BinaryIO) -> "Content":
    source = parcel.inputs.FileInput(file.fileno())
    content = parcel.reader.read(source)
    _check_end(os.fstat(file.fileno()).st_size, source.position)
    return content


def _check_end(size: int, end: int) -> None:
    if size != end:
        raise CorruptFileError(f"it has {size - end} bytes after its end")


def _load_mapped(file: BinaryIO, path: str, mode: MmapMode, wanted: Wanted) -> Any:  # Any: the user's value
    with named(repr(path)):
        mapped = _read_mapped(file, path)
    if mode in ("r+", "w+") and not mapped.footer.changed:
        footer = mapped.footer._replace(changed=True)
        content = parcel.layout.pack_footer(footer)
        os.pwrite(file.fileno(), content, footer.total - len(content))
    with explained(mapped.facts, repr(path)):
        return join_mapped(mapped, file, mode, wanted.rename)


def _read_mapped(file: BinaryIO, path: str) -> "Mapped":
    source = parcel.inputs.FileInput(file.fileno())
    try:
        mapped = parcel.reader.read_mapped(source)
    except InvalidOption as exc:
        raise InvalidOption(f"cannot map {path!r}: {exc}; load it without mmap_mode") from None
    _check_end(os.fstat(file.fileno()).st_size, source.position)
    return mapped
