"""Blob files: written under a temporary name, put in place whole, never changed, moved away when unused.

A temporary file's name holds the token of the process that writes it and the digest that it will be named
by. It stays until the database has committed; so what a killed process left behind is found in ``tmp/``
alone, and no start ever has to compare all blobs with all rows.
"""

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ...hashing.digests import digest_buffer
from ...system.known import KNOWN
from ...system.locks import LockFile
from ...system.mapped import MAPPINGS, read_into_memory
from ..folder import BLOBS, TMP, TRASH
from ..layout import Blob

__all__ = ["BlobFolder", "Leftover", "Written"]

_MOST_VECTORS = 512  # buffers per system call; Linux takes 1024
_LARGEST_WRITE = 1 << 30

_NUMBERS = itertools.count()


class Written(NamedTuple):
    """A blob that is complete, under its temporary name."""

    blob: Blob
    temporary: str


class Leftover(NamedTuple):
    """A temporary file whose writer is gone."""

    digest: bytes | None
    """The blob that it may have been published as, ``None`` if it was not even complete."""

    path: str


class BlobFolder:
    """The blobs of one cache. Its methods raise `OSError`; none of them knows of the database.

    Safe to use from several threads and processes.
    """

    def __init__(self, folder: str, locks: LockFile) -> None:
        self._blobs = os.path.join(folder, BLOBS)
        self._tmp = os.path.join(folder, TMP)
        self._trash = os.path.join(folder, TRASH)
        self._locks = locks

    def path(self, digest: bytes) -> str:
        """Where the blob of that digest lies."""
        return os.path.join(self._blobs, digest.hex())

    def name(self, view: memoryview) -> Blob:
        """The blob that a buffer of its own becomes."""
        return Blob(digest_buffer(view), view.nbytes)

    def is_whole(self, blob: Blob) -> bool:
        """Whether the blob is in place with the right length."""
        try:
            return os.stat(self.path(blob.digest)).st_size == blob.nbytes
        except FileNotFoundError:
            return False

    def write(self, parts: Sequence[memoryview], digest: bytes | None) -> Written:
        """Write a blob under a temporary name; nothing is left behind if that fails.

        Parameters
        ----------
        parts
            The content, one after the other.
        digest
            Its digest; ``None`` takes it from what was written.
        """
        nbytes = sum(part.nbytes for part in parts)
        temporary = self._temporary(digest)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            try:
                _write_all(descriptor, parts)
                if digest is None:
                    digest = _digest_of(descriptor, nbytes)
                    temporary = self._rename(temporary, digest)
            finally:
                os.close(descriptor)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
        return Written(Blob(digest, nbytes), temporary)

    def publish(self, written: Written) -> None:
        """Put a blob in place. The temporary name stays until `forget`."""
        target = self.path(written.blob.digest)
        try:
            os.link(written.temporary, target)
        except FileExistsError:
            # Nobody refers to what is there: it was left by a crash, or was found to be damaged. Replacing
            # the name leaves mappings of the old file as they are.
            second = f"{written.temporary}-link"
            os.link(written.temporary, second)
            os.replace(second, target)

    def forget(self, written: Written) -> None:
        """Remove the temporary name."""
        with contextlib.suppress(OSError):  # it is swept at the next start
            os.unlink(written.temporary)

    def to_trash(self, digest: bytes) -> str | None:
        """Move a blob away, to be unlinked when the database has committed; its new path, if it was there."""
        target = os.path.join(self._trash, f"{digest.hex()}-{self._locks.token:016x}-{next(_NUMBERS)}")
        try:
            os.rename(self.path(digest), target)
        except FileNotFoundError:
            return None
        return target

    def restore(self, trashed: str, digest: bytes) -> None:
        """Take a blob back from the trash after a rollback."""
        os.rename(trashed, self.path(digest))

    def map(self, blob: Blob, *, verify: bool) -> memoryview | None:
        """The content as private writable memory: mapped within the budget, else read.

        ``None`` if it is gone, has another length or, with `verify`, another digest.
        """
        with _opened(self.path(blob.digest)) as descriptor:
            if descriptor is None or os.fstat(descriptor).st_size != blob.nbytes:
                return None
            mapping = MAPPINGS.map(descriptor, blob.nbytes)
            view = memoryview(read_into_memory(descriptor, blob.nbytes) if mapping is None else mapping)
        if verify and digest_buffer(view) != blob.digest:
            return None
        if mapping is not None:
            KNOWN.note(mapping, blob.digest)
        return view

    def read(self, blob: Blob, lengths: Sequence[int], *, verify: bool) -> list[bytearray] | None:
        """The content in pieces of the given lengths, each in memory of its own; ``None`` as for `map`."""
        with _opened(self.path(blob.digest)) as descriptor:
            if descriptor is None or os.fstat(descriptor).st_size != blob.nbytes:
                return None
            if verify and _digest_of(descriptor, blob.nbytes) != blob.digest:
                return None
            pieces = [bytearray(length) for length in lengths]
            return pieces if _read_all(descriptor, pieces) else None

    def leftovers(self) -> Iterator[Leftover]:
        """Temporary files whose writer does not live any more."""
        for name in os.listdir(self._tmp):
            token, _, rest = name.partition("-")
            with contextlib.suppress(ValueError):
                if len(token) == 16 and not self._locks.is_alive(int(token, 16)):
                    digest = rest.partition("-")[0]
                    known = bytes.fromhex(digest) if len(digest) == 64 else None
                    yield Leftover(known, os.path.join(self._tmp, name))

    def empty_trash(self) -> None:
        """Unlink everything in the trash."""
        for name in os.listdir(self._trash):
            path = os.path.join(self._trash, name)
            if os.path.isdir(path):  # the blobs of a database that was damaged
                for inner in os.listdir(path):
                    discard(os.path.join(path, inner))
                with contextlib.suppress(OSError):
                    os.rmdir(path)
            else:
                discard(path)

    def temporary_path(self) -> str:
        """A new name in ``tmp/`` for a file that is no blob."""
        return self._temporary(None)

    def _temporary(self, digest: bytes | None) -> str:
        name = digest.hex() if digest else "new"
        return os.path.join(self._tmp, f"{self._locks.token:016x}-{name}-{next(_NUMBERS)}")

    def _rename(self, temporary: str, digest: bytes) -> str:
        target = self._temporary(digest)
        os.rename(temporary, target)
        return target


def discard(path: str) -> None:
    """Remove a file that nobody refers to. What cannot be removed now is tried again at the next start."""
    with contextlib.suppress(OSError):
        os.unlink(path)


@contextlib.contextmanager
def _opened(path: str) -> Iterator[int | None]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _digest_of(descriptor: int, nbytes: int) -> bytes:
    # Through a mapping, so that a pack of any size needs no second copy in memory.
    return digest_buffer(_view_of(descriptor, nbytes))


def _view_of(descriptor: int, nbytes: int) -> memoryview:
    """The content of a file as private memory: mapped within the budget, else read."""
    mapping = MAPPINGS.map(descriptor, nbytes)
    return memoryview(read_into_memory(descriptor, nbytes) if mapping is None else mapping)


def _write_all(descriptor: int, parts: Sequence[memoryview]) -> None:
    position = 0
    for start in range(0, len(parts), _MOST_VECTORS):
        group = [part for part in parts[start : start + _MOST_VECTORS] if part.nbytes]
        while group:
            shortened = [group[0][:_LARGEST_WRITE]] if group[0].nbytes > _LARGEST_WRITE else group
            written = os.pwritev(descriptor, shortened, position)
            position += written
            group = _after(group, written)


def _read_all(descriptor: int, pieces: Sequence[bytearray]) -> bool:
    """Fill the pieces from the start of the file; whether it was long enough."""
    position = 0
    views = [memoryview(piece) for piece in pieces]
    for start in range(0, len(views), _MOST_VECTORS):
        group = [view for view in views[start : start + _MOST_VECTORS] if view.nbytes]
        while group:
            count = os.preadv(descriptor, group, position)
            if count == 0:
                return False
            position += count
            group = _after(group, count)
    return True


def _after(views: list[memoryview], count: int) -> list[memoryview]:
    """What is left of `views` when their first `count` bytes are done."""
    for number, view in enumerate(views):
        if count < view.nbytes:
            return [view[count:], *views[number + 1 :]]
        count -= view.nbytes
    return []
