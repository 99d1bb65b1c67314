"""What a notebook shows of a file."""

import os
from pathlib import Path

import numpy as np

from lightwork import dump, inspect, load


def test_an_inspection_shows_what_its_text_says(tmp_path: Path) -> None:
    """In a table, escaped; and from what is known: the file may be gone by then."""
    path = tmp_path / "<i>.lw"
    dump({"a": np.arange(300_000)}, path, True)
    found = inspect(path)
    os.unlink(path)
    drawing = found._repr_html_()
    assert "<script" not in drawing
    assert "&lt;i&gt;.lw" in drawing
    assert "<i>" not in drawing
    assert f"numpy {np.__version__}" in drawing
    assert "numpy.ndarray" in drawing
    assert "1, 1 of them compressed" in drawing
    assert "mapped for writing" not in drawing


def test_many_types_are_counted_and_changes_are_told(tmp_path: Path) -> None:
    """Twenty names are enough for a table."""
    path = tmp_path / "x.lw"
    dump(np.arange(10), path)
    load(path, mmap_mode="r+")
    found = inspect(path)._replace(types=tuple(f"a.T{n}" for n in range(30)), compressor="gzip")
    drawing = found._repr_html_()
    assert "a.T19, and 10 more" in drawing
    assert "mapped for writing" in drawing
    assert "<td>gzip</td>" in drawing
