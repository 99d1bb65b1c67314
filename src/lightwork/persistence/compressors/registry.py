"""The compressors of whole files: names, file endings and first bytes of each; `register_compressor`."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from ...errors import InvalidOption
from .. import compressors

# Any: file objects of any kind, made by users' classes.
__all__ = ["COMPRESSORS", "Compressor", "CompressorWrapper", "Compressors", "register_compressor"]


class Compressor(Protocol):
    """What `register_compressor` takes: a way to compress a whole file, and how such a file is recognized."""

    prefix: bytes
    """First bytes of every file; empty if they tell nothing, then `load` cannot recognize it."""

    extension: str
    """Ending of file names that ask for it, with the dot; empty for none."""

    def compressor_file(self, fileobj: Any, compresslevel: int | None = None) -> Any:
        """A file to be written and closed; it compresses into `fileobj` and does not close that."""

    def decompressor_file(self, fileobj: Any) -> Any:
        """A file to be read, which decompresses `fileobj`."""


class CompressorWrapper:
    """A `Compressor` made of a class of file objects; joblib's class of this name.

    Parameters
    ----------
    obj
        Called as ``obj(fileobj, "wb", compresslevel=level)``, without the level if none is given, and as
        ``obj(fileobj, "rb")``. Has ``read``, ``write``, ``seek`` and ``tell``.
    prefix
        First bytes of every such file.
    extension
        Ending of file names, with the dot.
    """

    def __init__(self, obj: Any, prefix: bytes = b"", extension: str = "") -> None:
        self.fileobj_factory = obj
        self.prefix = prefix
        self.extension = extension

    def compressor_file(self, fileobj: Any, compresslevel: int | None = None) -> Any:
        """As `Compressor.compressor_file`."""
        if compresslevel is None:
            return self.fileobj_factory(fileobj, "wb")
        return self.fileobj_factory(fileobj, "wb", compresslevel=compresslevel)

    def decompressor_file(self, fileobj: Any) -> Any:
        """As `Compressor.decompressor_file`."""
        return self.fileobj_factory(fileobj, "rb")


class _BuiltIn:
    """One of our own compressors; what it does is imported when it does it."""

    def __init__(self, name: str, prefix: bytes, extension: str) -> None:
        self.name = name
        self.prefix = prefix
        self.extension = extension

    def compressor_file(self, fileobj: Any, compresslevel: int | None = None) -> Any:
        return compressors.streams.open_to_write(self.name, fileobj, compresslevel)

    def decompressor_file(self, fileobj: Any) -> Any:
        return compressors.streams.open_to_read(self.name, fileobj)


_BUILT_IN = (
    ("zlib", b"\x78", ".z"),
    ("gzip", b"\x1f\x8b", ".gz"),
    ("bz2", b"BZ", ".bz2"),
    ("lzma", b"\x5d\x00", ".lzma"),
    ("xz", b"\xfd7zXZ", ".xz"),
    ("lz4", b'\x04"M\x18', ".lz4"),
    ("zstd", b"\x28\xb5\x2f\xfd", ".zst"),
)


class Compressors:
    """All compressors by name, in the order in which they were registered."""

    def __init__(self) -> None:
        self._by_name: dict[str, Compressor] = {
            name: _BuiltIn(name, prefix, extension) for name, prefix, extension in _BUILT_IN
        }

    def __iter__(self) -> Iterator[tuple[str, Compressor]]:
        return iter(self._by_name.items())

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Compressor:
        return self._by_name[name]

    def is_built_in(self, name: str) -> bool:
        """Whether `name` means one of ours."""
        return isinstance(self._by_name.get(name), _BuiltIn)

    def by_ending(self, path: str) -> str | None:
        """The name of the compressor that the ending of a file name asks for; the last registered wins."""
        found = (name for name in self._by_name if self.has_ending(name, path))
        return next(reversed([*found]), None)

    def has_ending(self, name: str, path: str) -> bool:
        """Whether a file name ends as those of the compressor `name` do."""
        extension = self._by_name[name].extension
        return bool(extension) and path.endswith(extension)

    def by_prefix(self, head: bytes) -> str | None:
        """The name of the compressor whose files begin like `head`; the first registered wins."""
        found = (name for name, one in self._by_name.items() if one.prefix and head.startswith(one.prefix))
        return next(found, None)

    def add(self, name: str, compressor: Compressor) -> None:
        """Register, in the place of an older one of that name if there is one."""
        self._by_name[name] = compressor


COMPRESSORS = Compressors()


def register_compressor(compressor_name: str, compressor: Compressor, force: bool = False) -> None:
    """Make a compressor of your own known to `dump` and `load`, in this process.

    ``dump(value, path, compress=(compressor_name, level))`` uses it then, and so does `dump` to a path that
    ends in its ``extension``; `load` recognizes files by its ``prefix``.

    Parameters
    ----------
    compressor_name
        What `compress` will call it.
    compressor
        A `lightwork.persistence.CompressorWrapper`, or any object with its two methods and ``prefix`` and
        ``extension``, such as a wrapper that was written for joblib.
    force
        Replace a compressor of that name.

    Raises
    ------
    InvalidOption
        No text for a name, no compressor, or a name that is taken.
    """
    given: Any = compressor_name
    if not isinstance(given, str):
        raise InvalidOption(f"Compressor name should be a string, {given!r} was given.")
    _check_interface(compressor)
    if compressor_name in COMPRESSORS and not force:
        raise InvalidOption(f"Compressor '{compressor_name}' already registered.")
    COMPRESSORS.add(compressor_name, compressor)


_METHODS = ("compressor_file", "decompressor_file")


def _check_interface(compressor: Any) -> None:
    has: Callable[[str], object] = lambda name: getattr(compressor, name, None)  # noqa: E731
    fits = isinstance(has("prefix"), bytes) and isinstance(has("extension"), str)
    if not fits or not all(callable(has(name)) for name in _METHODS):
        raise InvalidOption(
            f"Compressor should implement the CompressorWrapper interface, '{compressor!r}' given: "
            "compressor_file, decompressor_file, prefix (bytes) and extension (str)"
        )
    factory = has("fileobj_factory")
    missing = [name for name in ("read", "write", "seek", "tell") if not hasattr(factory, name)]
    if factory is not None and missing:
        raise InvalidOption(
            "Compressor 'fileobj_factory' attribute should implement the file object interface, "
            f"'{factory!r}' has no {', '.join(missing)}."
        )
