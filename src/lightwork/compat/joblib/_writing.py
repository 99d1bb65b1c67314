"""How `dump` of the face writes: the compression that was asked for, and files that appear whole."""

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from typing import Any

from ...system.atomic import atomic_writer
from ...system.drafts import ENDING
from .compressor import _COMPRESSORS
from .numpy_pickle_utils import _write_fileobject

# Any: file objects of any kind, arguments before they are checked.
__all__ = ["chosen_compression", "compressing", "target"]


def chosen_compression(compress: Any, path: str | None) -> tuple[str, int | None] | None:
    """The method and the level that `compress` asks for; ``None`` for no compression."""
    method, level = "zlib", compress
    if compress is True or compress is None:
        level = None
    elif isinstance(compress, tuple):
        if len(compress) != 2:
            raise ValueError(
                "Compress argument tuple should contain exactly 2 elements: (compress method, compress "
                f"level), you passed {compress}"
            )
        method, level = compress
    elif isinstance(compress, str):
        method, level = compress, None
        compress = (method, level)
    if level is not None and level not in range(10):
        raise ValueError(f'Non valid compress level given: "{level}". Possible values are {[*range(10)]}.')
    if method not in _COMPRESSORS:
        raise ValueError(
            f'Non valid compression method given: "{method}". Possible values are {[*_COMPRESSORS]}.'
        )
    if path is not None and not isinstance(compress, tuple):
        endings = [
            name for name, one in _COMPRESSORS.items() if one.extension and path.endswith(one.extension)
        ]
        if endings:
            return endings[-1], level or None
    return None if level is not None and not level else (method, None if level is True else level)


@contextlib.contextmanager
def compressing(place: Any, chosen: tuple[str, int | None] | None) -> Iterator[Any]:
    """A file to write to: `place` itself, or one that compresses into it, a file object or a path."""
    if chosen is None:
        yield place
        return
    with _write_fileobject(place, compress=chosen) as file:
        yield file


@contextlib.contextmanager
def target(path: str, chosen: tuple[str, int | None] | None) -> Iterator[Any]:
    """A file to write to, which takes the place of `path` when the block ends well, if that is possible.

    Without a sync, as in joblib: nobody waits for the disk, and a failure of the power soon afterwards may
    take the file.
    """
    if _is_in_place(path):
        with open(path, "wb") as file, compressing(file, chosen) as compressed:
            yield compressed
        return
    try:
        with atomic_writer(path, sync=False) as raw, _filled(raw, chosen) as file:
            yield file
    except OSError as exc:
        if str(exc.filename).endswith(ENDING):
            exc.filename = path  # the name that the user knows
        raise


def _filled(raw: Any, chosen: tuple[str, int | None] | None) -> io.BufferedWriter:
    # Compressors are given a path, as joblib does: those of users may take nothing else.
    return _write_fileobject(raw.name, compress=chosen) if chosen else io.BufferedWriter(raw)


def _is_in_place(path: str) -> bool:
    """Whether there is a pipe or a device, or a file in a folder that may not be written to."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return not path  # for an empty one `open` has the right error
    folder = os.path.dirname(os.path.realpath(path))
    return not stat.S_ISREG(mode) or not os.access(folder, os.W_OK)
