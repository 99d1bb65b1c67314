"""`File`: a path that stands for the content of its file, as an argument or a dependency of a function."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import PurePath
from typing import Literal, TypeAlias, get_args

from ..errors import EntryMissing, InvalidOption
from ..system.clock import Clock, time_of_day
from .digests import BLAKE3, algorithm
from .values import SCHEME, token_of
from .walk import RAW

__all__ = ["ContentDigests", "File", "Kept", "bytes_key", "keeping", "kept_file"]

By: TypeAlias = Literal["content", "stat"]

_BLOCK = 1 << 20
_REMEMBERED = 10_000
_GRAIN = 2.0
"""Seconds. Two changes closer than the file system's time stamps are apart look like one: the coarsest in use
(FAT) have 2 s. What was changed less long ago is not remembered."""

Kept: TypeAlias = tuple[str, By, bytes]
"""Path, way and state of a file that belongs to a kept result."""

_KEEPING: ContextVar[list[Kept] | None] = ContextVar("lightwork_keeping_a_result", default=None)

Stamp: TypeAlias = tuple[int, int, int, int, int]
"""Device, inode, size, time of the last change of the content and of anything (ns)."""


class File(os.PathLike[str]):
    """A path that stands for the content of its file.

    ::

        @memory.cache
        def parse(file): ...          # open(file), pandas.read_csv(file), ... take it as a path

        parse(File("data.csv"))       # computed again when the content has changed

    The path counts as it is written, but for ``./`` and the like, since a function may look at it: a copy
    under another name is another value. The result of a cached function may hold a `File` too: it is kept
    with the state that the file has then, and when the file is missing or another one later, the function
    runs again.

    Parameters
    ----------
    path
        An ordinary file. It is looked at when a key is made, not now.
    by
        ``"content"``: every byte counts; a file that was touched, copied or restored is the same. Digests
        are remembered in this process by device, inode, size and times, so that an unchanged file costs
        one look at its status. ``"stat"``: size and time of the last change count, nothing is read.

    Raises
    ------
    InvalidOption
        `path` is no path, or `by` is unknown.
    """

    __slots__ = ("by", "path")

    def __init__(self, path: str | os.PathLike[str], by: By = "content") -> None:
        if not isinstance(path, str | os.PathLike):
            raise InvalidOption(f"File({path!r}): give a path as text or Path")
        text = os.fspath(path)
        if not isinstance(text, str):
            raise InvalidOption(f"File({text!r}): the path is given as bytes: use os.fsdecode(path)")
        if by not in get_args(By):
            raise InvalidOption(f"File({text!r}, by={by!r}) is not known: give 'content' or 'stat'")
        self.path = text
        self.by: By = by

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return f"File({self.path!r})" if self.by == "content" else f"File({self.path!r}, by={self.by!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and (self.path, self.by) == (other.path, other.by)

    def __hash__(self) -> int:
        return hash((self.path, self.by))

    def __reduce__(self) -> tuple[object, ...]:
        found = _KEEPING.get()
        if found is not None:
            found.append((self.path, self.by, self.state()))
            return kept_file, found[-1]
        return File, (self.path, self.by)

    def __cache_key__(self) -> tuple[str, bytes, str]:
        """What stands for the file in keys: the way, the state and the path.

        Raises
        ------
        OSError
            The file is missing, no ordinary file, or cannot be read.
        """
        return self.by, self.state(), str(PurePath(self.path))  # a/../b may lead elsewhere than b

    def state(self) -> bytes:
        """What `by` looks at, as it is now. Errors as from `__cache_key__`."""
        if self.by == "content":
            return DIGESTS.of(self.path)
        status = os.stat(self.path)
        _check_ordinary(self.path, status)
        return b"%d %d" % (status.st_size, status.st_mtime_ns)


@contextmanager
def keeping() -> "Iterator[list[Kept]]":
    """While a result is taken apart to be kept: the files in it are kept with their state, and listed."""
    found: list[Kept] = []
    token = _KEEPING.set(found)
    try:
        yield found
    finally:
        _KEEPING.reset(token)


def kept_file(path: str, by: By, state: bytes) -> File:
    """A file of a kept result, which is good for as long as the file has the state that it had then.

    Raises
    ------
    EntryMissing
        It is missing or another one.
    """
    file = File(path, by)
    try:
        now = file.state()
    except OSError as exc:
        raise EntryMissing(f"{file!r}, which belongs to a kept result, cannot be read: {exc}") from exc
    if now != state:
        raise EntryMissing(f"{file!r}, which belongs to a kept result, has changed since")
    return file


def bytes_key(path: str | os.PathLike[str], hash_name: str = "blake3") -> str:
    """``hash(open(path, "rb").read(), hash_name)`` for a file of any size, read in blocks.

    Raises
    ------
    InvalidOption
        `hash_name` is unknown.
    OSError
        The file is missing, no ordinary file, or cannot be read.
    """
    chosen = algorithm(hash_name)
    with open(path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        _check_ordinary(os.fspath(path), status)
        if status.st_size < RAW:
            return chosen.of(SCHEME + token_of(file.read(), path="value", chosen=chosen)).hex()
        digest = chosen.blocks(lambda start, stop: _blocks(file.fileno(), start, stop), status.st_size)
    return chosen.of(SCHEME + b"B" + digest).hex()


class ContentDigests:
    """Digests of the contents of files, remembered as long as nothing tells that a file has changed.

    Safe to use from several threads: at worst two of them read one file.
    """

    def __init__(self, clock: Clock = time_of_day) -> None:
        self._clock = clock
        self._known: dict[Stamp, bytes] = {}

    def of(self, path: str) -> bytes:
        """The digest of all bytes of a file, 32 bytes: what `Algorithm.buffer` would give for them."""
        status = os.stat(path)
        _check_ordinary(path, status)  # before it is opened: that may wait for ever at the end of a pipe
        known = self._known.get(_stamp(status))
        return self._read(path) if known is None else known

    def _read(self, path: str) -> bytes:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        try:
            status = os.fstat(descriptor)
            now = self._clock()
            digest = BLAKE3.blocks(lambda start, stop: _blocks(descriptor, start, stop), status.st_size)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        is_settled = max(status.st_mtime, status.st_ctime) + _GRAIN <= now
        if is_settled and _stamp(after) == _stamp(status):
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[_stamp(status)] = digest
        return digest


DIGESTS = ContentDigests()


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _check_ordinary(path: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "no ordinary file"
        raise OSError(f"File({path!r}) has no content to be identified by: it is {kind}")


def _blocks(descriptor: int, start: int, stop: int) -> Iterator[bytes]:
    """The bytes between two places; fewer if the file was cut meanwhile. Not mapped: that would be SIGBUS."""
    while start < stop:
        block = os.pread(descriptor, min(_BLOCK, stop - start), start)
        if not block:
            return
        yield block
        start += len(block)
