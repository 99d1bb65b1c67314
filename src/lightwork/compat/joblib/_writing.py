"""Where and how `dump` of the face writes: the compression that was asked for, and files that appear whole."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from ...system.atomic import atomic_writer
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
    """A file to write to: `place` itself, a file of that path, or one that compresses into it."""
    if chosen is not None:
        with _write_fileobject(place, compress=chosen) as file:
            yield file
    elif isinstance(place, str):
        with open(place, "wb") as file:
            yield file
    else:
        yield place


@contextlib.contextmanager
def target(path: str) -> Iterator[str]:
    """The path to write to: a temporary one that becomes `path` at the end, if that is possible.

    Without a sync, as in joblib: after a failure of the power the file is the old one or the new one on the
    usual file systems, and nobody waits.
    """
    folder = os.path.dirname(os.path.realpath(path))
    is_special = os.path.exists(path) and not os.path.isfile(path)
    if not path or is_special or not os.access(folder, os.W_OK):
        yield path  # a pipe or a device; a file that may be written to in a folder that may not
        return
    with atomic_writer(path, sync=False) as file:
        yield str(file.name)
