"""A container becomes a skeleton and buffers again, in one forward pass, verified as it is read.

Nothing is unpickled here: whoever calls gets bytes that match their checksums, or an error. No length is
believed before the file is known to have as many bytes.
"""

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from blake3 import blake3

from ..errors import CorruptFileError, InvalidOption
from ..protocols import Buffer
from ..system.optional import installed, loaded
from ..system.threads import HELPERS, Job, abandon
from . import layout
from .codecs import RAW, decode
from .inputs import Input

__all__ = ["Content", "Mapped", "Survey", "read", "read_mapped", "survey"]

_GROUP = 4 << 20  # bytes per job of a helper thread: large against the 50 µs that handing it over costs


class Content(NamedTuple):
    """What a container holds."""

    skeleton: bytes
    buffers: list[Any]  # Any: numpy arrays where numpy is loaded, else bytearrays; both writable
    facts: dict[str, Any]  # Any: JSON, see `facts`


class Mapped(NamedTuple):
    """What a container holds, with the buffers left where they are."""

    skeleton: bytes
    places: list[tuple[int, int]]
    """First byte and number of bytes of each buffer."""

    facts: dict[str, Any]  # Any: JSON, see `facts`
    footer: layout.Footer


def read(source: Input) -> Content:
    """All of a container.

    Raises
    ------
    UnknownFormatError
        It is not one of ours, or of a newer version.
    CorruptFileError
        It is damaged or cut short; the message tells where.
    """
    skeleton, slots = _front(source)
    allocate = _allocator(skeleton)
    buffers: list[Any] = []
    digests: list[list[bytes]] = []  # of raw buffers, in their order
    with _Jobs() as jobs:
        for slot in slots:
            if slot.in_blocks:
                buffers.append(_blocks(source, slot.nbytes, allocate, jobs))
            else:
                source.expect(layout.padding(source.position) + slot.nbytes)
                buffers.append(allocate(slot.nbytes))
                digests.append(_pieces(source, memoryview(buffers[-1]), jobs))
    tail, footer = _back(source, slots, len(skeleton))
    if not footer.changed:
        _compare(
            [place for place, slot in zip(tail.places, slots, strict=True) if not slot.in_blocks], digests
        )
    return Content(skeleton, buffers, tail.facts)


def read_mapped(source: Input) -> Mapped:
    """A container whose buffers are to be mapped: everything but the buffers is read and verified.

    Raises
    ------
    InvalidOption
        A buffer is compressed.
    UnknownFormatError, CorruptFileError
        As `read`.
    """
    skeleton, slots = _front(source)
    places = []
    for number, slot in enumerate(slots):
        if slot.in_blocks:
            raise InvalidOption(f"segment {number} is compressed")
        _to_alignment(source)
        places.append((source.position, slot.nbytes))
        source.take(slot.nbytes)
    tail, footer = _back(source, slots, len(skeleton))
    return Mapped(skeleton, places, tail.facts, footer)


class Survey(NamedTuple):
    """What the ends of a container tell."""

    tail: layout.Tail
    footer: layout.Footer


def survey(source: Input, size: int) -> Survey:
    """Header, tail and footer of a container of `size` bytes. Errors as from `read`."""
    layout.check_header(source.read(layout.HEADER))
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


def _front(source: Input) -> tuple[bytes, list[layout.Slot]]:
    """Header, skeleton and table."""
    layout.check_header(source.read(layout.HEADER))
    chunks: list[Buffer] = []
    with _Jobs() as jobs:
        while True:
            head, frame = _frame(source, (layout.SKELETON, layout.TABLE))
            if frame.tag == layout.TABLE:
                slots = layout.unpack_table(_plain_record(source, head, frame))
                break
            if max(frame.stored, frame.plain) > layout.CHUNK:
                raise CorruptFileError("a part of its skeleton is longer than it may be")
            chunks.append(b"")
            payload = source.take(frame.stored)
            jobs.add(partial(_read_chunk, head, frame, payload, chunks, len(chunks) - 1), frame.plain)
    return bytes(chunks[0]) if len(chunks) == 1 else b"".join(chunks), slots


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


def _compare(places: Sequence[layout.Place], digests: Sequence[Sequence[bytes]]) -> None:
    for number, (place, found) in enumerate(zip(places, digests, strict=True)):
        if place.marks != b"".join(found):
            raise CorruptFileError(f"buffer {number} (at byte {place.offset}) does not match its checksum")


# ---------------------------------------------------------------------------------------------------------
# Buffers
# ---------------------------------------------------------------------------------------------------------


def _allocator(skeleton: bytes) -> Callable[[int], Any]:
    """A function that gives memory. numpy's is better: not cleared first, and in large pages."""
    numpy = loaded("numpy") or (installed("numpy") if b"numpy" in skeleton else None)
    if numpy is None:
        return bytearray
    return lambda nbytes: numpy.empty(nbytes, "u1")


class _Jobs:
    """Work for the helper threads, gathered into groups that are worth handing over.

    Used in a ``with`` block. All jobs are done when it ends well; none of them runs any more when it ends
    in any other way, so that the file can be closed.
    """

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] = []
        self._nbytes = 0
        self._begun: deque[Job[None]] = deque()

    def add(self, job: Callable[[], None], nbytes: int) -> None:
        """Do `job`, which goes over `nbytes` bytes, now or before the block ends."""
        self._waiting.append(job)
        self._nbytes += nbytes
        if self._nbytes >= _GROUP:
            while len(self._begun) > 2 * HELPERS.count:
                self._begun.popleft().result()
            self._begun.append(HELPERS.submit(_run, self._waiting))
            self._waiting, self._nbytes = [], 0

    def __enter__(self) -> "_Jobs":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                _run(self._waiting)
                while self._begun:
                    self._begun.popleft().result()
        finally:
            abandon(self._begun)


def _run(jobs: Sequence[Callable[[], None]]) -> None:
    for job in jobs:
        job()


def _pieces(source: Input, out: memoryview, jobs: _Jobs) -> list[bytes]:
    """Read a raw buffer into `out`; the list holds the digests of its pieces when the jobs are finished."""
    starts = range(0, len(out), layout.PIECE)
    padding = layout.padding(source.position)
    if not starts:
        source.fill(out, padding=padding)()
    digests = [b""] * len(starts)
    for number, start in enumerate(starts):
        piece = out[start : start + layout.PIECE]
        fill = source.fill(piece, padding=0 if number else padding)
        jobs.add(partial(_read_piece, fill, piece, digests, number), len(piece))
    return digests


def _read_piece(fill: Callable[[], object], piece: memoryview, digests: list[bytes], number: int) -> None:
    fill()
    digests[number] = blake3(piece).digest()


def _blocks(source: Input, nbytes: int, allocate: Callable[[int], Any], jobs: _Jobs) -> Any:
    """A buffer that was stored in blocks; filled when the jobs are finished."""
    source.expect(-(-nbytes // layout.CHUNK) * layout.FRAME)
    buffer = allocate(nbytes)
    out = memoryview(buffer)
    while out:
        head, frame = _frame(source, (layout.BLOCK,))
        if frame.plain != min(len(out), layout.CHUNK) or frame.stored > frame.plain:
            raise CorruptFileError("a block has a wrong length")
        payload = source.take(frame.stored)
        jobs.add(partial(_decode_block, head, frame, payload, out[: frame.plain]), frame.plain)
        out = out[frame.plain :]
    return buffer


def _decode_block(head: bytes, frame: layout.Frame, payload: Callable[[], Buffer], out: memoryview) -> None:
    stored = memoryview(payload())
    layout.check_payload(head, stored)
    decode(stored, frame.codec, frame.width, out)
