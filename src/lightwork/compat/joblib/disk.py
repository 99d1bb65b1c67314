"""joblib's helpers for folders and sizes."""

import os
import shutil
import time
from collections.abc import Callable
from typing import Any

__all__ = ["delete_folder", "disk_used", "memstr_to_bytes", "mkdirp", "rm_subdirs"]

RM_SUBDIRS_RETRY_TIME = 0.1
RM_SUBDIRS_N_RETRY = 10

_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}

OnError = Callable[[Callable[..., Any], str, Any], Any] | None  # Any: as `shutil.rmtree` has it


def disk_used(path: str) -> int:
    """Kibibytes on disk of a folder and the files right in it."""
    blocks = 0
    for name in [".", *os.listdir(path)]:
        status = os.stat(os.path.join(path, name))
        blocks += getattr(status, "st_blocks", status.st_size // 512 + 1)
    return int(blocks * 512 / 1024)


def memstr_to_bytes(text: str) -> int:
    """``"1.4M"`` as a number of bytes; units are K, M and G."""
    unit = text[-1]  # IndexError for an empty text, as in joblib
    try:
        return int(_UNITS[unit] * float(text[:-1]))
    except (KeyError, ValueError):
        raise ValueError(
            f"Invalid literal for size give: {text} (type {type(text)}) should be alike '10G', '500M', '50K'."
        ) from None


def mkdirp(d: str) -> None:
    """Make a folder and those above it; what is there already stays."""
    try:
        os.makedirs(d)
    except FileExistsError:
        return


def rm_subdirs(path: str, onerror: OnError = None) -> None:
    """Remove all folders in `path`, whose files stay."""
    for name in os.listdir(path):
        inner = os.path.join(path, name)
        if os.path.isdir(inner):
            delete_folder(inner, onerror=onerror)


def delete_folder(folder_path: str, onerror: OnError = None, allow_non_empty: bool = True) -> None:
    """Remove a folder, trying several times: another process may just be writing into it.

    With ``allow_non_empty=False`` a folder that holds anything raises `OSError`.
    """
    if not os.path.isdir(folder_path):
        return
    if onerror is not None:
        shutil.rmtree(folder_path, False, onerror)
        return
    for attempt in range(RM_SUBDIRS_N_RETRY + 1):
        names = os.listdir(folder_path)
        try:
            if names and not allow_non_empty:
                raise OSError(f"Expected empty folder {folder_path} but got {len(names)} files.")
            shutil.rmtree(folder_path, ignore_errors=False)
        except OSError:
            if attempt == RM_SUBDIRS_N_RETRY:
                raise
            time.sleep(RM_SUBDIRS_RETRY_TIME)  # nobody tells when the other process is done
        else:
            return
