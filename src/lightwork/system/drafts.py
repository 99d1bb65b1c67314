"""A new file beside the one whose place it will take, under a name that tells whether its writer lives.

A writer that was killed cannot clean up, so the next one of the same target does. It neither reads the
folder, which may hold a hundred thousand files, nor guesses from an age: names are derived from that of the
target and numbered, and the kernel keeps a lock on each draft for as long as its writer lives::

    .<checksum of the target's name>-<0, 1, 2 ...>.lightwork-tmp     locked, so it can be seen to be abandoned
    .<checksum of the target's name>-<random>.lightwork-tmp          where locks tell nothing: stays if killed
"""

import contextlib
import itertools
import os
import sys
import zlib
from collections.abc import Iterator

from .filesystems import is_local

if sys.platform != "win32":
    import fcntl

__all__ = ["ENDING", "draft"]

ENDING = ".lightwork-tmp"

_NEW = os.O_CREAT | os.O_EXCL | os.O_RDWR | getattr(os, "O_CLOEXEC", 0)
_MOST_MISSING = (
    8  # half a microsecond each; what lies behind a longer gap waits for as many writers at a time
)


@contextlib.contextmanager
def draft(target: str) -> Iterator[str]:
    """The path of a new empty file in the folder of `target`, removed again if the block raises.

    Until the block ends no other process that uses this function writes to the file or removes it. The block
    renames it to `target`. First, drafts of the same target are removed whose writers were killed.

    Parameters
    ----------
    target
        An absolute path, with no symbolic link at its end.

    Raises
    ------
    OSError
        As from `open`; nothing was made then.

    Notes
    -----
    The lock is that of ``flock``: a child that was forked meanwhile shares it, so the file of a killed writer
    is taken for a living one's until that child ends. Network disks, where a lock may be unknown to other
    hosts, keep what killed writers leave, as Windows does.
    """
    path, descriptor = _claim(target)
    try:
        yield path
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        raise
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _claim(target: str) -> tuple[str, int]:
    """Make a draft; its path, and the descriptor that holds the lock, or -1 for none."""
    folder, name = os.path.split(target)
    # Short: the target's own name may be as long as names can be. Two that share a checksum share numbers.
    stem = os.path.join(folder, f".{zlib.crc32(os.fsencode(name)):08x}-")
    if _sweep(stem):
        for number in itertools.count():
            path = _numbered(stem, number)
            try:
                descriptor = os.open(path, _NEW, 0o666)
            except FileExistsError:
                continue
            try:
                if _is_taken(descriptor, path):
                    return path, descriptor
            except OSError:  # the file system knows no such locks
                os.close(descriptor)
                os.unlink(path)
                break
            os.close(descriptor)  # another one saw it before it was locked, and removes it
    path = f"{stem}{os.urandom(8).hex()}{ENDING}"
    os.close(os.open(path, _NEW, 0o666))
    return path, -1


def _sweep(stem: str) -> bool:
    """Remove drafts whose writers are gone; whether it can be known here which ones those are."""
    if sys.platform == "win32":
        return False
    number = missing = 0
    while missing < _MOST_MISSING:
        path = _numbered(stem, number)
        if not os.access(path, os.F_OK):
            missing += 1
        elif is_local(path):  # asked for here alone, as it takes as long as all the rest
            missing = 0
            _remove_abandoned(path)
        else:
            return False
        number += 1
    return True


def _numbered(stem: str, number: int) -> str:
    return f"{stem}{number}{ENDING}"


def _remove_abandoned(path: str) -> None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # it is gone by now, or another user's
        return
    try:
        if _is_taken(descriptor, path):
            os.unlink(path)
    except OSError:  # no such locks, or a folder in which only owners may remove
        pass
    finally:
        os.close(descriptor)


def _is_taken(descriptor: int, path: str) -> bool:
    """Lock an open file until its descriptor is closed; whether it is ours, and still at its path."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except (BlockingIOError, FileNotFoundError):
        return False
