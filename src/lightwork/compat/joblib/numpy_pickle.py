"""joblib's `dump` and `load`: its file format, byte by byte, and its picklers with parts to override.

::

    dump ── NumpyPickler.save, for each object ── NumpyArrayWrapper.write_array
    load ── _unpickle ── the reader of `lightwork.persistence`, in C
                     └── NumpyUnpickler, if somebody has changed it ── NumpyArrayWrapper.read

A path gets a file that appears whole or not at all. `load` reads lightwork's own files as well.
"""

import contextlib
import io
import os
import pickle
import types
import warnings
from typing import Any

from ... import parcel
from ...persistence.foreign.joblib_layout import padding
from ...persistence.foreign.joblib_writing import write_name
from ...system.optional import loaded, require
from ..names import name_here, name_in_files
from ._writing import chosen_compression, compressing, target
from .backports import make_memmap
from .compressor import (
    LZ4_NOT_INSTALLED_ERROR,
    BinaryZlibFile,
    BZ2CompressorWrapper,
    GzipCompressorWrapper,
    LZ4CompressorWrapper,
    LZMACompressorWrapper,
    XZCompressorWrapper,
    ZlibCompressorWrapper,
    register_compressor,
)
from .numpy_pickle_compat import NDArrayWrapper, ZNDArrayWrapper, load_compatibility
from .numpy_pickle_utils import (
    BUFFER_SIZE,
    Pickler,
    Unpickler,
    _ensure_native_byte_order,
    _read_bytes,
    _validate_fileobject_and_memmap,
    is_of_lightwork,
    load_of_lightwork,
    read_into,
    read_stream,
)

# Any: users' values, arrays of a library that may not be installed, file objects of any kind.
__all__ = [
    "BUFFER_SIZE",
    "LZ4_NOT_INSTALLED_ERROR",
    "BZ2CompressorWrapper",
    "BinaryZlibFile",
    "GzipCompressorWrapper",
    "LZ4CompressorWrapper",
    "LZMACompressorWrapper",
    "NDArrayWrapper",
    "NumpyArrayWrapper",
    "NumpyPickler",
    "NumpyUnpickler",
    "Pickler",
    "Unpickler",
    "XZCompressorWrapper",
    "ZNDArrayWrapper",
    "ZlibCompressorWrapper",
    "dump",
    "load",
    "load_compatibility",
    "load_temporary_memmap",
    "register_compressor",
]

NUMPY_ARRAY_ALIGNMENT_BYTES = 16

_PIECE = 16 << 20
_PYTHON_2 = (
    "You may be trying to read with python 3 a joblib pickle generated with python 2. "
    "This feature is not supported by joblib."
)


class NumpyArrayWrapper:
    """Stands for an array in the pickle; the bytes of the array follow right behind it.

    Parameters
    ----------
    subclass
        The class of the array.
    shape, order, dtype
        Its layout.
    allow_mmap
        Whether its bytes can be mapped.
    numpy_array_alignment_bytes
        The first byte lies at a multiple of this; ``None`` if the file does not know its position.
    """

    def __init__(
        self,
        subclass: Any,
        shape: tuple[int, ...],
        order: str,
        dtype: Any,
        allow_mmap: bool = False,
        numpy_array_alignment_bytes: int | None = NUMPY_ARRAY_ALIGNMENT_BYTES,
    ) -> None:
        self.subclass = subclass
        self.shape = shape
        self.order = order
        self.dtype = dtype
        self.allow_mmap = allow_mmap
        self.numpy_array_alignment_bytes = numpy_array_alignment_bytes

    def safe_get_numpy_array_alignment_bytes(self) -> int | None:
        """The alignment; ``None`` in files of joblib before 1.2, which do not tell."""
        return getattr(self, "numpy_array_alignment_bytes", None)

    def write_array(self, array: Any, pickler: Any) -> None:
        """Write the bytes of `array` into the file of the pickler."""
        file = pickler.file_handle
        if array.dtype.hasobject:
            pickle.dump(array, file, protocol=5)
            return
        if self.safe_get_numpy_array_alignment_bytes() is not None:
            file.write(padding(file.tell()))
        # Files of users may keep what they are given, so only those of the system see the array's memory.
        lend = isinstance(file, io.IOBase)
        for piece in parcel.sources.pieces(array, _PIECE):
            file.write(piece if lend else bytes(piece))

    def read_array(self, unpickler: Any, ensure_native_byte_order: bool) -> Any:
        """The array, from the file of the unpickler."""
        file = unpickler.file_handle
        if self.dtype.hasobject:
            return _Nested(file, unpickler).load()
        numpy = require("numpy", purpose="a file that holds arrays", extra="numpy")
        if self.safe_get_numpy_array_alignment_bytes() is not None:
            _read_bytes(file, _read_bytes(file, 1, "padding")[0], "padding")
        content = numpy.empty(self._nbytes(), "u1")
        read_into(file, memoryview(content), "array data")
        array = numpy.ndarray(self.shape, self.dtype, content, order=self.order)
        if self.subclass is numpy.matrix:
            array = array.view(numpy.matrix)
        return _ensure_native_byte_order(array) if ensure_native_byte_order else array

    def read_mmap(self, unpickler: Any) -> Any:
        """The array as a `numpy.memmap` of the file of the unpickler."""
        file = unpickler.file_handle
        alignment = self.safe_get_numpy_array_alignment_bytes()
        start = file.tell()
        if alignment is not None:
            start += 1 + _read_bytes(file, 1, "padding")[0]
        elif start % NUMPY_ARRAY_ALIGNMENT_BYTES:
            warnings.warn(
                f"The memmapped array {self} loaded from the file {unpickler.filename} is not byte aligned: "
                "dump the value again, since some programs need that",
                stacklevel=3,
            )
        mode = "r+" if unpickler.mmap_mode == "w+" else unpickler.mmap_mode
        array = make_memmap(
            unpickler.filename, dtype=self.dtype, shape=self.shape, order=self.order, mode=mode, offset=start
        )
        file.seek(start + self._nbytes())
        return array

    def read(self, unpickler: Any, ensure_native_byte_order: bool) -> Any:
        """The array: mapped if the unpickler maps and the array allows it."""
        if unpickler.mmap_mode is not None and self.allow_mmap:
            return self.read_mmap(unpickler)
        return self.read_array(unpickler, ensure_native_byte_order)

    def _nbytes(self) -> int:
        nbytes = int(self.dtype.itemsize)
        for length in self.shape:
            nbytes *= length
        return nbytes


class _Nested(pickle.Unpickler):
    """The pickle of an array of objects, inside of another one, whose classes it finds."""

    def __init__(self, file: Any, outer: Any) -> None:
        super().__init__(file)
        self._outer = outer

    def find_class(self, module: str, name: str, /) -> Any:
        return self._outer.find_class(module, name)


_save = Pickler.save  # for every object: a tenth faster than `super().save`


class NumpyPickler(Pickler):  # type: ignore[misc]  # Any, see there
    """A pickler in Python that writes arrays as they lie in memory. `save` is called for every object.

    Parameters
    ----------
    fp
        A file object for bytes, written from its position on.
    protocol
        0 to 5, -1 for the highest, ``None`` for that of `pickle`.
    """

    dispatch = Pickler.dispatch.copy()

    def __init__(self, fp: Any, protocol: int | None = None) -> None:
        self.file_handle = fp
        self.buffered = isinstance(fp, BinaryZlibFile)
        super().__init__(fp, protocol=pickle.DEFAULT_PROTOCOL if protocol is None else protocol)
        self.np = numpy = loaded("numpy")  # whoever has arrays has loaded it
        self._arrays = () if numpy is None else (numpy.ndarray, numpy.matrix, numpy.memmap)

    def _create_array_wrapper(self, array: Any) -> NumpyArrayWrapper:
        alignment: int | None = NUMPY_ARRAY_ALIGNMENT_BYTES
        try:
            self.file_handle.tell()
        except (AttributeError, OSError):  # io.UnsupportedOperation is an OSError
            alignment = None
        return NumpyArrayWrapper(
            type(array),
            array.shape,
            "F" if array.flags.fnc else "C",
            array.dtype,
            allow_mmap=not array.dtype.hasobject,
            numpy_array_alignment_bytes=alignment,
        )

    def save(self, obj: Any) -> None:
        """Write one object; subclasses may look at it, or write another one."""
        if type(obj) not in self._arrays:
            _save(self, obj)
            return
        wrapper = self._create_array_wrapper(obj)
        _save(self, wrapper)
        if self.proto >= 4:
            self.framer.commit_frame(force=True)
        wrapper.write_array(obj, self)

    def save_global(self, obj: Any, name: str | None = None) -> None:
        """Write a class or function by its name; one of the face by joblib's name."""
        module = name_in_files(getattr(obj, "__module__", None) or "")
        if module is None:
            super().save_global(obj, name)
            return
        name = name or obj.__qualname__
        if "." in name:  # of a class inside of another one
            super().save_global(obj, name)
            return
        write_name(self, module, name)
        self.memoize(obj)

    dispatch[types.FunctionType] = save_global


class NumpyUnpickler(Unpickler):  # type: ignore[misc]  # Any, see there
    """An unpickler in Python with parts to override, `find_class` above all.

    Parameters
    ----------
    filename
        The path that `file_handle` reads, for mapping; ``""`` if there is none.
    file_handle
        A file object for bytes.
    ensure_native_byte_order
        Turn arrays to the byte order of this machine.
    mmap_mode
        Map the arrays.
    """

    dispatch = Unpickler.dispatch.copy()

    def __init__(
        self, filename: str, file_handle: Any, ensure_native_byte_order: bool, mmap_mode: str | None = None
    ) -> None:
        self._dirname = os.path.dirname(filename)
        self.mmap_mode = mmap_mode
        self.file_handle = file_handle
        self.filename = filename
        self.compat_mode = False
        self.ensure_native_byte_order = ensure_native_byte_order
        super().__init__(file_handle)
        self.np = loaded("numpy")

    def find_class(self, module: str, name: str) -> Any:
        """What a name in the file means."""
        return super().find_class(*name_here(module, name))

    def load_build(self) -> None:
        """Set a state; a wrapper gives way to its array."""
        super().load_build()
        found = self.stack[-1]
        if isinstance(found, NumpyArrayWrapper):
            self.stack[-1] = found.read(self, self.ensure_native_byte_order)
        elif isinstance(found, NDArrayWrapper | ZNDArrayWrapper):
            self.compat_mode = True
            array = found.read(self)
            self.stack[-1] = _ensure_native_byte_order(array) if self.ensure_native_byte_order else array

    dispatch[pickle.BUILD[0]] = load_build


_UNTOUCHED = NumpyUnpickler
_PARTS = dict(vars(NumpyUnpickler))
_OPCODES = NumpyUnpickler.dispatch.copy()


def _is_untouched() -> bool:
    """Whether nobody has put another unpickler in the place of ours, or changed its parts."""
    return (
        NumpyUnpickler is _UNTOUCHED and dict(vars(_UNTOUCHED)) == _PARTS and _UNTOUCHED.dispatch == _OPCODES
    )


def dump(value: Any, filename: Any, compress: Any = 0, protocol: int | None = None) -> list[str] | None:
    """Keep a value in a file of joblib's format.

    Parameters
    ----------
    value
        Anything that can be pickled.
    filename
        A path, which gets a file that appears whole or not at all; or an object with ``write``.
    compress
        0 or ``False``: none, unless the path has the ending of a compressor. ``True`` or ``None``: the
        default level; 1 to 9: that level; with the method of the ending, else zlib. A method, or a tuple of
        a method and a level.
    protocol
        The pickle protocol: 0 to 5, -1 for the highest, ``None`` for that of `pickle`.

    Returns
    -------
    list of str or None
        ``[filename]`` for a path, ``None`` for a file object.

    Raises
    ------
    ValueError
        An argument that cannot be right. Nothing was written.
    """
    if isinstance(filename, os.PathLike):
        filename = os.fspath(filename)
    path = filename if isinstance(filename, str) else None
    chosen = chosen_compression(compress, path)
    if path is None and not hasattr(filename, "write"):
        raise ValueError(
            "Second argument should be a filename or a file-like object, "
            f"{filename} (type {type(filename)}) was given."
        )
    if path is None:
        with compressing(filename, chosen) as file:
            NumpyPickler(file, protocol=protocol).dump(value)
        return None
    with target(path, chosen) as file:
        NumpyPickler(file, protocol=protocol).dump(value)
    return [path]


def _unpickle(
    fobj: Any, ensure_native_byte_order: bool, filename: str = "", mmap_mode: str | None = None
) -> Any:
    """The value of the plain bytes of a file, which are read from their position on."""
    if is_of_lightwork(fobj):
        return load_of_lightwork(fobj, filename, ensure_native_byte_order, mmap_mode)
    side_files: list[str] = []
    if _is_untouched():
        value = read_stream(
            fobj,
            native=ensure_native_byte_order,
            filename=filename,
            mmap_mode=mmap_mode,
            side_file=side_files.append,
        )
        is_old = bool(side_files)
    else:
        unpickler = NumpyUnpickler(filename, fobj, ensure_native_byte_order, mmap_mode=mmap_mode)
        value = _load(unpickler)
        is_old = unpickler.compat_mode
    if is_old:
        _warn_of_age(filename)
    return value


def _load(unpickler: Any) -> Any:
    try:
        return unpickler.load()
    except UnicodeDecodeError as exc:
        raise ValueError(_PYTHON_2) from exc


def _warn_of_age(filename: str) -> None:
    warnings.warn(
        f"The file '{filename}' has been generated with a joblib version less than 0.10. "
        "Please regenerate this pickle file.",
        DeprecationWarning,
        stacklevel=4,
    )


def load(filename: Any, mmap_mode: str | None = None, ensure_native_byte_order: Any = "auto") -> Any:
    """The value that `dump` has kept, or joblib, or `lightwork.dump`.

    Parameters
    ----------
    filename
        A path, or an object with ``read``. How it is compressed is seen from its first bytes.
    mmap_mode
        ``"r"``, ``"r+"``, ``"w+"`` (the same as ``"r+"``) or ``"c"``: leave arrays in the file, as
        `numpy.memmap`. For a file that cannot be mapped a warning is given and nothing is mapped.
    ensure_native_byte_order
        Whether arrays are turned to the byte order of this machine; ``"auto"``: unless mapped.

    Raises
    ------
    ValueError, EOFError
        The file is damaged or cut short.
    """
    if ensure_native_byte_order == "auto":
        ensure_native_byte_order = mmap_mode is None
    if ensure_native_byte_order and mmap_mode is not None:
        raise ValueError(
            "Native byte ordering can only be enforced if 'mmap_mode' parameter is set to None, but got "
            f"'mmap_mode={mmap_mode}' instead."
        )
    native = bool(ensure_native_byte_order)
    if hasattr(filename, "read"):
        name = getattr(filename, "name", "")
        with _validate_fileobject_and_memmap(filename, name, mmap_mode) as (file, _):
            return _unpickle(file, native)
    path = os.fspath(filename) if isinstance(filename, os.PathLike) else filename
    with (
        open(path, "rb") as opened,
        _validate_fileobject_and_memmap(opened, path, mmap_mode) as (file, mode),
    ):
        if isinstance(file, str):  # compressed by joblib before 0.10
            value = load_compatibility(file)
            _warn_of_age(file)
            return value
        value = _unpickle(file, native, path, mode)
        if file is not opened:
            _read_to_the_end(file)
        return value


def _read_to_the_end(file: Any) -> None:
    """The checksums of compressed files are behind their last byte."""
    while file.read(BUFFER_SIZE):
        pass


def load_temporary_memmap(filename: str, mmap_mode: str, unlink_on_gc_collect: bool) -> Any:
    """The array in a file, mapped. With `unlink_on_gc_collect` the file has no name afterwards."""
    with open(filename, "rb") as file:
        array = _unpickle(file, False, filename, mmap_mode)
    if unlink_on_gc_collect:
        with contextlib.suppress(OSError):
            os.unlink(filename)
    return array
