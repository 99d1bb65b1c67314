"""What `dump` keeps, `load` gives back: every array, every form of compression, every kind of file."""

import io
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lightwork import dump, dumps, load, loads
from tests.unit.parcel.parcel_samples import ARRAYS, FOREIGN, same

COMPRESS = [0, True, 9, "zlib", ("bz2", 1), ("lzma", 1)]


@pytest.mark.parametrize("compress", COMPRESS)
def test_every_array_comes_back_from_a_file(compress: Any, tmp_path: Path) -> None:
    """All layouts and types at once, so that they share pools and buffers."""
    path = tmp_path / "arrays.lw"
    assert dump(ARRAYS, path, compress=compress) == [str(path)]
    found = load(path)
    for name, array in ARRAYS.items():
        assert same(found[name], array), name
        assert found[name].flags.writeable, name


@pytest.mark.parametrize("compress", COMPRESS)
def test_bytes_come_back(compress: Any) -> None:
    """`dumps` and `loads` are `dump` and `load` without a file; what is loaded is writable."""
    value = {"a": np.arange(20_000), "b": [1, "x", None]}
    found = loads(dumps(value, compress))
    assert (found["a"] == value["a"]).all()
    assert found["b"] == value["b"]
    found["a"] += 1


@pytest.mark.parametrize("name", FOREIGN)
def test_the_other_byte_order_is_turned_or_kept(name: str, tmp_path: Path) -> None:
    """Native by default, as it was on request; the numbers are the same."""
    array = FOREIGN[name]
    dump(array, tmp_path / "x")
    native = load(tmp_path / "x")
    assert native.dtype == array.dtype.newbyteorder("=")
    assert native.dtype.isnative
    assert (native == array).all()
    assert same(load(tmp_path / "x", ensure_native_byte_order=False), array)
    assert same(load(tmp_path / "x", mmap_mode="r").view(np.ndarray), array)


def test_fields_of_both_byte_orders_are_left_alone() -> None:
    """A structured array is turned only if all of its fields are of the other order."""
    mixed = np.ones(3, [("a", "<i4"), ("b", ">i4")])
    assert same(loads(dumps(mixed)), mixed)


def test_frames_come_back(tmp_path: Path) -> None:
    """A table with numbers, texts and dates, compressed and not."""
    frame = pd.DataFrame(
        {
            "x": np.arange(5000.0),
            "t": pd.date_range("2020", periods=5000, freq="h"),
            "s": [f"n{number}" for number in range(5000)],
        }
    )
    for compress in (0, True):
        dump(frame, tmp_path / "x", compress)
        pd.testing.assert_frame_equal(load(tmp_path / "x"), frame)


def test_values_follow_each_other_in_one_file(tmp_path: Path) -> None:
    """A file object is written and read from where it stands."""
    with open(tmp_path / "x", "wb") as file:
        file.write(b"before")
        for number in range(3):
            dump([number, np.arange(number)], file)
    with open(tmp_path / "x", "rb") as file:
        assert file.read(6) == b"before"
        for number in range(3):
            first, array = load(file)
            assert (first, array.tolist()) == (number, list(range(number)))


def test_a_socket_serves_as_a_file() -> None:
    """One forward pass on both sides."""
    left, right = socket.socketpair()
    value = {"a": np.arange(300_000), "b": "x"}

    def send() -> None:
        with left, left.makefile("wb") as file:
            dump(value, file, compress=True)

    sender = threading.Thread(target=send)
    sender.start()
    with right, right.makefile("rb") as file:
        found = load(file)
    sender.join()
    assert (found["a"] == value["a"]).all()


def test_a_named_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """A rename would put a file in the place of the pipe and leave its reader waiting for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    sender = threading.Thread(target=dump, args=([1, np.arange(5)], path))
    sender.start()
    found = load(path)
    sender.join()
    assert found[0] == 1
    assert path.is_fifo()


def test_an_existing_file_keeps_its_mode_and_its_link(tmp_path: Path) -> None:
    """Replacing the content changes neither permissions nor the symbolic link it was reached by."""
    target, link = tmp_path / "target", tmp_path / "link"
    dump(1, target)
    target.chmod(0o640)
    link.symlink_to(target)
    dump(2, link)
    assert link.is_symlink()
    assert load(target) == 2
    assert target.stat().st_mode & 0o777 == 0o640


def test_scripts_take_their_own_classes_along(tmp_path: Path) -> None:
    """With ``pickler="cloudpickle"`` what ``__main__`` defines can be loaded anywhere, arrays mapped."""
    path = tmp_path / "x.lw"
    code = (
        "import sys, numpy\n"
        "from lightwork import dump\n"
        "class Model:\n"
        "    def __init__(self): self.weights = numpy.arange(50_000)\n"
        "    def predict(self): return self.weights.sum()\n"
        "dump([Model(), lambda x: x + 1], sys.argv[1], pickler='cloudpickle')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=True)
    model, function = load(path, mmap_mode="r")
    assert model.predict() == 50_000 * 49_999 // 2
    assert isinstance(model.weights, np.memmap)
    assert function(1) == 2


def test_nothing_of_numpy_is_imported_for_plain_values(tmp_path: Path) -> None:
    """Dumping and loading a dictionary needs no numpy."""
    code = (
        "import sys\n"
        "from lightwork import dump, load\n"
        "dump({'a': [1, 2.5, 'x' * 3_000_000]}, sys.argv[1], compress=True)\n"
        "assert load(sys.argv[1])['a'][:2] == [1, 2.5]\n"
        "assert 'numpy' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=True)


def test_a_stream_object_needs_nothing_but_read_and_write() -> None:
    """Objects of other libraries have no more than that."""

    class Channel:
        def __init__(self) -> None:
            self.inside = io.BytesIO()

        def write(self, data: Any) -> None:
            self.inside.write(data)

        def read(self, size: int) -> bytes:
            return self.inside.read(size)

    channel = Channel()
    dump([np.arange(40_000), 1], channel)
    channel.inside.seek(0)
    array, number = load(channel)
    assert array.sum() == 40_000 * 39_999 // 2
    assert number == 1
