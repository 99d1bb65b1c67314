from pathlib import Path

import pytest

from lightwork import Memory
from lightwork.errors import InvalidOption


@pytest.mark.parametrize(
    ("name", "value"),
    [("verbose", "x"), ("on_error", "ignore"), ("track", "all"), ("version", [1]), ("mmap_mode", "r+")],
)
def test_options_are_checked_when_a_function_is_decorated(tmp_path: Path, name: str, value: object) -> None:
    """The error names the option and what was given, before anything is created."""
    with pytest.raises(InvalidOption, match=name) as caught:
        Memory(tmp_path / "cache").cache(abs, **{name: value})  # type: ignore[call-overload]  # that is the point
    assert repr(value) in str(caught.value)
    assert not (tmp_path / "cache").exists()
