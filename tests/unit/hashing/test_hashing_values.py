"""Values: equal content has one key, unequal content never shares one."""

import array
import copy
import itertools
import pickle
import re
import types
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, Flag, IntEnum, auto
from fractions import Fraction
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from lightwork.errors import InvalidOption, UnhashableError
from lightwork.hashing import hash as key_of
from lightwork.hashing import register_hash
from tests.unit.hashing.keys import assert_apart, assert_one_key

Point = namedtuple("Point", "x y")


class Colour(Enum):
    RED = 1
    GREEN = 2


class Shade(Enum):
    RED = 1


class Level(IntEnum):
    ONE = 1


class Access(Flag):
    READ = auto()
    WRITE = auto()


@dataclass
class Record:
    name: str
    tags: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Key:
    number: int


class Slotted:
    __slots__ = ("a", "b")

    def __init__(self, a: object, b: object) -> None:
        self.a, self.b = a, b


class Dict(dict[Any, Any]):
    pass


class List(list[Any]):
    pass


class Set(set[Any]):
    pass


class Text(str):
    pass


class Cached:
    def __init__(self, x: int) -> None:
        self.x = x

    @cached_property
    def double(self) -> int:
        return 2 * self.x


def distinct() -> list[Any]:
    """Values of which no two are the same in type and content."""
    return [
        None,
        False,
        True,
        0,
        1,
        -1,
        127,
        128,
        255,
        256,
        -128,
        -129,
        2**31,
        2**63 - 1,
        2**63,
        -(2**63),
        2**64,
        10**400,
        0.0,
        -0.0,
        1.0,
        float("inf"),
        float("nan"),
        0j,
        1 + 0j,
        complex(0, -0.0),
        "",
        "0",
        "1",
        "N",
        "a\0b",
        "é",
        "\ud800",
        "x" * 63,
        "x" * 64,
        "x" * 65,
        "x" * 70_000,
        b"",
        b"0",
        b"1",
        b"N",
        b"x" * 64,
        b"x" * 70_000,
        bytearray(b""),
        bytearray(b"1"),
        bytearray(b"x" * 70_000),
        memoryview(b"1"),
        memoryview(b""),
        array.array("i", [1]),
        array.array("d", [1]),
        ...,
        NotImplemented,
        [],
        (),
        {},
        set(),
        frozenset(),
        [()],
        [[]],
        ((),),
        ([],),
        {(): ()},
        [0],
        [False],
        [0.0],
        [None],
        ["0"],
        [b"0"],
        [1, 2],
        [2, 1],
        (1, 2),
        {1, 2},
        frozenset({1, 2}),
        {1: 2},
        {2: 1},
        {"1": 2},
        {1: "2"},
        {True: 2},
        {1.0: 2},
        [1, [2]],
        [[1], 2],
        [[1, 2]],
        [1, 2, 3, 4],
        [1, 2, 3, 4.0],
        [1, 2, 3, True],
        [1, 2, 3, 2**64],
        ["a", "b", "c", "d"],
        ["a\0b", "c", "d", "e"],
        ["a", "b\0c", "d", "e"],
        ["a\0b\0c", "d", "e", "f"],
        [b"a", b"b", b"c", b"d"],
        [b"ab", b"", b"c", b"d"],
        [1.0, 2.0, 3.0, 4.0],
        [1j, 2j, 3j, 4j],
        [True, True, False, True],
        [None] * 4,
        [None] * 5,
        [[]] * 4,
        [()] * 4,
        [{}] * 4,
        [[1, 2]] * 4,
        [(1, 2)] * 4,
        [[2, 1]] * 4,
        [[1], [2], [3], [4]],
        [[1, 2, 3, 4]],
        [{"a": 1}] * 4,
        [{"a": 1}] * 5,
        [{"a": 2}] * 4,
        [{"b": 1}] * 4,
        [{1: 1}] * 4,
        [{"a": 1, "b": 2}] * 4,
        [{"a": 2, "b": 1}] * 4,
        [{Text("a"): 1}] * 4,
        {str(i): i for i in range(20)},
        {i: str(i) for i in range(20)},
        {str(i): i + 1 for i in range(20)},
        {"a": 1, 1: "a"},
        {"a": "a", 1: 1},
        {Colour.RED: 1},
        {Colour.RED: 2},
        {Colour.GREEN: 1},
        OrderedDict(),
        OrderedDict(a=1, b=2),
        OrderedDict(b=2, a=1),
        OrderedDict([("a", 1), (1, 2)]),
        OrderedDict([("a", 5), (1, 7)]),
        OrderedDict({Colour.RED: 1}),
        OrderedDict({Colour.RED: 3}),
        defaultdict(int),
        defaultdict(list),
        defaultdict(int, {"a": 1, 1: 2}),
        defaultdict(int, {"a": 5, 1: 7}),
        Dict({"a": 1, 1: 2}),
        Dict({"a": 5, 1: 7}),
        Dict(),
        List(),
        List([1]),
        Set("abc"),
        Set("abd"),
        Text(""),
        Text("0"),
        Counter("aab"),
        Counter("abb"),
        ChainMap({"a": 1}),
        UserDict(a=1),
        deque([1, 2]),
        deque([1, 2], 5),
        types.MappingProxyType({"a": 1}),
        types.SimpleNamespace(a=1),
        types.SimpleNamespace(a=2),
        range(3),
        range(0),
        range(0, 3, 2),
        slice(3),
        slice(0, 3),
        Decimal(1),
        Decimal("1.0"),
        Fraction(1, 2),
        date(2020, 1, 1),
        datetime(2020, 1, 1),
        datetime(2020, 1, 1, tzinfo=UTC),
        timedelta(1),
        datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        UUID(int=1),
        Path("a"),
        PurePosixPath("a"),
        Path("a/b"),
        re.compile("a"),
        re.compile("a", re.I),
        re.compile(b"a"),
        Colour.RED,
        Colour.GREEN,
        Shade.RED,
        Level.ONE,
        Access.READ,
        Access.READ | Access.WRITE,
        Colour,
        Shade,
        Point(1, 2),
        Point(2, 1),
        Record("a"),
        Record("a", ["b"]),
        Record("b"),
        Key(1),
        Key(2),
        {Key(1): 1},
        {Key(1), Key(2)},
        Slotted(1, 2),
        Slotted(2, 1),
        Slotted(1, None),
        Cached(1),
        Cached(2),
        ValueError("a"),
        ValueError("b"),
        TypeError("a"),
        int,
        str,
        len,
        print,
        [].append,
        [1].append,
        "a".join,
        re,
        itertools,
        object(),
        list[int],
        dict[str, int],
        int | str,
    ]


def test_unequal_values_have_different_keys() -> None:
    """No two of two hundred near misses share a key."""
    values = distinct()
    keys: dict[str, Any] = {}
    for value in values:
        key = key_of(value)
        assert key not in keys, f"{value!r} and {keys[key]!r} have one key"
        keys[key] = value


@pytest.mark.parametrize("place", range(len(distinct())))
def test_copies_have_the_same_key(place: int) -> None:
    """A deep copy, a pickle round trip and a value built anew agree."""
    value = distinct()[place]
    key = key_of(value)
    assert key_of(distinct()[place]) == key
    try:
        copies = [copy.deepcopy(value), pickle.loads(pickle.dumps(value))]
    except TypeError:  # memoryview, module, mappingproxy
        return
    assert [key_of(each) for each in copies] == [key, key]


@pytest.mark.parametrize("place", range(len(distinct())))
def test_nesting_keeps_values_apart(place: int) -> None:
    """What differs differs inside containers too."""
    values = distinct()
    value, other = values[place], values[place - 1]
    assert key_of([value]) != key_of([other])
    assert key_of({"k": value, "l": 1}) != key_of({"k": other, "l": 1})
    assert key_of([value] * 5) != key_of([other] * 5)
    assert key_of([value, other]) != key_of([other, value])


def test_sharing_leaves_no_trace() -> None:
    """One object twice, or two equal objects: the content is the same."""
    part = [1, ["a" * 100]]
    assert key_of([part, part]) == key_of([part, copy.deepcopy(part)])
    assert key_of({"a": part, "b": part}) == key_of({"a": part, "b": copy.deepcopy(part)})
    text = "".join(["a", "b"])
    assert key_of(["ab", text]) == key_of(["ab", "ab"])


def test_the_order_of_dicts_and_sets_does_not_count() -> None:
    """As in joblib; an OrderedDict is the exception, since its order is part of ``==``."""
    for keys in (["a", "b", "c"], [3, 1, 2], ["a", 1, None, (2, 3), 2.5, b"x"], list(map(str, range(40)))):
        forth, back = dict.fromkeys(keys, 0), dict.fromkeys(reversed(keys), 0)
        assert key_of(forth) == key_of(back)
        assert key_of(Dict(forth)) == key_of(Dict(back))
        assert key_of(set(forth)) == key_of(set(back))
        assert key_of(OrderedDict(forth)) != key_of(OrderedDict(back))


def test_shared_structure_is_not_walked_twice() -> None:
    """A value that doubles at each of 200 levels is done at once, not after 2**200 steps."""
    for wrap in (lambda v: [v, v], lambda v: [v] * 6, lambda v: {"a": v, "b": v}, lambda v: [{"a": v}] * 5):
        value: Any = 0
        for _ in range(60):
            value = wrap(value)
        assert len(key_of(value)) == 64


def test_what_is_assigned_to_the_name_of_a_cached_property_counts() -> None:
    """What the property leaves looks the same, and may be older than the rest: that counts too."""
    read, fresh, stale, given = (Cached(3) for _ in range(4))
    given.double = 7
    assert stale.double == read.double == 6
    stale.x = fresh.x = 4
    assert_apart([Cached(3), read, fresh, stale, given])
    assert read.double == 6
    assert key_of(copy.deepcopy(read)) == key_of(read)


class Weight(np.float64):
    unit: str


class Wide(np.complex128):
    pass


def test_kinds_of_numpys_scalars_count_with_what_they_hold() -> None:
    """Their own reduction tells neither class nor attributes."""
    plain, metres, feet = Weight(1.5), Weight(1.5), Weight(1.5)
    metres.unit, feet.unit = "m", "ft"
    assert_apart([np.float64(1.5), plain, metres, feet, Wide(1j), np.complex128(1j)])
    again = Weight(1.5)
    again.unit = "m"
    assert_one_key([metres, again])


class Mode(Enum):
    A = (1,)
    B = [1]  # noqa: RUF012 - that it can change is the point


def test_what_a_member_of_an_enumeration_holds_counts() -> None:
    """Its value, also if that is changed in place, and attributes that it was given."""
    before = key_of(Mode.A), key_of(Mode.B)
    Mode.B.value.append(5)
    Mode.A.extra = 3  # type: ignore[attr-defined]
    assert key_of(Mode.A) != before[0]
    assert key_of(Mode.B) != before[1]
    del Mode.A.extra  # type: ignore[attr-defined]
    Mode.B.value.pop()
    assert (key_of(Mode.A), key_of(Mode.B)) == before


def test_a_class_may_say_what_its_key_is() -> None:
    """``__cache_key__`` stands for the content, at any depth."""

    class Connected:
        def __init__(self, url: str) -> None:
            self.url, self.handle = url, (place for place in range(0))

        def __cache_key__(self) -> str:
            return self.url

    assert key_of([Connected("a")]) == key_of([Connected("a")])
    assert key_of([Connected("a")]) != key_of([Connected("b")])
    assert key_of(Connected("a")) != key_of("a")


def test_a_changed_value_has_another_key() -> None:
    """Nothing is remembered between two calls."""
    value = [1, {"a": [2]}]
    before = key_of(value)
    value[1]["a"].append(3)  # type: ignore[index]  # a list of two kinds
    assert key_of(value) != before


def test_ranges_of_the_same_numbers_agree() -> None:
    """As they do in ``==``; their golden keys are those of their reduction."""
    assert key_of(range(0, 4, 3)) == key_of(range(0, 5, 3)) != key_of(range(0, 7, 3))
    assert key_of(range(0)) == key_of(range(5, 3)) == key_of(range(3, 3, -1))
    assert key_of(range(2, 3)) == key_of(range(2, 0, -7)) != key_of(range(3, 4))
    assert key_of(range(10)) == "aa4798065d34879f1ca8738a64202f09a2466289bdbee07d751b77685ccdd401"


def test_subclasses_of_sets_have_no_order() -> None:
    """Their reduction lists elements as they happen to lie; the key does not see it."""
    words = [f"word {place}" for place in range(50)]
    assert key_of(Set(words)) == key_of(Set(reversed(words))) != key_of(set(words))


def test_a_registered_rule_stands_for_the_content() -> None:
    """For a class and its subclasses, at any depth, and before anything was hashed or after."""

    class Handle:
        def __init__(self, name: str) -> None:
            self.name, self.lock = name, (place for place in range(0))

    class Special(Handle):
        pass

    with pytest.raises(UnhashableError):
        key_of(Special("a"))
    register_hash(Handle, lambda handle: handle.name)
    assert key_of([Handle("a")]) == key_of([Handle("a")]) != key_of([Handle("b")])
    assert key_of(Special("a")) == key_of(Special("a")) != key_of(Handle("a"))


@pytest.mark.parametrize(
    ("cls", "rule"), [(int, str), (dict, str), (object, str), ("Handle", str), (Slotted, None)]
)
def test_rules_for_what_is_built_in_are_refused(cls: Any, rule: Any) -> None:
    """Keys of scalars and containers are fixed by the scheme."""
    with pytest.raises(InvalidOption):
        register_hash(cls, rule)


def test_paths_agree_however_they_were_put_together() -> None:
    """A path is its parts, not the texts that it was made of."""
    assert (
        key_of(PurePosixPath("a", "b")) == key_of(PurePosixPath("a/b")) == key_of(PurePosixPath("a") / "./b")
    )
    assert key_of(PurePosixPath("a/b")) != key_of(PurePosixPath("b/a"))
    assert key_of(PurePosixPath("a")) != key_of(PureWindowsPath("a"))
