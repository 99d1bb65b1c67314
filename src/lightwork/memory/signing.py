"""Records that only who knows a secret can write: ``Memory(sign=...)``.

A result is rebuilt by running what its pickle says. Who may write into the folder of a cache can so run code
in every process that reads from it, unless records are signed: then one whose signature is not right is
never unpickled. It is a miss, with a warning.

The signature is a keyed BLAKE3 over the key of the call, the facts, the skeleton and the digests of all
buffers; it stands before the facts. It is checked on each read, over memory of this process's own: a
mapped file could be changed after the check. So large arrays are read, not mapped.
"""

import hmac
import struct
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from blake3 import blake3

from ..errors import InvalidOption
from ..hashing.digests import digest_buffer
from ..protocols import (
    KEY_BYTES,
    Buffer,
    Entry,
    Limits,
    Record,
    Store,
    SupportsLimits,
    SupportsNotes,
    SupportsVerification,
    supports,
)
from .notices import Notices

__all__ = ["SignedStore", "secret_of", "signed"]

_SIGNATURE = 32  # bytes
_SHORTEST = 16  # bytes
_PURPOSE = "lightwork 1 signatures of kept results"
_MALFORMED = (ValueError, IndexError, OverflowError, MemoryError, struct.error)


def secret_of(sign: object) -> bytes:
    """The secret that ``sign=`` gives, of any length, as the 32 bytes of a key.

    Raises
    ------
    InvalidOption
        It is no text or bytes, or has less than 16 bytes. The message does not show it.
    """
    given = sign.encode() if isinstance(sign, str) else sign
    if not isinstance(given, bytes):
        raise InvalidOption(f"sign= is a {type(sign).__name__}: give a secret as bytes or text")
    if len(given) < _SHORTEST:
        raise InvalidOption(
            f"sign= has {len(given)} bytes: give a secret of {_SHORTEST} at least, such as os.urandom(32)"
        )
    return blake3(given, derive_key_context=_PURPOSE).digest()


class SignedStore:
    """A store whose records are signed on the way in and checked on the way out; made by `signed` only.

    What the inner store can do beyond that, it does: leases, limits, notes.

    Parameters
    ----------
    inner
        Where the records are.
    secret
        As from `secret_of`.
    """

    def __init__(self, inner: Store, secret: bytes) -> None:
        self._inner = inner
        self._secret = secret
        self._notices = Notices()
        abilities = [name for name in dir(inner) if not name.startswith("_")]
        for name in abilities:
            if not hasattr(type(self), name):
                setattr(self, name, getattr(inner, name))
        if supports(inner, SupportsNotes):
            self.recent = self._recent
        if supports(inner, SupportsLimits):
            self.put_within = self._put_within

    def __repr__(self) -> str:
        return f"SignedStore({self._inner!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return signed, (self._inner, self._secret)

    def get(self, key: bytes) -> Record | None:
        """The record, in memory of its own, if its signature is right."""
        return self._checked(key, self._inner.get)

    def verified(self, key: bytes) -> Record | None:
        """As `get`, which reads every byte too. Counts as no use, if the inner store can do so."""
        inner = self._inner
        return self._checked(key, inner.verified if supports(inner, SupportsVerification) else inner.get)

    def _checked(self, key: bytes, read: Callable[[bytes], Record | None]) -> Record | None:
        try:
            found = read(key)
            if found is None:
                return None
            record = Record(found.skeleton, [*map(_own, found.buffers)], found.facts[_SIGNATURE:])
            if hmac.compare_digest(self._signature(key, record), found.facts[:_SIGNATURE]):
                return record
        except _MALFORMED:
            pass  # what a forger made of it does not even add up
        self._notices.warn_once(
            "forged",
            f"results in {self._inner!r} are not used, since they are not signed with the secret of sign=: "
            "they were kept without one, or with another, or somebody has changed them; the first is "
            f"{key.hex()}",
        )
        return None

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Publish a record with its signature."""
        self._inner.put(key, self._signed(key, record), seconds=seconds)

    def _put_within(self, key: bytes, record: Record, *, seconds: float, limits: Limits) -> None:
        inner: Any = self._inner  # Any: a store that knows limits
        inner.put_within(key, self._signed(key, record), seconds=seconds, limits=limits)

    def _signed(self, key: bytes, record: Record) -> Record:
        return record._replace(facts=self._signature(key, record) + record.facts)

    def drop(self, keys: Iterable[bytes]) -> int:
        """As the inner store."""
        return self._inner.drop(keys)

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """All entries; asked for a whole key, only one whose signature is right."""
        if len(prefix) == KEY_BYTES and self.verified(prefix) is None:
            return iter(())
        return self._inner.scan(prefix)

    def close(self) -> None:
        """As the inner store."""
        self._inner.close()

    def _recent(self, prefix: bytes, limit: int) -> Sequence[bytes]:
        if len(prefix) == KEY_BYTES and self.verified(prefix) is None:
            return []
        # Those of many are not checked: nothing is done with their facts but to print them.
        inner: Any = self._inner  # Any: a store that keeps notes
        try:
            return [facts[_SIGNATURE:] for facts in inner.recent(prefix, limit)]
        except _MALFORMED:
            return []

    def _signature(self, key: bytes, record: Record) -> bytes:
        hasher = blake3(key=self._secret)
        for part in (key, record.facts, record.skeleton):
            hasher.update(b"%d:" % len(part))
            hasher.update(part)
        for buffer in record.buffers:
            view = memoryview(buffer)
            hasher.update(b"%d:" % view.nbytes + digest_buffer(view))
        return hasher.digest()


def _own(buffer: Buffer) -> Buffer:
    """The bytes in memory that no file can change."""
    return buffer if isinstance(buffer, bytes | bytearray) else bytearray(buffer)


class _SignedStores:
    """One signed store for each store and secret: what shares a store shares its leases and figures."""

    def __init__(self) -> None:
        self._stores: weakref.WeakValueDictionary[tuple[int, bytes], SignedStore] = (
            weakref.WeakValueDictionary()
        )

    def of(self, inner: Store, secret: bytes) -> SignedStore:
        # A signed store holds its inner one: as long as it lives nothing else has the inner one's number.
        return self._stores.setdefault((id(inner), secret), SignedStore(inner, secret))


_SIGNED = _SignedStores()


def signed(inner: Store, secret: bytes) -> SignedStore:
    """The store that signs what goes into `inner`; one object per store and secret."""
    return _SIGNED.of(inner, secret)
