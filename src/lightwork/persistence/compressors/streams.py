"""Files that compress what is written to them, and files that are decompressed while they are read.

One writer and one reader for all methods: what differs is the object in the middle, which is that of
`bz2.BZ2Compressor` and `bz2.BZ2Decompressor`.
"""

import io
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from ...errors import CorruptFileError
from ...parcel.codecs import ZSTD_MODULE
from ...parcel.outputs import Output, Sink
from ...system.optional import require

# Any: modules that are imported when they are needed, and file objects of any kind.
__all__ = ["Shield", "open_to_read", "open_to_write"]

_CHUNK = 1 << 20


class _Press(Protocol):
    def compress(self, data: Any, /) -> Any:
        """Bytes that are ready."""

    def flush(self) -> Any:
        """The last bytes."""


class _Unpress(Protocol):
    eof: bool
    needs_input: bool
    unused_data: bytes

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """At most so many bytes."""


class _Method(NamedTuple):
    module: str
    default: int
    press: Callable[[Any, int], _Press]
    unpress: Callable[[Any], _Unpress]


class _Inflater:
    """`zlib.decompressobj` with the interface of the other modules."""

    def __init__(self, inflater: Any) -> None:
        self._inflater = inflater
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        plain: bytes = self._inflater.decompress(self._inflater.unconsumed_tail + data, max_length)
        self.eof = self._inflater.eof
        self.unused_data = self._inflater.unused_data
        self.needs_input = not self._inflater.unconsumed_tail and len(plain) < max_length
        return plain


class _Lz4Press:
    def __init__(self, compressor: Any) -> None:
        self._compressor = compressor

    def compress(self, data: Any) -> Any:
        self._compressor.compress(bytes(data))  # it takes no memoryview
        return memoryview(self._compressor.flush())

    def flush(self) -> Any:
        return memoryview(self._compressor.finish())


class _Lz4Unpress:
    """Gathers the whole file, since cramjam takes complete frames only; gives it out in pieces."""

    def __init__(self, cramjam: Any) -> None:
        self._cramjam = cramjam
        self._parts: list[bytes] = []
        self._plain: io.BytesIO | None = None
        self.eof = False
        self.needs_input = True
        self.unused_data = b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._parts.append(data)
            return b""
        if self._plain is None:
            self._plain = io.BytesIO(self._cramjam.lz4.decompress(b"".join(self._parts)))
            self.needs_input = False
        plain = self._plain.read(max_length)
        self.eof = not plain
        return plain


# Default levels as in joblib.
_METHODS = {
    "zlib": _Method(
        "zlib",
        3,
        lambda zlib, level: zlib.compressobj(level),
        lambda zlib: _Inflater(zlib.decompressobj()),
    ),
    "gzip": _Method(
        "zlib",
        3,
        lambda zlib, level: zlib.compressobj(level, zlib.DEFLATED, 31),
        lambda zlib: _Inflater(zlib.decompressobj(31)),
    ),
    "bz2": _Method("bz2", 9, lambda bz2, level: bz2.BZ2Compressor(level), lambda bz2: bz2.BZ2Decompressor()),
    "lzma": _Method(
        "lzma",
        6,
        lambda lzma, level: lzma.LZMACompressor(lzma.FORMAT_ALONE, preset=level),
        lambda lzma: lzma.LZMADecompressor(lzma.FORMAT_ALONE),
    ),
    "xz": _Method(
        "lzma",
        6,
        lambda lzma, level: lzma.LZMACompressor(preset=level),
        lambda lzma: lzma.LZMADecompressor(),
    ),
    "lz4": _Method(
        "cramjam",
        1,
        lambda cramjam, level: _Lz4Press(cramjam.lz4.Compressor(level=level)),
        _Lz4Unpress,
    ),
    "zstd": _Method(
        ZSTD_MODULE,
        3,
        lambda zstd, level: zstd.ZstdCompressor(level),
        lambda zstd: zstd.ZstdDecompressor(),
    ),
}


def open_to_write(name: str, file: Any, level: int | None) -> "_Writer":
    """A file that compresses into `file` with a method of ours; to be closed, which leaves `file` open.

    Raises
    ------
    MissingDependency
        The module that it needs is not installed.
    """
    method = _METHODS[name]
    press = method.press(_module(name, f"compress={name!r}"), method.default if level is None else level)
    return _Writer(file, press)


def open_to_read(name: str, file: Any) -> io.BufferedReader:
    """What is in a compressed file. `CorruptFileError` from its reads if that is damaged or cut short."""
    module = _module(name, f"a file compressed with {name}")
    return io.BufferedReader(_Reader(file, name, module), _CHUNK)


def _module(name: str, purpose: str) -> Any:
    module = _METHODS[name].module
    return require(module, purpose=purpose, extra="lz4" if name == "lz4" else "all")


class Shield(io.RawIOBase):
    """The sink as the file that a compressor writes to: takes all bytes, and stays open when it is closed."""

    def __init__(self, sink: Sink) -> None:
        self._output: Output | None = Output(sink)
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        nbytes = memoryview(data).nbytes
        if self._output is not None:
            self._output.write(memoryview(data).cast("B"))
        self._position += nbytes
        return nbytes

    def tell(self) -> int:
        return self._position

    def abandon(self) -> None:
        """After an error: take nothing any more. Compressors of users write their end when forgotten."""
        self._output = None


class _Writer:
    """No `io` class: those write their end when they are forgotten, even after an error."""

    def __init__(self, file: Any, press: _Press) -> None:
        self._file = file
        self._press = press
        self._position = 0
        self.closed = False

    def write(self, data: Any) -> int:
        """Take all of `data`."""
        self._put(self._press.compress(data))
        nbytes = memoryview(data).nbytes
        self._position += nbytes
        return nbytes

    def tell(self) -> int:
        """How many bytes it took: joblib's files are aligned by it."""
        return self._position

    def close(self) -> None:
        """Write the end."""
        if not self.closed:
            self.closed = True
            self._put(self._press.flush())

    def _put(self, data: Any) -> None:
        if len(data):
            self._file.write(data)


class _Reader(io.RawIOBase):
    """One or more compressed streams, one after another."""

    def __init__(self, file: Any, name: str, module: Any) -> None:
        self._file = file
        self._name = name
        self._module = module
        self._stream = _METHODS[name].unpress(module)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, out: Any) -> int:
        view = memoryview(out).cast("B")
        while len(view):
            if self._stream.eof and not self._begin_next():
                break
            plain = self._step(min(len(view), _CHUNK))
            if plain:
                view[: len(plain)] = plain
                return len(plain)
        return 0

    def _step(self, limit: int) -> bytes:
        data = b""
        if self._stream.needs_input:
            data = self._rest or self._file.read(_CHUNK)
            self._rest = b""
            if not data and self._name != "lz4":
                raise CorruptFileError(f"it ends in the middle of its {self._name} stream")
        try:
            return self._stream.decompress(data, limit)
        except _errors(self._module) as exc:
            raise CorruptFileError(f"its {self._name} stream is damaged: {exc}") from exc

    def _begin_next(self) -> bool:
        self._rest = self._stream.unused_data or self._file.read(_CHUNK)
        if self._rest:
            self._stream = _METHODS[self._name].unpress(self._module)
        return bool(self._rest)


def _errors(module: Any) -> tuple[type[Exception], ...]:
    names = ("error", "ZstdError", "LZMAError", "DecompressionError")
    return (
        OSError,
        EOFError,
        ValueError,
        *(getattr(module, name) for name in names if hasattr(module, name)),
    )
