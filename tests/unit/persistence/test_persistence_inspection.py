"""`inspect`: what is in a file, without unpickling it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import lightwork
from lightwork import dump, inspect


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
