"""What lies where in an object store. Pure: names and bytes.

::

    lightwork-1/records/<function>/<call>             a record, but for its blobs
                blobs/<function>/<call>/<digest>      what is large of it
                notes/<function>/<call>
                leases/<function>/<call>              who computes it; see leases.py
                pulses/<process>                      that a process lives; see holdings.py

``<function>`` and ``<call>`` are the two parts of a key in hexadecimal. Blobs belong to one record: what
several hosts may remove at any time cannot be counted, so nothing is shared. They are named by their content
all the same: who puts the same record again, since the first one was killed, say, writes the same objects.

The object of a record::

    written  f64     seconds since the epoch, by the writer's clock
    seconds  f64     how long the call took
    body             as in ``stores.layout``; its check covers the key and these two numbers too
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from ...hashing.digests import BLAKE3
from ...protocols import FUNCTION_BYTES, KEY_BYTES, Entry, Record
from ..folder import VERSION
from ..layout import Blob, Layout, Places, decode_body, encode

__all__ = [
    "BLOBS",
    "LEASES",
    "NOTES",
    "PULSES",
    "RECORDS",
    "Kept",
    "blob_name",
    "decode_object",
    "encode_object",
    "folder",
    "key_of",
    "name",
    "version_of",
]

RECORDS, BLOBS, NOTES, LEASES, PULSES = (
    f"{VERSION}/{part}" for part in ("records", "blobs", "notes", "leases", "pulses")
)

_HEAD = struct.Struct("<dd")


class Kept(NamedTuple):
    """What the object of a record tells."""

    version: bytes
    """32 bytes that differ from those of any other record, of this key or another."""

    written: float
    seconds: float
    nbytes: int
    """Of the object and all its blobs."""

    content: Record | Layout

    def entry(self, key: bytes) -> Entry:
        """What `Store.scan` says of it. Nobody writes down when it was used."""
        return Entry(key, self.nbytes, self.written, self.written, self.seconds)

    @property
    def blobs(self) -> frozenset[Blob]:
        """What lies in objects of its own."""
        return frozenset(self.content.blobs) if isinstance(self.content, Layout) else frozenset()


def name(part: str, key: bytes) -> str:
    """The object of a key in one part of the store, such as `RECORDS`."""
    return f"{part}/{key[:FUNCTION_BYTES].hex()}/{key[FUNCTION_BYTES:].hex()}"


def blob_name(key: bytes, blob: Blob) -> str:
    """The object of one blob of a record."""
    return f"{name(BLOBS, key)}/{blob.digest.hex()}"


def folder(part: str, prefix: bytes) -> str:
    """The narrowest folder that all objects of the keys with that prefix lie in."""
    return f"{part}/{prefix[:FUNCTION_BYTES].hex()}" if len(prefix) >= FUNCTION_BYTES else part


def key_of(part: str, found: str) -> bytes | None:
    """The key that an object of a part belongs to; ``None`` if it is somebody else's."""
    words = found.removeprefix(part + "/").split("/")
    try:
        key = bytes.fromhex("".join(words[:2]))
    except ValueError:
        return None
    return key if len(key) == KEY_BYTES and len(words) >= 2 else None


def encode_object(
    key: bytes, record: Record, places: Places, blobs: Sequence[Blob], *, written: float, seconds: float
) -> bytes:
    """The object of a record whose `blobs` are those of its `places`, the pack last."""
    head = _HEAD.pack(written, seconds)
    return head + encode(key + head, record, places, blobs)


def version_of(key: bytes, data: bytes) -> bytes:
    """`Kept.version` of the object of a key."""
    return BLAKE3.of(key + data)


def decode_object(key: bytes, data: bytes) -> Kept | None:
    """What lies in the object of a key; ``None`` if it is not what was written under it."""
    if len(data) < _HEAD.size:
        return None
    content = decode_body(key + data[: _HEAD.size], data[_HEAD.size :])
    if content is None:
        return None
    written, seconds = _HEAD.unpack_from(data)
    kept = Kept(version_of(key, data), written, seconds, len(data), content)
    return kept._replace(nbytes=len(data) + sum(blob.nbytes for blob in kept.blobs))
