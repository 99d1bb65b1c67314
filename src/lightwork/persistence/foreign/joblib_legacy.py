"""Files of joblib before 0.10: arrays in files beside them, and compressed files with a ``ZF`` header."""

import io
import os
from typing import Any

from ...errors import CorruptFileError
from ...system.optional import require
from .. import compressors
from ..options import MmapMode
from .joblib_layout import OLD_HEADER, old_length
from .resumed import Resumed

# Any: arrays of a library that may not be installed, states from the file, file objects of any kind.
__all__ = ["compressed_side_array", "open_old", "side_array"]


def open_old(file: Any) -> tuple[io.BufferedReader, int]:
    """What is in a ``ZF`` file that stands at its first byte, and how many bytes that shall be."""
    length = old_length(file.read(OLD_HEADER))
    following = file.read(1)
    if following != b" ":
        file = Resumed(following, file)
    return compressors.streams.open_to_read("zlib", file), length


def side_array(folder: str | None, state: Any, mmap_mode: MmapMode | None) -> Any:
    """The array of an ``NDArrayWrapper``: an ``.npy`` file."""
    numpy = _numpy()
    path = _path(folder, state)
    mode = mmap_mode if state.get("allow_mmap", True) else None
    array = numpy.load(path, mmap_mode="r+" if mode == "w+" else mode, allow_pickle=True)
    subclass = state.get("subclass", numpy.ndarray)
    return array if mode or subclass in (numpy.ndarray, numpy.memmap) else array.view(subclass)


def compressed_side_array(folder: str | None, state: Any) -> Any:
    """The array of a ``ZNDArrayWrapper``: its bytes in a ``ZF`` file."""
    numpy = _numpy()
    with open(_path(folder, state), "rb") as file:
        plain, length = open_old(file)
        data = plain.read(length + 1)
    if len(data) != length:
        raise CorruptFileError(
            f"{state['filename']!r} beside it has {len(data)} bytes, {length} are expected"
        )
    subclass, shape, kind = state["init_args"]
    array = numpy.ndarray.__new__(subclass, shape, kind)
    array.__setstate__((*state["state"], data))
    return array


def _numpy() -> Any:
    return require("numpy", purpose="a file that holds arrays", extra="numpy")


def _path(folder: str | None, state: Any) -> str:
    name = state["filename"]
    if folder is None:
        raise CorruptFileError(f"its arrays are in {name!r} and others beside it: load it by its path")
    if os.path.basename(name) != name:
        raise CorruptFileError(f"it refers to an array outside of its own folder, {name!r}")
    return os.path.join(folder, name)
