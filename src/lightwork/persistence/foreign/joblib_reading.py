"""joblib's stream becomes a value: the C unpickler, with arrays read from between the opcodes.

::

    source ── opcodes ──► _Opcodes ──► C unpickler ── BUILD of a wrapper ──┐
       │                     ▲                                             ▼
       │                     └── POP NEXT_BUFFER ◄── _Stream: reads the array, puts it into the queue
       └────────── bytes of the array, straight into its memory ───────────┘

The unpickler asks for exactly the bytes that it needs (our file has no ``peek``), so when it calls
``__setstate__`` of a wrapper the source stands at the first byte of the array. The array is read there, and
two opcodes are slipped in that put it in the place of the wrapper: ``POP`` drops the wrapper, ``NEXT_BUFFER``
takes the array from the queue. General objects thus load at the speed of C, which joblib's own reader, an
unpickler in Python, does not.
"""

import pickle
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from ...errors import CorruptFileError, FileFormatError, LightworkWarning
from ...parcel.inputs import Input
from ...system.optional import loaded, require
from ..mapping import map_file, mapped_array, turned
from ..options import MmapMode
from ..renames import Rename
from . import joblib_legacy
from .joblib_layout import ALIGNMENT, ArrayState, is_wrapper

# Any: users' values, and arrays of a library that may not be installed.
__all__ = ["Surroundings", "read"]

_POP_NEXT_BUFFER = b"0\x97"
_PYTHON_2 = (
    "You may be trying to read with python 3 a joblib pickle generated with python 2. "
    "That is not possible for texts with other characters than those of ASCII"
)


class Surroundings(NamedTuple):
    """Where a stream comes from and how its arrays are wanted."""

    native: bool
    rename: Rename | None = None
    folder: str | None = None
    """Where the arrays of a file before 0.10 lie; ``None`` if that is not known."""

    file: BinaryIO | None = None
    """What `mmap_mode` maps."""

    mmap_mode: MmapMode | None = None
    side_file: Callable[[str], object] = str
    """Told the name of each file of an array that lies beside it, as before 0.10."""


def read(source: Input, surroundings: Surroundings) -> Any:
    """The value of a joblib stream, or of a plain pickle. `source` stands behind it afterwards.

    Raises
    ------
    CorruptFileError
        It is damaged or cut short, as far as that is noticed: there are no checksums.
    Exception
        What the objects in it raise.
    """
    return _Stream(source, surroundings).value()


class _Opcodes:
    """The source as the file of an unpickler, with opcodes slipped in."""

    def __init__(self, source: Input) -> None:
        self._source = source
        self._read = source.read
        self._slipped_in = b""

    def slip_in(self, opcodes: bytes) -> None:
        """Give these before the next bytes of the source."""
        self._slipped_in = opcodes

    def read(self, nbytes: int) -> bytes:
        if not self._slipped_in:
            return self._read(nbytes)
        data, self._slipped_in = self._slipped_in[:nbytes], self._slipped_in[nbytes:]
        return data

    def readline(self) -> bytes:
        """For old protocols, whose lines are few and short."""
        line = bytearray()
        while not line.endswith(b"\n"):
            byte = self.read(1)
            if not byte:
                break
            line += byte
        return bytes(line)

    def readinto(self, out: Any) -> int:
        self._source.fill(memoryview(out))()
        return len(out)


class _Stream:
    """One value and its arrays, in the order in which they come."""

    def __init__(self, source: Input, surroundings: Surroundings) -> None:
        self._source = source
        self._around = surroundings
        self._opcodes = _Opcodes(source)
        self._arrays: deque[Any] = deque()
        self._mapping: Any = None
        self._wrappers: dict[str, Any] = {}

    def value(self) -> Any:
        """Unpickle the stream, or a pickle inside of it."""
        try:
            return self._unpickled()
        except UnicodeDecodeError as exc:
            if exc.encoding != "ascii":  # raised by an object in the file
                raise
            raise FileFormatError(f"{_PYTHON_2} ({exc})") from exc
        except (pickle.UnpicklingError, EOFError) as exc:
            has_more = self._source.read(1)
            reason = (
                f"it is no pickle ({exc})" if has_more else f"it ends after {self._source.position} bytes"
            )
            raise CorruptFileError(reason) from exc
        finally:
            self._mapping = None  # the arrays keep it as long as they live, this object perhaps longer
            for wrapper in self._wrappers.values():
                del wrapper.__setstate__  # else classes, which are garbage for a while, keep the file open
            self._wrappers.clear()

    def _queue(self) -> Iterator[Any]:
        while self._arrays:
            yield self._arrays.popleft()

    def _wrapper(self, name: str) -> Any:
        """What a wrapper class of joblib is while this is read. A class, since ``NEWOBJ`` takes no less."""
        if name not in self._wrappers:
            make = {"NDArrayWrapper": self._side_file, "ZNDArrayWrapper": self._compressed_side_file}
            set_state = self._place(make.get(name, self._array))
            self._wrappers[name] = type(name, (), {"__setstate__": set_state})
        return self._wrappers[name]

    def _place(self, make: Callable[[Any], Any]) -> Callable[[Any, Any], None]:
        def set_state(_: Any, state: Any) -> None:
            self._arrays.append(make(state))
            self._opcodes.slip_in(_POP_NEXT_BUFFER)

        return set_state

    def _unpickled(self) -> Any:
        return _Unpickler(self._opcodes, self._queue(), self._wrapper, self._around.rename).load()

    def _array(self, state: Any) -> Any:
        found = ArrayState.of(state)
        if found.dtype.hasobject:
            return self._unpickled()  # a pickle of its own, in the place of bytes
        if found.padded:
            self._source.take(self._source.take(1)()[0])()
        if self._around.mmap_mode is not None and found.mappable:
            return self._mapped(found)
        return self._read(found)

    def _read(self, state: ArrayState) -> Any:
        numpy = require("numpy", purpose="a file that holds arrays", extra="numpy")
        self._source.expect(state.nbytes)
        content = numpy.empty(state.nbytes, "u1")
        self._source.fill(memoryview(content))()
        array = numpy.ndarray(state.shape, state.dtype, content, order=state.order)
        if state.subclass not in (numpy.ndarray, numpy.memmap):
            array = array.view(state.subclass)
        return turned(array) if self._around.native else array

    def _mapped(self, state: ArrayState) -> Any:
        around = self._around
        assert around.file is not None  # there is a file wherever mapping is allowed
        assert around.mmap_mode is not None
        if self._mapping is None:
            self._mapping = map_file(around.file, around.mmap_mode)
        start = self._source.position
        self._source.take(state.nbytes)
        if not state.padded and start % ALIGNMENT and state.nbytes:
            warnings.warn(
                f"The memmapped array of shape {state.shape} loaded from the file {around.file.name} is not "
                "byte aligned, which makes some programs slow or ends them with a segmentation fault: dump "
                "the value again",
                LightworkWarning,
                stacklevel=2,
            )
        return mapped_array(self._mapping, start, state.shape, state.dtype, state.order)

    def _side_file(self, state: Any) -> Any:
        self._around.side_file(state["filename"])
        array = joblib_legacy.side_array(self._around.folder, state, self._around.mmap_mode)
        return turned(array) if self._around.native else array

    def _compressed_side_file(self, state: Any) -> Any:
        self._around.side_file(state["filename"])
        array = joblib_legacy.compressed_side_array(self._around.folder, state)
        return turned(array) if self._around.native else array


class _Unpickler(pickle.Unpickler):
    def __init__(
        self,
        file: _Opcodes,
        arrays: Iterator[Any],
        wrapper: Callable[[str], Any],
        rename: Rename | None,
    ) -> None:
        super().__init__(file, buffers=arrays)
        self._wrapper = wrapper
        self._rename = rename

    def find_class(self, module: str, name: str, /) -> Any:
        if is_wrapper(module, name):
            return self._wrapper(name)
        if self._rename is not None:
            module, name = self._rename(module, name)
        if module.partition(".")[0] == "joblib" and loaded("joblib") is None:
            raise ModuleNotFoundError(
                f"the file needs {module}.{name}, and joblib is not imported by lightwork: import it first, "
                f'or name another class: renames={{"{module}.{name}": ...}}',
                name=module,
            )
        return super().find_class(module, name)
