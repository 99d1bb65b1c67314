"""A file that stays open while parts of it are read."""

import os
import stat
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import parcel
from ..errors import InvalidOption, UnknownFormatError, UnpicklableError
from .joining import Wanted, joined, named, tell_differing
from .mapping import turned

if TYPE_CHECKING:
    from ..arrays.selection import Positions
    from ..parcel.inputs import RandomInput
    from ..parcel.outline import ArrayAt, Cut
    from ..parcel.reader import Outer

# Any: parts of the user's value, and dtypes and arrays of a library that may not be installed.
__all__ = ["Access", "OpenFile", "access"]


class _Held:
    """A descriptor that is closed when nobody holds it any more, so never under a thread that reads."""

    def __init__(self, path: str) -> None:
        self.descriptor = -1
        self.descriptor = os.open(
            path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        )  # a pipe is no file: do not wait for it
        self.input = parcel.inputs.FileInput(self.descriptor)

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class OpenFile:
    """A regular file, for reads at any place by any thread until it is closed."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._held: _Held | None = _Held(path)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._held is None

    def close(self) -> None:
        """Refuse further reads. The descriptor is closed as soon as no read is under way."""
        self._held = None

    def exactly(self, start: int, nbytes: int) -> bytes:
        """As `RandomInput.exactly`; `InvalidOption` after `close`."""
        held = self.held()
        return held.input.exactly(start, nbytes)

    def into(self, start: int, out: memoryview) -> None:
        """As `RandomInput.into`; `InvalidOption` after `close`."""
        held = self.held()
        held.input.into(start, out)

    def held(self) -> _Held:
        """To be kept by the caller as long as it reads."""
        held = self._held
        if held is None:
            raise InvalidOption(f"cannot read {self._path!r}: it was closed")
        return held


class Access:
    """The parts of one file: `outline` shows them, `load` and `read` give them."""

    def __init__(self, path: str, outer: "Outer", source: "RandomInput", wanted: Wanted) -> None:
        self.path = path
        self.nbytes = outer.footer.total
        self.segments = parcel.segments.Segments(
            source, outer.tail.places, end=outer.footer.tail, binding=not outer.footer.changed
        )
        self.outline: Any = parcel.outline.outline(outer.skeleton, len(outer.tail.places))
        self._source = source
        self._facts = outer.tail.facts
        self._wanted = wanted
        self._told = False
        self._dtypes: dict[int, Any] = {}

    def load(self, part: Any) -> Any:
        """A part of the outline as the value that it stands for. Reads the buffers of this part."""
        return self.join(parcel.outline.cut(part))

    def join(self, piece: "Cut") -> Any:
        """The value of a part that was cut out of the outline."""
        self._source.exactly(0, 0)  # an error once the file is closed, also for what needs no buffer
        skeleton, numbers = piece
        with named(repr(self.path)):
            buffers = self.segments.whole(numbers, parcel.reader.allocator(skeleton))
        self._tell()
        content = parcel.reader.Content(skeleton, buffers, self._facts)
        return joined(content, self._wanted, repr(self.path))

    def dtype(self, part: Any) -> Any:
        """The dtype of an array, as it is in the file."""
        found = self._dtypes.get(id(part))  # the outline keeps it
        if found is None:
            found = self._dtypes[id(part)] = self.load(part)
        return found

    def read(self, at: "ArrayAt", positions: "Sequence[Positions]") -> Any:
        """Chosen elements of an array, as an array of the same order."""
        with named(repr(self.path)):
            found = parcel.gather.gather(
                self.segments,
                at.segment,
                at.offset,
                shape=at.shape,
                dtype=self.dtype(at.dtype),
                order=at.order,
                positions=positions,
            )
        self._tell()
        return self.turned(found)

    def turned(self, array: Any) -> Any:
        """A new array, in the byte order that `load` would give it."""
        return turned(array) if self._wanted.native else array

    def _tell(self) -> None:
        """Once, that what was read may be damaged."""
        if self.segments.differs and not self._told:
            self._told = True
            tell_differing(repr(self.path))


def access(path: str, wanted: Wanted) -> tuple[Access, OpenFile]:
    """Open a file, read and verify everything but its buffers. Errors as from `load`."""
    file = OpenFile(path)
    held = file.held()
    status = os.fstat(held.descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise InvalidOption(f"parts of {path!r} cannot be read: it is no regular file; load it whole")
    try:
        with named(repr(path)):
            outer = parcel.reader.read_outer(held.input, status.st_size)
            return Access(path, outer, file, wanted), file
    except UnknownFormatError as exc:
        raise UnknownFormatError(
            f"{exc}; only lightwork's own format is read in parts: try load(path)"
        ) from exc
    except UnpicklableError as exc:
        raise UnpicklableError(f"cannot read parts of {path!r}: {exc}") from exc.__cause__
