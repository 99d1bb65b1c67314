"""Keys are equal exactly when type and content are: random values, their copies, and their near misses."""

import copy
import os
import pickle
import random
import struct
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple

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


class Many(list[Any]):
    pass


class Pair(NamedTuple):
    one: Any
    two: Any


LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
COUNT = 10_000
"""Values of the seeded generator, which is ten times as fast as hypothesis."""

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
    if isinstance(value, SimpleNamespace):
        return name, content(vars(value))
    if isinstance(value, defaultdict):
        name += str(value.default_factory)
    if isinstance(value, deque):
        return name, value.maxlen, tuple(content(item) for item in value)
    if isinstance(value, dict | MappingProxyType):
        pairs = [(content(key), content(held)) for key, held in value.items()]
        return name, tuple(pairs) if kind is OrderedDict else tuple(sorted(pairs, key=repr))
    if isinstance(value, list | tuple):
        return name, tuple(content(item) for item in value)
    if isinstance(value, set | frozenset):
        return name, tuple(sorted((content(item) for item in value), key=repr))
    return name, repr(value)


@settings(max_examples=COUNT if LONG else 1000, deadline=None)
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


@settings(max_examples=COUNT if LONG else 400, deadline=None)
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
    mixed = [
        None,
        False,
        2,
        2.5,
        "a",
        b"1",
        (1, "a"),
        frozenset(words[:5]),
        Decimal(3),
        *Colour,
        np.int64(7),
        np.str_("b"),
    ]

    def pick() -> Any:
        return source.choice(
            [source.choice(words), source.choice(ATOMS), source.randint(-(10**20), 10**20), source.random()]
        )

    def some(values: list[Any]) -> list[Any]:
        return source.choices(values, k=source.randint(0, 6))

    def mapping(keys: list[Any], depth: int) -> dict[Any, Any]:
        return {key: value(depth - 1) for key in some(keys)}

    def value(depth: int) -> Any:
        if depth == 0 or source.random() < 0.2:
            return pick()
        children = [value(depth - 1) for _ in range(source.randint(0, 5))]
        names = dict(zip(words, children, strict=False))
        keys = source.choice([words, mixed])
        makers: list[Callable[[], Any]] = [
            lambda: children,
            lambda: tuple(children),
            lambda: Many(children),
            lambda: deque(children, source.choice([None, 9])),
            lambda: Pair(*([*children, 1, 2])[:2]),
            lambda: children[:1] * source.randint(3, 20),
            lambda: [{"id": number, "value": pick()} for number in range(source.randint(3, 6))],
            lambda: mapping(keys, depth),
            lambda: Bag(mapping(keys, depth)),
            lambda: OrderedDict(mapping(keys, depth)),
            lambda: defaultdict(source.choice([list, int]), mapping(keys, depth)),
            lambda: Counter(some(words)),
            lambda: source.choice([set, Set, frozenset])(some(keys)),
            lambda: frozenset([*some(keys), 1, (2, "a"), None]),
            lambda: Thing(names),
            lambda: Slotted(children),
            lambda: SimpleNamespace(**{f"n{place}": child for place, child in enumerate(children)}),
            lambda: np.array([source.random() for _ in children]),
            lambda: np.array(some(words), dtype=source.choice(["U9", "O"])),
            lambda: np.arange(len(children), dtype=source.choice(["i1", "i4", "u8", "f4", "c16"])),
            lambda: bytearray(source.randbytes(len(children))),
        ]
        return source.choice(makers)()

    return [value(3) for _ in range(count)]


@pytest.fixture(scope="module")
def values() -> list[Any]:
    return sample(COUNT)


@pytest.fixture(scope="module")
def keys(values: list[Any]) -> list[str]:
    return [key_of(value) for value in values]


@pytest.mark.slow
def test_ten_thousand_values_have_the_keys_of_their_copies(values: list[Any], keys: list[str]) -> None:
    """Of a deep copy, and of what pickle makes of them."""
    assert [key_of(copy.deepcopy(value)) for value in values] == keys
    assert [key_of(pickle.loads(pickle.dumps(value, protocol=5))) for value in values] == keys


@pytest.mark.slow
def test_ten_thousand_values_differ_exactly_if_their_content_does(values: list[Any], keys: list[str]) -> None:
    """All 50 million pairs: as many keys as contents, and one key for each content."""
    contents = [content(value) for value in values]
    assert len(set(zip(contents, keys, strict=True))) == len(set(contents)) == len(set(keys)) > COUNT // 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_ten_thousand_values_have_the_same_keys_in_every_process(
    seed: str, values: list[Any], keys: list[str]
) -> None:
    """In a fresh process with another hash seed.

    Sent there by pickle, and the first thousand made there anew.
    """
    root = Path(__file__).parents[2]
    code = (
        "import importlib.util, pickle, sys\n"
        f"spec = importlib.util.spec_from_file_location({__name__!r}, {__file__!r})\n"
        f"module = sys.modules[{__name__!r}] = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(module)\n"
        "def keys(values): print(*map(module.key_of, values), sep='\\n')\n"
        f"for _ in range(0, {COUNT}, 500): keys(pickle.load(sys.stdin.buffer))\n"
        "keys(module.sample(1000))\n"
    )
    path = os.pathsep.join([str(root / "src"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path}
    chunks = b"".join(pickle.dumps(values[place : place + 500]) for place in range(0, COUNT, 500))
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, input=chunks, capture_output=True, check=True)
    assert done.stdout.decode().split() == keys + keys[:1000]
