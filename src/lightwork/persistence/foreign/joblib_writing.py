"""A value becomes a file of joblib: its pickle, with the bytes of arrays between the opcodes.

The pickler is that of `pickle` in Python, as joblib's is: arrays must be put in at known positions of the
stream, and the pickler in C tells none. What is written is the same, byte by byte, as joblib 1.6 writes.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any

from ... import parcel
from ...parcel.outputs import Output, Sink
from ...system.optional import loaded
from .joblib_layout import ARRAY_WRAPPER, padding, wrapper_state

# Any: users' values, and arrays of a library that may not be installed.
__all__ = ["write", "write_name"]

_PIECE = 8 << 20
_NESTED_PROTOCOL = 5  # of arrays of objects, whatever the protocol of the file


def write(value: object, sink: Sink, *, protocol: int) -> None:
    """Write a value to `sink`.

    Parameters
    ----------
    protocol
        0 to 5.

    Raises
    ------
    UnpicklableError
        A part of the value cannot be pickled; `sink` has got some bytes by then.
    OSError
        From `sink`.
    """
    position = _position(sink)
    output = Output(sink, position=position or 0)
    buffered = _Buffered(output)
    try:
        _Pickler(buffered, protocol, padded=position is not None).dump(value)
    except MemoryError:
        raise
    except Exception as exc:  # taking a value apart runs users' code, which may raise anything
        if output.failed:
            raise  # the sink did, not the value
        raise parcel.parcels.unpicklable(value, "value", exc, by_value=False) from exc
    buffered.flush()


def write_name(pickler: Any, module: str, name: str) -> None:  # Any: a pickler in Python
    """Let a pickler write the name of a class or function, without asking whether it is there."""
    if pickler.proto >= 4:
        pickler.save(module)
        pickler.save(name)
        pickler.write(pickle.STACK_GLOBAL)
    else:
        pickler.write(pickle.GLOBAL + f"{module}\n{name}\n".encode())


def _position(sink: Any) -> int | None:
    """Where a file stands; ``None`` if it does not know, as a pipe."""
    try:
        position: int = sink.tell()
    except (AttributeError, OSError):  # io.UnsupportedOperation is an OSError
        return None
    return position


class _Buffered:
    """Small writes gathered: the pickler writes opcode by opcode in old protocols."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._waiting = bytearray()

    @property
    def position(self) -> int:
        return self._output.position + len(self._waiting)

    def write(self, data: Any) -> int:
        nbytes = memoryview(data).nbytes
        if nbytes > io.DEFAULT_BUFFER_SIZE:
            self.flush()
            self._output.write(data)
        else:
            self._waiting += data
            if len(self._waiting) > io.DEFAULT_BUFFER_SIZE:
                self.flush()
        return nbytes

    def flush(self) -> None:
        waiting, self._waiting = self._waiting, bytearray()
        self._output.write(waiting)


class _Wrapper:
    """Stands for joblib's wrapper class, under whose name it is written."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)


_PythonPickler: Any = pickle._Pickler  # the type stubs know no more of it than of the one in C


class _Pickler(_PythonPickler):  # type: ignore[misc]  # see there
    """Puts a wrapper, then the bytes, in the place of arrays of the plain classes."""

    def __init__(self, file: _Buffered, protocol: int, *, padded: bool) -> None:
        super().__init__(file, protocol)
        self._file = file
        self._padded = padded
        numpy = loaded("numpy")  # whoever has arrays has loaded it
        self._arrays: tuple[Any, ...] = () if numpy is None else (numpy.ndarray, numpy.matrix, numpy.memmap)

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if type(obj) in self._arrays:
            self._save_array(obj)
        elif obj is _Wrapper:
            self._save_wrapper_class()
        else:
            super().save(obj, save_persistent_id)

    def _save_array(self, array: Any) -> None:
        plain, matrix, _ = self._arrays
        subclass = matrix if type(array) is matrix else plain
        super().save(_Wrapper(wrapper_state(array, subclass, padded=self._padded)))
        self.framer.commit_frame(force=True)
        if array.dtype.hasobject:
            pickle.dump(array, self._file, _NESTED_PROTOCOL)
            return
        if self._padded:
            self._file.write(padding(self._file.position))
        for piece in parcel.sources.pieces(array, _PIECE):
            self._file.write(piece)

    def _save_wrapper_class(self) -> None:
        module, name = ARRAY_WRAPPER
        known = self.memo.get(id(_Wrapper))
        if known is not None:
            self.write(self.get(known[0]))
            return
        write_name(self, module, name)
        self.memoize(_Wrapper)
