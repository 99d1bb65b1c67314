"""joblib's digests, bit for bit: ``hash``, `Hasher`, `NumpyHasher`.

What is hashed is side data (the bytes of arrays) and then a pickle of protocol 3, as Python's own pickler
writes it, with a few changes that make equal values give equal bytes: sorted dicts and sets, texts that are
never referred to, arrays by content and layout. So keys that somebody has written down stay valid.

Two defects of joblib are not repeated, so the digests differ there: an array of a subclass counts with its
attributes (a masked one with its mask), and dict subclasses with keys of several types with all their items.
"""

import decimal
import hashlib
import io
import pickle
import sys
import types
from collections.abc import Callable, Iterable
from typing import Any

from ..names import name_in_files

__all__ = ["Hasher", "NumpyHasher", "Pickler", "hash"]

Pickler: Any = vars(pickle)["_Pickler"]  # Any: the one in Python, whose parts can be overridden

# Called for each part of a value, so what each call would look up or make is kept here.
_save, _memoize = Pickler.save, Pickler.memoize
_TEXTS = (bytes, str)
_METHODS = (types.MethodType, types.BuiltinFunctionType)


class _ConsistentSet:
    """A set, by its sorted elements, or by their sorted digests if they have no order."""

    def __init__(self, elements: Iterable[Any]) -> None:  # Any: elements of users' sets
        elements = list(elements)
        try:
            self._sequence = sorted(elements)
        except (TypeError, decimal.InvalidOperation):
            self._sequence = sorted(map(hash, elements))


class _MyHash:
    """A bound method or a builtin function, by its parts."""

    def __init__(self, *args: Any) -> None:  # Any: name, instance, class
        self.args = args


class Hasher(Pickler):  # type: ignore[misc]  # Any, see there
    """A pickler whose output is hashed. One object makes one digest.

    Parameters
    ----------
    hash_name
        Any algorithm of `hashlib`.
    """

    dispatch = Pickler.dispatch.copy()

    def __init__(self, hash_name: str = "md5") -> None:
        self.stream = io.BytesIO()
        super().__init__(self.stream, protocol=3)
        self._hash = hashlib.new(hash_name, usedforsecurity=False)

    def hash(self, obj: object, return_digest: bool = True) -> str | None:
        """The digest of a value in hexadecimal, or ``None`` if it was not asked for.

        Raises
        ------
        pickle.PicklingError
            A part has no name to be found by, such as a lambda. Other errors of pickling pass through.
        """
        try:
            self.dump(obj)
        except pickle.PicklingError as error:
            error.args += (f"PicklingError while hashing {obj!r}: {error!r}",)
            raise
        self._hash.update(self.stream.getvalue())
        return self._hash.hexdigest() if return_digest else None

    def save(self, obj: Any) -> None:
        """Write one value; methods and builtin functions by their parts."""
        if isinstance(obj, _METHODS):
            obj = _parts_of_method(obj)
        _save(self, obj)

    def memoize(self, obj: Any) -> None:
        """Let later occurrences refer to this one, but for texts: two may be one object or not."""
        if not isinstance(obj, _TEXTS):
            _memoize(self, obj)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write a class or function by its name. What is joblib's has the name that it has there."""
        home = name_in_files(str(getattr(obj, "__module__", "")))
        if home is not None:
            self.write(pickle.GLOBAL + f"{home}\n{obj.__name__}\n".encode())
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    dispatch[type] = save_global

    def save_set(self, obj: set[Any]) -> None:
        """Write a set by its sorted elements."""
        self.save(_ConsistentSet(obj))

    dispatch[set] = save_set

    def _batch_setitems(self, items: Iterable[tuple[Any, Any]], *rest: Any) -> None:
        """Write the items of a dict, in the order of their keys or of the digests of those."""
        items = list(items)
        try:
            ordered = sorted(items)
        except TypeError:
            ordered = sorted((hash(key), value) for key, value in items)
        super()._batch_setitems(iter(ordered), *rest)


def _parts_of_method(method: Any) -> _MyHash:  # Any: a bound method or builtin function
    name = method.__func__.__name__ if hasattr(method, "__func__") else method.__name__
    owner = method.__self__
    if owner is None:
        return _MyHash(name, None)
    if isinstance(owner, types.ModuleType):
        return _MyHash(name, owner.__name__)
    return _MyHash(name, owner, type(owner))


class NumpyHasher(Hasher):
    """A `Hasher` that takes arrays by dtype, shape, strides and content.

    Parameters
    ----------
    hash_name
        Any algorithm of `hashlib`.
    coerce_mmap
        A `numpy.memmap` counts as the array of the same content.
    """

    def __init__(self, hash_name: str = "md5", coerce_mmap: bool = False) -> None:
        super().__init__(hash_name=hash_name)
        self.coerce_mmap = coerce_mmap
        self.np: Any = sys.modules["numpy"]  # Any: a module that may be absent
        self._dtype, self._ndarray = self.np.dtype, self.np.ndarray

    def save(self, obj: Any) -> None:
        """Write one value; arrays go into the hash first."""
        if isinstance(obj, self._dtype):
            # Nothing of it is written: a dtype pickles differently before and after it was pickled.
            self._hash.update(b"_HASHED_DTYPE")
            self._hash.update(pickle.dumps(obj))
            return
        if isinstance(obj, self._ndarray) and not obj.dtype.hasobject:
            obj = self._taken_apart(obj)
        Hasher.save(self, obj)

    def _taken_apart(self, array: Any) -> tuple[Any, ...]:  # Any: a numpy array
        np = self.np
        data = np.asarray(array)
        if data.shape != () and data.flags.f_contiguous and not data.flags.c_contiguous:
            data = data.T
        elif data.shape == () or not data.flags.c_contiguous:
            data = data.flatten()
        self._hash.update(data.view(np.uint8).data)
        cls = np.ndarray if self.coerce_mmap and isinstance(array, np.memmap) else type(array)
        parts = (cls, ("HASHED", array.dtype, array.shape, array.strides))
        if type(array) is self._ndarray:
            return parts
        if isinstance(array, np.ma.MaskedArray):
            return (*parts, np.ma.getmaskarray(array), array.fill_value)
        if isinstance(array, (np.memmap, np.matrix)):  # what they hold beside the content says nothing of it
            return parts
        attributes = getattr(array, "__dict__", None)
        return (*parts, attributes) if attributes else parts


def hash(obj: object, hash_name: str = "md5", coerce_mmap: bool = False) -> str | None:
    """The digest that joblib gives to a value, in hexadecimal.

    Parameters
    ----------
    obj
        Any value that can be pickled without lambdas.
    hash_name
        ``"md5"`` or ``"sha1"``.
    coerce_mmap
        A `numpy.memmap` counts as the array of the same content.

    Raises
    ------
    ValueError
        Another `hash_name`.
    pickle.PicklingError
        A part has no name to be found by.
    """
    if hash_name not in ("md5", "sha1"):
        raise ValueError(
            f"Valid options for 'hash_name' are ('md5', 'sha1'). Got hash_name={hash_name!r} instead."
        )
    make: Callable[[], Hasher] = (
        (lambda: NumpyHasher(hash_name, coerce_mmap))
        if "numpy" in sys.modules
        else (lambda: Hasher(hash_name))
    )
    return make().hash(obj)
