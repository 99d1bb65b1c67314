from datetime import timedelta

import pytest

from lightwork.errors import InvalidOption
from lightwork.system.units import duration, parse_bytes, parse_seconds, size


@pytest.mark.parametrize(
    ("text", "expected"),
    [(0, 0), (1.5, 1), ("10", 10), ("1K", 1024), ("1.5 MB", 3 << 19), ("2GiB", 2 << 30), ("1tb", 1 << 40)],
)
def test_sizes_are_read_as_people_write_them(text: int | float | str, expected: int) -> None:
    """Numbers, suffixes in either case, with and without B or iB, in powers of 1024."""
    assert parse_bytes(text, name="max_bytes") == expected


@pytest.mark.parametrize("bad", ["", "G", "1X", "-1", -1, True, float("nan"), float("inf"), None, [1]])
def test_a_wrong_size_names_option_and_value(bad: object) -> None:
    """The message says which option is wrong and what was given."""
    with pytest.raises(InvalidOption, match="max_bytes") as caught:
        parse_bytes(bad, name="max_bytes")  # type: ignore[arg-type]  # that is the point
    assert repr(bad) in str(caught.value)


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (2, 2.0),
        ("90s", 90.0),
        ("1 h", 3600.0),
        ("7 days", 604800.0),
        (timedelta(0, 60), 60.0),
        ("2min", 120.0),
    ],
)
def test_spans_are_read_as_people_write_them(span: float | str | timedelta, expected: float) -> None:
    """Seconds, timedeltas and texts with a unit in singular or plural."""
    assert parse_seconds(span, name="ttl") == expected


@pytest.mark.parametrize("bad", ["", "h", "3 fortnights", 0, -1, "0s", True, None, timedelta(0)])
def test_a_wrong_span_names_option_and_value(bad: object) -> None:
    """Zero, negative and unreadable spans are refused."""
    with pytest.raises(InvalidOption, match="ttl"):
        parse_seconds(bad, name="ttl")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 µs"), (3e-6, "3 µs"), (4.2e-3, "4.2 ms"), (12.0, "12 s"), (5e-8, "0.05 µs")]
)
def test_durations(seconds: float, text: str) -> None:
    """Three digits at most, in the unit that fits."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1023, "1023 B"),
        (1536, "1.5 KB"),
        (80 << 20, "80 MB"),
        (9e18, "8,185,452 TB"),
    ],
)
def test_sizes_are_written_in_the_units_in_which_they_are_read(nbytes: float, text: str) -> None:
    """Powers of 1024, three digits where that is enough."""
    assert size(nbytes) == text
