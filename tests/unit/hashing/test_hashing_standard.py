"""Types of the standard library with a rule of their own, and texts and views that are read in pieces."""

import array
import mmap
import zoneinfo
from collections import OrderedDict
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import pytest
from blake3 import blake3

from lightwork.errors import UnhashableError
from lightwork.hashing import hash as key_of
from lightwork.hashing.digests import BLAKE3, CHUNK, TREE
from tests.unit.hashing.keys import assert_apart, assert_copies_agree, assert_one_key

UNIONS: list[Any] = [Optional[int], Union[int, str], Union, Optional]  # noqa: UP007, UP045 - the old kind


class Words(array.array):  # type: ignore[type-arg]  # cannot be subscripted at run time
    """A subclass with an attribute."""


def words(unit: str) -> Words:
    made = Words("d", [1, 2])
    made.unit = unit  # type: ignore[attr-defined]  # that is the point
    return made


@pytest.mark.filterwarnings("ignore:The 'u' type code is deprecated:DeprecationWarning")  # since 3.13
def test_arrays_count_by_type_and_items() -> None:
    """Type code, items, class, and what a subclass adds."""
    assert_copies_agree(lambda: array.array("d", [1, 2]))
    assert_copies_agree(lambda: array.array("u", "ab"))
    assert key_of(words("m")) == key_of(words("m"))
    other = [array.array(code, [1, 2]) for code in "bBhHiIlLqQfd"]
    assert_apart(
        [*other, array.array("d", [2, 1]), array.array("d"), words("m"), words("s"), Words("d", [1, 2])]
    )


def test_a_map_counts_by_its_bytes(tmp_path: Path) -> None:
    """And can be closed afterwards; one that is closed has no content."""
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    with open(tmp_path / "a", "rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    memory = mmap.mmap(-1, 3000)
    memory.write(b"abc" * 1000)
    assert_one_key([mapped, memory])
    memory[0] = 0
    assert_apart([mapped, memory, b"abc" * 1000])
    mapped.close()
    memory.close()
    with pytest.raises(UnhashableError, match=r"value\[0\]"):
        key_of([mapped])


def test_zones_count_by_name() -> None:
    """Whether a zone came from the cache of `zoneinfo` is no content."""
    paris = zoneinfo.ZoneInfo("Europe/Paris")
    assert_copies_agree(lambda: datetime(2020, 1, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")))
    assert_one_key([paris, zoneinfo.ZoneInfo.no_cache("Europe/Paris")])
    assert_apart(
        [paris, zoneinfo.ZoneInfo("Europe/Rome"), datetime(2020, 1, 1), datetime(2020, 1, 1, fold=1)]
    )


def test_fractions_and_unions() -> None:
    """Their reductions differ between releases of Python."""
    assert_copies_agree(lambda: Fraction(1, 3))
    assert_apart([Fraction(1, 3), Fraction(3, 1), *UNIONS])


def test_attributes_of_ordered_dictionaries_count() -> None:
    """As they do for any other object."""
    one: Any = OrderedDict(a=1)
    two: Any = OrderedDict(a=1)
    one.unit = "m"
    assert key_of(one) != key_of(two)
    two.unit = "m"
    assert key_of(one) == key_of(two)
    assert_copies_agree(lambda: one)


@pytest.mark.parametrize("unit", ["x", "é", "€", "\U0001f600", "\ud800", "xé"])
@pytest.mark.parametrize("nbytes", [(1 << 20) + 1, CHUNK, TREE - 8, TREE, TREE + 8, 3 * CHUNK + 5])
def test_long_texts_are_their_bytes(unit: str, nbytes: int) -> None:
    """Texts are encoded in pieces; the number of bytes, not of letters, says how they are cut."""
    text = unit * (nbytes // len(unit.encode("utf-8", "surrogatepass")))
    data = text.encode("utf-8", "surrogatepass")
    assert BLAKE3.text(text) == BLAKE3.buffer(memoryview(data))
    whole = b"lightwork 1\nS" + BLAKE3.buffer(memoryview(data))
    if len(text) > 1 << 20:
        assert key_of(text) == blake3(whole).hexdigest()


def test_views_count_by_format_shape_and_items() -> None:
    """Steps, direction and order do not count; neither does how large the view is."""
    data = bytes(range(256)) * 10_000
    assert_one_key([memoryview(data)[::3], memoryview(data[::3]), memoryview(bytearray(data))[::3]])
    assert_one_key([memoryview(data)[::-1], memoryview(data[::-1])])
    grid = np.arange(60_000).reshape(200, 300)
    assert_one_key([grid.data, np.asfortranarray(grid).data, np.repeat(grid, 2, axis=1)[:, ::2].data])
    records = np.zeros(30_000, "i4, f8")
    assert key_of(records.data) == key_of(records.copy().data) != key_of(records[1:].data)
    released = memoryview(data)
    released.release()
    with pytest.raises(UnhashableError, match=r"value\[0\]"):
        key_of([released])
    assert_apart([grid.data, grid.T.data, grid.astype("f8").data, memoryview(data), memoryview(data)[::-1]])
