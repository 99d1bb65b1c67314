"""A store without a database, safe on NFS, Lustre and the like.

Neither locks nor memory maps nor an order between clients are needed: a record is one file, complete before
its name exists, never changed after. Readers see the old file, the new one or none, and verify what they
read; what another client removed under them is a miss.

::

    entries/<function, 16 digits>/<2 digits>/<46 digits>      the key in hexadecimal, in two levels of folders
    notes/<function>/<2 digits>/<46 digits>
    tmp/<host>-<pid>-<number>-<random>                        published by rename

The time of the last use is the file's time of change, set by hand: times of access are the kernel's to set,
at any look into a file, or not at all. When the record was written stands inside.
"""

import collections
import contextlib
import errno
import itertools
import os
import stat
import weakref
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ...errors import StoreUnavailable
from ...protocols import KEY_BYTES, Buffer, Entry, Limits, Record
from ...system.clock import Clock, time_of_day
from ...system.mapped import read_into_memory
from .. import eviction
from ..folder import ENTRIES, NOTES, TMP, VERSION, check_trust, make_folder
from ..opened import opened
from .layout import HEAD, decode_head, decode_table, encode, is_whole
from .room import Room

__all__ = ["FileStore"]

_MOST_TOUCHED = 1000
_TOUCH_AGAIN = 60.0
"""Seconds in which further hits do not change a file's time of access: each change is a message to the
server. The first hit after a put always does."""

_MOST_TRIES = 5
_MOMENT = 1e-3  # seconds; file systems keep times to 100 ns at best, some to a millisecond

_ABANDONED = 86400.0
"""Seconds after which a temporary file belongs to nobody: its writer may be on any host, so none can ask."""

_NUMBERS = itertools.count()


class FileStore:
    """Records in one folder, a file for each, shared by threads, processes and hosts.

    What is made when, and the parameters, are those of `SqliteStore`.
    """

    def __init__(
        self, location: str | os.PathLike[str], *, clock: Clock = time_of_day, trusted: bool = False
    ) -> None:
        self.location = os.path.abspath(os.fspath(location))
        self._clock = clock
        folder = os.path.join(self.location, VERSION)
        self._entries = os.path.join(folder, ENTRIES)
        self._notes = os.path.join(folder, NOTES)
        self._tmp = os.path.join(folder, TMP)
        self._touched: collections.deque[tuple[str, float]] = collections.deque(maxlen=_MOST_TOUCHED)
        self._finalizer = weakref.finalize(self, _flush, self._touched)
        self._is_swept = False
        self._trusted = trusted
        self._is_checked = trusted
        self._room = Room(clock)

    def __repr__(self) -> str:
        return f"FileStore({self.location!r})"

    def __reduce__(self) -> tuple[object, ...]:
        return opened, (FileStore, self.location, self._trusted)

    def get(self, key: bytes) -> Record | None:
        """The record, read into memory and verified in full; ``None`` if it is not whole."""
        path = _path(self._entries, key)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # not there, or its folder removed, or the server does not answer: a miss
            return None
        try:
            self._check_trust()
            status = os.fstat(descriptor)
            found = _read(descriptor, key, status.st_size)
        except (OSError, EOFError):
            return None
        finally:
            os.close(descriptor)
        if found is None:
            return None
        now = self._clock()
        if not max(found.written + _MOMENT, now - _TOUCH_AGAIN) < status.st_mtime:
            self._touched.append((path, now))
        return found.record

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        """Publish a record whole, in place of one of its key."""
        now = self._clock()
        self._write(_path(self._entries, key), encode(key, record, written=now, seconds=seconds), now)
        _flush(self._touched)

    def put_within(self, key: bytes, record: Record, *, seconds: float, limits: Limits) -> None:
        """Publish a record whole, after removing what is worth least.

        Without locks or counters that all hosts share, the size is known from a look at all entries, which
        is repeated when this process has written a sixteenth of a limit: so each other process that writes
        may exceed it by as much.
        """
        nbytes = len(record.skeleton) + sum(memoryview(buffer).nbytes for buffer in record.buffers)
        self._room.make(self, limits, nbytes)
        self.put(key, record, seconds=seconds)

    def drop(self, keys: Iterable[bytes]) -> int:
        """Remove records; how many there were."""
        return sum(self._unlink(_path(self._entries, key)) for key in keys)

    def scan(self, prefix: bytes = b"") -> Iterator[Entry]:
        """All entries whose keys begin with `prefix`, as they are met. Opens each file."""
        for key, path, status in _files(self._entries, prefix):
            head = _head(path)
            if head is not None and (found := decode_head(head)) is not None:
                accessed = max(found.written, status.st_mtime)
                yield Entry(key, status.st_size, found.written, accessed, found.seconds)

    def close(self) -> None:
        """Write down when records were used. No file is held open."""
        _flush(self._touched)

    def clear(self, prefix: bytes = b"") -> int:
        """Remove all records, and notes, whose keys begin with `prefix`; how many records those were."""
        for _, path, _ in _files(self._notes, prefix):
            self._unlink(path)
        return sum(self._unlink(path) for _, path, _ in _files(self._entries, prefix))

    def note(self, key: bytes, text: bytes) -> None:
        """Keep a note, in place of one of its key."""
        self._write(_path(self._notes, key), [memoryview(text)], self._clock())

    def noted(self, key: bytes) -> bytes | None:
        """The note, or ``None``."""
        try:
            with open(_path(self._notes, key), "rb") as file:
                return file.read()
        except OSError:
            return None

    def recent(self, prefix: bytes, limit: int) -> list[bytes]:
        """The facts of records whose keys begin with `prefix`, those written last first."""
        found = sorted(self.scan(prefix), key=lambda entry: entry.written, reverse=True)
        facts = (_facts(_path(self._entries, entry.key), entry.key) for entry in found)
        return list(itertools.islice((fact for fact in facts if fact is not None), limit))

    def trim(
        self,
        *,
        max_bytes: int | None = None,
        max_items: int | None = None,
        accessed_since: float | None = None,
    ) -> int:
        """Remove least recently used records until all limits hold; how many those were."""
        self.close()
        return self.drop(
            eviction.least_recent(
                self.scan(), max_bytes=max_bytes, max_items=max_items, accessed_since=accessed_since
            )
        )

    def _write(self, path: str, parts: Sequence[memoryview], now: float) -> None:
        """Make a file of these parts, last used `now`. Errors are `StoreUnavailable`, and leave nothing."""
        try:
            self._check_trust()
            self._publish_again(path, parts, now)
            if not self._is_swept:
                self._is_swept = True
                self._sweep()
        except OSError as exc:
            raise _unavailable(exc, self.location) from exc

    def _check_trust(self) -> None:
        """Once, when there is a folder: asking at each hit would cost a message to the server."""
        if not self._is_checked:
            check_trust(self.location)
            self._is_checked = True

    def _publish_again(self, path: str, parts: Sequence[memoryview], now: float) -> None:
        """As `_publish`, for folders that are not there yet, or were removed meanwhile.

        Several times: this client may remember for a moment that a folder was missing which another one has
        made. And a server whose answer got lost is asked again, and says that there is nothing to rename.
        """
        for tries in itertools.count(1):
            try:
                self._publish(path, parts, now)
                return
            except FileNotFoundError:
                if tries == _MOST_TRIES:
                    raise
            make_folder(self.location, (ENTRIES, NOTES, TMP))
            os.makedirs(os.path.dirname(path), exist_ok=True)

    def _publish(self, path: str, parts: Sequence[memoryview], now: float) -> None:
        name = f"{os.uname().nodename}-{os.getpid()}-{next(_NUMBERS)}-{os.urandom(4).hex()}"
        temporary = os.path.join(self._tmp, name)
        try:
            with open(temporary, "xb", buffering=0) as file:
                for part in parts:
                    _write_all(file.fileno(), part)
            os.utime(temporary, (now, now))
            os.rename(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise

    def _unlink(self, path: str) -> bool:
        try:
            os.unlink(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as exc:
            raise _unavailable(exc, self.location) from exc
        return True

    def _sweep(self) -> None:
        """Once per process: remove what writers that were killed left, a day later."""
        for name in os.listdir(self._tmp):
            path = os.path.join(self._tmp, name)
            with contextlib.suppress(OSError):
                if os.stat(path).st_mtime < self._clock() - _ABANDONED:
                    os.unlink(path)


def _path(folder: str, key: bytes) -> str:
    name = key.hex()
    return os.path.join(folder, name[:16], name[16:18], name[18:])


def _files(folder: str, prefix: bytes) -> Iterator[tuple[bytes, str, os.stat_result]]:
    """Key, path and status of the files whose keys begin with `prefix`."""
    wanted = prefix.hex()
    for function in _names(folder, wanted[:16]):
        for middle in _names(os.path.join(folder, function), wanted[16:18]):
            inner = os.path.join(folder, function, middle)
            for name in _names(inner, wanted[18:]):
                path = os.path.join(inner, name)
                with contextlib.suppress(OSError, ValueError):  # removed meanwhile, or a foreign name
                    key, status = bytes.fromhex(function + middle + name), os.stat(path)
                    if len(key) == KEY_BYTES and stat.S_ISREG(status.st_mode):
                        yield key, path, status


def _names(folder: str, prefix: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.startswith(prefix)]
    except OSError:
        return []


def _head(path: str) -> bytes | None:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(HEAD)
    except OSError:
        return None


def _facts(path: str, key: bytes) -> bytes | None:
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
            found = decode_head(head)
            table = None if found is None else decode_table(key, head, file.read(found.table))
    except OSError:
        return None
    return None if table is None else table.facts


class _Found(NamedTuple):
    written: float
    record: Record


def _read(descriptor: int, key: bytes, nbytes: int) -> _Found | None:
    """The record in an open file of that size; ``None`` if it is not what was written under this key."""
    head = os.pread(descriptor, HEAD, 0)
    found = decode_head(head)
    if found is None or HEAD + found.table > nbytes:
        return None
    table = decode_table(key, head, bytes(read_into_memory(descriptor, found.table, offset=HEAD)))
    position = HEAD + found.table
    if table is None or position + sum(table.lengths) != nbytes:
        return None
    parts: list[Buffer] = []
    for length in table.lengths:  # each in memory of its own, so that one may be let go without the others
        parts.append(memoryview(read_into_memory(descriptor, length, offset=position)))
        position += length
    if not is_whole(parts, table.digests):
        return None
    skeleton, *buffers = parts
    return _Found(found.written, Record(bytes(skeleton), buffers, table.facts))


def _write_all(descriptor: int, part: memoryview) -> None:
    while part.nbytes:
        part = part[os.write(descriptor, part[: 1 << 30]) :]


def _flush(touched: "collections.deque[tuple[str, float]]") -> None:
    """Write the times of access into the files."""
    latest = {}
    with contextlib.suppress(IndexError):  # other threads may take at the same time
        while touched:
            path, moment = touched.popleft()
            latest[path] = moment
    for path, moment in latest.items():
        with contextlib.suppress(OSError):  # the record is gone, or may only be read
            if os.stat(path).st_mtime < moment:
                os.utime(path, (moment, moment))


def _unavailable(exc: OSError, location: str) -> StoreUnavailable:
    if isinstance(exc, StoreUnavailable):
        return exc
    return StoreUnavailable(
        exc.errno or errno.EIO, f"the folder {location!r} cannot be written: {exc.strerror or exc}"
    )
