"""`inspect`: what is in a file, without unpickling it."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import lightwork
from lightwork import dump, inspect
from lightwork.errors import CorruptFileError, InvalidOption, UnknownFormatError


class Trap:
    """Must not be unpickled."""

    def __reduce__(self) -> Any:
        return _sprung, ()


def _sprung() -> None:
    raise AssertionError("inspect has unpickled something")


def test_types_versions_and_sizes_are_told(tmp_path: Path) -> None:
    """From the ends of the file, without running what is in it."""
    path = tmp_path / "x"
    array = np.arange(50_000.0)
    dump({"a": array, "b": pd.Series([1, 2]), "c": Trap()}, path)
    found = inspect(path)
    assert found.path == str(path)
    assert found.nbytes == path.stat().st_size
    assert found.lightwork == lightwork.__version__
    assert dict(found.packages)["pandas"] == pd.__version__
    assert "numpy.ndarray" in found.types
    assert f"{Trap.__module__}.Trap" in found.types
    assert max(segment.nbytes for segment in found.segments) == array.nbytes
    assert all(segment.blocks == 0 and segment.offset % 64 == 0 for segment in found.segments)
    for part in (str(path), "pandas", "numpy.ndarray", f"{found.nbytes:,} bytes"):
        assert part in str(found)


def test_compressed_segments_tell_both_sizes(tmp_path: Path) -> None:
    """How much there is, and how much it takes."""
    dump(np.zeros(500_000), tmp_path / "x", compress=True)
    (segment,) = inspect(tmp_path / "x").segments
    assert segment.nbytes == 4_000_000
    assert segment.blocks == 4
    assert segment.stored < 10_000


@pytest.mark.parametrize(("compressor", "ending"), [("gzip", ".gz"), ("xz", ".xz"), ("lz4", ".lz4")])
def test_a_file_that_is_compressed_as_a_whole_tells_the_same(
    compressor: str, ending: str, tmp_path: Path
) -> None:
    """Types, versions, segments; these lie where they would be if it were not compressed."""
    value = {"a": np.arange(500_000.0), "b": pd.Series([1, 2]), "c": Trap()}
    dump(value, tmp_path / "x", compress=False)
    path = tmp_path / f"y{ending}"
    dump(value, path)
    plain, found = inspect(tmp_path / "x"), inspect(path)
    assert found.compressor == compressor
    assert found.nbytes == path.stat().st_size
    assert found._replace(path=plain.path, nbytes=plain.nbytes, compressor="") == plain
    assert f"compressed as a whole ({compressor})" in str(found)


def test_a_damaged_compressed_file_is_refused(tmp_path: Path) -> None:
    """Also if only its last byte is missing."""
    dump(np.arange(1000), tmp_path / "x.gz")
    content = (tmp_path / "x.gz").read_bytes()
    for damaged in (content[:-1], content[:200], content + b"x"):
        (tmp_path / "x.gz").write_bytes(damaged)
        with pytest.raises(CorruptFileError, match="cannot read"):
            inspect(tmp_path / "x.gz")


@pytest.mark.parametrize("compress", [0, 3])
def test_files_of_joblib_are_refused(compress: int, tmp_path: Path) -> None:
    """They tell nothing about themselves; the message says what to do."""
    dump([Trap()], tmp_path / "x", compress=compress, format="joblib")
    with pytest.raises(UnknownFormatError, match="lightwork convert"):
        inspect(tmp_path / "x")


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    """At once: to open one waits for somebody at its other end."""
    os.mkfifo(tmp_path / "x")
    with pytest.raises(InvalidOption, match="regular file"):
        inspect(tmp_path / "x")
