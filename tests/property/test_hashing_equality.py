"""Keys are equal exactly when type and content are: random values, their copies, and their near misses."""

import copy
import os
import pickle
import random
import struct
import subprocess
import sys
from collections import OrderedDict, defaultdict
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.hashing import hash as key_of


class Colour(Enum):
    RED = 1
    GREEN = "1"


class Bag(dict[Any, Any]):
    pass


class Set(set[Any]):
    pass


class Thing:
    def __init__(self, state: Any) -> None:
        self.state = state


class Slotted:
    __slots__ = ("state",)

    def __init__(self, state: Any) -> None:
        self.state = state


ATOMS: list[Any] = [
    None,
    False,
    True,
    0,
    1,
    2,
    -1,
    1.0,
    0.0,
    -0.0,
    "",
    "1",
    "a",
    b"",
    b"1",
    2**70,
    1j,
    Colour.RED,
]
ATOMS += [
    Colour.GREEN,
    Decimal(1),
    Fraction(1),
    np.int64(1),
    np.float64(1),
    np.bool_(True),
    np.str_("1"),
    "\0",
]
KEYS = st.sampled_from(
    [None, False, 2, 1.5, "", "1", "a", b"1", Colour.RED, Colour.GREEN, (1, "a"), Decimal(3)]
)


def arrays() -> st.SearchStrategy[Any]:
    shapes = st.sampled_from([(0,), (2,), (4,), (2, 2), (1, 4)])
    dtypes = st.sampled_from(["i8", "f8", "i4", "U1", "M8[s]", "?"])
    return st.builds(lambda s, d, fill: np.full(s, fill).astype(d), shapes, dtypes, st.integers(0, 1))


VALUES = st.recursive(
    st.sampled_from(ATOMS) | arrays(),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.builds(lambda item, n: [item] * n, inner, st.integers(3, 6))
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=3).map(OrderedDict)
        | st.dictionaries(KEYS, inner, max_size=3).map(lambda d: defaultdict(list, d))
        | st.dictionaries(KEYS, inner, max_size=3).map(Bag)
        | st.sets(KEYS, max_size=4)
        | st.frozensets(KEYS, max_size=4)
        | inner.map(Thing)
        | inner.map(Slotted)
    ),
    max_leaves=12,
)


def content(value: Any) -> Any:
    """Type and content as a nested tuple that ``==`` compares exactly."""
    kind = type(value)
    name = kind.__qualname__
    if isinstance(value, float | complex) and kind in (float, complex):
        number = complex(value)
        return name, struct.pack("<dd", number.real, number.imag)
    if isinstance(value, np.ndarray):
        return name, value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, Thing | Slotted):
        return name, content(value.state)
    if isinstance(value, dict):
        pairs = [(content(key), content(held)) for key, held in value.items()]
        return name, tuple(pairs) if kind is OrderedDict else tuple(sorted(pairs, key=repr))
    if isinstance(value, list | tuple):
        return name, tuple(content(item) for item in value)
    if isinstance(value, set | frozenset):
        return name, tuple(sorted((content(item) for item in value), key=repr))
    return name, repr(value)


@settings(max_examples=1500, deadline=None)
@given(VALUES, VALUES)
def test_keys_are_equal_exactly_when_content_is(one: Any, two: Any) -> None:
    """Both directions, for independent values."""
    assert (key_of(one) == key_of(two)) == (content(one) == content(two))


@settings(max_examples=500, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_a_change_deep_inside_is_seen(one: Any, two: Any, rest: Any) -> None:
    """The same surroundings around unequal parts never hide the difference."""
    for wrap in (
        lambda v: [rest, v],
        lambda v: {"a": rest, "b": v},
        lambda v: Thing((v, rest)),
        lambda v: [{"x": v, "y": rest}] * 5,
        lambda v: [rest] * 4 + [v],
    ):
        assert (key_of(wrap(one)) == key_of(wrap(two))) == (content(one) == content(two))


@settings(max_examples=500, deadline=None)
@given(VALUES)
def test_copies_have_the_same_key(value: Any) -> None:
    """Deep copies and pickle round trips, alone and side by side with the original."""
    twin, tripped = copy.deepcopy(value), pickle.loads(pickle.dumps(value, protocol=5))
    assert key_of(value) == key_of(twin) == key_of(tripped)
    assert key_of([value, value]) == key_of([value, twin]) == key_of([twin, tripped])


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(KEYS, VALUES, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_count(value: dict[Any, Any], shuffle: random.Random) -> None:
    """For dicts, their subclasses and sets, whatever the keys are."""
    items = list(value.items())
    shuffle.shuffle(items)
    for kind in (dict, Bag):
        assert key_of(kind(items)) == key_of(kind(value))
    assert key_of({key for key, _ in items}) == key_of(set(value))


def sample(count: int) -> list[Any]:
    """Random nested values, the same in every process: made with a seeded generator, not from sets."""
    source = random.Random(7)
    words = ["".join(source.choices("abcdefgh", k=source.randint(0, 8))) for _ in range(50)]

    def value(depth: int) -> Any:
        kind = source.randint(0, 9 if depth else 2)
        some = range(source.randint(0, 6))
        if kind <= 1:
            return source.choice(words)
        if kind == 2:
            return source.choice([None, True, source.randint(-(10**20), 10**20), source.random(), Colour.RED])
        if kind == 3:
            return source.choice([set, Set])(source.choices(words, k=len(some)))
        if kind == 4:
            return frozenset([*source.choices(words, k=len(some)), 1, (2, "a"), None])
        if kind == 5:
            return {source.choice(words): value(depth - 1) for _ in some}
        if kind == 6:
            return {
                source.choice([1, "a", (2, "b"), Colour.RED, frozenset(words[:5])]): value(depth - 1)
                for _ in some
            }
        if kind == 7:
            return Thing({source.choice(words): value(depth - 1) for _ in some})
        if kind == 8:
            return np.array([source.random() for _ in some])
        return [value(depth - 1) for _ in some]

    return [value(4) for _ in range(count)]


@pytest.mark.slow
def test_keys_are_the_same_in_every_process() -> None:
    """Two thousand values in fresh processes with other hash seeds: not one key differs."""
    root = Path(__file__).parents[2]
    code = (
        "import importlib.util, sys\n"
        f"spec = importlib.util.spec_from_file_location({__name__!r}, {__file__!r})\n"
        f"module = sys.modules[{__name__!r}] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "print([module.key_of(value) for value in module.sample(2000)])\n"
    )
    outputs = set()
    for seed in ("1", "2"):
        path = os.pathsep.join([str(root / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
        )
        outputs.add(done.stdout.strip())
    assert outputs == {str([key_of(value) for value in sample(2000)])}
