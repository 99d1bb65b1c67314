"""The container format, as pure functions between bytes and tuples. ``docs/format.md`` has it byte by byte.

::

    header        64 bytes: magic, version
    SKEL records  the skeleton, cut into chunks of at most 1 MiB
    TABL record   how many buffers there are, their sizes, and whether they are raw or in blocks
    buffers       raw: aligned to 64 bytes, contiguous · in blocks: BLOK records of at most 1 MiB
    TAIL record   what wrote the file and which types are in it, checksums of raw buffers, index of blocks
    footer        64 bytes: where the TAIL is

Integers are little-endian, positions count from the first byte of the header. Every byte is covered by a
checksum or is zero padding. Checksums find damage, they do not prove who wrote a file: XXH3, 128 bits, which
takes an eighth of the time of BLAKE3, so that a verified load takes no longer than reading.
"""

import json
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

from xxhash import xxh3_128, xxh3_128_digest

from ..errors import CorruptFileError, UnknownFormatError

__all__ = [
    "ALIGN",
    "BLOCK",
    "CHUNK",
    "DIGEST",
    "FOOTER",
    "FRAME",
    "LENGTH",
    "MAGIC",
    "PIECE",
    "SKELETON",
    "TABLE",
    "TAIL",
    "Footer",
    "Frame",
    "Place",
    "Slot",
    "Tail",
    "check_header",
    "check_payload",
    "foreign",
    "is_container",
    "pack_footer",
    "pack_frame",
    "pack_header",
    "pack_table",
    "pack_tail",
    "padding",
    "piece_digest",
    "seal",
    "unpack_footer",
    "unpack_frame",
    "unpack_table",
    "unpack_tail",
]

# The first byte is no text, the line ends show a transfer in text mode, 1A stops a listing on old terminals.
MAGIC = b"\x8aLW\r\n\x1a\n\x00"
END = b"\x8aLWend\r\n"
VERSION = 1
ALIGN = 64
CHUNK = 1 << 20  # most plain bytes per record of the skeleton or of a compressed buffer
PIECE = 8 << 20  # raw buffer bytes per checksum: what two threads verify at the speed of reading
DIGEST = 16

SKELETON, TABLE, BLOCK, TAIL = b"SKEL", b"TABL", b"BLOK", b"TAIL"

_HEADER = struct.Struct("<8sHH36x16s")
_FRAME = struct.Struct("<4sBBHII16s")
_FRAME_SEALED = 16  # bytes of a frame that its checksum covers
_SLOT = struct.Struct("<QB7x")
_FOOTER = struct.Struct("<QQQB15x16s8s")
_COUNT = struct.Struct("<Q")
_PLACE = struct.Struct("<QQQB7x")
LENGTH = struct.Struct("<I")
"""One mark of a buffer in blocks."""

HEADER = _HEADER.size
FRAME = _FRAME.size
FOOTER = _FOOTER.size
SLOT = _SLOT.size


class Frame(NamedTuple):
    """The first 32 bytes of a record."""

    tag: bytes
    codec: int
    width: int
    """Bytes per item of a shuffled block; 1 if it is not shuffled."""

    stored: int
    plain: int
    """Lengths in bytes, in the file and decoded."""

    check: bytes


class Slot(NamedTuple):
    """A line of the table: one buffer."""

    nbytes: int
    in_blocks: bool


class Place(NamedTuple):
    """Where a buffer lies, for random access."""

    slot: Slot
    offset: int
    """Of its first byte, or of its first BLOK record."""

    marks: bytes
    """Raw: the digests of its 8 MiB pieces in a row. In blocks: their stored lengths, 4 bytes each."""


class Tail(NamedTuple):
    """What is known after everything was written."""

    facts: dict[str, Any]  # Any: a JSON object
    places: list[Place]


class Footer(NamedTuple):
    """The last 64 bytes."""

    tail: int
    """Position of the TAIL record."""

    skeleton_nbytes: int
    total: int
    """Length of the whole container."""

    changed: bool
    """Whether raw buffers were mapped for writing later, so that they may differ from their checksums."""


def padding(position: int) -> int:
    """How many zero bytes stand before a raw buffer."""
    return -position % ALIGN


def seal(data: bytes | memoryview, payload: bytes | bytearray | memoryview = b"") -> bytes:
    """The checksum of 16 bytes that stands in headers, frames and footers."""
    state = xxh3_128(data)
    state.update(payload)
    return state.digest()


def piece_digest(piece: memoryview) -> bytes:
    """The checksum of a piece of a raw buffer, `DIGEST` bytes."""
    return xxh3_128_digest(piece)


# ---------------------------------------------------------------------------------------------------------
# Header, footer
# ---------------------------------------------------------------------------------------------------------


def pack_header() -> bytes:
    """The first 64 bytes of every container."""
    start = _HEADER.pack(MAGIC, VERSION, 0, bytes(16))[:48]
    return start + seal(start)


def is_container(head: bytes) -> bool:
    """Whether bytes begin as our files do, empty ones too: `check_header` knows what to say about those."""
    return head == MAGIC[: len(head)]


def check_header(data: bytes) -> None:
    """Accept the first 64 bytes of a container, or say why not.

    Raises
    ------
    UnknownFormatError
        Not ours, or of a newer version.
    CorruptFileError
        Ours, and damaged or cut short.
    """
    if not data:
        raise UnknownFormatError("it is empty")
    if not is_container(data[: len(MAGIC)]):
        raise UnknownFormatError(foreign(data))
    if len(data) < HEADER:
        raise CorruptFileError(f"it ends within its header, after {len(data)} bytes")
    _, version, flags, check = _HEADER.unpack(data)
    if seal(data[:48]) != check:
        raise CorruptFileError("its header is damaged")
    if version != VERSION or flags:
        raise UnknownFormatError(
            f"it has version {version}.{flags} of the format, we read {VERSION}.0; update lightwork"
        )


_FOREIGN = (
    (b"\x80", "it looks like a pickle or a file of joblib"),
    (b"\x78", "it looks like a zlib-compressed file"),
    (b"\x1f\x8b", "it looks like a gzip file"),
    (b"BZh", "it looks like a bzip2 file"),
    (b"\xfd7zXZ", "it looks like an xz file"),
    (b"\x5d\x00", "it looks like an lzma file"),
    (b'\x04"M\x18', "it looks like an lz4 file"),
    (b"\x28\xb5\x2f\xfd", "it looks like a zstd file"),
    (b"ZF0x", "it looks like a file of joblib before 0.10"),
    (b"\x93NUMPY", "it looks like an .npy file: numpy.load reads it"),
    (b"PK\x03\x04", "it looks like a zip archive, perhaps an .npz file: numpy.load reads it"),
    (b"\x8aLW", "its first bytes were changed, perhaps by a transfer in text mode"),
)


def foreign(data: bytes) -> str:
    """What bytes may be that do not begin as a container does."""
    for prefix, reason in _FOREIGN:
        if data.startswith(prefix):
            return reason
    return f"its first bytes are {data[:8]!r}, which is not how a lightwork file begins"


def pack_footer(footer: Footer) -> bytes:
    """The last 64 bytes of a container."""
    start = _FOOTER.pack(footer.tail, footer.skeleton_nbytes, footer.total, footer.changed, b"", b"")[:40]
    return start + seal(start) + END


def unpack_footer(data: bytes) -> Footer:
    """The footer; `CorruptFileError` if it is damaged."""
    if len(data) != FOOTER or data[56:] != END or seal(data[:40]) != data[40:56]:
        raise CorruptFileError("its footer is missing or damaged: the file was cut short or overwritten")
    tail, skeleton, total, changed, _, _ = _FOOTER.unpack(data)
    return Footer(tail, skeleton, total, bool(changed))


# ---------------------------------------------------------------------------------------------------------
# Records
# ---------------------------------------------------------------------------------------------------------


def pack_frame(
    tag: bytes, payload: bytes | memoryview, *, codec: int = 0, width: int = 1, plain: int
) -> bytes:
    """The 32 bytes that stand before `payload`, which holds `plain` bytes when decoded."""
    start = _FRAME.pack(tag, codec, width, 0, len(payload), plain, b"")[:_FRAME_SEALED]
    return start + seal(start, payload)


def unpack_frame(data: bytes, *, tags: Sequence[bytes]) -> Frame:
    """The frame of a record with one of `tags`; nothing else in it is verified before its payload is."""
    tag, codec, width, zero, stored, plain, check = _FRAME.unpack(data)
    if tag not in tags or zero or not width or (codec == 0 and stored != plain):
        expected = " or ".join(tag.decode() for tag in tags)
        raise CorruptFileError(f"where a {expected} record should be, there is none")
    return Frame(tag, codec, width, stored, plain, check)


def check_payload(head: bytes, payload: bytes | memoryview) -> None:
    """Compare a record with its checksum; `CorruptFileError` if they differ."""
    if seal(head[:_FRAME_SEALED], payload) != head[_FRAME_SEALED:]:
        raise CorruptFileError(f"a {head[:4].decode('ascii', 'replace')} record does not match its checksum")


# ---------------------------------------------------------------------------------------------------------
# Table and tail
# ---------------------------------------------------------------------------------------------------------


def pack_table(slots: Sequence[Slot]) -> bytes:
    """The payload of the TABL record."""
    return b"".join([_COUNT.pack(len(slots)), *(_SLOT.pack(*slot) for slot in slots)])


def unpack_table(payload: bytes) -> list[Slot]:
    """The buffers that follow; `CorruptFileError` if the table contradicts itself."""
    if len(payload) < 8 or len(payload) != 8 + _COUNT.unpack_from(payload)[0] * _SLOT.size:
        raise CorruptFileError("its table of buffers has a wrong length")
    return [Slot(nbytes, bool(blocks)) for nbytes, blocks in _SLOT.iter_unpack(memoryview(payload)[8:])]


def pack_tail(tail: Tail) -> bytes:
    """The payload of the TAIL record."""
    facts = json.dumps(tail.facts, separators=(",", ":")).encode()
    parts = [_COUNT.pack(len(facts)), facts]
    for place in tail.places:
        parts += _PLACE.pack(place.offset, len(place.marks), *place.slot), place.marks
    return b"".join(parts)


def unpack_tail(payload: bytes) -> Tail:
    """The tail; `CorruptFileError` if it contradicts itself."""
    try:
        (length,) = _COUNT.unpack_from(payload)
        facts = json.loads(payload[8 : 8 + length])
        at, places = 8 + length, []
        while at < len(payload):
            offset, marks, nbytes, in_blocks = _PLACE.unpack_from(payload, at)
            at += _PLACE.size + marks
            places.append(Place(Slot(nbytes, bool(in_blocks)), offset, payload[at - marks : at]))
    except (ValueError, RecursionError, struct.error) as exc:
        raise CorruptFileError(f"its tail cannot be read: {exc}") from exc
    if at != len(payload) or any(len(place.marks) != _marks_nbytes(place.slot) for place in places):
        raise CorruptFileError("its tail has a wrong length")
    if not _is_told_right(facts):
        raise CorruptFileError("its tail tells nonsense about the file")
    return Tail(facts, places)


def _marks_nbytes(slot: Slot) -> int:
    return -(-slot.nbytes // CHUNK) * 4 if slot.in_blocks else -(-slot.nbytes // PIECE) * DIGEST


def _is_told_right(facts: Any) -> bool:  # Any: JSON
    """Whether the facts have the types that they are written with; what is not there may be missing."""
    if not isinstance(facts, dict):
        return False
    packages, types = facts.get("packages", {}), facts.get("types", [])
    texts = [value for name, value in facts.items() if name not in ("packages", "types")]
    return (
        isinstance(packages, dict)
        and isinstance(types, list)
        and all(isinstance(text, str) for text in (*packages.values(), *types, *texts))
    )
