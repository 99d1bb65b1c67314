"""The exam of compressors for `register_compressor`. Subclass `CodecSuite`, give it the fixture ``codec``.

::

    class TestMyCodec(CodecSuite):
        @pytest.fixture
        def codec(self):
            return CompressorWrapper(MyFile, prefix=b"MINE", extension=".mine")
"""

import io
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from ..persistence import dump, load, register_compressor
from ..persistence.compressors.registry import Compressor

__all__ = ["CodecSuite"]

KIB, MIB = 1 << 10, 1 << 20

SIZES = (0, 1, 100, 64 * KIB + 1, MIB + 7)


class CodecSuite:
    """What a compressor has to do for `dump` and `load`. Subclasses give the fixture ``codec``.

    Its tests register it under `name`, in the place of whatever has that name in this process.
    """

    name = "codec-under-test"

    levels: tuple[int | None, ...] = (None, 1, 6)
    """Those that are tried; ``None`` is the one that `dump` asks for if it is given none."""

    finds_damage = True
    """Whether a file that was cut short, or has a changed byte, is an error and never another value."""

    @pytest.fixture
    def codec(self) -> Compressor:
        """The compressor under test."""
        raise NotImplementedError("define the fixture `codec` in the subclass")

    @pytest.fixture
    def registered(self, codec: Compressor) -> str:
        """The name under which `dump` knows it."""
        register_compressor(self.name, codec, force=True)
        return self.name

    @pytest.mark.parametrize("nbytes", SIZES)
    def test_bytes_come_back(self, codec: Compressor, nbytes: int) -> None:
        """Of every size and at every level, those that can be made smaller and those that cannot."""
        for level in self.levels:
            for data in (bytes(nbytes), random.Random(nbytes).randbytes(nbytes)):
                assert _unpacked(codec, _packed(codec, data, level)) == data

    def test_pieces_are_one_stream(self, codec: Compressor) -> None:
        """It does not matter in which pieces bytes are written, nor in which they are read."""
        data = random.Random(1).randbytes(100 * KIB) + bytes(100 * KIB)
        for written in (1000, 64 * KIB, len(data)):
            packed = _packed(codec, data, None, piece=written)
            for asked in (999, 64 * KIB, -1):
                assert _unpacked(codec, packed, piece=asked) == data

    def test_pieces_may_be_any_buffer(self, codec: Compressor) -> None:
        """Arrays are written from their memory: `write` gets memoryviews, and says how many bytes it took."""
        sink = io.BytesIO()
        file = codec.compressor_file(sink, None)
        assert file.write(memoryview(bytearray(b"one"))) == 3
        assert file.write(bytearray(b"two")) == 3
        file.close()
        assert _unpacked(codec, sink.getvalue()) == b"onetwo"

    def test_the_file_behind_it_stays_open(self, codec: Compressor) -> None:
        """Who gave it closes it, after writing and after reading."""
        sink = io.BytesIO()
        codec.compressor_file(sink, None).close()
        assert not sink.closed
        source = io.BytesIO(sink.getvalue())
        file = codec.decompressor_file(source)
        file.read()
        file.close()
        assert not source.closed

    def test_the_end_is_reported_again(self, codec: Compressor) -> None:
        """Reading at the end gives nothing, as often as it is tried."""
        file = codec.decompressor_file(io.BytesIO(_packed(codec, b"x" * 1000, None)))
        assert file.read(2000) == b"x" * 1000
        assert [file.read(1), file.read(), file.read(1)] == [b"", b"", b""]

    def test_files_begin_as_promised(self, codec: Compressor) -> None:
        """Otherwise `load` would not know them again."""
        for data in (b"", b"x", bytes(MIB)):
            for level in self.levels:
                assert _packed(codec, data, level).startswith(codec.prefix)

    def test_two_files_at_once_do_not_mix(self, codec: Compressor) -> None:
        """Each file has a state of its own, in one thread and in several."""
        one, two = io.BytesIO(), io.BytesIO()
        first, second = codec.compressor_file(one, None), codec.compressor_file(two, None)
        for _ in range(100):
            first.write(b"1" * KIB)
            second.write(b"2" * KIB)
        first.close()
        second.close()
        assert _unpacked(codec, one.getvalue()) == b"1" * 100 * KIB
        assert _unpacked(codec, two.getvalue()) == b"2" * 100 * KIB

        found: dict[int, bool] = {}

        def work(seed: int) -> None:
            data = random.Random(seed).randbytes(100 * KIB)
            found[seed] = _unpacked(codec, _packed(codec, data, None)) == data

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == dict.fromkeys(range(4), True)

    def test_values_are_kept_under_its_name(self, registered: str, codec: Compressor, tmp_path: Path) -> None:
        """`dump` with its name, and `load`, which is told by the first bytes."""
        value = {"text": "x" * 10_000, "numbers": list(range(10_000)), "bytes": bytearray(MIB)}
        for level in self.levels:
            path = tmp_path / f"value-{level}"
            dump(value, path, registered if level is None else (registered, level))
            if codec.prefix:
                assert load(path) == value
        assert path.read_bytes().startswith(codec.prefix)

    def test_the_ending_of_a_name_asks_for_it(
        self, registered: str, codec: Compressor, tmp_path: Path
    ) -> None:
        """`dump` to such a path needs no ``compress=``."""
        if not codec.extension:
            pytest.skip("this compressor has no ending of its own")
        path = tmp_path / f"value{codec.extension}"
        dump([1, "two", None], path)
        assert path.read_bytes().startswith(codec.prefix)
        if codec.prefix:
            assert load(path) == [1, "two", None]

    def test_damage_is_found(self, registered: str, codec: Compressor, tmp_path: Path) -> None:
        """A cut file, or one with a changed byte, never gives another value."""
        if not (codec.prefix and self.finds_damage):
            pytest.skip("this compressor makes no such promise")
        path = tmp_path / "value"
        dump(random.Random(1).randbytes(100 * KIB), path, registered)
        content = path.read_bytes()
        for damaged in (content[: len(content) // 2], content[:-1], _changed(content)):
            path.write_bytes(damaged)
            with pytest.raises(Exception):  # noqa: B017 - whatever the codec raises, or we do
                load(path)


def _packed(codec: Compressor, data: bytes, level: int | None, *, piece: int = MIB) -> bytes:
    """The data as a compressed file. What is behind the compressor can be written to, and no more."""
    sink = _Sink()
    file: Any = codec.compressor_file(sink, level)  # Any: a file object of the codec's
    for start in range(0, len(data), piece):
        file.write(data[start : start + piece])
    file.close()
    return b"".join(sink.pieces)


def _unpacked(codec: Compressor, data: bytes, *, piece: int = -1) -> bytes:
    file: Any = codec.decompressor_file(io.BytesIO(data))  # Any: as above
    pieces: list[bytes] = []
    while part := file.read(piece):
        assert piece < 0 or len(part) <= piece
        pieces.append(part)
    file.close()
    return b"".join(pieces)


class _Sink(io.RawIOBase):
    """Where a pipe would be: no way back."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # Any: whatever exports a buffer
        self.pieces.append(bytes(data))
        return len(self.pieces[-1])


def _changed(content: bytes) -> bytes:
    changed = bytearray(content)
    changed[len(content) // 2] ^= 0xFF
    return bytes(changed)
