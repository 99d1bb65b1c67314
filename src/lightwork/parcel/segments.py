"""Any bytes of the buffers of a container, verified, without reading the rest.

A buffer in blocks is read block by block, and each block has its own checksum. A raw buffer has one checksum
for 8 MiB: the first time that anything of such a piece is wanted the whole piece is read and verified, from
then on only what is wanted.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import accumulate
from typing import Any

from xxhash import xxh3_128

from ..errors import CorruptFileError
from . import layout
from .codecs import decode
from .inputs import RandomInput
from .jobs import Jobs

__all__ = ["Segments"]

_RECENT = 4  # decoded blocks that are kept: rows are read one after another, and several arrays in turn


class Segments:
    """The buffers of a container, for random access. Safe to use from several threads and after a fork.

    Parameters
    ----------
    source
        The container. Not closed.
    places
        From its tail.
    end
        Position of its tail: no buffer may go beyond.
    binding
        Whether it is an error that a raw buffer does not match its checksum. For blocks it always is.

    Attributes
    ----------
    differs
        Whether something that was read did not match, and need not.
    """

    def __init__(
        self, source: RandomInput, places: Sequence[layout.Place], *, end: int, binding: bool = True
    ) -> None:
        self.slots = [place.slot for place in places]
        self._source = source
        self._places = places
        self._blocks = _Blocks(source, places)
        self.differs = False
        self._binding = binding
        self._verified: set[tuple[int, int]] = set()
        # Locks would be held for ever in a fork; this cache needs none.
        self._recent = lru_cache(_RECENT)(self._blocks.decoded)
        for number, place in enumerate(places):
            _check_place(number, place, end)

    def stored(self, number: int) -> int:
        """How many bytes a buffer has in the file."""
        place = self._places[number]
        return sum(_lengths(place)) if place.slot.in_blocks else place.slot.nbytes

    def forget(self) -> None:
        """Drop the blocks that are kept."""
        self._recent.cache_clear()

    def spans(self, number: int, start: int, nbytes: int) -> Iterator[tuple[int, int]]:
        """The bytes from `start` on, as (start, nbytes) of the parts that are verified one by one."""
        unit = layout.CHUNK if self.slots[number].in_blocks else layout.PIECE
        end = start + nbytes
        while start < end:
            stop = min(end, (start // unit + 1) * unit)
            yield start, stop - start
            start = stop

    def read(self, number: int, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes of a buffer from `start` on, in this thread.

        Raises
        ------
        CorruptFileError
            A block or piece of it does not match its checksum.
        """
        fill = self._from_blocks if self.slots[number].in_blocks else self._from_pieces
        at = 0
        for begin, nbytes in self.spans(number, start, len(out)):
            fill(number, begin, out[at : at + nbytes])
            at += nbytes

    def add_reads(self, jobs: Jobs, number: int, start: int, out: memoryview) -> None:
        """As `read`, by the helper threads: `out` is filled when the jobs are done."""
        at = 0
        for begin, nbytes in self.spans(number, start, len(out)):
            jobs.add(partial(self.read, number, begin, out[at : at + nbytes]), nbytes)
            at += nbytes

    def whole(self, numbers: Sequence[int], allocate: Callable[[int], Any]) -> list[Any]:
        """All bytes of some buffers, in memory from `allocate`."""
        # Any: whatever `allocate` gives
        found = [allocate(self.slots[number].nbytes) for number in numbers]
        with Jobs() as jobs:
            for number, buffer in zip(numbers, found, strict=True):
                self.add_reads(jobs, number, 0, memoryview(buffer))
        return found

    def _from_blocks(self, number: int, start: int, out: memoryview) -> None:
        """A part of one block; a whole one is decoded right into its place."""
        block, at = divmod(start, layout.CHUNK)
        if len(out) == self._blocks.nbytes(number, block):
            self._blocks.decode(number, block, out)
        else:
            out[:] = memoryview(self._recent(number, block))[at : at + len(out)]

    def _from_pieces(self, number: int, start: int, out: memoryview) -> None:
        """A part of one piece."""
        piece = start // layout.PIECE
        begin = piece * layout.PIECE
        nbytes = min(layout.PIECE, self.slots[number].nbytes - begin)
        known = (number, piece) in self._verified
        if not known and len(out) < nbytes:
            digest = xxh3_128()
            for at in range(0, nbytes, layout.CHUNK):
                count = min(layout.CHUNK, nbytes - at)
                digest.update(self._source.exactly(self._places[number].offset + begin + at, count))
            self._compare(number, piece, digest.digest())
            known = True
        self._source.into(self._places[number].offset + start, out)
        if not known:
            self._compare(number, piece, layout.piece_digest(out))

    def _compare(self, number: int, piece: int, digest: bytes) -> None:
        place = self._places[number]
        if place.marks[piece * layout.DIGEST : (piece + 1) * layout.DIGEST] != digest:
            if self._binding:
                raise CorruptFileError(
                    f"buffer {number} does not match its checksum (8 MiB from byte "
                    f"{place.offset + piece * layout.PIECE} on)"
                )
            self.differs = True
        self._verified.add((number, piece))


class _Blocks:
    """The blocks of compressed buffers. Apart from `Segments`, so that what keeps some refers to no more."""

    def __init__(self, source: RandomInput, places: Sequence[layout.Place]) -> None:
        self._source = source
        self._places = places
        self._starts = lru_cache(256)(partial(_block_starts, places))  # made for what is read only

    def nbytes(self, number: int, block: int) -> int:
        """How many bytes a block has when it is decoded."""
        return min(layout.CHUNK, self._places[number].slot.nbytes - block * layout.CHUNK)

    def decoded(self, number: int, block: int) -> bytearray:
        """The content of a block, in new memory."""
        content = bytearray(self.nbytes(number, block))
        self.decode(number, block, memoryview(content))
        return content

    def decode(self, number: int, block: int, out: memoryview) -> None:
        """Fill `out` with the content of a block."""
        starts = self._starts(number)
        record = self._source.exactly(starts[block], starts[block + 1] - starts[block])
        head, payload = record[: layout.FRAME], memoryview(record)[layout.FRAME :]
        frame = layout.unpack_frame(head, tags=(layout.BLOCK,))
        layout.check_payload(head, payload)
        if (frame.stored, frame.plain) != (len(payload), len(out)):
            raise CorruptFileError(f"block {block} of buffer {number} has a wrong length")
        decode(payload, frame.codec, frame.width, out)


def _lengths(place: layout.Place) -> Sequence[int]:
    """The stored lengths of the payloads of a buffer in blocks."""
    return [length for (length,) in layout.LENGTH.iter_unpack(place.marks)]


def _block_starts(places: Sequence[layout.Place], number: int) -> list[int]:
    """The position of each block of a buffer, and of its end."""
    steps = (layout.FRAME + length for length in _lengths(places[number]))
    return list(accumulate(steps, initial=places[number].offset))


def _check_place(number: int, place: layout.Place, end: int) -> None:
    """The tail has its checksum, so this finds writers that err."""
    nbytes, in_blocks = place.slot
    unit, mark = (layout.CHUNK, layout.LENGTH.size) if in_blocks else (layout.PIECE, layout.DIGEST)
    count = -(-nbytes // unit)
    stored = count * layout.FRAME if in_blocks else nbytes
    if len(place.marks) != count * mark or place.offset + stored > end:
        raise CorruptFileError(f"the index tells nonsense about buffer {number}")
