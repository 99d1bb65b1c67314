"""Compressors of files pass the exam that those of users have to pass."""

import bz2
import lzma

import pytest

from lightwork.persistence import CompressorWrapper
from lightwork.persistence.compressors.registry import COMPRESSORS, Compressor
from lightwork.testing.codecs import CodecSuite


@pytest.mark.parametrize("built_in", ["zlib", "gzip", "bz2", "lzma", "xz", "lz4", "zstd"])
class TestBuiltInCodecs(CodecSuite):
    @pytest.fixture
    def codec(self, built_in: str) -> Compressor:
        return COMPRESSORS[built_in]


class TestWrappedClass(CodecSuite):
    """A class of file objects, as joblib's users register them."""

    @pytest.fixture
    def codec(self) -> Compressor:
        return CompressorWrapper(bz2.BZ2File, b"BZ", ".own")


class TestWithoutPrefixOrEnding(CodecSuite):
    """`load` cannot know its files; `dump` writes them."""

    levels = (None, 9)

    @pytest.fixture
    def codec(self) -> Compressor:
        return CompressorWrapper(bz2.BZ2File)


class Raw:
    """A codec written by hand, whose files have a prefix that is none of their stream."""

    prefix = b"RAW1"
    extension = ".raw1"

    def compressor_file(self, fileobj: object, compresslevel: int | None = None) -> object:
        fileobj.write(self.prefix)  # type: ignore[attr-defined]  # a file
        return lzma.LZMAFile(fileobj, "wb")  # type: ignore[arg-type]  # a file

    def decompressor_file(self, fileobj: object) -> object:
        assert fileobj.read(4) == self.prefix  # type: ignore[attr-defined]  # a file
        return lzma.LZMAFile(fileobj, "rb")  # type: ignore[arg-type]  # a file


class TestWrittenByHand(CodecSuite):
    @pytest.fixture
    def codec(self) -> Compressor:
        return Raw()
