"""`verify` finds what `load` would find, without unpickling, in little memory."""

import random
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwork
from lightwork.errors import CorruptFileError, InvalidOption, UnknownFormatError
from lightwork.persistence import Inspection, verify


@pytest.mark.parametrize("compress", [0, True, ("gzip", 1)])
def test_a_whole_file_is_whole(tmp_path: Path, compress: Any) -> None:
    """Arrays of several pieces, an empty one, small ones."""
    value = {"a": np.arange(2_500_000), "b": np.zeros(0), "c": [np.ones(3), "x"]}
    lightwork.dump(value, tmp_path / "x", compress=compress)
    found = verify(tmp_path / "x")
    assert isinstance(found, Inspection)
    assert found == lightwork.inspect(tmp_path / "x")


@pytest.mark.slow
@pytest.mark.parametrize("compress", [0, True])
def test_any_damage_that_loading_finds_is_found(tmp_path: Path, compress: Any) -> None:
    """One bit anywhere, a byte more or less: both raise, or both do not."""
    lightwork.dump({"a": np.arange(200_000.0), "b": "x" * 1000}, tmp_path / "x", compress=compress)
    whole = (tmp_path / "x").read_bytes()
    source = random.Random(5)
    places = [*source.sample(range(len(whole)), 150), *range(200), *range(len(whole) - 200, len(whole))]
    for place in places:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << source.randrange(8)
        (tmp_path / "d").write_bytes(damaged)
        outcomes = []
        for look in (lightwork.load, verify):
            try:
                look(tmp_path / "d")
                outcomes.append(True)
            except (CorruptFileError, UnknownFormatError):
                outcomes.append(False)
        assert outcomes[0] == outcomes[1], place
    for content in (whole[:-1], whole + b"\0", whole[:1000]):
        (tmp_path / "d").write_bytes(content)
        with pytest.raises(CorruptFileError, match=r"'.*d'"):
            verify(tmp_path / "d")


def test_little_memory_is_taken(tmp_path: Path) -> None:
    """A piece at a time, not the array."""
    lightwork.dump(np.zeros(8_000_000), tmp_path / "x")
    tracemalloc.start()
    try:
        verify(tmp_path / "x")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 12 << 20


def test_a_file_that_was_mapped_for_writing_tells_so(tmp_path: Path) -> None:
    """If they differ: they may be damaged."""
    lightwork.dump(np.arange(100_000), tmp_path / "x")
    lightwork.load(tmp_path / "x", mmap_mode="r+")[0] = 7
    assert verify(tmp_path / "x").changed_in_place


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    """With the words of `inspect`."""
    (tmp_path / "x").write_text("text")
    with pytest.raises(UnknownFormatError):
        verify(tmp_path / "x")
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "y")
    with pytest.raises(InvalidOption, match="verify needs a path"):
        verify(7)  # type: ignore[arg-type]  # this is the test
