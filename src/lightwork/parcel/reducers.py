"""How arrays leave the pickle.

Protocol 5 on its own copies arrays that are strided, read-only buffers come back read-only, ``datetime64``
stays inside, and each small array costs a buffer of its own. The reducers here send every array of plain
items to one of three places, by size:

==============  =======================================================================================
small, packed   side by side with other small ones in one buffer (`Packed`): for files and records
small, inline   into the pickle as a ``bytearray`` (`Inline`): for messages, which have few of them
large           a buffer of its own; a strided array stays as it is until its bytes are wanted
==============  =======================================================================================

In each case the skeleton calls ``numpy.ndarray(shape, dtype, buffer, offset, strides, order)`` (see
`rebuild`), which makes a view, writable if the buffer is. The order of the elements is kept for C and Fortran
layout; any other layout comes back in C order. Arrays of many texts become one run of bytes; other arrays
that hold objects keep their own way of being pickled.

Values of pandas, polars, pyarrow and torch, and what numpy has besides ``ndarray``, are taken apart into such
arrays by `families`. No library is imported here: only a value of it in the user's value makes a reducer run.
"""

import copyreg
import operator
import pickle
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ..system.optional import loaded
from . import families
from .rebuild import ArrayMaker

__all__ = ["SMALL", "Inline", "Packed", "Pool", "Reducer", "Source", "Table", "as_buffer", "as_bytes"]

# Measured with 20,000 arrays of 40 to 1,600 bytes, against pickle 5 (dump, load): a buffer each 0.80 / 0.79,
# inline 0.67 / 0.31, packed 0.58 / 0.21. See benchmarks/bench_persistence.py.
SMALL = 16 << 10
_POOL = 256 << 10
_ALIGN = 16

_TEXTS_FROM = 4000  # texts in an array from which it pays to join them; with fewer the pickle is as fast

_LIBRARIES = frozenset({"numpy", "pandas", "polars", "pyarrow", "ray", "torch"})

# Item kinds whose bytes are the whole of their value.
_PLAIN = frozenset("?biufcSUVmM")

# Any: arrays of a library that may not be installed.
Array: TypeAlias = Any
Reducer: TypeAlias = Callable[[Array], "tuple[Any, ...]"]


class Pool:
    """Small arrays that share one buffer. They are only listed; the bytes are copied when they are wanted."""

    __slots__ = ("_stand_in", "dtype", "nbytes", "parts")

    def __init__(self, stand_in: pickle.PickleBuffer, dtype: Any) -> None:  # Any: of the first array
        self._stand_in = stand_in
        self.dtype = dtype  # a good guess for all of them
        self.parts: list[Any] = []  # Any: bytes-like arrays and the padding between them
        self.nbytes = 0

    def __reduce__(self) -> tuple[Any, ...]:
        # A PickleBuffer has no place in the memo, a reduced object has: every array after the first refers
        # to this one view.
        return memoryview, (self._stand_in,)


Source: TypeAlias = "pickle.PickleBuffer | Pool | Array"
"""Where the bytes of a buffer come from: a buffer, a pool of small arrays, or an array of any layout."""


def as_bytes(source: Source) -> memoryview:
    """The bytes of a source: shape ``(nbytes,)``, format ``'B'``. A pool or a strided array is copied."""
    if isinstance(source, pickle.PickleBuffer):
        return source.raw()
    if isinstance(source, Pool):
        return memoryview(bytearray().join(source.parts))
    return _flat(source)


def as_buffer(source: Source) -> pickle.PickleBuffer:
    """The bytes of a source as the standard library's picklers hand them out."""
    return source if isinstance(source, pickle.PickleBuffer) else pickle.PickleBuffer(as_bytes(source))


def _flat(array: Array) -> memoryview:
    """The elements in their own order if contiguous, else a copy in C order."""
    order = "F" if array.flags.fnc else "C"
    view: memoryview = array.ravel(order).view("u1").data
    return view


class _Reducers:
    """Reducers for the array families, and the way from the stand-in in the pickle to the real source.

    `keep` gets the sources in the order in which the skeleton asks for their buffers.
    """

    def __init__(self, keep: Callable[[Source], object]) -> None:
        self._keep = keep
        # By the id of a stand-in, which is kept: after a dump that failed midway it is still here, and its id
        # must not be given to a buffer of somebody else.
        self._waiting: dict[int, tuple[pickle.PickleBuffer, Source]] = {}
        self._make: Any = None  # Any: `ArrayMaker`, as soon as numpy is known
        self._plain_dtypes: dict[Any, bool] = {}

    def buffer_callback(self, buffer: pickle.PickleBuffer) -> None:
        """To be given to the pickler: passes on what the buffer stands for."""
        _, source = self._waiting.pop(id(buffer), (buffer, buffer))
        self._keep(source)

    def find(self, kind: type) -> Reducer | None:
        """The reducer of an array type, ``None`` for any other type."""
        library = str(kind.__module__).partition(".")[0]  # classes may hold anything there
        if library not in _LIBRARIES or loaded(library) is None:
            return None
        numpy = loaded("numpy")
        if numpy is not None and kind in (numpy.ndarray, numpy.memmap):
            self._make = ArrayMaker(numpy.ndarray)
            return self._array
        found: Reducer | None = getattr(families, library).find(kind)
        return found

    def _array(self, array: Array) -> tuple[Any, ...]:
        dtype = array.dtype
        plain = self._plain_dtypes.get(dtype)
        if plain is None:
            plain = dtype.kind in _PLAIN and not dtype.hasobject and dtype.itemsize > 0
            self._plain_dtypes[dtype] = plain
        if not plain:
            return _reduce_objects(array)
        nbytes = array.nbytes
        if nbytes < SMALL:
            return self._small(array, dtype, nbytes)
        if array.flags.fnc:
            return self._make, (array.shape, dtype, self._stand_in(array), 0, None, "F")
        return self._make, (array.shape, dtype, self._stand_in(array))

    def _small(self, array: Array, dtype: Any, nbytes: int) -> tuple[Any, ...]:
        raise NotImplementedError

    def _stand_in(self, source: Source) -> pickle.PickleBuffer:
        # An empty writable buffer: a read-only one would make the unpickler hand out read-only views.
        buffer = pickle.PickleBuffer(bytearray())
        self._waiting[id(buffer)] = (buffer, source)
        return buffer


def _reduce_objects(array: Array) -> tuple[Any, ...]:
    """Many texts as one run of bytes, other objects as numpy does."""
    if array.size >= _TEXTS_FROM and array.dtype.char in "OT":
        texts = families.texts.reduce_texts(array)
        if texts is not None:
            return texts
    own: tuple[Any, ...] = array.__reduce_ex__(5)
    return own


class Inline(_Reducers):
    """Small arrays go into the pickle. Keeps no state between values: the pickler can be used again."""

    def _small(self, array: Array, dtype: Any, nbytes: int) -> tuple[Any, ...]:
        content = bytearray(_flat(array))
        if array.flags.fnc:
            return self._make, (array.shape, dtype, content, 0, None, "F")
        return self._make, (array.shape, dtype, content)


class Packed(_Reducers):
    """Small arrays share buffers of at most 256 KiB. For one value only: a pool belongs to one pickle."""

    def __init__(self, keep: Callable[[Source], object]) -> None:
        super().__init__(keep)
        self._pool: Pool | None = None

    def _small(self, array: Array, dtype: Any, nbytes: int) -> tuple[Any, ...]:
        # The hot path of many small arrays: every attribute is read once.
        pool = self._pool
        if pool is None or pool.nbytes >= _POOL - SMALL:
            pool = self._pool = self._new_pool(dtype)
        offset = pool.nbytes
        flags = array.flags
        # `join` reads C-contiguous arrays itself; dates have no buffer and other layouts need a copy.
        contiguous = flags.c_contiguous
        pool.parts.append(array if contiguous and dtype.char in _JOINABLE else _flat(array))
        padding = -nbytes % _ALIGN
        if padding:
            pool.parts.append(_ZEROS[padding])
        pool.nbytes = offset + nbytes + padding
        if contiguous or not flags.fnc:
            return self._make, (array.shape, dtype, pool, offset)
        return self._make, (array.shape, dtype, pool, offset, None, "F")

    def _new_pool(self, dtype: Any) -> Pool:  # Any: see `Pool`
        stand_in = pickle.PickleBuffer(bytearray())
        pool = Pool(stand_in, dtype)
        self._waiting[id(stand_in)] = (stand_in, pool)
        return pool


_JOINABLE = frozenset("?bhilqBHILQfd")
_ZEROS = [bytes(count) for count in range(_ALIGN)]


class Table(dict[type, Reducer]):
    """A dispatch table that fills itself with the types it is asked for.

    Arrays go to `reducers`, other types to what `known` (by default: `copyreg`) has for them, the rest to
    their own ``__reduce_ex__``: as the pickler would do without a table, and as fast. So numpy may be
    imported after the table was made, and the keys tell which types a value consists of.
    """

    def __init__(self, reducers: _Reducers, known: Mapping[Any, Any] = copyreg.dispatch_table) -> None:
        super().__init__()
        self._reducers = reducers
        self._known = known

    def __missing__(self, kind: type) -> Reducer:
        if issubclass(kind, type):
            raise KeyError(kind)  # a class with a metaclass goes by its name
        found = self._reducers.find(kind) or self._known.get(kind) or _OWN_WAY
        self[kind] = found
        return found


_OWN_WAY: Reducer = operator.methodcaller("__reduce_ex__", 5)
