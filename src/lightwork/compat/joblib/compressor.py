"""joblib's compressors of whole files: `register_compressor`, the built-in ones, `BinaryZlibFile`."""

import io
import zlib
from typing import Any

from ...persistence import CompressorWrapper
from ...system.optional import imported, installed

# Any: file objects of any kind, and modules that may not be installed.
__all__ = ["BinaryGzipFile", "BinaryZlibFile", "CompressorWrapper", "register_compressor"]

LZ4_NOT_INSTALLED_ERROR = "LZ4 is not installed. Install it with pip: https://python-lz4.readthedocs.io/"

_ZFILE_PREFIX = b"ZF"  # files of joblib before 0.10
_ZLIB_PREFIX = b"\x78"
_GZIP_PREFIX = b"\x1f\x8b"
_BZ2_PREFIX = b"BZ"
_XZ_PREFIX = b"\xfd\x37\x7a\x58\x5a"
_LZMA_PREFIX = b"\x5d\x00"
_LZ4_PREFIX = b"\x04\x22\x4d\x18"

_CHUNK = 1 << 17


class _Inflating(io.RawIOBase):
    """One or more compressed streams, one after another, as plain bytes."""

    def __init__(self, file: Any, wbits: int) -> None:
        self._file = file
        self._wbits = wbits
        self._inflater = zlib.decompressobj(wbits)

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        view = memoryview(out).cast("B")
        while len(view):
            data = self._inflater.unconsumed_tail or self._inflater.unused_data or self._file.read(_CHUNK)
            if self._inflater.eof:
                if not data:
                    break
                self._inflater = zlib.decompressobj(self._wbits)
            elif not data:
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            plain = self._inflater.decompress(data, len(view))
            if plain:
                view[: len(plain)] = plain
                return len(plain)
        return 0


class BinaryZlibFile(io.BufferedIOBase):
    """A file that compresses with zlib what is written to it, or the plain bytes of such a file.

    Parameters
    ----------
    filename
        A path, or a file object for bytes, which stays open when this one is closed.
    mode
        ``"rb"`` or ``"wb"``.
    compresslevel
        1 to 9; of no effect when reading.

    Raises
    ------
    TypeError, ValueError
        An argument that is something else.
    """

    wbits = zlib.MAX_WBITS

    def __init__(self, filename: Any, mode: str = "rb", compresslevel: int = 3) -> None:
        self._file: Any = None
        level: Any = compresslevel
        if not isinstance(level, int) or not 1 <= level <= 9:
            raise ValueError(
                "'compresslevel' must be an integer between 1 and 9. "
                f"You provided 'compresslevel={compresslevel}'"
            )
        if mode not in ("rb", "wb"):
            raise ValueError(f"Invalid mode: {mode!r}")
        self._opened = isinstance(filename, str)
        if not self._opened and not hasattr(filename, "read") and not hasattr(filename, "write"):
            raise TypeError("filename must be a str or bytes object, or a file")
        self._file = open(filename, mode) if self._opened else filename  # noqa: SIM115  (closed in `close`)
        self._writes = mode == "wb"
        self._position = 0
        self._deflater = zlib.compressobj(compresslevel, zlib.DEFLATED, self.wbits, zlib.DEF_MEM_LEVEL)
        self._plain = io.BufferedReader(_Inflating(self._file, self.wbits))

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file is None

    def close(self) -> None:
        """Write what is left, and close the file if it was given as a path."""
        if self._file is None:
            return
        file, self._file = self._file, None
        try:
            if self._writes:
                file.write(self._deflater.flush())
        finally:
            if self._opened:
                file.close()

    def fileno(self) -> int:
        """The descriptor of the compressed file."""
        self._check_not_closed()
        descriptor: int = self._file.fileno()
        return descriptor

    def readable(self) -> bool:
        """Whether it is open for reading."""
        self._check_not_closed()
        return not self._writes

    def writable(self) -> bool:
        """Whether it is open for writing."""
        self._check_not_closed()
        return self._writes

    def seekable(self) -> bool:
        """Whether it is open for reading, and the compressed file can be read again."""
        return self.readable() and bool(self._file.seekable())

    def tell(self) -> int:
        """The position in the plain bytes."""
        self._check_not_closed()
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """At most `size` bytes, all that are left if negative; none at the end."""
        self._check_can_read()
        data = self._plain.read(size)
        self._position += len(data)
        return data

    def readinto(self, b: Any) -> int:
        """Fill the beginning of `b`; how many bytes."""
        self._check_can_read()
        count = self._plain.readinto(b)
        self._position += count
        return count

    def write(self, data: Any) -> int:
        """Take all of `data`."""
        self._check_can_write()
        self._file.write(self._deflater.compress(data))
        nbytes = memoryview(data).nbytes
        self._position += nbytes
        return nbytes

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a position in the plain bytes, at most to the end. Backwards means from the beginning on."""
        self._check_can_seek()
        if whence not in (0, 1, 2):
            raise ValueError(f"Invalid value for whence: {whence}")
        if whence == 2:
            self._skip(-1)
        target = max(0, offset if whence == 0 else self._position + offset)
        if target < self._position:
            self._rewind()
        self._skip(target - self._position)
        return self._position

    def _skip(self, nbytes: int) -> None:
        """Read so many bytes, or all if negative."""
        while nbytes:
            data = self.read(_CHUNK if nbytes < 0 else min(nbytes, _CHUNK))
            if not data:
                break
            nbytes -= len(data) if nbytes > 0 else 0

    def _rewind(self) -> None:
        self._file.seek(0)
        self._plain = io.BufferedReader(_Inflating(self._file, self.wbits))
        self._position = 0

    def _check_not_closed(self) -> None:
        if self._file is None:
            raise ValueError("I/O operation on closed file")

    def _check_can_read(self) -> None:
        if not self.readable():
            raise io.UnsupportedOperation("File not open for reading")

    def _check_can_write(self) -> None:
        if not self.writable():
            raise io.UnsupportedOperation("File not open for writing")

    def _check_can_seek(self) -> None:
        if not self.readable():
            raise io.UnsupportedOperation("Seeking is only supported on files open for reading")
        if not self.seekable():
            raise io.UnsupportedOperation("The underlying file object does not support seeking")


class BinaryGzipFile(BinaryZlibFile):
    """The same with a gzip header, without a time or a name."""

    wbits = 31


class ZlibCompressorWrapper(CompressorWrapper):
    """``zlib``, for paths that end in ``.z``."""

    def __init__(self) -> None:
        super().__init__(BinaryZlibFile, _ZLIB_PREFIX, ".z")


class GzipCompressorWrapper(CompressorWrapper):
    """``gzip``, for paths that end in ``.gz``."""

    def __init__(self) -> None:
        super().__init__(BinaryGzipFile, _GZIP_PREFIX, ".gz")


class _OptionalWrapper(CompressorWrapper):
    """A compressor whose module is imported when it is used: not every Python has it."""

    _module = ""
    _missing = ""

    def _check_versions(self) -> None:
        if installed(self._module) is None:
            raise ValueError(self._missing)

    def _open(self, fileobj: Any, mode: str, **options: Any) -> Any:
        self._check_versions()
        return imported(self._module).open(fileobj, mode, **options)


class BZ2CompressorWrapper(_OptionalWrapper):
    """``bz2``, for paths that end in ``.bz2``."""

    _module = "bz2"
    _missing = "bz2 module is not compiled on your python standard library."

    def __init__(self) -> None:
        super().__init__(None, _BZ2_PREFIX, ".bz2")

    def compressor_file(self, fileobj: Any, compresslevel: int | None = None) -> Any:
        """A file that compresses into `fileobj`, a path or a file object."""
        return self._open(fileobj, "wb", compresslevel=9 if compresslevel is None else compresslevel)

    def decompressor_file(self, fileobj: Any) -> Any:
        """The plain bytes of `fileobj`."""
        return self._open(fileobj, "rb")


class LZMACompressorWrapper(_OptionalWrapper):
    """``lzma``, for paths that end in ``.lzma``."""

    _module = "lzma"
    _missing = "lzma module is not compiled on your python standard library."
    _lzma_format_name = "FORMAT_ALONE"

    def __init__(self) -> None:
        super().__init__(None, _LZMA_PREFIX, ".lzma")

    def compressor_file(self, fileobj: Any, compresslevel: int | None = None) -> Any:
        """A file that compresses into `fileobj`, a path or a file object."""
        self._check_versions()
        kind = getattr(imported(self._module), self._lzma_format_name)
        return self._open(fileobj, "wb", format=kind, preset=compresslevel)

    def decompressor_file(self, fileobj: Any) -> Any:
        """The plain bytes of `fileobj`."""
        return self._open(fileobj, "rb")


class XZCompressorWrapper(LZMACompressorWrapper):
    """``xz``, for paths that end in ``.xz``."""

    _lzma_format_name = "FORMAT_XZ"

    def __init__(self) -> None:
        super().__init__()
        self.prefix, self.extension = _XZ_PREFIX, ".xz"


class LZ4CompressorWrapper(CompressorWrapper):
    """``lz4``, for paths that end in ``.lz4``. Needs the package of that name."""

    def __init__(self) -> None:
        frame: Any = installed("lz4.frame")
        super().__init__(None if frame is None else frame.LZ4FrameFile, _LZ4_PREFIX, ".lz4")

    def _check_versions(self) -> None:
        if self.fileobj_factory is None:
            raise ValueError(LZ4_NOT_INSTALLED_ERROR)

    def compressor_file(self, fileobj: Any, compresslevel: int | None = None) -> Any:
        """A file that compresses into `fileobj`, a path or a file object."""
        self._check_versions()
        if compresslevel is None:
            return self.fileobj_factory(fileobj, "wb")
        return self.fileobj_factory(fileobj, "wb", compression_level=compresslevel)

    def decompressor_file(self, fileobj: Any) -> Any:
        """The plain bytes of `fileobj`."""
        self._check_versions()
        return self.fileobj_factory(fileobj, "rb")


# A dictionary that anybody may change, since users of joblib do.
_COMPRESSORS: dict[str, CompressorWrapper] = {
    "zlib": ZlibCompressorWrapper(),
    "gzip": GzipCompressorWrapper(),
    "bz2": BZ2CompressorWrapper(),
    "lzma": LZMACompressorWrapper(),
    "xz": XZCompressorWrapper(),
    "lz4": LZ4CompressorWrapper(),
}


def register_compressor(compressor_name: str, compressor: CompressorWrapper, force: bool = False) -> None:
    """Make a compressor of your own known to `dump` and `load` of the face, in this process.

    Parameters
    ----------
    compressor_name
        What ``compress=`` will call it.
    compressor
        Opens files to write and to read.
    force
        Replace a compressor of that name.

    Raises
    ------
    ValueError
        No text for a name, no `CompressorWrapper`, or a name that is taken.
    """
    given: Any = compressor
    name: Any = compressor_name
    if not isinstance(name, str):
        raise ValueError(f"Compressor name should be a string, '{name}' given.")
    if not isinstance(given, CompressorWrapper):
        raise ValueError(f"Compressor should implement the CompressorWrapper interface, '{given}' given.")
    factory = given.fileobj_factory
    if factory is not None and not all(hasattr(factory, key) for key in ("read", "write", "seek", "tell")):
        raise ValueError(
            "Compressor 'fileobj_factory' attribute should implement the file object interface, "
            f"'{factory}' given."
        )
    if name in _COMPRESSORS and not force:
        raise ValueError(f"Compressor '{name}' already registered.")
    _COMPRESSORS[name] = compressor
