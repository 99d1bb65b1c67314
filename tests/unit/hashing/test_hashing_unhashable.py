"""Values without content: the error says where they sit, what they are, and what to do."""

import contextlib
import functools
import socket
import sqlite3
import threading
import types
import weakref
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Any

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
import xarray as xr

from lightwork.errors import UnhashableError
from lightwork.hashing import hash as key_of
from lightwork.hashing import register_hash
from lightwork.hashing.values import digest

LOCK = threading.Lock()


@dataclass
class Holder:
    conn: Any
    name: str = "a"


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")
    inner: Any = None


@attrs.define
class Defined:
    inner: Any


class Slotted:
    __slots__ = ("inner",)

    def __init__(self, inner: Any) -> None:
        self.inner = inner


class Refusing:
    def __reduce_ex__(self, protocol: object) -> Any:
        raise NotImplementedError("not this one")


def frame_with(attributes: dict[str, Any]) -> pd.DataFrame:
    frame = pd.DataFrame({"a": [1]})
    frame.attrs.update(attributes)
    return frame


def capture(value: Any) -> Any:
    return lambda: value


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (LOCK, "value"),
        ([1, Holder(LOCK)], "value[1].conn"),
        ({"a": (1, [LOCK])}, "value['a'][1][0]"),
        ({("a", 1): LOCK}, "value[<tuple>]"),
        (OrderedDict(x=[LOCK]), "value['x'][0]"),
        (deque([1, LOCK]), "value[1]"),
        (Slotted([LOCK]), "value.inner[0]"),
        (capture(LOCK), "value.<captured value>"),
        ([Holder({1: LOCK})] * 9, "value[0].conn[1]"),
        (functools.partial(max, LOCK), "value.args[0]"),
        (np.array([1, LOCK], dtype=object), "value[1]"),
        (np.array([[1, 2], [3, [LOCK]]], dtype=object), "value[1, 1][0]"),
        (pd.DataFrame({"a": [1], "b": [[LOCK]]}), "value['b'][0][0]"),
        (pd.Series([1, LOCK]), "value[1]"),
        (frame_with({"conn": LOCK}), "value.attrs['conn']"),
        (pl.DataFrame({"a": pl.Series([LOCK], dtype=pl.Object)}), "value['a'][0]"),
        ([xr.DataArray([1], attrs={"conn": LOCK})], "value[0].attrs['conn']"),
        (xr.Dataset({"a": ("x", np.array([LOCK]))}), "value['a'].values[0]"),
        (Model(inner=[LOCK]), "value.inner[0]"),
        (Model.model_validate({"extra": LOCK}), "value.extra"),
        (Defined([1, LOCK]), "value.inner[1]"),
        (types.SimpleNamespace(a={"b": LOCK}), "value.a['b']"),
        (Refusing(), "value"),
    ],
)
def test_the_error_names_the_path(value: Any, place: str) -> None:
    """From the value down to the part that cannot be identified."""
    with pytest.raises(UnhashableError) as caught:
        key_of(value)
    assert str(caught.value).startswith(place)


def test_open_things_have_no_key() -> None:
    """Each kind of handle is refused by name, as a TypeError."""
    database = sqlite3.connect(":memory:")
    with contextlib.closing(database), socket.socket() as endpoint, open(__file__) as file:
        generator = (place for place in range(0))
        for thing in (database, endpoint, file, generator, LOCK, weakref.ref(Holder)):
            with pytest.raises(TypeError, match=r"ignore=") as caught:
                key_of({"thing": thing})
            assert type(thing).__name__ in str(caught.value)


def test_the_root_may_have_another_name() -> None:
    """Callers say what the value is called where it comes from."""
    with pytest.raises(UnhashableError, match=r"^args\[1\]\.conn is a _thread\.lock"):
        digest(Holder(LOCK), path="args[1]")


def test_very_deep_values_are_refused_in_words() -> None:
    """A RecursionError says nothing to a user."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnhashableError, match="nested too deeply"):
        key_of(value)
    while value:  # taken apart by hand: freeing it in one go would recurse in C
        value = value.pop()


def test_moderately_deep_values_have_a_key() -> None:
    """Two hundred levels are nothing special."""
    value: Any = 1
    for _ in range(200):
        value = [value]
    assert len(key_of(value)) == 64


class RefusingWith:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def __reduce_ex__(self, protocol: object) -> Any:
        raise self.error


@pytest.mark.parametrize("error", [ValueError, RuntimeError, AttributeError])
def test_every_refusal_names_its_place(error: type[Exception]) -> None:
    """`multiprocessing.Lock` and pointers of ctypes refuse with errors of other types than most."""
    with pytest.raises(UnhashableError, match=r"value\['a'\]\[0\] is a .*RefusingWith, .*\(not me\)"):
        key_of({"a": [RefusingWith(error("not me"))]})


def test_a_value_that_stands_for_itself_has_no_key() -> None:
    """A rule that hands the value back says nothing about it: all of a class would share a key."""

    class Same:
        def __cache_key__(self) -> object:
            return self

    class Foreign:
        pass

    register_hash(Foreign, lambda value: value)
    for value in (Same(), Foreign()):
        with pytest.raises(UnhashableError, match="the value itself"):
            key_of([value])
