"""How a record lies in its file. Pure: bytes in, bytes out.

::

    head    check    8 bytes   BLAKE3 over the key and all of head, table and facts that follows
            written  f64       seconds since the epoch, by the writer's clock
            seconds  f64       how long the call took
            facts    u32       length
            parts    u32       the skeleton and the buffers
    table   parts × (32 bytes digest, u64 length)
    facts, then the parts one after the other

Nobody can map what lies on a network disk: every file is read in full, and so it is verified in full.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ...hashing.digests import BLAKE3, digest_buffer
from ...protocols import Buffer, Record

__all__ = ["HEAD", "Head", "Table", "decode_head", "decode_table", "encode", "is_whole"]

_HEAD = struct.Struct("<8sddII")
_PART = struct.Struct("<32sQ")
_CHECK = 8

HEAD = _HEAD.size
"""Bytes of the head."""


class Head(NamedTuple):
    """What the first bytes of a file tell."""

    written: float
    seconds: float
    facts: int
    parts: int

    @property
    def table(self) -> int:
        """Bytes of the table and the facts, which follow the head."""
        return self.parts * _PART.size + self.facts


class Table(NamedTuple):
    """The digests and lengths of the parts, the skeleton first; and the facts."""

    digests: list[bytes]
    lengths: list[int]
    facts: bytes


def encode(key: bytes, record: Record, *, written: float, seconds: float) -> list[memoryview]:
    """The content of a file, in pieces; the parts themselves are not copied."""
    views = [memoryview(part).cast("B") for part in (record.skeleton, *record.buffers)]
    rest = b"".join(
        (
            _HEAD.pack(b"", written, seconds, len(record.facts), len(views))[_CHECK:],
            *(_PART.pack(digest_buffer(view), view.nbytes) for view in views),
            record.facts,
        )
    )
    return [memoryview(BLAKE3.of(key + rest)[:_CHECK] + rest), *views]


def decode_head(head: bytes) -> Head | None:
    """The head of a file, not verified yet; ``None`` if it is too short."""
    return None if len(head) < HEAD else Head(*_HEAD.unpack_from(head)[1:])


def decode_table(key: bytes, head: bytes, rest: bytes) -> Table | None:
    """Table and facts; ``None`` if they or the head are not what was written under this key."""
    found = decode_head(head)
    if found is None or len(rest) != found.table:
        return None
    if BLAKE3.of(key + head[_CHECK:] + rest)[:_CHECK] != head[:_CHECK]:
        return None
    end = found.parts * _PART.size
    rows = list(_PART.iter_unpack(rest[:end]))
    return Table([digest for digest, _ in rows], [nbytes for _, nbytes in rows], rest[end:])


def is_whole(parts: Sequence[Buffer], digests: Sequence[bytes]) -> bool:
    """Whether the parts are those that were written."""
    return all(digest_buffer(memoryview(part)) == digest for part, digest in zip(parts, digests, strict=True))
