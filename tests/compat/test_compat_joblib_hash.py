"""joblib's digests, against the installed joblib on many values, and against what joblib promises."""

import collections
import datetime
import decimal
import fractions
import functools
import pathlib
import pickle
import types
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from lightwork.compat.joblib.hashing import Hasher, NumpyHasher, hash


class Plain:
    def __init__(self) -> None:
        self.items = {"x": 1, "b": [1, 2]}
        self.elements = {3, "a", None}

    def method(self) -> None: ...

    class Inner: ...


class SubDict(dict[str, int]): ...


class SubArray(np.ndarray[Any, Any]): ...


SHARED = [1]

VALUES: list[Any] = [
    *(1, 2.5, True, None, "a", b"x", "é", -1, 10**6, 2**100, -0.0, float("nan"), float("inf"), 1 + 2j),
    *((), (1,), [], [1, 2], {}, {"b": 1, "a": 2}, {"a": 1, 1: 2}, {1, 2, 3}, {1, "a", None}, set()),
    set("abc"),
    *(frozenset([1]), {frozenset([1]): 2}, {(1, 2): 3}, {1.5: 2, 1: 3}, [1, [2, [3, {4}]]]),
    {None: 1, "a": 2},
    *([SHARED, SHARED], [[1], [1]], ["aa", "aa"], {"k": "aa", "j": "aa"}, {str(i): i for i in range(2500)}),
    *(print, len, [].append, "abc".upper, Plain().method, Plain, Plain.Inner, int, type, np.add),
    np.linalg.norm,
    *(Plain(), SubDict(a=1, b=2), collections.OrderedDict([("b", 1), ("a", 2)]), collections.Counter("abca")),
    *(collections.defaultdict(list, {"a": [1]}), decimal.Decimal("1.5"), fractions.Fraction(1, 3)),
    {decimal.Decimal("NaN"), decimal.Decimal(1)},
    *(datetime.datetime(2020, 1, 1), datetime.timedelta(3), pathlib.Path("/x"), range(3), slice(1, 2)),
    *(functools.partial(int, base=2), bytearray(b"ab"), types.SimpleNamespace(a=1), OSError(2, "x")),
    Ellipsis,
    *(np.arange(3), np.float64(2), np.int32(1), np.dtype("f4"), np.zeros((3, 4)), np.array(3), np.array([])),
    *(np.asfortranarray(np.arange(12.0).reshape(3, 4)), np.arange(12)[::2]),
    np.arange(12).reshape(3, 4)[:, ::2],
    *(np.zeros((0, 3)), np.array(["a", "b"]), np.array([1, "a", None], dtype=object)),
    np.arange(3).astype(">i4"),
    *(np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), np.array(["2020"], dtype="M8[s]")),
    [np.arange(3)] * 2,
    *(np.matrix([[1, 2]]), np.arange(4).view(SubArray), {"a": np.arange(3)}, np.random.RandomState(3)),
    *(pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}), pd.Series([1.0, 2.0]), pd.Timestamp("2020")),
    *(pd.Categorical(["a", "b"]), np.random.default_rng(2)),
    RandomForestClassifier(3, random_state=0).fit(np.random.RandomState(0).rand(20, 3), [0, 1] * 10),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__} {str(value)[:20]!r}")
@pytest.mark.parametrize("hash_name", ["md5", "sha1"])
@pytest.mark.parametrize("coerce_mmap", [False, True])
def test_digests_are_those_of_joblib(value: Any, hash_name: str, coerce_mmap: bool) -> None:
    """Bit for bit, whatever the value."""
    expected = joblib.hash(value, hash_name=hash_name, coerce_mmap=coerce_mmap)
    assert hash(value, hash_name=hash_name, coerce_mmap=coerce_mmap) == expected


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary())
values = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner), st.tuples(inner, inner), st.dictionaries(leaves, inner), st.sets(leaves)
    ),
)


@given(values)
def test_digests_of_random_values_are_those_of_joblib(value: Any) -> None:
    """Nested containers of everything."""
    assert hash(value) == joblib.hash(value)


@pytest.mark.parametrize(
    ("value", "digest"),
    [
        ("This is a string to hash", "71b3f47df22cb19431d85d92d0b230b2"),
        ("C'est l\xe9t\xe9", "2d8d189e9b2b0b2e384d93c868c0e576"),
        ((123456, 54321, -98765), "e205227dd82250871fa25aa0ec690aa3"),
        ({"abcde": 123, "sadfas": [-9999, 2, 3]}, "aeda150553d4bb5c69f0e69d51b0e2ef"),
    ],
)
def test_digests_stay_what_they_are(value: Any, digest: str) -> None:
    """What joblib promises not to change."""
    assert hash(value) == digest


def test_a_mapped_array_counts_as_mapped_unless_told_otherwise(tmp_path: pathlib.Path) -> None:
    """As joblib: another digest, and the array's with ``coerce_mmap``."""
    np.save(tmp_path / "a.npy", np.arange(5.0))
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    assert hash(mapped) == joblib.hash(mapped) != hash(np.arange(5.0))
    assert hash(mapped, coerce_mmap=True) == hash(np.arange(5.0))


def test_attributes_of_subclasses_count() -> None:
    """Where joblib gives one digest to different values, ours differ."""
    one, two = np.arange(4).view(SubArray), np.arange(4).view(SubArray)
    one.unit, two.unit = "m", "s"  # type: ignore[attr-defined]  # any attribute
    assert hash(one) != hash(two)
    masked = [np.ma.MaskedArray(np.arange(3.0), mask=np.arange(3) == k) for k in (1, 0, 1)]
    digests = [hash(value) for value in masked]
    assert digests[0] == digests[2] != digests[1]


def test_items_of_ordered_dicts_count_whatever_their_keys() -> None:
    """Where joblib drops items whose keys have no order, ours count."""
    one = collections.OrderedDict([("a", 1), (1, 2)])
    two = collections.OrderedDict([("a", 5), (1, 7)])
    assert hash(one) != hash(two)


def test_what_cannot_be_hashed_says_so() -> None:
    """Unknown algorithms, and values without a name."""
    with pytest.raises(ValueError, match="Valid options for 'hash_name'"):
        hash(1, hash_name="sha256")
    with pytest.raises(pickle.PicklingError, match="PicklingError while hashing"):
        hash(lambda: 1)


def test_hashers_take_any_algorithm_and_can_be_subclassed() -> None:
    """As third parties use them."""

    class Spaced(Hasher):
        def save(self, obj: Any) -> None:
            super().save(obj.strip() if isinstance(obj, str) else obj)

    assert Hasher("sha256").hash(1) == joblib.hashing.Hasher("sha256").hash(1)
    assert NumpyHasher("sha256").hash(np.arange(3)) == joblib.hashing.NumpyHasher("sha256").hash(np.arange(3))
    assert Spaced().hash([" a "]) == hash(["a"])
