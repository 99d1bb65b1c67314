"""Blocks of bytes, smaller: byte shuffle (`planes`), then zstd, lz4 or a codec of the standard library.

Blocks are independent of each other, so threads take one each.
"""

import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from ..errors import CorruptFileError
from ..system.optional import require
from .planes import MAX_WIDTH, pack_planes, unpack_planes

__all__ = ["CODECS", "RAW", "ZSTD_MODULE", "Codec", "Encoder", "Packed", "compressor", "decode"]

RAW = 0
_SAMPLE = 1 << 16  # bytes from the middle of a block
ZSTD_MODULE = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


class Packed(NamedTuple):
    """An encoded block: what stands in the file, and how to read it."""

    payload: bytes | memoryview
    codec: int
    width: int
    """Bytes per item of a shuffled block; 1 if it is not shuffled."""


Encoder: TypeAlias = Callable[[memoryview, int], Packed]

# Any: modules that are imported when they are first needed, bytes-like objects of any type.
_Compress: TypeAlias = Callable[[Any], bytes]


class Codec(NamedTuple):
    """One way to compress."""

    number: int
    """What files call it: never to be changed."""

    module: str
    extra: str
    default: int
    """Level, of 1 to 9."""

    compressor: Callable[[Any, int], _Compress]
    """From the module and a level; what comes out is for one thread."""

    decompress: Callable[[Any, memoryview, int], bytes | memoryview]
    """From the module, the bytes, and the most bytes to give out."""


def _zstd_compressor(zstd: Any, level: int) -> _Compress:
    # Kept from block to block: making one costs as much as compressing 100 KB.
    context = zstd.ZstdCompressor(level)
    return lambda data: context.compress(data, mode=context.FLUSH_FRAME)


def _lz4_compressor(cramjam: Any, level: int) -> _Compress:
    return lambda data: bytes(
        cramjam.lz4.compress_block(data, mode="high_compression", compression=level, store_size=False)
        if level > 2
        else cramjam.lz4.compress_block(data, store_size=False)
    )


def _lz4_decompress(cramjam: Any, data: memoryview, limit: int) -> memoryview:
    out = bytearray(limit)
    return memoryview(out)[: cramjam.lz4.decompress_block_into(data, out, output_len=limit)]


def _zstd_decompress(zstd: Any, data: memoryview, limit: int) -> bytes:
    options = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
    return bytes(zstd.ZstdDecompressor(options=options).decompress(data, limit))


def _lzma_decompress(lzma: Any, data: memoryview, limit: int) -> bytes:
    return bytes(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_LZMA_MEMORY).decompress(data, limit))


# What decompressors may take: files say how much they want, and ours want less (lzma at level 9: 65 MiB).
_LZMA_MEMORY = 80 << 20
_ZSTD_WINDOW = 24  # log2 of bytes

# Levels as in joblib. zstd 1 is the default because more gains little after the shuffle: for running sums a
# ratio of 7.8 at levels 1 and 3, at 6.3 against 4.5 GB/s.
CODECS = {
    "zstd": Codec(1, ZSTD_MODULE, "all", 1, _zstd_compressor, _zstd_decompress),
    "zlib": Codec(
        2,
        "zlib",
        "all",
        3,
        lambda zlib, level: lambda data: zlib.compress(data, level),
        lambda zlib, data, limit: zlib.decompressobj().decompress(data, limit),
    ),
    "bz2": Codec(
        3,
        "bz2",
        "all",
        9,
        lambda bz2, level: lambda data: bz2.compress(data, level),
        lambda bz2, data, limit: bz2.BZ2Decompressor().decompress(data, limit),
    ),
    "lzma": Codec(
        4,
        "lzma",
        "all",
        6,
        lambda lzma, level: lambda data: lzma.compress(data, preset=level),
        _lzma_decompress,
    ),
    "lz4": Codec(5, "cramjam", "lz4", 1, _lz4_compressor, _lz4_decompress),
}
_BY_NUMBER = {codec.number: (name, codec) for name, codec in CODECS.items()}


class _PerThread(threading.local):
    """A compressor for each thread."""

    compress: _Compress | None = None


def compressor(name: str, level: int | None) -> Encoder:
    """A function that encodes one block: ``encode(data, width)``, safe to call from several threads.

    `width` is the number of bytes per item, 1 for no shuffle. A block is not shuffled if its items repeat
    (floats that were rounded, few distinct values): as whole items they are found again, by planes they are
    not. A block that would not get smaller is left as it is.

    Raises
    ------
    MissingDependency
        The module of the codec cannot be imported.
    """
    codec = CODECS[name]
    module = require(codec.module, purpose=f"compress={name!r}", extra=codec.extra)
    local = _PerThread()

    def encode(data: memoryview, width: int) -> Packed:
        compress = local.compress
        if compress is None:
            compress = local.compress = codec.compressor(module, codec.default if level is None else level)
        payload = pack_planes(data, width, compress) if 1 < width <= MAX_WIDTH else None
        if payload is None or _repeats(data, len(payload), compress):
            payload, width = compress(data), 1
        return Packed(payload, codec.number, width) if len(payload) < len(data) else Packed(data, RAW, 1)

    return encode


def _repeats(data: memoryview, shuffled: int, compress: _Compress) -> bool:
    """Whether a block that the shuffle hardly makes smaller (to `shuffled` bytes) does better without."""
    if 2 * shuffled <= len(data):
        return False
    at = (len(data) - _SAMPLE) // 2
    sample = data[at : at + _SAMPLE] if at > 0 else data
    # With a margin: a sample of random numbers is as large, give or take some bytes.
    return len(compress(sample)) / len(sample) < 0.9 * shuffled / len(data)


def decode(payload: memoryview, codec: int, width: int, out: memoryview) -> None:
    """Decode a block into `out`, whose length the block must fill exactly.

    Raises
    ------
    CorruptFileError
        The codec is not known, its module refuses the bytes, or a length differs.
    """
    if codec == RAW:
        _copy(payload, out)
    elif width > 1:
        unpack_planes(payload, width, out, lambda body, limit: _decompressed(body, codec, limit))
    else:
        _copy(_decompressed(payload, codec, len(out)), out)


def _copy(plain: bytes | memoryview, out: memoryview) -> None:
    if len(plain) != len(out):
        raise CorruptFileError(f"a block has {len(plain)} bytes instead of {len(out)}")
    out[:] = plain


def _decompressed(payload: memoryview, number: int, limit: int) -> bytes | memoryview:
    """At most one byte more than `limit`, so that a bomb is noticed and not unfolded."""
    if number not in _BY_NUMBER:
        raise CorruptFileError(f"a block was compressed in an unknown way (number {number})")
    name, codec = _BY_NUMBER[number]
    module = require(codec.module, purpose=f"a file compressed with {name}", extra=codec.extra)
    try:
        plain = codec.decompress(module, payload, limit + 1)
    except _errors(module) as exc:
        raise CorruptFileError(f"a block cannot be decompressed: {exc}") from exc
    return plain


def _errors(module: Any) -> tuple[type[Exception], ...]:
    """What a module of CODECS raises for damaged bytes."""
    names = ("error", "ZstdError", "LZMAError", "DecompressionError")
    own = [getattr(module, name) for name in names if hasattr(module, name)]
    return (OSError, EOFError, ValueError, *own)
