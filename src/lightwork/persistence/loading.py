"""`load` and `loads`: a file into a value."""

import io
import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from .. import parcel
from ..errors import CorruptFileError, FileFormatError, InvalidOption
from .mapping import join_mapped, join_native
from .options import MmapMode, native_byte_order, path_of
from .ways import Way, chosen_way

if TYPE_CHECKING:
    from ..parcel.inputs import Readable
    from ..parcel.reader import Content, Mapped

__all__ = ["load", "loads", "named"]


def load(
    filename: "str | os.PathLike[str] | Readable",
    mmap_mode: MmapMode | None = None,
    ensure_native_byte_order: bool | Literal["auto"] = "auto",
    *,
    safe: bool = False,
    trusted: Collection[str] = (),
) -> Any:
    """The value that `dump` has kept. Its arrays are writable.

    Every byte is compared with its checksum before anything is unpickled, except for mapped arrays, which
    are not read. Unpickling runs what the file says: load files that you do not trust with ``safe=True``.

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
    CorruptFileError
        The file is damaged or cut short.
    UnknownFormatError
        The file is no lightwork file, or of a newer release.
    UnsafeFileError
        With `safe`: the file holds what is refused. The message names the types.
    OSError
        The file cannot be opened or read.
    ImportError, AttributeError
        A module or class that the value needs is not here; a note tells what wrote the file.
    """
    native = native_byte_order(ensure_native_byte_order, mmap_mode)
    way = chosen_way(safe, trusted)
    path = path_of(filename)
    if path is None:
        return _load_stream(filename, mmap_mode, native, way)
    if mmap_mode is not None:
        return _load_mapped(path, mmap_mode, way)
    with open(path, "rb", buffering=0) as file, named(repr(path)):
        content = _read_file(file, way)
    return _joined(content, native, repr(path), way)


def loads(
    data: bytes | bytearray | memoryview,
    ensure_native_byte_order: bool | Literal["auto"] = "auto",
    *,
    safe: bool = False,
    trusted: Collection[str] = (),
) -> Any:
    """The value in bytes that `dumps` has made. Arrays are copies, and writable. The rest as for `load`."""
    native = native_byte_order(ensure_native_byte_order, None)
    way = chosen_way(safe, trusted)
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidOption(f"loads needs bytes, not {type(data).__name__}; load reads files")
    if isinstance(data, memoryview) and not data.c_contiguous:
        raise InvalidOption(
            "loads needs bytes that lie in one piece, not a memoryview with gaps: copy it first"
        )
    name = f"{memoryview(data).nbytes} bytes"
    with named(name):
        source = parcel.inputs.StreamInput(io.BytesIO(data), memoryview(data).nbytes)
        content = parcel.reader.read(source, *way.guards)
        _check_end(memoryview(data).nbytes, source.position)
    return _joined(content, native, name, way)


def _load_stream(stream: Any, mmap_mode: MmapMode | None, native: bool, way: Way) -> Any:
    # Any: whatever the caller gave
    _check_stream(stream, mmap_mode)
    with named(_name_of(stream)):
        content = parcel.reader.read(parcel.inputs.StreamInput(stream), *way.guards)
    return _joined(content, native, _name_of(stream), way)


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the name of the file into errors about its bytes."""
    try:
        yield
    except FileFormatError as exc:
        raise type(exc)(f"cannot read {name}: {exc}") from exc.__cause__


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


def _read_file(file: BinaryIO, way: Way) -> "Content":
    status = os.fstat(file.fileno())
    if not stat.S_ISREG(status.st_mode):
        return parcel.reader.read(parcel.inputs.StreamInput(file), *way.guards)
    source = parcel.inputs.FileInput(file.fileno())
    content = parcel.reader.read(source, *way.guards)
    _check_end(status.st_size, source.position)
    return content


def _check_end(size: int, end: int) -> None:
    if size != end:
        raise CorruptFileError(f"it has {size - end} bytes after its end")


def _load_mapped(path: str, mode: MmapMode, way: Way) -> Any:
    shared = mode in ("r+", "w+")
    with open(path, "r+b" if shared else "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InvalidOption(f"mmap_mode={mode!r} needs a regular file, {path!r} is none")
        with named(repr(path)):
            mapped = _read_mapped(file, path, way)
        if shared and not mapped.footer.changed:
            footer = mapped.footer._replace(changed=True)
            content = parcel.layout.pack_footer(footer)
            os.pwrite(file.fileno(), content, footer.total - len(content))
        with _explained(mapped.facts, repr(path)), named(repr(path)):
            return join_mapped(mapped, file, mode, way.join)


def _read_mapped(file: BinaryIO, path: str, way: Way) -> "Mapped":
    source = parcel.inputs.FileInput(file.fileno())
    try:
        mapped = parcel.reader.read_mapped(source, *way.guards)
    except InvalidOption as exc:
        raise InvalidOption(f"cannot map {path!r}: {exc}; load it without mmap_mode") from None
    _check_end(os.fstat(file.fileno()).st_size, source.position)
    return mapped


def _joined(content: "Content", native: bool, name: str, way: Way) -> Any:
    with _explained(content.facts, name), named(name):
        if native:
            return join_native(content, way.join)
        return way.join(None, content.skeleton, content.buffers)


@contextmanager
def _explained(facts: dict[str, Any], name: str) -> Iterator[None]:
    """Tell with any error of unpickling what wrote the file and what reads it."""
    try:
        yield
    except Exception as exc:
        exc.add_note(
            f"{name} was written by {_described(facts)}; here: {_described(parcel.facts.here(facts))}."
        )
        raise


def _described(facts: dict[str, Any]) -> str:
    packages = "".join(f", {name} {version}" for name, version in sorted(facts.get("packages", {}).items()))
    interpreter = f"Python {facts.get('python')} on {facts.get('platform')}"
    return f"lightwork {facts.get('lightwork')}, {interpreter}{packages}"
