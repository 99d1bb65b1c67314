"""Files that the installed joblib writes and reads: both ways, every compressor and protocol."""

import io
import os
import socket
import threading
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from lightwork import dump, dumps, load, loads
from tests.unit.parcel.parcel_samples import ARRAYS, FOREIGN, same

# joblib closes a file before the reader of lz4 on it. From Python 3.13 on that is told when it is collected.
_LZ4_READ_BY_JOBLIB = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <_io.BufferedReader>:pytest.PytestUnraisableExceptionWarning"
)

COMPRESS = [0, True, 3, "zlib", "gzip", ("bz2", 1), ("lzma", 1), ("xz", 1), "lz4"]
# joblib gives what has objects, and texts of any length, to pickle; the rest stands in the file as bytes.
VALUES = {name: array for name, array in ARRAYS.items() if name != "variable texts"}


def alike(found: Any, array: Any) -> bool:
    """Whether joblib has read the same elements; it makes plain arrays of matrices."""
    return bool(found.shape == array.shape and np.all((found == array) | (array != array)))


@pytest.mark.parametrize("compress", COMPRESS)
@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_joblibs_files_are_loaded(compress: Any, protocol: int, tmp_path: Path) -> None:
    """All layouts and types at once: class, dtype, order and elements; writable."""
    path = tmp_path / "x"
    joblib.dump({"arrays": VALUES, "rest": [1, "x", None]}, path, compress, protocol)
    found = load(path)
    assert found["rest"] == [1, "x", None]
    for name, array in VALUES.items():
        assert same(found["arrays"][name], array), name
        assert found["arrays"][name].flags.writeable, name


@_LZ4_READ_BY_JOBLIB
@pytest.mark.parametrize("compress", COMPRESS)
@pytest.mark.parametrize("protocol", [0, 2, 3, 4, 5])
def test_joblib_loads_our_files(compress: Any, protocol: int, tmp_path: Path) -> None:
    """What ``format="joblib"`` writes is what joblib would have written, byte by byte (lz4: as good)."""
    value = {"arrays": VALUES, "rest": [1, "x", None]}
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    assert dump(value, ours, compress, protocol, format="joblib") == [str(ours)]
    joblib.dump(value, theirs, compress, protocol)
    assert compress == "lz4" or ours.read_bytes() == theirs.read_bytes()
    found = joblib.load(ours)
    assert found["rest"] == [1, "x", None]
    assert all(alike(found["arrays"][name], array) for name, array in VALUES.items())


@pytest.mark.parametrize("nbytes", [(256 << 10) + 1, (1 << 20) - 1, (16 << 20) + 8])
@pytest.mark.parametrize("compress", [0, ("zlib", 1)])
@pytest.mark.slow
def test_arrays_larger_than_the_buffers_travel_both_ways(nbytes: int, compress: Any, tmp_path: Path) -> None:
    """Of one byte per item and strided, so that both sides cut them into pieces."""
    array = np.resize(np.arange(251, dtype="u1"), 2 * nbytes)[::2]
    joblib.dump([array], tmp_path / "theirs", compress)
    dump([array], tmp_path / "ours", compress, format="joblib")
    assert np.array_equal(load(tmp_path / "theirs")[0], array)
    assert np.array_equal(joblib.load(tmp_path / "ours")[0], array)


@pytest.mark.parametrize("mode", ["r", "r+", "w+", "c"])
def test_joblibs_files_are_mapped(mode: Any, tmp_path: Path) -> None:
    """Every array that joblib would map; changes reach the file in the modes that say so."""
    path = tmp_path / "x"
    value = {name: array for name, array in VALUES.items() if array.nbytes and type(array) is np.ndarray}
    joblib.dump(value, path)
    found = load(path, mmap_mode=mode)
    for name, array in value.items():
        mapped = found[name]
        assert isinstance(mapped, np.memmap) is not array.dtype.hasobject, name
        assert same(np.asarray(mapped), array), name
        if isinstance(mapped, np.memmap):
            assert (mapped.filename, mapped.offset % 16) == (str(path), 0)
    if mode != "r":
        found["small"][0] = 17
        found["small"].flush()
    del found
    assert joblib.load(path)["small"][0] == (17 if mode in ("r+", "w+") else 0)


def test_joblib_maps_our_files(tmp_path: Path) -> None:
    """They are aligned as joblib aligns its own."""
    path = tmp_path / "x"
    dump({"a": np.arange(5.0), "b": np.asfortranarray(np.arange(600).reshape(20, 30))}, path, format="joblib")
    found = joblib.load(path, mmap_mode="r")
    assert all(isinstance(array, np.memmap) and array.offset % 16 == 0 for array in found.values())
    assert found["b"].flags.f_contiguous
    assert found["b"][1, 2] == 32


def test_memmaps_are_written_as_arrays(tmp_path: Path) -> None:
    """By content, whatever they are views of."""
    np.save(tmp_path / "a.npy", np.arange(10))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")[2:]
    dump(mapped, tmp_path / "ours", format="joblib")
    joblib.dump(mapped, tmp_path / "theirs")
    for path in ("ours", "theirs"):
        assert type(load(tmp_path / path)) is np.ndarray
        assert joblib.load(tmp_path / path).tolist() == [*range(2, 10)]
        assert load(tmp_path / path).tolist() == [*range(2, 10)]


@pytest.mark.parametrize("name", FOREIGN)
def test_the_other_byte_order_is_turned_or_kept(name: str, tmp_path: Path) -> None:
    """As in files of ours, and as joblib does."""
    path, array = tmp_path / "x", FOREIGN[name]
    joblib.dump(array, path)
    native = load(path)
    assert native.dtype.isnative
    assert (native == array).all()
    assert native.dtype == joblib.load(path).dtype
    assert same(load(path, ensure_native_byte_order=False), array)
    assert same(np.asarray(load(path, mmap_mode="r")), array)


def test_frames_and_masked_arrays_travel(tmp_path: Path) -> None:
    """What joblib gives to pickle has arrays inside."""
    frame = pd.DataFrame({"x": np.arange(50.0), "s": [f"n{i}" for i in range(50)]})
    masked = np.ma.masked_array(np.arange(3), [True, False, False])
    joblib.dump([frame, masked], tmp_path / "x")
    dump([frame, masked], tmp_path / "y", format="joblib")
    for found in (load(tmp_path / "x"), joblib.load(tmp_path / "y")):
        pd.testing.assert_frame_equal(found[0], frame)
        assert found[1].mask.tolist() == [True, False, False]


def test_values_follow_each_other_in_one_file(tmp_path: Path) -> None:
    """A file object stands behind the value afterwards, at whatever byte that is."""
    with open(tmp_path / "x", "wb") as file:
        file.write(b"before")
        for number in range(3):
            joblib.dump([number, np.arange(number)], file)
            dump([number, np.arange(number)], file, format="joblib")
    with open(tmp_path / "x", "rb") as file:
        assert file.read(6) == b"before"
        for number in range(3):
            for read in (load, joblib.load):
                first, array = read(file)
                assert (first, array.tolist()) == (number, list(range(number)))


@pytest.mark.parametrize("writer", [joblib.dump, lambda value, file: dump(value, file, format="joblib")])
@pytest.mark.parametrize("reader", [joblib.load, load])
def test_sockets_carry_joblibs_format(writer: Any, reader: Any) -> None:
    """A stream without a position: nothing is aligned, nothing is read ahead."""
    left, right = socket.socketpair()
    value = {"a": np.arange(30_000), "o": np.array([1, None], object), "b": "x"}

    def send() -> None:
        with left, left.makefile("wb") as file:
            writer(value, file)

    sender = threading.Thread(target=send)
    sender.start()
    with right, right.makefile("rb") as file:
        found = reader(file)
    sender.join()
    assert (found["a"] == value["a"]).all()
    assert found["o"].tolist() == [1, None]


@pytest.mark.parametrize("compress", COMPRESS)
def test_bytes_of_joblib_are_loaded(compress: Any) -> None:
    """`loads` knows all formats that `load` knows, and `dumps` writes them."""
    file = io.BytesIO()
    joblib.dump([1, np.arange(5)], file, compress)
    assert loads(file.getvalue())[1].tolist() == [0, 1, 2, 3, 4]
    assert joblib.load(io.BytesIO(dumps([7], compress, format="joblib"))) == [7]


@_LZ4_READ_BY_JOBLIB
@pytest.mark.parametrize("ending", [".z", ".gz", ".bz2", ".lzma", ".xz", ".lz4", ".pkl", ""])
@pytest.mark.parametrize("compress", [0, True, 2, ("zlib", 0), ("gzip", 4), "xz"])
def test_endings_mean_what_they_mean_to_joblib(ending: str, compress: Any, tmp_path: Path) -> None:
    """The same first bytes for every form of `compress`, so the same method."""
    ours, theirs = tmp_path / f"ours{ending}", tmp_path / f"theirs{ending}"
    dump([1], ours, compress, format="joblib")
    joblib.dump([1], theirs, compress)
    assert ours.read_bytes()[:2] == theirs.read_bytes()[:2]
    assert joblib.load(ours) == load(theirs) == [1]


def test_the_format_is_seen_from_the_bytes(tmp_path: Path) -> None:
    """Never from the name."""
    joblib.dump([1], tmp_path / "x.gz")
    os.rename(tmp_path / "x.gz", tmp_path / "x.xz")
    assert load(tmp_path / "x.xz") == [1]


def test_old_and_new_protocols_hold_large_texts(tmp_path: Path) -> None:
    """Which stand outside of frames, between the arrays."""
    value = [np.arange(3), "x" * 100_000, np.arange(4), b"y" * 200_000, bytearray(70_000), np.arange(5)]
    for protocol in (2, 4, 5):
        joblib.dump(value, tmp_path / "x", protocol=protocol)
        found = load(tmp_path / "x")
        assert [len(part) for part in found] == [3, 100_000, 4, 200_000, 70_000, 5]
        assert found[5].tolist() == [0, 1, 2, 3, 4]
        dump(value, tmp_path / "y", protocol=protocol, format="joblib")
        assert (tmp_path / "y").read_bytes() == (tmp_path / "x").read_bytes()
