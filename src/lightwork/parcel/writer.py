"""A value becomes a container, in one forward pass.

::

    pickler ── bytes ──► _Skeleton ── chunks ──┐                    ┌──► sink.write, in order
    sources ── 1 MiB blocks, compressed ───────┼──► helper threads ─┘
    sources ── 8 MiB pieces, raw ──────────────┼──────────────────────► sink.write
                                               └──► helper threads: checksums for the tail

The calling thread pickles and writes; the helper threads compress and compute checksums. At most a few
blocks per thread are held at any time.
"""

from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import NamedTuple, TypeVar

from ..protocols import Buffer
from ..system.threads import HELPERS, Job, do_now
from . import layout
from .codecs import RAW, Encoder, Packed
from .facts import facts_about
from .outputs import Output, Sink
from .parcels import unpicklable
from .pickling import make_packer
from .reducers import Source
from .sources import nbytes_of, pieces, width_of

__all__ = ["write"]

_WORTH_A_THREAD = 256 << 10  # bytes; handing a job over costs about 50 µs, as much as the checksum of these
# Handing small pieces over costs more: they take turns with this thread for the interpreter (20,000 small
# arrays: 71 ms, 60 without helpers; a forest of 400 buffers of 100 KB: 84 and 52).
_CHECKED_BY_A_HELPER = 1 << 20
_COMPRESSED_AT_ONCE = 4 << 20  # bytes per job, four records: handing over costs a few percent of that

T = TypeVar("T")
R = TypeVar("R")


def write(
    value: object, sink: Sink, *, encode: Encoder | None = None, by_value: bool = False, path: str = "value"
) -> None:
    """Write a value to `sink`.

    Parameters
    ----------
    encode
        Compresses a block (`codecs.compressor`); ``None`` writes everything as it is, to be mapped later.
    by_value
        Take functions and classes that cannot be imported elsewhere along (cloudpickle).
    path
        What an error message calls the value.

    Raises
    ------
    UnpicklableError
        A part of the value cannot be pickled; `sink` has got some bytes by then.
    OSError
        From `sink`.
    """
    out = Output(sink)
    out.write(layout.pack_header())
    sources: list[Source] = []
    skeleton = _Skeleton(out, encode)
    packer = make_packer(skeleton, sources.append, by_value=by_value)
    try:
        packer.dump(value)
        slots = [layout.Slot(nbytes_of(source), encode is not None) for source in sources]
    except MemoryError:
        raise
    except Exception as exc:  # taking a value apart runs users' code, which may raise anything
        if out.failed:
            raise  # the sink did, not the value
        raise unpicklable(value, path, exc, by_value=by_value) from exc
    skeleton.close()
    facts = facts_about(packer.dispatch_table)
    del packer  # its memo holds every object that was met

    _record(out, layout.TABLE, layout.pack_table(slots))
    sources.reverse()
    checksums = _Checksums()
    places = [_buffer(out, sources.pop(), slot, encode, checksums) for slot in slots]
    places = _marked(places, checksums.all())
    tail = out.position
    _record(out, layout.TAIL, layout.pack_tail(layout.Tail(facts, places)))
    total = out.position + layout.FOOTER
    out.write(layout.pack_footer(layout.Footer(tail, skeleton.nbytes, total, changed=False)))


class _Ordered:
    """Records that helper threads make and the calling thread writes, in the order they were begun."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._limit = HELPERS.count + 2
        self._begun: deque[Job[list[tuple[bytes, Buffer]]]] = deque()
        self.stored: list[int] = []

    def put(self, job: "_Job") -> None:
        """Begin records, after having written older ones if too many are waiting."""
        while len(self._begun) >= self._limit or (self._begun and self._begun[0].done()):
            self._write_one()
        # A checksum alone costs less than handing it over, and than the threads' taking turns after that.
        self._begun.append(_begin(_make_records, job, 0 if job.encode is None else len(job.plain)))

    def drain(self) -> None:
        """Write what was begun."""
        while self._begun:
            self._write_one()

    def _write_one(self) -> None:
        for head, payload in self._begun.popleft().result():
            self.stored.append(len(payload))
            self._out.write(head)
            self._out.write(payload)


class _Job(NamedTuple):
    """Bytes to be made into records of one kind."""

    tag: bytes
    plain: memoryview
    width: int
    encode: Encoder | None


def _make_records(job: _Job) -> list[tuple[bytes, Buffer]]:
    starts = range(0, len(job.plain), layout.CHUNK)
    return [_make_record(job, job.plain[start : start + layout.CHUNK]) for start in starts]


def _make_record(job: _Job, plain: memoryview) -> tuple[bytes, Buffer]:
    packed = Packed(plain, RAW, 1) if job.encode is None else job.encode(plain, job.width)
    head = layout.pack_frame(
        job.tag, packed.payload, codec=packed.codec, width=packed.width, plain=len(plain)
    )
    return head, packed.payload


class _Skeleton:
    """The file that the pickler writes to: cuts its bytes into chunks."""

    def __init__(self, out: Output, encode: Encoder | None) -> None:
        self._records = _Ordered(out)
        self._encode = encode
        self._parts: list[bytes] = []
        self._waiting = 0
        self.nbytes = 0

    def write(self, data: Buffer) -> int:
        """Take bytes of the pickle; a large string among them is cut without being copied."""
        if len(data) >= layout.CHUNK:
            self._flush()
            content = memoryview(data)
            for start in range(0, len(content), layout.CHUNK):
                self._put(content[start : start + layout.CHUNK])
        else:
            if self._waiting + len(data) > layout.CHUNK:
                self._flush()
            self._parts.append(bytes(data))
            self._waiting += len(data)
        return len(data)

    def close(self) -> None:
        """Write what is left."""
        self._flush()
        self._records.drain()

    def _flush(self) -> None:
        if self._parts:
            self._put(memoryview(b"".join(self._parts)))
        self._parts.clear()
        self._waiting = 0

    def _put(self, chunk: memoryview) -> None:
        self._records.put(_Job(layout.SKELETON, chunk, 1, self._encode))
        self.nbytes += len(chunk)


def _record(out: Output, tag: bytes, payload: bytes) -> None:
    out.write(layout.pack_frame(tag, payload, plain=len(payload)))
    out.write(payload)


def _buffer(
    out: Output, source: Source, slot: layout.Slot, encode: Encoder | None, checksums: "_Checksums"
) -> layout.Place:
    """Write one buffer. Where it lies, and how to check it: of a raw one the checksums tell later."""
    if encode is not None:
        return _blocks(out, source, slot, encode)
    out.write(bytes(layout.padding(out.position)))
    start = out.position
    for piece in pieces(source, layout.PIECE):
        checksums.add(piece)
        out.write(piece)
    return layout.Place(slot, start, b"")


class _Checksums:
    """Checksums of pieces, in order."""

    def __init__(self) -> None:
        self._begun = deque[Job[bytes]]()
        self._found: list[bytes] = []

    def add(self, piece: memoryview) -> None:
        """Take note of a piece, which must not change until `all` has been called."""
        begin = HELPERS.submit if len(piece) >= _CHECKED_BY_A_HELPER else do_now
        self._begun.append(begin(layout.piece_digest, piece))
        if len(self._begun) > HELPERS.count:
            self._found.append(self._begun.popleft().result())

    def all(self) -> list[bytes]:
        """The checksums of all pieces."""
        return self._found + [job.result() for job in self._begun]


def _marked(places: list[layout.Place], checksums: list[bytes]) -> list[layout.Place]:
    """The places, with the checksums of those that are raw."""
    rest = iter(checksums)
    return [
        place
        if place.slot.in_blocks
        else place._replace(marks=b"".join(islice(rest, -(-place.slot.nbytes // layout.PIECE))))
        for place in places
    ]


def _blocks(out: Output, source: Source, slot: layout.Slot, encode: Encoder) -> layout.Place:
    start, width, records = out.position, width_of(source), _Ordered(out)
    for piece in pieces(source, _COMPRESSED_AT_ONCE):
        records.put(_Job(layout.BLOCK, piece, width, encode))
    records.drain()
    return layout.Place(slot, start, b"".join(length.to_bytes(4, "little") for length in records.stored))


def _begin(function: Callable[[T], R], item: T, nbytes: int) -> Job[R]:
    """Let a helper thread work on `nbytes` bytes, unless that would take longer than doing it here."""
    return HELPERS.submit(function, item) if nbytes >= _WORTH_A_THREAD else do_now(function, item)
