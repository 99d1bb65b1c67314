"""Any bytes of the buffers: verified, and nothing beside them is read."""

import os
import threading
from collections import Counter
from typing import Any

import numpy as np
import pytest

from lightwork.errors import CorruptFileError
from lightwork.parcel import layout
from lightwork.parcel.codecs import compressor
from lightwork.parcel.gather import gather
from lightwork.parcel.inputs import FileInput
from lightwork.parcel.reader import survey
from lightwork.parcel.segments import Segments
from lightwork.parcel.writer import write

MIB = 1 << 20


class Counting:
    """A container in memory that counts which bytes are read."""

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content)
        self.reads: Counter[tuple[int, int]] = Counter()
        self.threads: set[int] = set()

    def exactly(self, start: int, nbytes: int) -> bytes:
        self.reads[start, nbytes] += 1
        self.threads.add(threading.get_ident())
        return bytes(self.content[start : start + nbytes])

    def into(self, start: int, out: memoryview) -> None:
        out[:] = self.exactly(start, len(out))

    @property
    def nbytes(self) -> int:
        return sum(nbytes * count for (_, nbytes), count in self.reads.items())


def opened(value: Any, *, compress: bool) -> tuple[Counting, Segments, list[layout.Place]]:
    with open(os.memfd_create("container"), "r+b") as file:
        write(value, file, encode=compressor("zstd", None) if compress else None)
        file.seek(0)
        source = Counting(file.read())
        found = survey(FileInput(file.fileno()), len(source.content))
    places = found.tail.places
    return source, Segments(source, places, end=found.footer.tail), places


def taken(segments: Segments, array: Any, *index: Any, order: str = "C") -> Any:
    positions = [range(length)[part] for part, length in zip(index, array.shape, strict=True)]
    return gather(segments, 0, 0, shape=array.shape, dtype=array.dtype, order=order, positions=positions)


ARRAY = np.random.default_rng(0).integers(0, 1000, (16, MIB // 8))  # a row is a block


def blocks_of(source: Counting, place: layout.Place) -> dict[int, int]:
    """Which blocks were read, and how often."""
    lengths, start, found = layout.LENGTH.iter_unpack(place.marks), place.offset, {}
    for number, (length,) in enumerate(lengths):
        if (start, layout.FRAME + length) in source.reads:
            found[number] = source.reads[start, layout.FRAME + length]
        start += layout.FRAME + length
    assert sum(found.values()) == sum(source.reads.values())  # and nothing else
    return found


def test_a_slice_reads_only_its_blocks() -> None:
    """Each of them once, as the bytes that are read prove."""
    source, segments, (place,) = opened(ARRAY, compress=True)
    found = taken(segments, ARRAY, slice(3, 6), slice(None))
    assert (found == ARRAY[3:6]).all()
    assert blocks_of(source, place) == {3: 1, 4: 1, 5: 1}


def test_rows_of_a_block_decode_it_once() -> None:
    """Ten rows one by one, all in the first block."""
    array = np.arange(4 * MIB // 8).reshape(-1, 64)
    source, segments, (place,) = opened(array, compress=True)
    for row in range(10):
        assert (taken(segments, array, slice(row, row + 1), slice(None)) == array[row]).all()
    assert blocks_of(source, place) == {0: 1}
    segments.forget()
    taken(segments, array, slice(1), slice(None))
    assert blocks_of(source, place) == {0: 2}


def test_steps_leave_out_the_blocks_between() -> None:
    """Every fifth row, and of each only the middle."""
    source, segments, (place,) = opened(ARRAY, compress=True)
    found = taken(segments, ARRAY, slice(1, None, 5), slice(100, 200, 3))
    assert (found == ARRAY[1::5, 100:200:3]).all()
    assert set(blocks_of(source, place)) == {1, 6, 11}


def test_fortran_order_reads_columns_cheaply() -> None:
    """A column of such an array is what a row is elsewhere."""
    array = np.asfortranarray(ARRAY.T)
    source, segments, (place,) = opened(array, compress=True)
    found = taken(segments, array, slice(None), slice(7, 8), order="F")
    assert (found == array[:, 7:8]).all()
    assert found.flags.f_contiguous
    assert blocks_of(source, place) == {7: 1}


@pytest.mark.slow
def test_many_blocks_are_decoded_by_several_threads() -> None:
    """Right into their places: no more is held than the result and what the threads decode."""
    source, segments, (place,) = opened(ARRAY, compress=True)
    assert (taken(segments, ARRAY, slice(None), slice(None)) == ARRAY).all()
    assert blocks_of(source, place) == dict.fromkeys(range(16), 1)
    assert threading.get_ident() not in source.threads or len(source.threads) > 1


def test_raw_pieces_are_verified_when_first_read() -> None:
    """8 MiB once; from then on only the bytes that are wanted."""
    array = np.arange(3 * layout.PIECE // 8)
    source, segments, (place,) = opened(array, compress=False)
    item = layout.PIECE // 8 + 5
    assert taken(segments, array, slice(item, item + 10))[0] == item
    assert source.nbytes == layout.PIECE + 80
    assert all(start - place.offset in range(layout.PIECE, 2 * layout.PIECE) for start, _ in source.reads)
    taken(segments, array, slice(item + 100, item + 200))
    assert source.nbytes == layout.PIECE + 80 + 800


@pytest.mark.parametrize("compress", [False, True])
def test_damage_is_found_where_it_is_read(*, compress: bool) -> None:
    """And nowhere else: the other parts are still good."""
    array = np.arange(2 * layout.PIECE // 8)
    source, segments, (place,) = opened(array, compress=compress)
    stored = sum(length for (length,) in layout.LENGTH.iter_unpack(place.marks)) if compress else array.nbytes
    source.content[place.offset + stored - 200] ^= 1
    assert taken(segments, array, slice(1000))[-1] == 999
    for _ in range(2):
        with pytest.raises(CorruptFileError, match="does not match its checksum"):
            taken(segments, array, slice(-10, None))
    with pytest.raises(CorruptFileError, match="does not match its checksum"):
        taken(segments, array, slice(None))


def test_an_index_that_goes_beyond_is_refused() -> None:
    """Before anything is read."""
    place = layout.Place(layout.Slot(100, in_blocks=False), 64, bytes(layout.DIGEST))
    Segments(Counting(b""), [place], end=164)
    for wrong in (
        place._replace(offset=65),
        place._replace(marks=b""),
        place._replace(slot=layout.Slot(200, in_blocks=True)),
    ):
        with pytest.raises(CorruptFileError, match="nonsense about buffer 0"):
            Segments(Counting(b""), [wrong], end=164)
