"""Where joblib gives a call the value of another one, side by side: its answer first, then ours.

A documentation of the difference, for joblib 1.5 and 1.6. If a later joblib mends one of these, it is time
to say so in ``docs/differences.md``.
"""

import warnings
from collections import OrderedDict
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

import lightwork

pytestmark = pytest.mark.skipif(
    joblib.__version__.split(".")[:2] not in (["1", "5"], ["1", "6"]),
    reason=f"written for joblib 1.5 and 1.6, this is {joblib.__version__}",
)

Cache = Callable[[Any], Any]


class E(Enum):
    X = 1
    Y = 2


class Bag(dict[Any, Any]):
    pass


@pytest.fixture
def theirs(tmp_path: Path) -> Cache:
    cache: Cache = joblib.Memory(tmp_path / "joblib", verbose=0).cache
    return cache


@pytest.fixture
def ours(tmp_path: Path) -> Cache:
    return lightwork.Memory(tmp_path / "lightwork").cache


@pytest.mark.parametrize("kind", [OrderedDict, Bag])
def test_dict_subclasses_with_keys_that_cannot_be_ordered(kind: Any) -> None:
    """There they are all as good as empty, from two keys on."""
    values = [kind(), kind({E.X: 1, E.Y: 2}), kind({E.X: 3, "a": 1}), kind({1: "a", "b": 2})]
    assert len({joblib.hash(value) for value in values}) == 1
    assert len({lightwork.hash(value) for value in values}) == 4


def first(mapping: Any) -> Any:
    return next(iter(mapping.values()))


def test_calls_with_such_dicts(theirs: Cache, ours: Cache) -> None:
    """The second call gets the value of the first."""
    asked = [OrderedDict({E.X: 1, E.Y: 2}), OrderedDict({E.X: 3, E.Y: 2})]
    assert [theirs(first)(each) for each in asked] == [1, 1]
    assert [ours(first)(each) for each in asked] == [1, 3]


def test_a_dtype_takes_the_place_of_what_stands_beside_it() -> None:
    """The order of a list with a dtype in it is lost."""
    one, two = [np.dtype("f4"), 1], [1, np.dtype("f4")]
    assert joblib.hash(one) == joblib.hash(two)
    assert lightwork.hash(one) != lightwork.hash(two)


def adder(amount: int) -> Callable[[int], int]:
    def add(x: int) -> int:
        return x + amount

    return add


def test_closures(theirs: Cache, ours: Cache) -> None:
    """What a closure has captured is no part of the key there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joblib says that names may collide
        assert [theirs(adder(amount))(1) for amount in (1, 100)] == [2, 2]
    assert [ours(adder(amount))(1) for amount in (1, 100)] == [2, 101]


def wrap(function: Callable[[int], str]) -> Callable[[int], str]:
    def wrapper(x: int) -> str:
        return function(x)

    return wrapper


def a(x: int) -> str:
    return "a"


def b(x: int) -> str:
    return "b"


def test_wrappers_of_one_name(theirs: Cache, ours: Cache) -> None:
    """Asked a, b, a, b: what was wrapped is no part of the key there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert [theirs(wrap(each))(1) for each in (a, b, a, b)] == ["a", "a", "a", "a"]
    assert [ours(wrap(each))(1) for each in (a, b, a, b)] == ["a", "b", "a", "b"]
