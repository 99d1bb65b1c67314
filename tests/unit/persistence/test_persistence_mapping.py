"""`mmap_mode`: arrays that stay in the file."""

import gc
import weakref
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwork
from lightwork import dump, inspect, load
from lightwork.errors import CorruptFileError, FileWarning, InvalidOption
from lightwork.persistence import verify
from tests.unit.parcel.parcel_samples import ARRAYS

VALUE = {"small": np.arange(5), "large": np.arange(50_000.0).reshape(100, 500).T, "text": "x"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    dump(VALUE, tmp_path / "x.lw")
    return tmp_path / "x.lw"


def test_arrays_are_views_of_the_file(path: Path) -> None:
    """Small and large ones are memmaps, with file name, mode and offset; the rest is loaded as ever."""
    found = load(path, mmap_mode="r")
    content = path.read_bytes()
    for name in ("small", "large"):
        array = found[name]
        assert isinstance(array, np.memmap)
        assert (array == VALUE[name]).all()
        assert Path(str(array.filename)) == path
        assert array.mode == "r"
        assert not array.flags.writeable
        assert content[array.offset :].startswith(array.tobytes("A"))
    assert found["large"].flags.f_contiguous
    assert found["text"] == "x"


@pytest.mark.parametrize("mode", ["r+", "w+"])
def test_shared_changes_reach_the_file(path: Path, mode: Any) -> None:
    """``w+`` does what ``r+`` does and erases nothing; the file stays loadable and says what happened."""
    found = load(path, mmap_mode=mode)
    found["small"][0] = 17
    found["large"][3, 4] = -1.0
    found["large"].flush()
    del found
    with pytest.warns(FileWarning, match=r"x\.lw' was mapped for writing.* dump its value again") as given:
        again = load(path)
    assert [warning.filename for warning in given] == [__file__]
    assert again["small"].tolist() == [17, 1, 2, 3, 4]
    assert again["large"][3, 4] == -1.0
    assert inspect(path).changed_in_place
    assert "mapped for writing" in str(inspect(path))
    dump(again, path)
    load(path)


def test_what_was_mapped_and_not_changed_is_still_checked(path: Path) -> None:
    """Nothing is said of a file that is as it was; later damage is told, by every way of reading."""
    del load(path, mmap_mode="r+")["large"]
    load(path)
    load(path, keys=["large"])
    assert not verify(path).changed_in_place
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    for ways in (load, partial(load, safe=True), partial(load, keys=["large"])):
        with pytest.warns(FileWarning, match="cannot be told from damage"):
            ways(path)
    with lightwork.open(path) as file:
        with pytest.warns(FileWarning, match="cannot be told from damage"):
            file["large"][0]
        file["large"][1]
    assert verify(path).changed_in_place


def test_a_value_without_arrays_keeps_its_checksums(tmp_path: Path) -> None:
    """There is nothing to write to."""
    dump([1, 2], tmp_path / "x")
    before = (tmp_path / "x").read_bytes()
    load(tmp_path / "x", mmap_mode="r+")
    assert (tmp_path / "x").read_bytes() == before


def test_private_changes_stay_private(path: Path) -> None:
    """``c`` is writable, and the file keeps its content and its checksums."""
    found = load(path, mmap_mode="c")
    found["small"][0] = 17
    found["large"][3, 4] = -1.0
    assert load(path)["small"][0] == 0
    assert not inspect(path).changed_in_place


def test_every_array_can_be_mapped(tmp_path: Path) -> None:
    """All layouts and types, empty ones too."""
    dump(ARRAYS, tmp_path / "x")
    found = load(tmp_path / "x", mmap_mode="r")
    for name, array in ARRAYS.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert bool(np.all((found[name] == array) | (array != array))), name


def test_a_mapping_survives_a_dump_to_the_same_path(path: Path) -> None:
    """The new file takes the name, the old one stays under the arrays that map it."""
    found = load(path, mmap_mode="r")
    dump("something else", path)
    assert (found["large"] == VALUE["large"]).all()


@pytest.mark.parametrize("options", [{}, {"safe": True}, {"renames": {"nowhere": "somewhere"}}])
def test_a_mapping_ends_with_the_last_view_of_it(path: Path, options: dict[str, Any]) -> None:
    """A slice keeps all of it; when that is gone too nothing of the file is held, at once."""

    def is_mapped() -> bool:
        return str(path) in Path("/proc/self/maps").read_text()

    gc.collect()
    gc.disable()
    try:
        value = load(path, mmap_mode="r", **options)
        first = value["small"][:1]
        del value
        assert is_mapped()
        del first
        assert not is_mapped()
    finally:
        gc.enable()


@pytest.mark.parametrize("options", [{}, {"safe": True}, {"renames": {"nowhere": "somewhere"}}])
def test_a_loaded_array_goes_with_its_last_reference(path: Path, options: dict[str, Any]) -> None:
    """Nothing of what has loaded it holds it until the garbage collector comes by."""
    gc.disable()
    try:
        value = load(path, **options)
        gone = weakref.ref(value["large"])
        del value
        assert gone() is None
    finally:
        gc.enable()


def test_compressed_files_cannot_be_mapped(tmp_path: Path) -> None:
    """The error names the file, the segment and the way out."""
    dump(VALUE, tmp_path / "x", compress=True)
    with pytest.raises(InvalidOption, match=r"cannot map '.*x': segment 0 is compressed; load it without"):
        load(tmp_path / "x", mmap_mode="r")


def test_a_value_without_arrays_has_nothing_to_map(tmp_path: Path) -> None:
    """Compressed or not, it is simply loaded."""
    dump([1, 2], tmp_path / "x", compress=True)
    assert load(tmp_path / "x", mmap_mode="r") == [1, 2]


def test_streams_cannot_be_mapped(path: Path) -> None:
    """An option that would be ignored is refused."""
    with open(path, "rb") as file, pytest.raises(InvalidOption, match="needs a path"):
        load(file, mmap_mode="r")


def test_cut_files_are_not_mapped(path: Path) -> None:
    """Touching a page behind the end of a file kills the process, so the length is checked first."""
    path.write_bytes(path.read_bytes()[:-100_000])
    with pytest.raises(CorruptFileError, match=r"x\.lw"):
        load(path, mmap_mode="r")
