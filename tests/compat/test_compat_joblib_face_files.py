"""`dump` and `load` of the joblib face: files as joblib writes them, and what users build on."""

import gc
import gzip
import io
import os
import pickle
import socket
import subprocess
import sys
import threading
import warnings
import weakref
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import lightwork
from lightwork.compat.joblib import compressor, numpy_pickle, numpy_pickle_compat, numpy_pickle_utils
from lightwork.compat.joblib.logger import Logger
from lightwork.compat.joblib.numpy_pickle import NumpyPickler, NumpyUnpickler, dump, load
from lightwork.errors import CorruptFileError
from tests.unit.parcel.parcel_samples import ARRAYS, FOREIGN, same
from tests.unit.persistence.foreign.old_files import compressed_side_array, part, side_array, stream, zf

# joblib closes a file before the reader of lz4 on it. From Python 3.13 on that is told when it is collected.
_LZ4_READ_BY_JOBLIB = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.BufferedReader>:pytest.PytestUnraisableExceptionWarning"
)

COMPRESS = [0, True, False, None, 3, "zlib", "gzip", ("bz2", 1), ("lzma", 1), ("xz", 1), ("zlib", 0), "lz4"]
VALUES = {name: array for name, array in ARRAYS.items() if name != "variable texts"}


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Point) and other.x == self.x

    def __hash__(self) -> int:
        return self.x


@_LZ4_READ_BY_JOBLIB
@pytest.mark.parametrize("compress", COMPRESS)
@pytest.mark.parametrize("protocol", [None, 0, 2, 5])
def test_files_are_those_of_joblib(compress: Any, protocol: int | None, tmp_path: Path) -> None:
    """Byte by byte, and each loads the other's."""
    value = {"arrays": VALUES, "rest": [1, "x", None, Point(3), len, np.float64], "again": VALUES}
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert dump(value, ours, compress, protocol) == [str(ours)]
    joblib.dump(value, theirs, compress, protocol)
    assert ours.read_bytes() == theirs.read_bytes()
    found = load(theirs)
    assert found["rest"] == value["rest"]
    assert all(same(found["arrays"][name], array) for name, array in VALUES.items())
    assert joblib.load(ours)["rest"] == value["rest"]


@pytest.mark.parametrize("ending", [".z", ".gz", ".bz2", ".lzma", ".xz", ".lz4", ".pkl", ""])
@pytest.mark.parametrize("compress", [0, True, 2, "bz2", ("gzip", 3)])
def test_endings_of_names_count_as_in_joblib(ending: str, compress: Any, tmp_path: Path) -> None:
    """Unless a method is given; level 0 then means that of the method."""
    array = np.arange(1000)
    dump(array, f"{tmp_path}/ours{ending}", compress)
    joblib.dump(array, f"{tmp_path}/theirs{ending}", compress)
    assert Path(f"{tmp_path}/ours{ending}").read_bytes() == Path(f"{tmp_path}/theirs{ending}").read_bytes()


def test_file_objects_are_written_from_their_position_on(tmp_path: Path) -> None:
    """One value after another, aligned by the position in the file; nothing is closed; no path, no list."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for path, write in ((ours, dump), (theirs, joblib.dump)):
        with path.open("wb") as file:
            file.write(b"abc")
            for value in (np.arange(3), "x", [np.ones(2)]):
                assert write(value, file) is None
            assert not file.closed
    assert ours.read_bytes() == theirs.read_bytes()
    with ours.open("rb") as file:
        file.read(3)
        assert (load(file) == np.arange(3)).all()
        assert load(file) == "x"


def test_values_travel_through_sockets() -> None:
    """Where no position is known, arrays are not aligned, and as many bytes are read as there are."""
    here, there = socket.socketpair()
    with here, there, here.makefile("wb") as out, there.makefile("rb") as source:
        for _ in range(2):
            dump({"a": np.arange(5)}, out)
            out.flush()
            assert (load(source)["a"] == np.arange(5)).all()


def test_users_files_get_bytes_of_their_own() -> None:
    """A file object that keeps what it is given must not see the array change."""

    class Keeping:
        def __init__(self) -> None:
            self.parts: list[Any] = []

        def write(self, data: Any) -> None:
            self.parts.append(data)

    array = np.arange(200_000)
    keeping = Keeping()
    dump(array, keeping)
    array[:] = 0
    found = load(io.BytesIO(b"".join(keeping.parts)))
    assert (found == np.arange(200_000)).all()


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    """The new one appears whole or not at all, nothing else stays in its folder, the error is pickle's."""
    path = tmp_path / "x.gz"
    dump("old", path)
    with pytest.raises(TypeError, match="cannot pickle"):
        dump([np.ones(9), threading.Lock()], path)
    assert load(path) == "old"
    assert os.listdir(tmp_path) == ["x.gz"]


def test_pipes_are_written_in_place(tmp_path: Path) -> None:
    """A pipe or device is not replaced by a file."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    found: list[Any] = []
    reader = threading.Thread(target=lambda: found.append(load(path)))
    reader.start()
    dump({"x": np.arange(3)}, path)
    reader.join()
    assert (found[0]["x"] == np.arange(3)).all()


class Counting(NumpyPickler):
    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.seen: list[type] = []

    def save(self, obj: Any) -> None:
        self.seen.append(type(obj))
        super().save(obj + 1 if type(obj) is float else obj)


def test_save_can_be_overridden() -> None:
    """It is called for every object inside, and what it hands on is written."""
    file = io.BytesIO()
    pickler = Counting(file)
    pickler.dump({"a": [1.0, (2.0,)], "b": np.arange(2, dtype="u1")})
    found = load(file)
    assert (found["a"], found["b"].tolist()) == ([2, (3,)], [0, 1])
    assert {dict, list, tuple, str, np.ndarray} <= set(pickler.seen)


def test_an_own_dispatch_table_counts() -> None:
    """As scikit-learn's tests set one."""
    file = io.BytesIO()
    pickler = NumpyPickler(file)
    pickler.dispatch_table = {Point: lambda point: (Point, (point.x + 1,))}
    pickler.dump(Point(1))
    assert load(file) == Point(2)


class Careful(NumpyUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        if name == "Point":
            raise pickle.UnpicklingError(f"{module}.{name} is not wanted")
        return super().find_class(module, name)


@pytest.mark.parametrize(
    "value", [Point(1), np.array([Point(1)], dtype=object)], ids=["plain", "in an array"]
)
def test_find_class_can_be_overridden(value: Any, tmp_path: Path) -> None:
    """In pickles inside of the pickle too, which hold arrays of objects."""
    path = tmp_path / "x"
    dump([value, np.arange(3)], path)
    with path.open("rb") as file, pytest.raises(pickle.UnpicklingError, match="Point is not wanted"):
        Careful(str(path), file, ensure_native_byte_order=True).load()


@pytest.mark.parametrize("mode", [None, "r", "r+", "w+", "c"])
def test_the_unpickler_in_python_reads_what_load_reads(mode: Any, tmp_path: Path) -> None:
    """All kinds of arrays, mapped ones too."""
    path = tmp_path / "x"
    dump([VALUES, "x"], path)
    with path.open("rb") as file:
        arrays, text = NumpyUnpickler(str(path), file, mode is None, mode).load()
    assert text == "x"
    for name, array in VALUES.items():
        assert same(np.asarray(arrays[name]), np.asarray(array)), name


def test_a_changed_unpickler_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have put a stricter one in place: `load` must not go round it."""

    def refuse(self: Any, module: str, name: str) -> Any:
        raise pickle.UnpicklingError("nothing is wanted")

    file = io.BytesIO()
    dump(Point(1), file)
    with monkeypatch.context() as patch:
        patch.setattr(NumpyUnpickler, "find_class", refuse)
        with pytest.raises(pickle.UnpicklingError, match="nothing is wanted"):
            load(file)
    assert load(file) == Point(1)
    monkeypatch.setattr(numpy_pickle, "NumpyUnpickler", Careful)
    with pytest.raises(pickle.UnpicklingError, match="Point is not wanted"):
        load(file)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_names_in_files_are_joblibs(protocol: int, tmp_path: Path) -> None:
    """Objects of the face can be loaded by joblib, and those of joblib are of the face when it loads them."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    dump([Logger(depth=5), numpy_pickle.load], ours, protocol=protocol)
    joblib.dump([joblib.Logger(depth=5), joblib.load], theirs, protocol=protocol)
    assert ours.read_bytes() == theirs.read_bytes()
    logger, function = load(theirs)
    assert (type(logger), logger.depth, function) == (Logger, 5, numpy_pickle.load)
    assert type(joblib.load(ours)[0]) is joblib.Logger


@pytest.mark.parametrize("compress", [0, True, "gzip", "xz"])
def test_files_of_lightwork_are_loaded(compress: Any, tmp_path: Path) -> None:
    """By path, from a file object, from bytes; mapped if that is possible."""
    path = tmp_path / "x"
    lightwork.dump({"a": np.arange(5), "b": "x"}, path, compress)
    with path.open("rb") as file:
        found = [load(path), load(file), load(io.BytesIO(path.read_bytes()))]
    assert [(one["a"].tolist(), one["b"]) for one in found] == [([0, 1, 2, 3, 4], "x")] * 3
    if compress:
        with pytest.warns(UserWarning, match="not compatible with compressed file"):
            assert load(path, mmap_mode="r")["b"] == "x"
    else:
        assert isinstance(load(path, mmap_mode="r")["a"], np.memmap)


@pytest.mark.parametrize("compress", [0, 3, "gzip", "bz2", "xz", "lz4"])
def test_a_file_that_is_cut_short_is_an_error(compress: Any, tmp_path: Path) -> None:
    """At every place, also in the checksum at its end; one of those that joblib raises."""
    path = tmp_path / "x"
    dump({"a": np.arange(9), "b": ["x", 1.5]}, path, compress)
    content = path.read_bytes()
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises((EOFError, ValueError)):
            load(path)
    path.write_bytes(b"")
    with pytest.raises(EOFError, match="it ends after 0 bytes"):
        load(path)
    with pytest.raises(pickle.UnpicklingError), path.open("rb") as file:
        load(file)
    assert issubclass(numpy_pickle_utils.UnreadableFile, CorruptFileError)


def test_what_cannot_be_mapped_is_loaded_with_a_warning(tmp_path: Path) -> None:
    """One, whose text is joblib's, and which points at the caller."""
    path = str(tmp_path / "x")
    dump(np.arange(3), path)
    dump(np.arange(3), f"{path}.gz")

    class Odd(io.BytesIO):
        def __init__(self, content: bytes) -> None:
            super().__init__(content)
            self.raw = self

        def __repr__(self) -> str:
            return "<odd>"

    content = Path(path).read_bytes()
    zipped = gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content)))
    cases: list[tuple[Any, str]] = [
        (f"{path}.gz", f'mmap_mode "r" is not compatible with compressed file {path}.gz. '
         '"r" flag will be ignored.'),
        (io.BytesIO(content), 'In memory persistence is not compatible with mmap_mode "r" flag passed. '
         "mmap_mode option will be ignored."),
        (zipped, f'"{zipped!r}" is not a raw file, mmap_mode "r" flag will be ignored.'),
    ]  # fmt: skip
    for source, message in cases:
        for function in (load, joblib.load):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                assert function(source, mmap_mode="r").tolist() == [0, 1, 2]
            assert [str(one.message) for one in caught] == [message]
            assert function is joblib.load or caught[0].filename == __file__
            if not isinstance(source, str):
                source.seek(0)


@pytest.mark.parametrize("mode", ["r", "r+", "w+", "c"])
def test_mapped_arrays_tell_where_they_lie(mode: Any, tmp_path: Path) -> None:
    """File, mode and offset as joblib's; changes reach the file in the modes that say so."""
    path = tmp_path / "x"
    dump([np.arange(3), np.ones((2, 3), order="F")], path)
    ours, theirs = load(path, mmap_mode=mode), joblib.load(path, mmap_mode=mode)
    for our, their in zip(ours, theirs, strict=True):
        assert type(our) is np.memmap
        for name in ("filename", "mode", "offset", "dtype", "shape", "strides"):
            assert getattr(our, name) == getattr(their, name)
    if mode != "r":
        ours[0][0] = 7
        assert load(path)[0][0] == (0 if mode == "c" else 7)


def test_byte_orders_are_turned_as_in_joblib(tmp_path: Path) -> None:
    """By default unless mapped; asking for both is an error."""
    path = tmp_path / "x"
    dump(FOREIGN, path)
    for ensure in (True, False, "auto"):
        ours, theirs = load(path, None, ensure), joblib.load(path, None, ensure)
        assert [ours[name].dtype for name in ours] == [theirs[name].dtype for name in theirs]
    with pytest.raises(
        ValueError, match="Native byte ordering can only be enforced if 'mmap_mode' parameter"
    ):
        load(path, "r", True)


@pytest.mark.parametrize("mode", [None, "r"])
def test_files_before_0_10_are_loaded_with_a_warning(mode: Any, tmp_path: Path) -> None:
    """Arrays in files beside it, plain or compressed."""
    array = np.arange(6.0)
    path = tmp_path / "old.pkl"
    np.save(tmp_path / "1.npy", array)
    path.write_bytes(stream(side_array("1.npy"), part("end")))
    with pytest.warns(
        DeprecationWarning, match=f"The file '{path}' has been generated with a joblib version"
    ):
        found, end = load(path, mode)
    assert ((found == array).all(), end, isinstance(found, np.memmap)) == (True, "end", mode is not None)
    (tmp_path / "1.npy.z").write_bytes(zf(array.tobytes()))
    path.write_bytes(zf(stream(compressed_side_array("1.npy.z", array), part("end"))))
    with pytest.warns(DeprecationWarning, match="Please regenerate this pickle file"):
        assert (load(path, mode)[0] == array).all()
    assert (numpy_pickle_compat.load_compatibility(str(path))[0] == array).all()


def test_the_file_is_let_go_at_once() -> None:
    """Who opens a file and forgets it does not wait for the garbage collector to have it closed."""
    file = io.BufferedReader(io.BytesIO(lightwork.dumps(np.arange(3), format="joblib")))
    held = weakref.ref(file)
    gc.disable()
    try:
        load(file)
        del file
        assert held() is None
    finally:
        gc.enable()


class Reversing(io.RawIOBase):
    """A compressor of a user: each byte is turned over."""

    def __init__(self, file: Any, mode: str = "rb", compresslevel: int = 0) -> None:
        self._opened = isinstance(file, str)
        self._file = open(file, mode) if isinstance(file, str) else file  # noqa: SIM115  (closed in `close`)
        self._mode = mode

    def readable(self) -> bool:
        return self._mode == "rb"

    def writable(self) -> bool:
        return self._mode == "wb"

    def write(self, data: Any) -> int:
        self._file.write(bytes(255 - byte for byte in bytes(data)))
        return len(data)

    def readinto(self, out: Any) -> int:
        data = self._file.read(len(out))
        out[: len(data)] = bytes(255 - byte for byte in data)
        return len(data)

    def close(self) -> None:
        if self._opened:
            self._file.close()
        super().close()


def test_registered_compressors_are_used(tmp_path: Path) -> None:
    """By name, by ending, and when a file is loaded that begins as theirs do."""
    own = compressor.CompressorWrapper(Reversing, prefix=b"\x7f", extension=".turned")
    compressor.register_compressor("turned", own)
    try:
        dump(np.arange(3), tmp_path / "x", compress=("turned", 1))
        dump(np.arange(3), tmp_path / "x.turned")
        assert load(tmp_path / "x").tolist() == load(tmp_path / "x.turned").tolist() == [0, 1, 2]
        with pytest.raises(ValueError, match="Compressor 'turned' already registered"):
            compressor.register_compressor("turned", own)
        compressor.register_compressor("turned", own, force=True)
    finally:
        compressor._COMPRESSORS.pop("turned")


def test_concatenated_streams_are_read_as_one() -> None:
    """As gzip files may be; something else behind the end is an error."""
    content = gzip.compress(b"abc") + gzip.compress(b"def")
    assert compressor.BinaryGzipFile(io.BytesIO(content)).read() == b"abcdef"
    with pytest.raises(EOFError):
        compressor.BinaryGzipFile(io.BytesIO(content[:-1])).read()


def test_arrays_need_numpy_and_other_values_do_not(tmp_path: Path) -> None:
    """Where numpy is not installed."""
    plain, array = tmp_path / "plain", tmp_path / "array"
    dump([1, "x"], plain)
    dump([np.arange(3)], array)
    program = f"""
import sys
sys.modules["numpy"] = None
from lightwork.compat.joblib.numpy_pickle import dump, load
assert load({str(plain)!r}) == [1, "x"]
assert dump({{"a": 1}}, {str(plain)!r}, 3) and load({str(plain)!r}) == {{"a": 1}}
try:
    load({str(array)!r})
except ImportError:
    print("needs numpy")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "needs numpy\n"
