"""A folder as a client of a network disk sees it, for a process that installs it: without locks, and late.

What NFS does to programs, and this does too, below one folder:

- A name that was looked for is remembered for a while. One that was not there is "not there", though another
  client has made it since; one that was there is the old file, though another client has replaced it.
- A file that another client removed answers with ESTALE, if it answers at all: now and then.
- Listings of folders are remembered too.
- An answer can get lost: then the request is sent again, and is told that its work cannot be done, since
  it is done. So a rename that worked may fail with ENOENT, a mkdir with EEXIST, an unlink with ENOENT.
- What a client does itself it sees at once, and what fails is looked up anew.
- There are no locks and no maps.

It does so by standing around the functions of `os` in this process. Other processes see the real folder, or
install it themselves: each is a client of its own.
"""

import builtins
import errno
import fcntl
import mmap
import os
import random
import time
from typing import Any, NamedTuple

__all__ = ["install"]

_MOST = 300  # names that are remembered; each takes a descriptor
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class _Known(NamedTuple):
    until: float
    descriptor: int  # of the file that was there, by path only; -1: there was none
    status: os.stat_result | None


class _Client:
    """The memory of one client, and the functions of `os` with it in between."""

    def __init__(self, root: str, delay: float, chance: random.Random) -> None:
        self._root = os.path.realpath(root) + os.sep
        self._delay = delay
        self._chance = chance
        self._names: dict[str, _Known] = {}
        self._lists: dict[str, tuple[float, list[str]]] = {}
        self._open, self._stat, self._listdir, self._utime = os.open, os.stat, os.listdir, os.utime
        self._rename, self._unlink, self._mkdir = os.rename, os.unlink, os.mkdir

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not self._is_ours(path):
            return self._open(path, flags, mode, dir_fd=dir_fd)
        path = os.fspath(path)
        if flags & _WRITES:
            self._check_parents(path)
            try:
                return self._open(path, flags, mode)
            finally:
                self._forget(path)
        known = self._look_up(path)
        if known.descriptor < 0:
            raise _error(errno.ENOENT, path)
        if os.fstat(known.descriptor).st_nlink == 0 and self._chance.random() < 0.5:
            self._forget(path)
            raise _error(errno.ESTALE, path)
        return self._open(f"/proc/self/fd/{known.descriptor}", flags)

    def stat(self, path: Any, **options: Any) -> os.stat_result:
        if not self._is_ours(path):
            return self._stat(path, **options)
        known = self._look_up(os.fspath(path))
        if known.status is None:
            raise _error(errno.ENOENT, path)
        return known.status

    def listdir(self, path: Any = ".") -> Any:
        if not self._is_ours(path):
            return self._listdir(path)
        path = os.fspath(path)
        until, names = self._lists.get(path, (0.0, []))
        if time.monotonic() >= until:
            self._check_parents(f"{path}{os.sep}")
            names = self._listdir(path)
            self._lists[path] = self._until(), names
        return list(names)

    def rename(self, source: Any, target: Any) -> None:
        if self._is_ours(target):
            self._check_parents(target)
        self._change(self._rename, errno.ENOENT, source, target)

    def unlink(self, path: Any) -> None:
        if self._is_ours(path):
            self._check_parents(path)
        self._change(self._unlink, errno.ENOENT, path)

    def mkdir(self, path: Any, mode: int = 0o777) -> None:
        if self._is_ours(path):
            self._check_parents(path)
        self._change(lambda name: self._mkdir(name, mode), errno.EEXIST, path)

    def utime(self, path: Any, *args: Any, **options: Any) -> None:
        self._utime(path, *args, **options)
        if self._is_ours(path):
            self._forget(os.fspath(path))

    def _change(self, change: Any, lost: int, *paths: Any) -> None:
        """Change names; now and then the answer is lost, and the second request fails with `lost`."""
        try:
            change(*paths)
        finally:
            for path in paths:
                if self._is_ours(path):
                    self._forget(os.fspath(path))
        if self._is_ours(paths[0]) and self._chance.random() < 0.02:
            raise _error(lost, paths[0])

    def _is_ours(self, path: Any) -> bool:
        return not isinstance(path, int) and os.fsdecode(path).startswith(self._root)

    def _until(self) -> float:
        return time.monotonic() + self._chance.uniform(0, self._delay)

    def _check_parents(self, path: str) -> None:
        """A folder that is remembered as missing cannot be gone through."""
        parent = os.path.dirname(path)
        while self._is_ours(parent):
            known = self._names.get(parent)
            if known is not None and known.descriptor < 0 and time.monotonic() < known.until:
                raise _error(errno.ENOENT, path)
            parent = os.path.dirname(parent)

    def _look_up(self, path: str) -> _Known:
        known = self._names.get(path)
        if known is not None and time.monotonic() < known.until:
            return known
        self._forget(path)
        self._check_parents(path)
        if len(self._names) >= _MOST:
            self._forget(next(iter(self._names)))
        try:
            descriptor = self._open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            self._remember_missing(path)
            raise
        known = self._names[path] = _Known(self._until(), descriptor, os.fstat(descriptor))
        return known

    def _remember_missing(self, path: str) -> None:
        """Remember the first folder of a path that is not there, as the kernel does."""
        missing = path
        parent = os.path.dirname(path)
        while self._is_ours(parent):
            try:
                self._stat(parent)
                break
            except FileNotFoundError:
                missing, parent = parent, os.path.dirname(parent)
        self._forget(missing)
        self._names[missing] = _Known(self._until(), -1, None)

    def _forget(self, path: str) -> None:
        self._lists.pop(os.path.dirname(path), None)
        known = self._names.pop(path, None)
        if known is not None and known.descriptor >= 0:
            os.close(known.descriptor)


def install(root: str, *, delay: float, seed: int) -> None:
    """Make this process a client of a network disk at `root`, whose memory lasts up to `delay` seconds."""
    client: Any = _Client(root, delay, random.Random(seed))
    for name in ("open", "stat", "listdir", "rename", "unlink", "mkdir", "utime"):
        setattr(os, name, getattr(client, name))
    plain_open: Any = builtins.open

    def open_file(file: Any, mode: str = "r", *args: Any, **options: Any) -> Any:
        return plain_open(
            file, mode, *args, opener=lambda path, flags: os.open(path, flags, 0o666), **options
        )

    builtins.open = open_file
    refused: Any = _refuse
    fcntl.lockf = fcntl.flock = refused
    maps: Any = mmap
    maps.mmap = refused


def _refuse(*_: object, **__: object) -> Any:
    raise _error(errno.ENOLCK, "a lock or a map")


def _error(code: int, path: object) -> OSError:
    return OSError(code, os.strerror(code), path)
