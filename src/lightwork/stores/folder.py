"""The folder of a cache: what is created in it, and what the files in it are called.

::

    <location>/
        .gitignore           only in a location that we made ourselves, or that was empty
        lightwork-1/         mode 0700; the number is that of the schema
            .gitignore  CACHEDIR.TAG
            records.sqlite   (+ -wal, -shm) nobody opens these but SQLite: closing any other descriptor of
                             the file would drop SQLite's locks
            locks            byte locks, see system/locks.py
            blobs/           immutable files, each named by its digest
            trash/           files that no record refers to any more
            entries/         on network disks, in place of all that: a file per record, see files/store.py
            notes/           and per note
            tmp/             files being written; the name tells by whom
"""

import contextlib
import errno
import os
from collections.abc import Iterable

from ..errors import StoreUnavailable

__all__ = [
    "BLOBS",
    "DATABASE",
    "ENTRIES",
    "LOCKS",
    "NOTES",
    "TMP",
    "TRASH",
    "VERSION",
    "check_trust",
    "make_folder",
    "mend_folder",
]

VERSION = "lightwork-1"
DATABASE = "records.sqlite"
LOCKS = "locks"
BLOBS = "blobs"
ENTRIES = "entries"
NOTES = "notes"
TMP = "tmp"
TRASH = "trash"

_GIT_IGNORE = "# Created by lightwork automatically.\n*\n"
_CACHE_TAG = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"
    "# This file marks a cache folder created by lightwork: backups may leave it out.\n"
    "# See https://bford.info/cachedir/\n"
)


def make_folder(location: str, parts: Iterable[str]) -> str:
    """Create what is missing of the folder of a cache, with these folders inside; the path of what is ours.

    Raises
    ------
    OSError
        A folder cannot be created.
    """
    folder = os.path.join(location, VERSION)
    with contextlib.suppress(FileExistsError):
        os.makedirs(location, mode=0o700)
    fresh = not os.path.isdir(folder) and not os.listdir(location)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder, 0o700)
    mend_folder(folder, parts)
    _write_once(os.path.join(folder, ".gitignore"), _GIT_IGNORE)
    _write_once(os.path.join(folder, "CACHEDIR.TAG"), _CACHE_TAG)
    if fresh:
        _write_once(os.path.join(location, ".gitignore"), _GIT_IGNORE)
    return folder


def check_trust(location: str) -> None:
    """Refuse the folder of a cache that others can put results into: to read a result is to run what it says.

    Only the part that is ours is looked at: what lies around it may belong to a group, or to everybody.

    Raises
    ------
    StoreUnavailable
        It belongs to another user than this one and root, or everybody may write to it.
    """
    folder = os.path.join(location, VERSION)
    try:
        status = os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return
    if status.st_uid not in (0, os.geteuid()):
        reason = f"belongs to user {status.st_uid}"
    elif status.st_mode & 0o002:
        reason = "may be written by everybody"
    else:
        return
    raise StoreUnavailable(
        errno.EPERM,
        f"the folder {folder!r} is not used, since it {reason}, who could make this program run anything: "
        "choose another location, or say Memory(trust_folder=True)",
    )


def mend_folder(folder: str, parts: Iterable[str]) -> None:
    """Create the folders inside of ours that are missing: archives and cleaners drop empty ones."""
    for name in parts:
        with contextlib.suppress(FileExistsError):
            os.mkdir(os.path.join(folder, name))


def _write_once(path: str, text: str) -> None:
    """Write a small file if there is none; somebody else's is never changed."""
    with contextlib.suppress(FileExistsError), open(path, "x", encoding="utf-8") as file:
        file.write(text)
