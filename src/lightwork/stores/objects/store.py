"""A store in an object store: one cache for many hosts."""

import itertools
import weakref
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from ...errors import StoreUnavailable
from ...hashing.digests import digest_buffer
from ...protocols import KEY_BYTES, Buffer, Entry, Record, Store, Totals, Versioned
from ...system.clock import Clock, time_of_day
from ..layout import OWN_BLOB, Blob, Layout, assemble, place
from ..opened import shared
from .holdings import Holdings
from .layout import (
    BLOBS,
    NOTES,
    RECORDS,
    Kept,
    blob_name,
    decode_object,
    encode_object,
    folder,
    key_of,
    name,
    version_of,
)
from .leases import BEAT, Leases
from .link import Found, Link

__all__ = ["ObjectStore", "open_objects"]

Pairs: TypeAlias = "tuple[tuple[str, Any], ...]"  # Any: texts, and bools among the options of the client
"""Options in a form that can be compared."""

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_TRIES = 2  # a record that is replaced while it is read is read once more
_SLACK = 2.0  # seconds that the times of a server are exact to


class ObjectStore:
    """Records below one URL, shared by any number of hosts. A hit is one request, and a few for large arrays.

    A record appears with its own object, the last that is written; what has to be there for it was written
    before. All bytes are verified at each read. Nothing is mapped and nobody writes down when a record was
    used, so there are no limits (`SupportsLimits`): a bucket has rules of its own for that. If the server
    does not answer, what is asked for is not there, and what is put raises `StoreUnavailable`, both at once
    for the next seconds.

    Parameters
    ----------
    url
        ``s3://bucket/prefix``, ``gs://bucket/prefix``, ``az://container/prefix`` or ``file:///folder``.
        Who may talk to it, and where it is, stands in the environment, as each service has it.
    config, client_options
        What the environment does not say, in the words of obstore's options of these names.
    clock
        Seconds since the epoch, for the times of writing.
    beat
        Seconds between two signs of life of a process that computes; one that misses five is replaced.
    trusted
        For ``file:``: use a folder of another user, or one that everybody may write to.

    Raises
    ------
    InvalidOption, MissingDependency
        See `Link`. Nothing else happens before the store is used.
    """

    is_remote = True

    def __init__(
        self,
        url: str,
        *,
        config: Mapping[str, str] = _NOTHING,
        client_options: Mapping[str, str | bool] = _NOTHING,
        clock: Clock = time_of_day,
        beat: float = BEAT,
        trusted: bool = False,
    ) -> None:
        self.location = url
        self._options = _sorted(config), _sorted(client_options)
        self._beat = beat
        self._trusted = trusted
        self._clock = clock
        self._link = Link(url, config=config, client_options=client_options, trusted=trusted)
        holdings = Holdings(self._link, beat=beat)
        self._leases = Leases(self._link, holdings)
        self._finalizer = weakref.finalize(self, holdings.end)
        self._end_leases = holdings.close
        self.lease = self._leases.take
        self.failures = self._leases.failures

    def __repr__(self) -> str:
        return f"ObjectStore({self.location!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return open_objects, (self.location, *self._options, self._trusted, self._beat)

    def get(self, key: bytes) -> Record | None:
        """The record, in memory and verified in full; ``None`` if it is not whole, or not to be had."""
        try:
            found = self.get_versioned(key)
        except StoreUnavailable:  # it is computed instead, and `put` tells why it cannot be kept
            return None
        return None if found is None else found.record

    verified = get

    def get_versioned(self, key: bytes) -> Versioned | None:
        """As `get`, with the record's version. Raises `StoreUnavailable`."""
        for _ in range(_TRIES):
            kept = self._kept(key)
            if kept is None:
                return None
            record = self._record(key, kept)
            if record is not None:
                return Versioned(kept.version, kept.seconds, record)
        return None

    def version(self, key: bytes) -> bytes | None:
        """The version of the record that is there now, if there is one. Raises `StoreUnavailable`."""
        kept = self._kept(key)
        return None if kept is None else kept.version

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Publish a record whole, in place of one of its key.

        If that fails no record was made; blobs may be left, which the next put of the record uses, and
        `drop` and `clear` remove.
        """
        self.put_versioned(key, record, seconds=seconds)

    def put_versioned(self, key: bytes, record: Record, *, seconds: float) -> bytes:
        """As `put`; the version of what was put."""
        places = place(record)
        views = [*places.own, memoryview(b"".join(places.packed))] if places.packed else places.own
        blobs = [Blob(digest_buffer(view), view.nbytes) for view in views]
        written = self._clock()
        data = encode_object(key, record, places, blobs, written=written, seconds=seconds)
        for blob, view in dict(zip(blobs, views, strict=True)).items():  # equal ones once
            self._link.put(blob_name(key, blob), view)
        if not self._link.create(name(RECORDS, key), data):
            old = self._kept(key)
            self._link.put(name(RECORDS, key), data)
            if old is not None:
                self._link.delete([blob_name(key, blob) for blob in old.blobs.difference(blobs)])
        return version_of(key, data)

    def drop(self, keys: Iterable[bytes]) -> int:
        """Remove records; how many there were."""
        return sum(self._link.map(self._remove, dict.fromkeys(keys)))

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """All entries whose keys begin with `prefix`. Reads the object of each record, but no blobs.

        Nobody writes down when a record was used: that is the time when it was written.
        """
        try:
            for keys in self._pages(prefix):
                for key, kept in zip(keys, self._link.map(self._kept_if_any, keys), strict=True):
                    if kept is not None:
                        yield kept.entry(key)
        except StoreUnavailable:  # as an empty store: see `get`
            return

    def reach(self) -> None:
        """Ask for the first records. Raises `StoreUnavailable` if there is no answer."""
        next(self._link.pages(RECORDS), None)

    def close(self) -> None:
        """Send what waits to be sent. Connections end with the object."""
        self._end_leases()

    def totals(self) -> Totals:
        """Number and bytes of all records: a request for each thousand of them."""
        records = blobs = nbytes = 0
        try:
            for page in self._link.pages(RECORDS):
                records += len(page)
                nbytes += sum(found.nbytes for found in page)
            for page in self._link.pages(BLOBS):
                blobs += sum(found.nbytes for found in page)
        except StoreUnavailable:
            return Totals(0, 0)
        return Totals(records, nbytes + blobs)

    def clear(self, prefix: bytes = b"") -> int:
        """Remove all records, and notes, whose keys begin with `prefix`; how many records those were.

        Also what writers left that were killed before their record was there.
        """
        counts = [self._clear(part, prefix) for part in (NOTES, RECORDS, BLOBS)]
        return counts[1]

    def note(self, key: bytes, text: bytes) -> None:
        """Keep a note, in place of one of its key."""
        self._link.put(name(NOTES, key), text)

    def noted(self, key: bytes) -> bytes | None:
        """The note, or ``None``."""
        try:
            return self._link.get(name(NOTES, key))
        except StoreUnavailable:
            return None

    def recent(self, prefix: bytes, limit: int) -> list[bytes]:
        """The facts of records whose keys begin with `prefix`, those written last first.

        Which those are is told by the server's clock; their order by the clocks of their writers.
        """
        try:
            keys = [prefix] if len(prefix) == KEY_BYTES else self._latest(prefix, limit)
            found = [kept for kept in self._link.map(self._kept_if_any, keys) if kept is not None]
        except StoreUnavailable:
            return []
        found.sort(key=lambda kept: kept.written, reverse=True)
        return [bytes(kept.content.facts) for kept in found[:limit]]

    def release(self, key: bytes, *, failed: bool) -> None:
        """Give a lease back; the store hears of it soon, from a thread."""
        self._leases.give_back(key, failed=failed)

    def _kept(self, key: bytes) -> Kept | None:
        """What the object of a record tells. Raises `StoreUnavailable`."""
        data = self._link.get(name(RECORDS, key))
        return None if data is None else decode_object(key, data)

    def _kept_if_any(self, key: bytes) -> Kept | None:
        try:
            return self._kept(key)
        except StoreUnavailable:
            return None

    def _record(self, key: bytes, kept: Kept) -> Record | None:
        """The record of an object, with what lies beside it; ``None`` if that is not all there."""
        if not isinstance(kept.content, Layout):
            return kept.content

        def contents(blob: Blob, lengths: list[int]) -> "list[Buffer] | None":
            whole = self._link.read(blob_name(key, blob), blob.nbytes)
            if whole is None or digest_buffer(memoryview(whole)) != blob.digest:
                return None
            if len(lengths) == 1 and lengths[0] >= OWN_BLOB:
                return [whole]
            ends = itertools.accumulate(lengths)
            # Each in memory of its own, so that one may be let go without the others.
            return [bytearray(whole[end - length : end]) for end, length in zip(ends, lengths, strict=True)]

        return assemble(kept.content, contents)

    def _remove(self, key: bytes) -> int:
        """Remove one record and its blobs, those of killed writers too; how many there were."""
        data = self._link.get(name(RECORDS, key))
        if data is None:
            return 0
        self._link.delete([name(RECORDS, key)])
        kept = decode_object(key, data)
        if kept is None or kept.blobs:
            for page in self._link.pages(name(BLOBS, key)):
                self._link.delete([found.name for found in page])
        return 1

    def _pages(self, prefix: bytes) -> Iterator[list[bytes]]:
        """The keys of records with that prefix, as many at once as a server lists."""
        if len(prefix) == KEY_BYTES:
            yield [prefix]
            return
        for page in self._link.pages(folder(RECORDS, prefix)):
            yield [key for key, _ in _keyed(page, RECORDS, prefix)]

    def _latest(self, prefix: bytes, limit: int) -> list[bytes]:
        """The keys that were written last, and those that may have been, by the times in the list."""
        pages = self._link.pages(folder(RECORDS, prefix))
        found = [(found.modified, key) for page in pages for key, found in _keyed(page, RECORDS, prefix)]
        found.sort(reverse=True)
        if len(found) > limit > 0:
            found = [at for at in found if at[0] >= found[limit - 1][0] - _SLACK]
        return [key for _, key in found]

    def _clear(self, part: str, prefix: bytes) -> int:
        count = 0
        for page in self._link.pages(folder(part, prefix)):
            doomed = [found.name for _, found in _keyed(page, part, prefix)]
            self._link.delete(doomed)
            count += len(doomed)
        return count


def _keyed(page: list[Found], part: str, prefix: bytes) -> Iterator[tuple[bytes, Found]]:
    """The objects of a list that belong to keys with that prefix, with their keys."""
    for found in page:
        key = key_of(part, found.name)
        if key is not None and key.startswith(prefix):
            yield key, found


def open_objects(
    url: str,
    config: Pairs = (),
    client_options: Pairs = (),
    trusted: bool = False,
    beat: float = BEAT,
) -> Store:
    """The store below a URL; one object per process, as long as somebody holds it."""
    return shared(_make, url, config, client_options, trusted, beat)


def _make(url: str, config: Pairs, client_options: Pairs, trusted: bool, beat: float) -> Store:
    return ObjectStore(
        url, config=dict(config), client_options=dict(client_options), trusted=trusted, beat=beat
    )


def _sorted(options: Mapping[str, Any]) -> Pairs:
    return tuple(sorted(options.items()))
