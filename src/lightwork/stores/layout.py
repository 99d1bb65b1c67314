"""How a record lies in its body, a row or an object, and its blobs. Pure: bytes in, bytes out.

The body::

    check      8 bytes   BLAKE3 over key and all that follows
    facts      u32       length
    skeleton   u32       length of the skeleton if it is in the body
    parts      u32       0: the record is facts and skeleton alone, both in the body; else 1 + its buffers
    blobs      u32       only if parts > 0; so are the two tables
    blob table blobs × (32 bytes digest, u64 length)
    part table parts × (u32 blob, or 0xFFFFFFFF for the body; u64 offset; u64 length), the skeleton first
    facts, then everything whose place is the body, in the order of the parts

What is large lies in blobs: a buffer of 1 MiB or more is a blob of its own, named by its digest, so that
equal results share one. If all the rest is too large for a body it goes into one blob more, the *pack*.
"""

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..hashing.digests import BLAKE3
from ..protocols import Buffer, Record

__all__ = [
    "BODY",
    "OWN_BLOB",
    "Blob",
    "Layout",
    "Part",
    "Places",
    "assemble",
    "decode_body",
    "encode",
    "encode_small",
    "place",
]

OWN_BLOB = 1 << 20
"""A buffer of this size (bytes) or more is a blob of its own, and mapped instead of read."""

_MOST_IN_BODY = 64 << 10
"""Skeleton and small buffers together stay in the body up to this size. Above, a file is about as fast and
keeps the database small (not measured on many machines)."""

BODY = 0xFFFFFFFF

_CHECK = 8
_FIXED = struct.Struct("<8sIII")
_COUNT = struct.Struct("<I")
_BLOB = struct.Struct("<32sQ")
_PART = struct.Struct("<IQQ")
_HEAD = _FIXED.size
_unpack = _FIXED.unpack_from
_digest = BLAKE3.of
_new_tuple = tuple.__new__  # half the time of `Record(...)`


class Blob(NamedTuple):
    """A file of immutable bytes."""

    digest: bytes
    nbytes: int


class Part(NamedTuple):
    """Where a skeleton or a buffer lies: in which blob (its index, or `BODY`), and where in it."""

    blob: int
    offset: int
    nbytes: int


class Places(NamedTuple):
    """Which parts of a record go where, before any digest is known."""

    own: list[memoryview]
    """Buffers that become a blob each."""

    packed: list[memoryview]
    """What lies in the pack, one after the other; empty: there is no pack."""

    in_body: list[memoryview]
    parts: list[Part]
    """Blobs are numbered as in `own`; the pack comes after them."""


class Layout(NamedTuple):
    """A decoded body."""

    facts: bytes
    blobs: list[Blob]
    parts: list[Part]
    body: memoryview
    """What the parts with the place `BODY` are cut from."""


def place(record: Record) -> Places:
    """Decide where the parts of a record go."""
    views = [memoryview(part) for part in (record.skeleton, *record.buffers)]
    large = [number > 0 and view.nbytes >= OWN_BLOB for number, view in enumerate(views)]
    own = [view for view, is_large in zip(views, large, strict=True) if is_large]
    rest = [view for view, is_large in zip(views, large, strict=True) if not is_large]
    fits = sum(view.nbytes for view in rest) <= _MOST_IN_BODY
    parts, owned, position = [], 0, 0
    for view, is_large in zip(views, large, strict=True):
        if is_large:
            parts.append(Part(owned, 0, view.nbytes))
            owned += 1
        else:
            parts.append(Part(BODY if fits else len(own), position, view.nbytes))
            position += view.nbytes
    return Places(own, [] if fits else rest, rest if fits else [], parts)


def encode_small(key: bytes, record: Record) -> bytes | None:
    """The body of a record without buffers and with a short skeleton; ``None`` for any other."""
    skeleton, buffers, facts = record
    if buffers or len(skeleton) > _MOST_IN_BODY:
        return None
    rest = b"".join((_FIXED.pack(b"", len(facts), len(skeleton), 0)[_CHECK:], facts, skeleton))
    return BLAKE3.of(key + rest)[:_CHECK] + rest


def encode(key: bytes, record: Record, places: Places, blobs: Sequence[Blob]) -> bytes:
    """The body of any record whose `blobs` are those of its `places`, the pack last."""
    skeleton = places.parts[0].nbytes if places.parts[0].blob == BODY else 0
    rest = b"".join(
        (
            _FIXED.pack(b"", len(record.facts), skeleton, len(places.parts))[_CHECK:],
            _COUNT.pack(len(blobs)),
            *(_BLOB.pack(*blob) for blob in blobs),
            *(_PART.pack(*part) for part in places.parts),
            record.facts,
            *places.in_body,
        )
    )
    return BLAKE3.of(key + rest)[:_CHECK] + rest


def decode_body(key: bytes, body: bytes) -> Record | Layout | None:
    """The record of a body, its layout if the record has more than a skeleton, or ``None``.

    ``None`` means that the bytes are not what was written under this key.
    """
    if len(body) < _HEAD:
        return None
    check, facts, skeleton, parts = _unpack(body)
    if not _digest(key + body[_CHECK:]).startswith(check):
        return None
    if parts:
        return _decode_tables(body, facts, parts)
    start = _HEAD + facts
    return _new_tuple(Record, (body[start : start + skeleton], (), body[_HEAD:start]))


def _decode_tables(body: bytes, facts: int, parts: int) -> Layout:
    """The layout of a body whose check was right."""
    position = _FIXED.size
    (count,) = _COUNT.unpack_from(body, position)
    position += _COUNT.size
    end = position + count * _BLOB.size
    blobs = [Blob(*fields) for fields in _BLOB.iter_unpack(memoryview(body)[position:end])]
    position, end = end, end + parts * _PART.size
    places = [Part(*fields) for fields in _PART.iter_unpack(memoryview(body)[position:end])]
    return Layout(body[end : end + facts], blobs, places, memoryview(body)[end + facts :])


def assemble(
    layout: Layout, contents: "Callable[[Blob, list[int]], Sequence[Buffer] | None]"
) -> Record | None:
    """Gather the parts of a record from its body and its blobs, all of them private and writable.

    Parameters
    ----------
    layout
        Where the parts are.
    contents
        Gives the parts of a blob that have these lengths, one after the other; ``None`` if it is not whole,
        and then there is no record.
    """
    places: dict[int, Buffer] = {
        index: bytearray(layout.body[part.offset : part.offset + part.nbytes])
        for index, part in enumerate(layout.parts)
        if part.blob == BODY
    }
    for number, blob in enumerate(layout.blobs):
        inside = [index for index, part in enumerate(layout.parts) if part.blob == number]
        found = contents(blob, [layout.parts[index].nbytes for index in inside])
        if found is None:
            return None
        places.update(zip(inside, found, strict=True))
    skeleton, *buffers = [places[index] for index in range(len(layout.parts))]
    return Record(bytes(skeleton), buffers, layout.facts)
