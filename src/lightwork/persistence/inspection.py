"""`inspect`: what is in a file, without unpickling it."""

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from .. import parcel, persistence  # whose parts are loaded when they are needed
from ..errors import CorruptFileError, InvalidOption
from .joining import named
from .options import path_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..parcel.inputs import FileInput, Input
    from ..parcel.reader import Survey

__all__ = ["Inspection", "Segment", "inspect", "verify"]


class Segment(NamedTuple):
    """One buffer of a file: a large array, or several small ones side by side."""

    offset: int
    """Position of its first byte in the file; in what it becomes if it is compressed as a whole."""

    nbytes: int
    """Its size in memory."""

    stored: int
    """Its size in the file."""

    blocks: int
    """How many compressed blocks it is in; 0 if it is raw and can be mapped."""


class Inspection(NamedTuple):
    """What is in a file. ``print`` it for a summary."""

    path: str
    nbytes: int
    """Size of the file."""

    lightwork: str
    python: str
    platform: str
    packages: tuple[tuple[str, str], ...]
    """Name and version of each package whose types are in the file, as they were when it was written."""

    types: tuple[str, ...]
    """Full names of the types in the file, builtin ones left out; the first 200."""

    skeleton_nbytes: int
    segments: tuple[Segment, ...]
    changed_in_place: bool
    """From `inspect`: whether arrays were mapped for writing, so that they may differ from their checksums.
    From `verify`: whether they do differ, by a change or by damage."""

    compressor: str = ""
    """What the whole file is compressed with, if it is."""

    def __str__(self) -> str:
        inside = sum(segment.nbytes for segment in self.segments) + self.skeleton_nbytes
        packages = ", ".join(f"{name} {version}" for name, version in self.packages) or "none"
        compressed = sum(1 for segment in self.segments if segment.blocks)
        lines = [
            f"{self.path}: {self.nbytes:,} bytes, {inside:,} when loaded",
            f"written by   lightwork {self.lightwork}, Python {self.python} on {self.platform}",
            f"packages     {packages}",
            f"types        {', '.join(self.types) or 'builtin ones only'}",
            f"skeleton     {self.skeleton_nbytes:,} bytes",
            f"segments     {len(self.segments)}, {compressed} of them compressed",
        ]
        if self.compressor:
            lines[0] += f", compressed as a whole ({self.compressor})"
        if self.changed_in_place:
            lines.append("its arrays were mapped for writing: their checksums are those of what was dumped")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return persistence.picture.fragment_of(self)


def inspect(path: str | os.PathLike[str]) -> Inspection:
    """What is in a file that `dump` wrote: sizes, types, versions, segments. Nothing is unpickled.

    Reads and verifies the ends of the file only, not what lies between: `load` verifies that. A file that is
    compressed as a whole is decompressed to its end, in little memory.

    Raises
    ------
    InvalidOption
        Not the path of a regular file.
    UnknownFormatError
        It is not one of `dump` in its own format. Files of joblib and bare pickles tell nothing about
        themselves: what is in them is known to who unpickles them.
    CorruptFileError, OSError
        As from `load`.
    """
    return _looked_at(path, _ends, parcel.reader.survey_forwards, "inspect")


def verify(path: str | os.PathLike[str]) -> Inspection:
    """Read a file that `dump` wrote to its last byte and compare all of it with its checksums.

    Nothing is unpickled, and no more memory is taken than the pickle without its arrays has. Arrays that
    differ since they were mapped for writing are no error, since a change and damage look the same:
    ``changed_in_place`` of what is returned tells so.

    Raises
    ------
    CorruptFileError
        It is damaged or cut short; the message tells where.
    InvalidOption, UnknownFormatError, OSError
        As from `inspect`.
    """
    return _looked_at(path, _all, parcel.reader.verify, "verify")


def _ends(source: "FileInput", size: int) -> "Survey":
    return parcel.reader.survey(source, size)


def _all(source: "FileInput", size: int) -> "Survey":
    found = parcel.reader.verify(source)
    if source.position != size:
        raise CorruptFileError(f"it has {size - source.position} bytes after its end")
    return found


def _looked_at(
    path: str | os.PathLike[str],
    look: "Callable[[FileInput, int], Survey]",
    look_inside: "Callable[[Input], Survey]",
    asked: str,
) -> Inspection:
    """What `look` tells of a file, or `look_inside` if it is compressed as a whole."""
    name = path_of(path)
    if name is None:
        raise InvalidOption(f"{asked} needs a path, not {path!r} (type {type(path)})")
    mode = os.stat(name).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # to open a pipe may wait for ever
        raise InvalidOption(f"{asked} needs a regular file, {name!r} is none")
    with open(name, "rb", buffering=0) as file, named(repr(name)):
        size = os.fstat(file.fileno()).st_size
        compressor = ""
        if parcel.layout.is_container(file.read(len(parcel.layout.MAGIC))):
            found = look(parcel.inputs.FileInput(file.fileno()), size)
        else:
            file.seek(0)
            compressor, found = persistence.foreign.opening.survey(file, look_inside)
    segments = [_segment(*place.slot, place.offset, place.marks) for place in found.tail.places]
    facts = found.tail.facts
    return Inspection(
        path=name,
        nbytes=size,
        lightwork=facts.get("lightwork", ""),
        python=facts.get("python", ""),
        platform=facts.get("platform", ""),
        packages=tuple(facts.get("packages", {}).items()),
        types=tuple(facts.get("types", ())),
        skeleton_nbytes=found.footer.skeleton_nbytes,
        segments=tuple(segments),
        changed_in_place=found.footer.changed,
        compressor=compressor,
    )


def _segment(nbytes: int, in_blocks: bool, offset: int, marks: bytes) -> Segment:
    if not in_blocks:
        return Segment(offset, nbytes, nbytes, 0)
    lengths = memoryview(marks).cast("I")
    return Segment(offset, nbytes, sum(lengths), len(lengths))
