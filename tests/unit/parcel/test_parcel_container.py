"""The container: what the writer writes, the reader reads, from files and from streams."""

import io
import os
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork.errors import CorruptFileError, UnknownFormatError
from lightwork.parcel import layout
from lightwork.parcel.codecs import Encoder, compressor
from lightwork.parcel.inputs import FileInput, StreamInput
from lightwork.parcel.parcels import join
from lightwork.parcel.reader import Content, read
from lightwork.parcel.sources import pieces
from lightwork.parcel.writer import write

VALUE: Any = {
    "large": np.arange(3_000_000),
    "strided": np.arange(1_500_000.0).reshape(1500, 1000)[:, ::2],
    "small": [np.arange(number) for number in range(100)],
    "text": "x" * 3_000_000,
    "records": [{"id": number} for number in range(50_000)],
}
ENCODERS: dict[str, Encoder | None] = {"raw": None, "zstd": compressor("zstd", None)}


def written(value: object, encode: Encoder | None = None) -> bytes:
    file = io.BytesIO()
    write(value, file, encode=encode)
    return file.getvalue()


def value_of(content: Content) -> Any:
    return join(content.skeleton, content.buffers)


def assert_same(found: Any) -> None:
    assert (found["large"] == VALUE["large"]).all()
    assert (found["strided"] == VALUE["strided"]).all()
    assert all((array == np.arange(number)).all() for number, array in enumerate(found["small"]))
    assert found["text"] == VALUE["text"]
    assert found["records"] == VALUE["records"]


@pytest.mark.parametrize("name", ENCODERS)
def test_files_and_streams_give_the_same_value(name: str, tmp_path: Path) -> None:
    """Many pieces, many chunks, both ways of reading."""
    data = written(VALUE, ENCODERS[name])
    assert_same(value_of(read(StreamInput(io.BytesIO(data)))))
    (tmp_path / "x").write_bytes(data)
    with open(tmp_path / "x", "rb") as file:
        assert_same(value_of(read(FileInput(file.fileno()))))


def test_raw_buffers_are_aligned() -> None:
    """Every raw buffer begins at a multiple of 64 bytes, so that mapped arrays suit any vector unit."""
    data = written(VALUE)
    footer = layout.unpack_footer(data[-layout.FOOTER :])
    tail = layout.unpack_tail(data[footer.tail + layout.FRAME : -layout.FOOTER])
    assert len(tail.places) >= 3
    assert all(place.offset % 64 == 0 for place in tail.places)


def test_nothing_is_sought_in_a_sink_or_a_stream() -> None:
    """One forward pass: a pipe of the kernel serves as well as a file."""
    reading, writing = os.pipe()
    value = [np.arange(1000), "x"]
    with open(writing, "wb", buffering=0) as sink:
        write(value, sink)
    with open(reading, "rb") as stream:
        found = value_of(read(StreamInput(stream)))
    assert (found[0] == value[0]).all()


class Trickle(io.RawIOBase):
    """A file that takes and gives a few bytes at a time, as sockets do."""

    def __init__(self, content: bytes = b"") -> None:
        self.content = bytearray(content)

    def write(self, data: Any, /) -> int:
        self.content += bytes(data[:1000])
        return min(len(data), 1000)

    def read(self, size: int = -1, /) -> bytes:
        data = bytes(self.content[: min(size, 700)])
        del self.content[: len(data)]
        return data


def test_short_reads_and_writes_are_continued() -> None:
    """What the other side does not take at once is offered again."""
    sink = Trickle()
    value = [np.arange(20_000), "x" * 5000]
    write(value, sink)

    class ReadOnly:
        read = sink.read

    found = value_of(read(StreamInput(ReadOnly())))
    assert (found[0] == value[0]).all()
    assert found[1] == value[1]


def test_values_follow_each_other_in_a_stream() -> None:
    """A reader stops right behind the value it has read."""
    stream = io.BytesIO(written([1]) + written([2]))
    assert value_of(read(StreamInput(stream))) == [1]
    assert value_of(read(StreamInput(stream))) == [2]


@pytest.mark.parametrize("name", ENCODERS)
def test_every_truncation_is_found(name: str) -> None:
    """A file that ends early, wherever it does, is corrupt; one of no bytes at all is not ours."""
    data = written([np.arange(3000), "text", list(range(100))], ENCODERS[name])
    for length in range(1, len(data)):
        with pytest.raises(CorruptFileError):
            read(StreamInput(io.BytesIO(data[:length])))
    with pytest.raises(UnknownFormatError, match="empty"):
        read(StreamInput(io.BytesIO(b"")))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_flipped_bit_is_found(name: str) -> None:
    """One bit in any byte of the file, padding included: never a value, never a foreign error."""
    data = bytearray(written([np.arange(300), "text", list(range(100))], ENCODERS[name]))
    for place in range(len(data)):
        data[place] ^= 1 << (place % 8)
        with pytest.raises((CorruptFileError, UnknownFormatError)):
            read(StreamInput(io.BytesIO(data)))
        data[place] ^= 1 << (place % 8)
    assert value_of(read(StreamInput(io.BytesIO(data))))[1] == "text"


def test_a_newer_version_is_named() -> None:
    """A reader of today tells a file of tomorrow from a damaged one."""
    data = bytearray(written(1))
    data[8] = 2
    data[48:64] = layout.seal(bytes(data[:48]))
    with pytest.raises(UnknownFormatError, match="version 2"):
        read(StreamInput(io.BytesIO(data)))


@pytest.mark.parametrize(
    ("start", "reader"),
    [
        (b"\x80\x04\x95", "pickle"),
        (b"\x1f\x8b\x08", "gzip"),
        (b"\x93NUMPY", "numpy.load"),
        (b"PK\x03\x04", "zip"),
        (b"hello world", "hello"),
        (b"\x8aLW\n\x1a", "text mode"),
    ],
)
def test_foreign_files_are_recognised(start: bytes, reader: str) -> None:
    """The message tells what the file looks like and who reads it."""
    with pytest.raises(UnknownFormatError, match=reader):
        read(StreamInput(io.BytesIO(start + bytes(100))))


def test_pieces_have_the_length_asked_for() -> None:
    """Whatever the layout: full pieces, then one shorter one, in the order of the elements."""
    cube = np.arange(3 * 50 * 70).reshape(3, 50, 70)
    for array in (cube, cube[:, ::2], cube.transpose(2, 0, 1), cube[:, :, ::-3], cube[1:1]):
        found = list(pieces(array, 1000))
        assert all(len(piece) == 1000 for piece in found[:-1])
        assert b"".join(found) == array.tobytes("C")


def test_an_error_of_the_sink_passes_unchanged() -> None:
    """A full disk is no fault of the value."""

    class Full:
        def write(self, data: object, /) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write([1, 2, 3], Full())


def test_the_memory_for_a_strided_array_is_a_few_pieces() -> None:
    """No full copy is made of an array that is not contiguous."""
    array = np.arange(12_000_000.0).reshape(3000, 4000)[:, ::2]

    class Nowhere:
        def write(self, data: Any, /) -> int:
            return len(data)

    write([1], Nowhere())
    tracemalloc.start()
    write(array, Nowhere())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * layout.PIECE < array.nbytes
