"""Blocks: every codec and width gives back the bytes it got, with and without numpy."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lightwork.errors import CorruptFileError
from lightwork.parcel.codecs import CODECS, RAW, Packed, compressor, decode
from lightwork.parcel.planes import unpack_planes

RANDOM = np.random.default_rng(0).integers(0, 256, 100_003, "u1").tobytes()
SUMS = np.cumsum(np.random.default_rng(0).integers(0, 10, 10_000)).tobytes()


def decoded(packed: Packed, nbytes: int) -> bytes:
    out = bytearray(nbytes)
    decode(memoryview(packed.payload), packed.codec, packed.width, memoryview(out))
    return bytes(out)


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("width", [1, 2, 3, 4, 8, 12, 16, 32, 33])
@pytest.mark.parametrize("data", [SUMS, RANDOM, b"", b"abc", bytes(1000), SUMS[:-3]])
def test_blocks_come_back(name: str, width: int, data: bytes) -> None:
    """Any bytes, items of any width, a rest that is no whole item."""
    packed = compressor(name, None)(memoryview(data), width)
    assert decoded(packed, len(data)) == data
    assert len(packed.payload) <= len(data)


def test_the_shuffle_pays_for_numbers() -> None:
    """Measurements that lie close together become smaller when alike bytes stand together."""
    encode = compressor("zstd", None)
    data = np.sort(np.random.default_rng(0).random(10_000)).data.cast("B")
    assert len(encode(data, 8).payload) < 0.9 * len(encode(data, 1).payload)


def test_the_shuffle_is_left_out_where_items_repeat() -> None:
    """Floats that were rounded are found again as a whole; block by block, whatever the others are."""
    encode = compressor("zstd", None)
    generator = np.random.default_rng(0)
    rounded = np.round(generator.random(100_000) * 100, 2).data.cast("B")
    packed = encode(rounded, 8)
    assert packed.width == 1
    assert len(packed.payload) < len(rounded) / 2
    assert decoded(packed, len(rounded)) == bytes(rounded)
    assert encode(memoryview(SUMS), 8).width == 8
    assert encode(generator.random(100_000).data.cast("B"), 8).width == 8


def test_noise_is_left_as_it_is() -> None:
    """A block that would grow is stored raw."""
    assert compressor("zlib", 9)(memoryview(RANDOM), 1).codec == RAW


def test_one_encoder_serves_many_threads() -> None:
    """The compressors inside belong to one thread each."""
    encode = compressor("zstd", 3)
    blocks = [np.full(50_000, number).data.cast("B") for number in range(40)]
    with ThreadPoolExecutor(4) as threads:
        packed = list(threads.map(lambda block: encode(block, 8), blocks))
    for block, one in zip(blocks, packed, strict=True):
        assert decoded(one, block.nbytes) == block


@pytest.mark.parametrize("name", CODECS)
def test_a_bomb_is_refused_before_it_unfolds(name: str) -> None:
    """A block that holds more than its frame says is an error, not an allocation."""
    packed = compressor(name, None)(memoryview(bytes(1 << 20)), 1)
    with pytest.raises(CorruptFileError, match=r"instead of 100|too long"):
        decode(memoryview(packed.payload), packed.codec, 1, memoryview(bytearray(100)))


@pytest.mark.parametrize("name", CODECS)
def test_nonsense_is_refused(name: str) -> None:
    """The module's own error never reaches the caller."""
    with pytest.raises(CorruptFileError, match=r"decompressed|instead of"):
        decode(memoryview(b"nonsense" * 10), CODECS[name].number, 1, memoryview(bytearray(500)))


def test_an_unknown_codec_is_refused() -> None:
    """A number that no release has given out."""
    with pytest.raises(CorruptFileError, match="number 77"):
        decode(memoryview(b"x"), 77, 1, memoryview(bytearray(5)))


def test_planes_that_do_not_add_up_are_refused() -> None:
    """Lengths are compared before anything is written."""
    with pytest.raises(CorruptFileError, match="do not add up"):
        unpack_planes(memoryview(bytes(16)), 4, memoryview(bytearray(40)), lambda body, limit: bytes(body))


def test_shuffled_blocks_are_read_without_numpy() -> None:
    """A machine without numpy can still read what it needs no numpy for."""
    packed = compressor("zstd", None)(memoryview(SUMS + b"ab"), 8)
    code = (
        "import sys\n"
        "from lightwork.parcel.codecs import decode\n"
        f"payload, codec, width = {packed.payload!r}, {packed.codec}, {packed.width}\n"
        f"out = bytearray({len(SUMS) + 2})\n"
        "decode(memoryview(payload), codec, width, memoryview(out))\n"
        "assert 'numpy' not in sys.modules\n"
        "sys.stdout.buffer.write(out)\n"
    )
    result = subprocess.run([sys.executable, "-"], input=code.encode(), capture_output=True, check=False)
    assert result.stdout == SUMS + b"ab", result.stderr.decode()
