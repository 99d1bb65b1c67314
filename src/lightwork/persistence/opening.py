"""`open`: what is in a file, and parts of it, without loading the rest."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from .. import parcel
from ..errors import InvalidOption
from .access import Access, OpenFile, access
from .joining import Wanted
from .options import path_of
from .renames import renaming
from .table import Row, rows, table
from .views import LazyArray, Parts, entries_of, type_name
from .ways import chosen_way

# Any: the user's keys and values.
__all__ = ["OpenedFile", "open"]


class OpenedFile:
    """A file of `dump`, open for reading parts of it. Close it, or use it in a ``with`` block.

    ``print`` it for a table of what is in it. If the file holds a dictionary, list, tuple or object,
    ``file[key]`` gives a part: an array as a `LazyArray`, a container that holds arrays as `Parts`, and
    everything else as the value itself. If it holds a single array, ``file[1000:2000]`` reads these rows.

    It stays with the file that it has opened: one that replaces it (by `dump`, for example) is not seen, and
    nothing is mapped. `close` makes its arrays unreadable too; without it the file is closed with the
    last of them. Safe to use from several threads, and in a forked process.
    """

    def __init__(self, access: Access, file: OpenFile) -> None:
        self._access = access
        self._file = file
        part = access.outline
        self._root: LazyArray | Parts | None = None
        at = parcel.outline.array_at(part)
        if at is not None:
            self._root = LazyArray(access, at)
        elif isinstance(part, dict | list | tuple) or entries_of(part):
            self._root = Parts(access, part)

    @property
    def path(self) -> str:
        """Its path, as it was given."""
        return self._access.path

    @property
    def array(self) -> LazyArray:
        """The array, if the file holds a single one.

        Raises
        ------
        InvalidOption
            It holds something else.
        """
        if not isinstance(self._root, LazyArray):
            raise InvalidOption(f"{self.path!r} holds a {type_name(self._access.outline)}, not one array")
        return self._root

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._file.closed

    def close(self) -> None:
        """Give the file free. Reading from it is an error afterwards; what was read stays."""
        self._file.close()
        self._access.segments.forget()

    def load(self) -> Any:
        """The whole value."""
        return self._access.load(self._access.outline)

    def keys(self) -> list[Any]:
        """The keys, in their order; none if the file holds one array or a value without parts."""
        return self._root.keys() if isinstance(self._root, Parts) else []

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Each key and what is under it."""
        return ((key, self[key]) for key in self.keys())

    def rows(self) -> list[Row]:
        """The parts in words, as ``print`` shows the first hundred of them."""
        return rows(self._access)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, key: object) -> bool:
        return isinstance(self._root, Parts) and key in self._root

    def __getitem__(self, key: Any) -> Any:
        if self._root is None:
            kind = type_name(self._access.outline)
            raise KeyError(f"{self.path!r} holds a {kind}, which has no keys: load() gives it")
        return self._root[key]

    def __enter__(self) -> "OpenedFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __str__(self) -> str:
        return table(self._access)

    def __repr__(self) -> str:
        return f"<{'closed' if self.closed else 'open'} lightwork file {self.path!r}>"


def open(path: str | os.PathLike[str], *, renames: Mapping[str, str] | None = None) -> OpenedFile:
    """Open a file of `dump` for reading parts of it.

    Reads and verifies everything but the arrays, and builds none of the objects in it, nor do `rows` and
    ``print``. What is asked for is unpickled as `load` does: ask only files that you trust.

    Parameters
    ----------
    path
        Of a file in our own format, not compressed as a whole.
    renames
        What has moved since, as for `load`.

    Raises
    ------
    InvalidOption
        Not the path of a regular file, or no renames.
    UnpicklableError
        It can only be loaded whole: it holds instances of classes that it brings along (cloudpickle).
    UnknownFormatError, CorruptFileError, OSError
        As from `load`.

    Examples
    --------
    >>> import lightwork, numpy, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (path,) = lightwork.dump({"train": numpy.arange(9**6), "name": "x"}, f"{folder}/x.lw", True)
    ...     with lightwork.open(path) as file:
    ...         file["train"].shape, file["train"][1000:1003], file["name"]
    ((531441,), array([1000, 1001, 1002]), 'x')
    """
    way = chosen_way(False, (), renaming(renames))
    name = path_of(path)
    if name is None:
        raise InvalidOption(f"open needs a path, not {path!r} (type {type(path)}): load reads streams")
    return OpenedFile(*access(name, Wanted(native=True, way=way)))
