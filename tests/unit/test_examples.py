"""Examples in docstrings do what they show; those of pages are run by `tests.docs`."""

import doctest

import pytest

from lightwork.hashing import explain, nodes, values


@pytest.mark.parametrize("module", [explain, nodes, values])
def test_docstrings_are_right(module: object) -> None:
    """The examples of public names in `lightwork.hashing`."""
    result = doctest.testmod(module)  # type: ignore[arg-type]  # they are modules
    assert result.attempted > 0
    assert result.failed == 0
