"""A container becomes a skeleton and buffers again, in one forward pass, verified as it is read.

Nothing is unpickled here: whoever calls gets bytes that match their checksums, or an error. No length is
believed before the file is known to have as many bytes.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from ..errors import CorruptFileError, InvalidOption
from ..protocols import Buffer
from ..system.optional import installed, loaded
from . import layout
from .codecs import RAW, decode
from .inputs import Input
from .jobs import Jobs

__all__ = [
    "Content",
    "Guard",
    "Mapped",
    "Outer",
    "Survey",
    "allocator",
    "read",
    "read_mapped",
    "read_outer",
    "survey",
    "survey_forwards",
    "verify",
]

# Pieces of fewer bytes are read at once. Each call of the system lets another thread have the interpreter,
# and waiting for it again takes longer than two threads save (400 buffers of 100 KB: 19 ms, 25 by helpers).
_WORTH_A_THREAD = 512 << 10

_BEYOND = (ValueError, OverflowError)  # sizes that no memory can have


class Guard(Protocol):
    """Who reads the file of a stranger: it may end the reading by raising an error of its own."""

    def unfold(self, stored: int, plain: int) -> None:
        """Take note of `stored` bytes of the file that become `plain` bytes of skeleton, before they do."""

    def admit(self, skeleton: bytes, buffers: int) -> None:
        """Judge the skeleton of a container with so many buffers, before these are read."""

    def expand(self, stored: int, plain: int) -> None:
        """Take note of `stored` bytes of the file that become `plain` bytes of a buffer, before they do."""


class _Open:
    """The guard of files that are trusted."""

    def unfold(self, stored: int, plain: int) -> None:
        pass

    def admit(self, skeleton: bytes, buffers: int) -> None:
        pass

    def expand(self, stored: int, plain: int) -> None:
        pass


_OPEN = _Open()


class Content(NamedTuple):
    """What a container holds."""

    skeleton: bytes
    buffers: list[Any]  # Any: numpy arrays where numpy is loaded, else bytearrays; both writable
    facts: dict[str, Any]  # Any: JSON, see `facts`
    differs: bool = False
    """Whether raw buffers do not match their checksums, in a file that was mapped for writing."""


class Mapped(NamedTuple):
    """What a container holds, with the buffers left where they are."""

    skeleton: bytes
    places: list[tuple[int, int]]
    """First byte and number of bytes of each buffer."""

    facts: dict[str, Any]  # Any: JSON, see `facts`
    footer: layout.Footer


def read(source: Input, guard: Guard = _OPEN) -> Content:
    """All of a container. `guard` judges it first; its errors pass through.

    Raises
    ------
    UnknownFormatError
        It is not one of ours, or of a newer version.
    CorruptFileError
        It is damaged or cut short; the message tells where.
    """
    skeleton, slots = _front(source, guard)
    allocate = allocator(skeleton, impossible=_BEYOND if guard is _OPEN else (*_BEYOND, MemoryError))
    buffers: list[Any] = []
    digests: list[list[bytes]] = []  # of raw buffers, in their order
    with Jobs() as jobs:
        for slot in slots:
            if slot.in_blocks:
                buffers.append(_blocks(source, slot.nbytes, allocate, jobs, guard))
            else:
                source.expect(layout.padding(source.position) + slot.nbytes)
                guard.expand(slot.nbytes, slot.nbytes)
                buffers.append(allocate(slot.nbytes))
                digests.append(_pieces(source, memoryview(buffers[-1]), jobs))
    tail, footer = _back(source, slots, len(skeleton))
    matches = _matches(tail, digests, binding=not footer.changed)
    return Content(skeleton, buffers, tail.facts, not matches)


def read_mapped(source: Input, guard: Guard = _OPEN) -> Mapped:
    """A container whose buffers are to be mapped: everything but the buffers is read and verified.

    `guard` judges it first; its errors pass through.

    Raises
    ------
    InvalidOption
        A buffer is compressed.
    UnknownFormatError, CorruptFileError
        As `read`.
    """
    skeleton, slots = _front(source, guard)
    places = []
    for number, slot in enumerate(slots):
        if slot.in_blocks:
            raise InvalidOption(f"segment {number} is compressed")
        _to_alignment(source)
        places.append((source.position, slot.nbytes))
        source.take(slot.nbytes)
        guard.expand(slot.nbytes, 0)
    tail, footer = _back(source, slots, len(skeleton))
    return Mapped(skeleton, places, tail.facts, footer)


class Survey(NamedTuple):
    """What the ends of a container tell."""

    tail: layout.Tail
    footer: layout.Footer


def survey(source: Input, size: int) -> Survey:
    """Header, tail and footer of a container of `size` bytes. Errors as from `read`."""
    layout.check_header(source.read(layout.HEADER))
    return _ends(source, size)


def survey_forwards(source: Input) -> Survey:
    """As `survey`, of a container that can only be read forwards. All else is stepped over."""
    layout.check_header(source.read(layout.HEADER))
    nbytes = 0
    while True:
        head, frame = _frame(source, (layout.SKELETON, layout.TABLE))
        if frame.tag == layout.TABLE:
            break
        nbytes += frame.plain
        _skip(source, frame.stored)
    slots = layout.unpack_table(_plain_record(source, head, frame))
    for slot in slots:
        if not slot.in_blocks:
            _skip(source, layout.padding(source.position) + slot.nbytes)
            continue
        for start in range(0, slot.nbytes, layout.CHUNK):
            _, frame = _frame(source, (layout.BLOCK,))
            if frame.plain != min(slot.nbytes - start, layout.CHUNK):
                raise CorruptFileError("a block has a wrong length")
            _skip(source, frame.stored)
    return Survey(*_back(source, slots, nbytes))


def verify(source: Input) -> Survey:
    """Read a container to its end and compare all of it with its checksums, in the memory of its skeleton.

    Nothing is decompressed. Errors as from `read`. ``footer.changed`` of the answer tells whether something
    does not match, and may differ since the file was mapped for writing.
    """
    skeleton, slots = _front(source, _OPEN)
    room = memoryview(bytearray(layout.PIECE))
    digests: list[list[bytes]] = []  # of raw buffers, in their order
    for slot in slots:
        if slot.in_blocks:
            for start in range(0, slot.nbytes, layout.CHUNK):
                head, frame = _frame(source, (layout.BLOCK,))
                if frame.plain != min(slot.nbytes - start, layout.CHUNK) or frame.stored > frame.plain:
                    raise CorruptFileError("a block has a wrong length")
                layout.check_payload(head, source.take(frame.stored)())
        else:
            digests.append(_digests(source, slot.nbytes, room))
    tail, footer = _back(source, slots, len(skeleton))
    matches = _matches(tail, digests, binding=not footer.changed)
    return Survey(tail, footer._replace(changed=not matches))


def _digests(source: Input, nbytes: int, room: memoryview) -> list[bytes]:
    """Those of the pieces of a raw buffer, read one after the other into `room`."""
    padding = layout.padding(source.position)
    source.expect(padding + nbytes)
    source.fill(room[:0], padding=padding)()
    found = []
    for start in range(0, nbytes, layout.PIECE):
        piece = room[: min(nbytes - start, layout.PIECE)]
        source.fill(piece)()
        found.append(layout.piece_digest(piece))
    return found


def _skip(source: Input, nbytes: int) -> None:
    for start in range(0, nbytes, layout.CHUNK):
        source.take(min(layout.CHUNK, nbytes - start))


class Outer(NamedTuple):
    """A container without the content of its buffers."""

    skeleton: bytes
    tail: layout.Tail
    footer: layout.Footer


def read_outer(source: Input, size: int) -> Outer:
    """All of a container of `size` bytes but its buffers, which are stepped over. Errors as from `read`."""
    skeleton, slots = _front(source, _OPEN)
    tail, footer = _ends(source, size)
    if footer.skeleton_nbytes != len(skeleton) or [place.slot for place in tail.places] != slots:
        raise CorruptFileError("its parts do not belong together")
    return Outer(skeleton, tail, footer)


def _ends(source: Input, size: int) -> Survey:
    source.position = max(source.position, size - layout.FOOTER)
    footer = layout.unpack_footer(source.read(layout.FOOTER))
    if footer.total != size or footer.tail > size:
        raise CorruptFileError(f"it has {size} bytes and should have {footer.total}")
    source.position = footer.tail
    tail = layout.unpack_tail(_plain_record(source, *_frame(source, (layout.TAIL,))))
    return Survey(tail, footer)


# ---------------------------------------------------------------------------------------------------------
# Front and back
# ---------------------------------------------------------------------------------------------------------


def _front(source: Input, guard: Guard) -> tuple[bytes, list[layout.Slot]]:
    """Header, skeleton and table; `guard` has admitted them."""
    layout.check_header(source.read(layout.HEADER))
    chunks: list[Buffer] = []
    with Jobs() as jobs:
        while True:
            head, frame = _frame(source, (layout.SKELETON, layout.TABLE))
            if frame.tag == layout.TABLE:
                slots = layout.unpack_table(_plain_record(source, head, frame))
                break
            if max(frame.stored, frame.plain) > layout.CHUNK:
                raise CorruptFileError("a part of its skeleton is longer than it may be")
            guard.unfold(layout.FRAME + frame.stored, frame.plain)
            chunks.append(b"")
            payload = source.take(frame.stored)
            jobs.add(partial(_read_chunk, head, frame, payload, chunks, len(chunks) - 1), frame.plain)
    skeleton = bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks)
    guard.admit(skeleton, len(slots))
    return skeleton, slots


def _read_chunk(
    head: bytes, frame: layout.Frame, payload: Callable[[], bytes], chunks: list[Buffer], number: int
) -> None:
    stored = payload()
    layout.check_payload(head, stored)
    if frame.codec == RAW:
        chunks[number] = stored
    else:
        chunks[number] = content = bytearray(frame.plain)
        decode(memoryview(stored), frame.codec, frame.width, memoryview(content))


def _plain_record(source: Input, head: bytes, frame: layout.Frame) -> bytes:
    """The content of a record that is never compressed."""
    if frame.codec != RAW:
        raise CorruptFileError("a record is compressed that never is")
    payload = source.take(frame.stored)()
    layout.check_payload(head, payload)
    return payload


def _frame(source: Input, tags: Sequence[bytes]) -> tuple[bytes, layout.Frame]:
    head = source.read(layout.FRAME)
    if len(head) < layout.FRAME:
        raise CorruptFileError(f"it ends after {source.position} bytes, where a record should begin")
    return head, layout.unpack_frame(head, tags=tags)


def _to_alignment(source: Input) -> None:
    count = layout.padding(source.position)
    if source.read(count) != bytes(count):
        raise CorruptFileError("the bytes before one of its buffers are damaged or missing")


def _back(source: Input, slots: list[layout.Slot], skeleton_nbytes: int) -> tuple[layout.Tail, layout.Footer]:
    start = source.position
    tail = layout.unpack_tail(_plain_record(source, *_frame(source, (layout.TAIL,))))
    footer = layout.unpack_footer(source.read(layout.FOOTER))
    agree = footer[:3] == (start, skeleton_nbytes, source.position)
    if not agree or [place.slot for place in tail.places] != slots:
        raise CorruptFileError("its parts do not belong together")
    return tail, footer


def _matches(tail: layout.Tail, digests: Sequence[Sequence[bytes]], *, binding: bool) -> bool:
    """Whether raw buffers match their checksums. If those are binding, it is an error that they do not."""
    places = [place for place in tail.places if not place.slot.in_blocks]
    for number, (place, found) in enumerate(zip(places, digests, strict=True)):
        if place.marks == b"".join(found):
            continue
        if binding:
            raise CorruptFileError(f"buffer {number} (at byte {place.offset}) does not match its checksum")
        return False
    return True


# ---------------------------------------------------------------------------------------------------------
# Buffers
# ---------------------------------------------------------------------------------------------------------


def allocator(skeleton: bytes, *, impossible: tuple[type[Exception], ...] = _BEYOND) -> Callable[[int], Any]:
    """A function that gives memory. numpy's is better: not cleared first, and in large pages.

    Errors that are `impossible` for an honest file say that this one is none.
    """
    numpy = loaded("numpy") or (installed("numpy") if b"numpy" in skeleton else None)

    def allocate(nbytes: int) -> Any:
        try:
            return bytearray(nbytes) if numpy is None else numpy.empty(nbytes, "u1")
        except impossible as exc:
            raise CorruptFileError(
                f"it promises a buffer of {nbytes} bytes, for which there is no memory"
            ) from exc

    return allocate


def _pieces(source: Input, out: memoryview, jobs: Jobs) -> list[bytes]:
    """Read a raw buffer into `out`; the list holds the digests of its pieces when the jobs are finished."""
    starts = range(0, len(out), layout.PIECE)
    padding = layout.padding(source.position)
    if not starts:
        source.fill(out, padding=padding)()
    digests = [b""] * len(starts)
    for number, start in enumerate(starts):
        piece = out[start : start + layout.PIECE]
        fill = source.fill(piece, padding=0 if number else padding)
        job = partial(_read_piece, fill, piece, digests, number)
        if len(piece) < _WORTH_A_THREAD:
            job()
        else:
            jobs.add(job, len(piece))
    return digests


def _read_piece(fill: Callable[[], object], piece: memoryview, digests: list[bytes], number: int) -> None:
    fill()
    digests[number] = layout.piece_digest(piece)


def _blocks(source: Input, nbytes: int, allocate: Callable[[int], Any], jobs: Jobs, guard: Guard) -> Any:
    """A buffer that was stored in blocks; filled when the jobs are finished."""
    source.expect(-(-nbytes // layout.CHUNK) * layout.FRAME)
    buffer = allocate(nbytes)
    out = memoryview(buffer)
    while out:
        head, frame = _frame(source, (layout.BLOCK,))
        if frame.plain != min(len(out), layout.CHUNK) or frame.stored > frame.plain:
            raise CorruptFileError("a block has a wrong length")
        guard.expand(layout.FRAME + frame.stored, frame.plain)
        payload = source.take(frame.stored)
        jobs.add(partial(_decode_block, head, frame, payload, out[: frame.plain]), frame.plain)
        out = out[frame.plain :]
    return buffer


def _decode_block(head: bytes, frame: layout.Frame, payload: Callable[[], Buffer], out: memoryview) -> None:
    stored = memoryview(payload())
    layout.check_payload(head, stored)
    decode(stored, frame.codec, frame.width, out)
