"""Which values are numbers."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lightwork.errors import InvalidOption
from lightwork.memory import Memory
from lightwork.system.figures import real, whole


@pytest.mark.parametrize(
    ("value", "as_whole", "as_real"),
    [
        (3, 3, 3.0),
        (-(10**30), -(10**30), -1e30),
        (2.5, None, 2.5),
        (2.0, None, 2.0),
        (np.int8(3), 3, 3.0),
        (np.uint64(3), 3, 3.0),
        (np.float32(0.5), None, 0.5),
        (Fraction(1, 4), None, 0.25),
        (10**400, 10**400, math.inf),
        (-(10**400), -(10**400), -math.inf),
        (True, None, None),
        (np.bool_(True), None, None),
        ("3", None, None),
        (None, None, None),
        (1j, None, None),
        ([3], None, None),
        (np.array([1, 2]), None, None),
        (Decimal(3), None, None),
    ],
)
def test_numbers_are_what_counts_as_such(value: Any, as_whole: int | None, as_real: float | None) -> None:
    """Python's own and those of numpy. Truth values, texts and arrays are none."""
    assert whole(value) == as_whole
    assert real(value) == as_real


def test_a_memory_takes_them() -> None:
    """Its options are read by the same rule."""
    five: Any = np.int64(5)
    Memory(None, verbose=0 * five, max_bytes=five << 30, max_items=five, max_age=np.float32(60) + five)
    wrong: list[dict[str, Any]] = [
        {"max_items": True},
        {"max_bytes": True},
        {"max_age": True},
        {"max_items": 2.0},
    ]
    for options in wrong:
        with pytest.raises(InvalidOption, match=next(iter(options))):
            Memory(None, **options)
