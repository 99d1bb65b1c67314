"""Examples in documents and docstrings do what they show."""

import doctest
from pathlib import Path

import pytest

from lightwork.hashing import explain, nodes, values

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_on_identity_is_right() -> None:
    """Every example of ``docs/identity.md``."""
    result = doctest.testfile(str(DOCS / "identity.md"), module_relative=False, encoding="utf-8")
    assert result.attempted > 10
    assert result.failed == 0


@pytest.mark.parametrize("module", [explain, nodes, values])
def test_docstrings_are_right(module: object) -> None:
    """The examples of public names in `lightwork.hashing`."""
    result = doctest.testmod(module)  # type: ignore[arg-type]  # they are modules
    assert result.attempted > 0
    assert result.failed == 0
