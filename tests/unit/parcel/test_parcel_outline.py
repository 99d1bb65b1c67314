"""Outlines: what a skeleton would build, and a part of it cut out."""

import argparse
import collections
import datetime
import functools
import http
import re
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from lightwork.errors import UnpicklableError
from lightwork.parcel.outline import Node, array_at, cut, outline, parts_of
from lightwork.parcel.parcels import Parcel, join, split
from tests.unit.parcel.parcel_samples import ARRAYS, same

# Any: values of all types
OBJECTS: dict[str, Any] = {
    "frame": pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"], "c": pd.Categorical(["u", "v"])}),
    "estimator": LinearRegression().fit([[1.0], [2.0]], [1.0, 2.0]),
    "namespace": argparse.Namespace(inner=[argparse.Namespace(x=1)], array=np.arange(3)),
    "ordered": collections.OrderedDict(a=1, b=[2]),
    "default": collections.defaultdict(list, {1: [2]}),
    "queue": collections.deque([1, {2: 3}], 5),
    "counter": collections.Counter("abca"),
    "date": datetime.datetime(2020, 1, 2, 3),
    "enum": http.HTTPStatus.OK,
    "keys that are objects": {datetime.date(2020, 1, 1): 1, (http.HTTPStatus.OK, 2): 3},
    "set of objects": {http.HTTPStatus.OK, http.HTTPStatus.NOT_FOUND},
    "class": collections.OrderedDict,
    "partial": functools.partial(int, base=2),
    "method": "text".upper,
    "pattern": re.compile("x+"),
    "number": np.float64(3.5),
    "bytes": [b"x", bytearray(b"y"), 1 + 2j, 3**100, range(3), slice(1, 2)],
    "error": ValueError("x", 3),
}


def outline_of(parcel: Parcel) -> Any:
    return outline(parcel.skeleton, len(parcel.buffers))


def joined(part: Any, parcel: Parcel) -> Any:
    skeleton, numbers = cut(part)
    return join(skeleton, [bytearray(parcel.buffers[number]) for number in numbers])


@pytest.mark.parametrize("name", OBJECTS)
def test_each_object_can_be_cut_out(name: str) -> None:
    """Alone it is what it is in the whole: its pickle says so."""
    parcel = split({"before": np.arange(9), **OBJECTS, "after": OBJECTS[name]})
    root = outline_of(parcel)
    expected = join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])[name]
    found = joined(root[name], parcel)
    assert type(found) is type(expected)
    assert split(found) == split(expected)


@pytest.mark.parametrize("name", ARRAYS)
def test_each_array_can_be_cut_out(name: str) -> None:
    """Arrays of every kind, those of objects and of other classes too."""
    parcel = split(ARRAYS)
    assert same(joined(outline_of(parcel)[name], parcel), split_and_joined(ARRAYS[name]))


def split_and_joined(value: Any) -> Any:
    parcel = split(value)
    return join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])


class Trap:
    """Must not be unpickled."""

    def __reduce__(self) -> Any:
        return _sprung, (self.__class__,)


def _sprung(kind: type) -> None:
    raise AssertionError("an outline has called something")


def test_an_outline_runs_and_imports_nothing() -> None:
    """Whatever the skeleton names, here a module that would raise when it is imported."""
    parcel = split({"trap": Trap(), "array": np.arange(3)})
    skeleton = parcel.skeleton.replace(__name__.encode(), b"x" * len(__name__))
    root = outline(skeleton, len(parcel.buffers))
    assert isinstance(root["trap"], Node)
    assert "x" * len(__name__) not in sys.modules
    assert joined(root["array"], parcel).tolist() == [0, 1, 2]


def test_what_parts_share_is_shared_again() -> None:
    """Also in cycles: an object that refers to itself does so afterwards."""
    array, knot = np.arange(5), argparse.Namespace()
    knot.me, knot.list = knot, [knot]
    parcel = split({"a": array, "b": [array], "knot": knot})
    root = outline_of(parcel)
    left, (right,), again = joined([root["a"], root["b"], root["knot"]], parcel)
    assert left is right
    assert again.me is again.list[0] is again


def test_a_cut_asks_for_its_own_buffers_only() -> None:
    """By their numbers in the whole."""
    parcel = split([np.arange(5000) + number for number in range(4)])
    root = outline_of(parcel)
    assert cut([root[3], root[1]]).buffers == [3, 1]
    assert cut(5).buffers == []
    at = array_at(root[2])
    assert at is not None
    assert (at.shape, at.segment, at.offset, at.order) == ((5000,), 2, 0, "C")
    assert array_at(root) is None
    assert sum(array_at(part) is not None for part in parts_of(root)) == 4


def test_functions_by_value_keep_their_state() -> None:
    """Their state is set by a call whose result is dropped, which is noticed."""
    factor, array = 3, np.arange(3)
    parcel = split({"f": lambda value: value * factor + array.sum(), "x": 1}, by_value=True)
    assert joined(outline_of(parcel)["f"], parcel)(2) == 9


def test_classes_by_value_are_refused() -> None:
    """Their instances cannot be followed without making the class: the error says what to do."""

    class Local:
        pass

    with pytest.raises(UnpicklableError, match=r"whole, with load\(path\)"):
        outline_of(split({"x": Local()}, by_value=True))


class Frozen:
    """Gives a read-only buffer of its own to the pickler."""

    def __init__(self, content: Any) -> None:
        self.content = content

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Frozen, (__import__("pickle").PickleBuffer(bytes(self.content)),)


def test_read_only_buffers_stay_read_only() -> None:
    """They are asked for in another way than writable ones."""
    parcel = split([1, Frozen(b"abc")])
    found = joined(outline_of(parcel)[1], parcel)
    assert bytes(found.content) == b"abc"
    assert memoryview(found.content).readonly
