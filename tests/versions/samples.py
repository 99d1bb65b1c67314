"""Values whose keys are the same in every Python and with every numpy; run to print them as JSON."""

import argparse
import array
import collections
import collections.abc
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import http
import importlib
import ipaddress
import itertools
import json
import math
import operator
import os
import pathlib
import random
import re
import statistics
import string
import sys
import time
import types
import typing
import uuid
import zoneinfo
from typing import Any, NamedTuple

import numpy as np

from lightwork import hash as key_of


class Colour(enum.Enum):
    RED = 1
    GREEN = (1, "a")


class Number(enum.IntEnum):
    ONE = 1


class Text(enum.StrEnum):
    A = "a"


class Flags(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


class IntFlags(enum.IntFlag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Plain:
    x: int
    y: Any = None


@dataclasses.dataclass(frozen=True)
class Frozen:
    x: int


@dataclasses.dataclass(slots=True)
class Slotted:
    x: int
    y: Any = None


class Point(NamedTuple):
    x: int
    y: Any = 2


OldPoint = collections.namedtuple("OldPoint", "x y")


class Thing:
    def __init__(self, state: Any) -> None:
        self.state = state

    def method(self) -> Any:
        return self.state


class WithSlots:
    __slots__ = ("a", "b")

    def __init__(self, a: Any) -> None:
        self.a = a


class WithState(Thing):
    def __getstate__(self) -> Any:
        return {"only": self.state}


class Bag(dict[Any, Any]):
    pass


class Stack(list[Any]):
    pass


class Group(set[Any]):
    pass


class Own(str):
    __slots__ = ()


class Oops(Exception):
    pass


def cyclic() -> list[Any]:
    ring: list[Any] = [1, {"a": None}]
    ring[1]["a"] = ring
    return ring


BUILT_IN: dict[str, Any] = {
    "none": None,
    "true": True,
    "ellipsis": ...,
    "not implemented": NotImplemented,
    "ints": [0, 1, -1, 2**63, -(2**63), 2**64, 10**40],
    "floats": [0.0, -0.0, 1e300, math.inf, -math.inf, math.nan, 5e-324],
    "complex": 1 - 2j,
    "text": "aé\0\ud800\U0001f600",
    "long text": "é" * 100_000,
    "bytes": b"\x00\xff",
    "bytearray": bytearray(b"ab"),
    "memoryview": memoryview(b"abcd").cast("H"),
    "range": range(3, 10, 2),
    "slice": slice(1, None, 2),
    "list": [1, "a", None, 2.5, b"c", (1,), [2], {3}],
    "tuple": (1, (2, (3, ()))),
    "dict": {"b": 1, "a": [2], "c": {"d": None}},
    "mixed dict": {1: "a", "b": 2, None: 3, (1, "x"): 4, 1.5: 5, Colour.RED: 6, frozenset("ab"): 7},
    "records": [{"id": i, "name": f"n{i}", "w": [i * 0.5] * 3} for i in range(40)],
    "set": {"a", "b", "c", "d"},
    "mixed set": {1, "a", None, (2, "b"), Colour.GREEN, b"c", 2.5},
    "frozenset": frozenset({"x", frozenset({"y", "z"}), 3}),
    "cycle": cyclic(),
}

COLLECTIONS: dict[str, Any] = {
    "OrderedDict": collections.OrderedDict(b=1, a=2),
    "defaultdict": collections.defaultdict(list, {"a": [1], 2: [3]}),
    "Counter": collections.Counter("abca"),
    "deque": collections.deque([1, 2, "a"], maxlen=5),
    "ChainMap": collections.ChainMap({"a": 1}, {"b": 2}),
    "UserDict": collections.UserDict(a=1),
    "UserList": collections.UserList([1, 2]),
    "UserString": collections.UserString("ab"),
    "mappingproxy": types.MappingProxyType({"a": 1, 2: 3}),
    "SimpleNamespace": types.SimpleNamespace(a=1, b=[2]),
    "argparse.Namespace": argparse.Namespace(lr=0.1),
    "array": array.array("d", [1.0, 2.0]),
    "ints of array": array.array("i", range(10)),
    "namedtuple": OldPoint(1, [2]),
    "NamedTuple": Point(1),
    "dict subclass": Bag({"a": 1, 2: "b", Colour.RED: None}),
    "list subclass": Stack([1, 2]),
    "set subclass": Group({"a", 1, None}),
    "str subclass": Own("a"),
}

LIBRARY: dict[str, Any] = {
    "Decimal": [decimal.Decimal("1.50"), decimal.Decimal("NaN"), decimal.Decimal("-Infinity")],
    "Fraction": fractions.Fraction(-3, 7),
    "UUID": uuid.UUID(int=5),
    "date": datetime.date(2020, 2, 29),
    "time": datetime.time(1, 2, 3, 4, fold=1),
    "datetime": datetime.datetime(2020, 1, 2, 3, 4, 5, 6),
    "datetime in UTC": datetime.datetime(2020, 1, 2, tzinfo=datetime.UTC),
    "datetime at an offset": datetime.datetime(
        2020, 1, 2, tzinfo=datetime.timezone(datetime.timedelta(hours=-3), "X")
    ),
    "datetime in a zone": datetime.datetime(
        2020, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo("Europe/Paris")
    ),
    "zone": zoneinfo.ZoneInfo("Asia/Tokyo"),
    "timedelta": datetime.timedelta(days=-1, microseconds=7),
    "struct_time": time.gmtime(0),
    "path": pathlib.Path("/a/b/../c.txt"),
    "relative path": pathlib.PurePosixPath("a") / "b",
    "Windows path": pathlib.PureWindowsPath("C:/a/b"),
    "pattern": re.compile(r"a(b)?", re.IGNORECASE | re.MULTILINE),
    "bytes pattern": re.compile(rb"a+"),
    "address": ipaddress.ip_address("10.0.0.1"),
    "network": ipaddress.ip_network("10.0.0.0/8"),
    "random state": random.Random(3),
    "template": string.Template("$a"),
    "NormalDist": statistics.NormalDist(1, 2),
    "HTTPStatus": http.HTTPStatus.NOT_FOUND,
    "exception": ValueError("a", 1),
    "own exception": Oops("x"),
    "OSError": OSError(2, "no"),
    "generic alias": list[int],
    "typing": typing.Any,
}

OWN: dict[str, Any] = {
    "enum": [Colour.RED, Colour.GREEN, Number.ONE, Text.A],
    "flags": [Flags.READ, Flags.READ | Flags.WRITE, Flags(0), IntFlags.READ | IntFlags.WRITE],
    "enum class": Colour,
    "dataclass": Plain(1, [Frozen(2)]),
    "dataclass with slots": Slotted(1, {"a": Frozen(3)}),
    "instance": Thing({"a": [1, Thing(None)]}),
    "instance with slots": WithSlots([1]),
    "instance with __getstate__": WithState(5),
    "class": [Thing, Plain, Bag, Point, Oops],
}

CODE: dict[str, Any] = {
    "classes": [
        int,
        str,
        dict,
        Exception,
        type,
        object,
        collections.OrderedDict,
        decimal.Decimal,
        pathlib.Path,
    ],
    "abstract classes": [collections.abc.Mapping, collections.abc.Iterable, os.PathLike],
    "builtins": [len, print, sorted, math.sin, operator.add, itertools.chain, functools.reduce],
    "functions of libraries": [json.dumps, os.path.join, statistics.mean, functools.wraps, re.sub],
    "methods of builtins": [str.upper, dict.get, "a".join, [1].append],
    "getters": [operator.itemgetter(1, "a"), operator.attrgetter("a.b"), operator.methodcaller("m", 1)],
    "partial": functools.partial(json.dumps, indent=1),
    "modules": [json, os.path, math],
    "numpy functions": [np.sin, np.add, np.mean, np.linalg.norm, np.ndarray, np.float64, np.dtype],
}

_SHAPED = np.arange(24, dtype="<f8").reshape(2, 3, 4)
_RECORD = np.dtype([("a", "<i4"), ("b", "<f8", (2,)), ("c", "S3")])
_CODES = "?bBhHiIlLqQefdgFDGSUV"


def _of_dtype(dtype: np.dtype[Any]) -> Any:
    if dtype.kind in "SU":
        return np.array(["a", "bc", ""], dtype)
    if dtype.kind == "V":
        return np.zeros(3, "V4")
    return np.array([0, 1, 2]).astype(dtype)


NUMPY: dict[str, Any] = {
    **{f"dtype {code}": _of_dtype(np.dtype(code)) for code in _CODES},
    **{f"swapped {code}": _of_dtype(np.dtype(code).newbyteorder()) for code in "hiqefdFD"},
    **{f"scalar {code}": _of_dtype(np.dtype(code))[1] for code in _CODES},
    "datetime64": np.array(["2020-01-01", "NaT"], "M8[D]"),
    "datetime64[ns]": np.array(["2020-01-01T00:00:01"], "M8[ns]"),
    "timedelta64": np.array([1, 2], "m8[25s]"),
    "scalar datetime64": np.datetime64("2020-01-01", "D"),
    "objects": np.array([1, "a", None, [2]], object),
    "structure": np.zeros(2, _RECORD),
    "aligned structure": np.zeros(2, np.dtype([("a", "i1"), ("b", "f8")], align=True)),
    "records": np.rec.array([(1, 2.0), (3, 4.0)], dtype=[("x", "<i4"), ("y", "<f8")]),
    "scalar structure": np.zeros(2, _RECORD)[0],
    "three dimensions": _SHAPED,
    "Fortran order": np.asfortranarray(_SHAPED),
    "strided": _SHAPED[:, ::2, 1:],
    "no dimensions": np.array(1.5),
    "empty": np.empty((0, 3)),
    "large": np.arange(3_000_000, dtype="<i8"),
    "large and strided": np.arange(300_000, dtype="<f4")[::3],
    "masked": np.ma.array([1.0, 2.0, 3.0], mask=[False, True, False], fill_value=9.0),
    "matrix-like": np.ma.masked_array([[1, 2]], mask=True),
    "dtypes": [np.dtype("<f8"), np.dtype(">i2"), _RECORD, np.dtype("M8[us]"), np.dtype(object)],
    "arrays in a list": [np.arange(n, dtype="<i4") for n in range(6)],
    "arrays in a dict": {"a": np.ones(3), "b": [np.zeros((2, 2))]},
    "in a dataclass": Plain(1, np.ones(2)),
}

TABLE = {
    f"{group}: {name}": value
    for group, values in {
        "built in": BUILT_IN,
        "collections": COLLECTIONS,
        "library": LIBRARY,
        "own": OWN,
        "code": CODE,
        "numpy": NUMPY,
    }.items()
    for name, value in values.items()
}

if __name__ == "__main__":
    # As an imported module, since classes of `__main__` have another name.
    samples = importlib.import_module("samples")
    keys = {name: key_of(value) for name, value in samples.TABLE.items()}
    python = ".".join(map(str, sys.version_info[:3]))
    print(json.dumps({"python": python, "numpy": np.__version__, "keys": keys}))
