"""Examples in documents and docstrings do what they show."""

import doctest
from pathlib import Path

import pytest

from lightwork.hashing import explain, nodes, values

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "examples"),
    [
        ("backends", 8),
        ("executors", 4),
        ("failures", 12),
        ("identity", 10),
        ("memory", 8),
        ("pictures", 10),
    ],
)
def test_the_examples_of_a_page_are_right(page: str, examples: int) -> None:
    """Each of them, and none has got lost."""
    result = doctest.testfile(str(DOCS / f"{page}.md"), module_relative=False, encoding="utf-8")
    assert result.attempted >= examples
    assert result.failed == 0


@pytest.mark.slow
def test_the_examples_for_dask_are_right() -> None:
    """On a cluster of this machine."""
    pytest.importorskip("distributed", reason="distributed is not installed (lightwork[dask])")
    result = doctest.testfile(str(DOCS / "dask.md"), module_relative=False, encoding="utf-8")
    assert result.attempted >= 7
    assert result.failed == 0


@pytest.mark.parametrize("module", [explain, nodes, values])
def test_docstrings_are_right(module: object) -> None:
    """The examples of public names in `lightwork.hashing`."""
    result = doctest.testmod(module)  # type: ignore[arg-type]  # they are modules
    assert result.attempted > 0
    assert result.failed == 0
