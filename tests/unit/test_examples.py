"""Examples in docstrings do what they show; those of pages are run by `tests.docs`."""

import doctest

import pytest

from lightwork.hashing import explain, nodes, values


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
