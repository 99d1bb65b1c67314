"""Figures and tables as text for people."""

import pytest

from lightwork.cli.tables import Column, lines_of, span_text
from lightwork.system.units import counted


@pytest.mark.parametrize(
    ("value", "text"),
    [(-1, "0 s"), (59, "59 s"), (61, "1 min"), (7300, "2 h"), (90_000, "1 d"), (4e7, "1 y")],
)
def test_spans(value: float, text: str) -> None:
    """How long ago, roughly."""
    assert span_text(value) == text


def test_columns_stand_below_each_other_and_are_cut() -> None:
    """Numbers to the right; only a terminal has a width."""
    columns = (Column("name"), Column("n", is_number=True))
    assert lines_of(columns, [("a", "1"), ("longer", "20")], None) == [
        "name     n",
        "a        1",
        "longer  20",
    ]
    assert lines_of(columns, [("longer", "20")], 8) == ["name ...", "longe..."]
    assert lines_of(columns, [], None) == ["name  n"]


def test_counts() -> None:
    """One thing, or many."""
    assert (counted(1, "task"), counted(1200, "task")) == ("1 task", "1,200 tasks")
    assert (counted(1, "miss"), counted(2, "miss")) == ("1 miss", "2 misses")
