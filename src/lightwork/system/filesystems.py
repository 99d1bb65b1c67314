"""Which file system a path lies on, and whether it is one that memory maps and byte locks can trust.

A file that another host deletes or cuts short while it is mapped here ends the process with SIGBUS, which
no ``except`` catches, and `os.statvfs` does not tell the type. So the mount table is read, and only what is
known to be local is trusted.
"""

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["LOCAL", "MOUNT_TABLE", "Mount", "file_system", "is_local", "mounts"]

LOCAL = frozenset(
    ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "ramfs", "overlay")
)
"""File systems of Linux that one kernel alone writes to. 9p, virtiofs, drvfs and all of FUSE are not."""

MOUNT_TABLE = "/proc/self/mountinfo"


class Mount(NamedTuple):
    """One line of the mount table."""

    point: str
    kind: str


def is_local(path: str | os.PathLike[str]) -> bool:
    """Whether `path`, or the folder that it would be created in, lies on a known local file system.

    Systems without a mount table (macOS, Windows) answer yes: there it was not verified.
    """
    if not sys.platform.startswith("linux"):
        return True
    return file_system(path) in LOCAL


def file_system(path: str | os.PathLike[str]) -> str | None:
    """The type of the file system that holds `path`, such as ``"ext4"``; ``None`` if that cannot be known."""
    try:
        with open(MOUNT_TABLE, encoding="utf-8", errors="surrogateescape") as file:
            table = list(mounts(file.read()))
    except OSError:
        return None
    real = os.path.realpath(path)
    found, length = None, -1
    for point, kind in table:
        inside = point == "/" or real == point or real.startswith(point + "/")
        if inside and len(point) >= length:  # of two mounts on one point the later one is seen
            found, length = kind, len(point)
    return found


def mounts(text: str) -> Iterator[Mount]:
    """The mounts in a text of the form of ``/proc/self/mountinfo``; lines of another form are left out."""
    for line in text.splitlines():
        left, separator, right = line.partition(" - ")
        fields, kinds = left.split(), right.split()
        if separator and len(fields) >= 5 and kinds:
            yield Mount(_unescape(fields[4]), kinds[0])


def _unescape(point: str) -> str:
    r"""A mount point as a path: blanks, tabs, line ends and backslashes are written as ``\040`` and so on."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point
