"""`explain_hash`: the key of the tree is that of the value, and its nodes say what they are about."""

import json
import pickle
import threading
from collections import OrderedDict, defaultdict, deque
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from lightwork import explain_hash
from lightwork.errors import InvalidOption, UnhashableError
from lightwork.hashing import HashNode
from lightwork.hashing import hash as key_of
from tests.property.test_hashing_equality import VALUES


class Thing:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left: Any, right: Any) -> None:
        self.left, self.right = left, right


class StandIn:
    def __cache_key__(self) -> Any:
        return {"a": 1, "b": [2, "x"]}


class Fresh:
    def __getstate__(self) -> dict[str, Any]:
        return {"fixed": [1, "a"], "place": id(self)}


class Numbers(list[Any]):
    pass


def capture(value: Any) -> Any:
    def inner(x: Any, y: Any = (1, [2, "d"])) -> Any:
        return value

    return inner


def cycle() -> list[Any]:
    value: list[Any] = [1, {"x": "a"}]
    value.append(value)
    return value


def nodes(node: HashNode) -> list[HashNode]:
    return list(node.walk())


def paths(node: HashNode) -> list[str]:
    return [each.path for each in nodes(node)]


FAMILIES: dict[str, Any] = {
    "scalars": [None, True, 1, 2.5, 1j, "a", b"b", 2**80, ...],
    "instance": Thing(a=1, b=[2, "x"], c=Slotted({1: "a"}, None)),
    "mixed keys": {(1, 2): "x", None: [1, "a"], "b": 3},
    "ordered": OrderedDict(b=[1, "x"], a=2),
    "default": defaultdict(list, {"a": [1, "z"]}),
    "deque": deque([1, "a", [2, "b"]]),
    "sets": [{1, "a", (2, 3)}, frozenset("abc")],
    "list subclass": Numbers([1, "a", [2]]),
    "function": capture(np.zeros((300, 300))),
    "class": Thing,
    "local class": type("Local", (), {"a": [1, "x"], "f": lambda self: 1}),
    "objects": np.array([1, "a", None, [1, 2]], dtype=object),
    "records": np.zeros(3, dtype=[("a", "i4"), ("b", "f8")]),
    "masked": np.ma.masked_array([1, 2, 3], [False, True, False]),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": pd.Categorical(["u", "v"])}),
    "series": pd.Series([1.0, None], name="s", index=pd.date_range("2020", periods=2)),
    "cycle": cycle(),
    "stand-in": StandIn(),
    "columns": [{"a": i, "b": [i, Thing(x=i)]} for i in range(9)],
    "large": ["x" * 70_000, b"y" * 70_000, np.zeros(3_000_000)],
}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_root_has_the_key_of_the_value(name: str) -> None:
    """For every family of types, with another algorithm and under every bound; printing and JSON work."""
    value = FAMILIES[name]
    tree = explain_hash(value)
    assert tree.key == key_of(value)
    assert explain_hash(value, "md5").key == key_of(value, "md5")
    assert explain_hash(value, depth=0).key == explain_hash(value, width=1).key == tree.key
    assert len(set(paths(tree))) == len(nodes(tree)) or name == "sets"
    assert str(tree).splitlines()[1].endswith(tree.description)
    assert json.loads(json.dumps(tree.to_dict()))["key"] == tree.key


@settings(max_examples=400, deadline=None)
@given(VALUES)
def test_random_values_have_their_keys(value: Any) -> None:
    """The recorded walk and the usual one never differ, and a value does not differ from its copy."""
    tree = explain_hash(value)
    assert tree.key == key_of(value)
    assert tree.differences(explain_hash(pickle.loads(pickle.dumps(value)))) == []
    for node in nodes(tree):
        assert node.nbytes >= sum(child.nbytes for child in node.children if not child.again) >= 0
        assert node.milliseconds >= sum(child.milliseconds for child in node.children)


def test_a_part_has_the_key_that_it_has_alone() -> None:
    """So a user can look at one part by itself."""
    value = {"a": [1, "x"], "b": Thing(c=np.arange(5))}
    keys = {node.path: node.key for node in nodes(explain_hash(value))}
    assert keys["value['a']"] == key_of([1, "x"])
    assert keys["value['b'].c"] == key_of(np.arange(5))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, "x"]}, ["value", "value['a']", "value['a'][0]", "value['a'][1]"]),
        (Thing(a=1, b=[2, "x"]), ["value", "value.a", "value.b", "value.b[0]", "value.b[1]"]),
        (Slotted(1, [2]), ["value", "value.left", "value.right", "value.right[0]"]),
        (StandIn(), ["value", "value.__cache_key__()"]),
        (OrderedDict(b=[1]), ["value", "value['b']", "value['b'][0]"]),
        (Numbers([1, "a"]), ["value", "value[0]", "value[1]"]),
        ([{"n": i, "t": Thing(x=i)} for i in range(4)], ["value[0]['t']", "value[3]['t'].x"]),
        ({(1, 2): "x"}, ["value[<tuple>]", "value key <tuple>"]),
        (capture([1, "x"]), ["value.__code__", "value.__defaults__[0][1]", "value.<captured value>[1]"]),
        (FAMILIES["frame"], ["value['a']", "value['b']", "value['c']", "value.columns"]),
        (FAMILIES["objects"], ["value[3]"]),
    ],
)
def test_paths_are_spelled_as_in_errors(value: Any, expected: list[str]) -> None:
    """What the walk makes on the way (states, pairs, columns) is looked through."""
    found = paths(explain_hash(value))
    assert set(expected) <= set(found)
    if expected[0] == "value":
        assert [path for path in found if not path.startswith("value.__cache_key__()[")] == expected


def test_a_packed_run_is_one_node() -> None:
    """A list of a hundred thousand numbers says that it is packed; its bytes are counted."""
    (numbers,) = explain_hash({"numbers": list(range(100_000))}).children
    assert (numbers.packed, numbers.children, numbers.summary) == (True, (), "100,000 items")
    assert 800_000 <= numbers.nbytes < 801_000


def test_what_is_met_twice_costs_nothing_the_second_time() -> None:
    """The second place says so, and has the same key."""
    part = ["x" * 1000, 1]
    first, second = explain_hash([part, part]).children
    assert (first.again, second.again) == (False, True)
    assert first.key == second.key
    assert second.nbytes < 100 < first.nbytes
    assert second.children == ()


def test_bounds_hold_for_a_huge_value() -> None:
    """Ten thousand nodes at most, the upper levels whole; what is left out is counted."""
    value = [[i, "a", [i, None]] for i in range(900)] + [["b", [None, j]] * 40 for j in range(100)]
    tree = explain_hash(value)
    assert tree.key == key_of(value)
    assert len(tree.children) == 1000
    assert len(nodes(tree)) <= 10_000
    wide = explain_hash([1, "a"] * 5000)
    assert (len(wide.children), wide.omitted) == (1000, 9000)
    assert len(str(tree).splitlines()) <= 200
    assert "more" in str(wide)


def test_deep_values_have_a_node() -> None:
    """What `hash` can do, the tree can name, even if Python's stack is too short to look inside."""
    value: list[Any] = []
    for _ in range(250):
        value = [value]
    assert explain_hash(value).key == key_of(value)
    for _ in range(5000):
        value = [value]
    tree = explain_hash(value)
    assert tree.key is None
    assert tree.error is not None
    assert "too deeply" in tree.error


def test_parts_without_a_key_are_all_named() -> None:
    """Nothing is raised: each culprit has the text of the error, everything around it has no key."""
    lock = threading.Lock()
    value = {"a": [1, lock], "b": Thing(c=threading.Lock(), d=2), "e": [2, "x"], "f": [lock]}
    tree = explain_hash(value)
    errors = [node.path for node in nodes(tree) if node.error]
    assert errors == ["value['a'][1]", "value['b'].c"]  # in 'f' it is met again
    assert tree.key is None
    assert {node.path for node in tree.children if node.key is None} == {
        "value['a']",
        "value['b']",
        "value['f']",
    }
    with pytest.raises(UnhashableError) as caught:
        key_of(value)
    assert str(caught.value) in str(tree)


def test_a_culprit_that_is_left_out_is_still_named() -> None:
    """Below the deepest level, and inside it more than once."""
    lock = threading.Lock()
    tree = explain_hash([[[[[lock]]]], [[[[lock]]]], 1], depth=1)
    assert tree.key is None
    assert "value[0][0][0][0][0] is a _thread.lock" in str(tree)
    assert [child.key is None for child in tree.children] == [True, True, False]


def test_an_error_of_a_user_passes_through() -> None:
    """As it does in `hash`."""

    class Broken:
        def __cache_key__(self) -> Any:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        explain_hash([Broken()])


def test_differences_name_the_smallest_parts() -> None:
    """Changed, added and gone parts; a packed run as a whole; nothing for equal values."""
    one = {"a": Thing(b=[1, "x"], c=2), "n": [1, 2, 3, 4], "old": 1, "s": {"a", 1}}
    two = {"a": Thing(b=[1, "y"], c=2), "n": [1, 2, 3, 5], "new": 1, "s": {"a", 2}}
    found = {each.path: str(each) for each in explain_hash(one).differences(explain_hash(two))}
    assert found == {
        "value['a'].b[1]": "value['a'].b[1]: 'x' (str) became 'y' (str)",
        "value['n']": "value['n']: 4 items (list), packed, with another content",
        "value['old']": "value['old']: 1 (int) is gone",
        "value['new']": "value['new']: 1 (int) was added",
        "value['s']{...}": "value['s']{...}: 1 (int) became 2 (int)",
    }
    assert explain_hash(one).differences(explain_hash(one)) == []


def test_a_part_shown_further_up_is_not_taken_for_an_empty_one() -> None:
    """Shared on one side, a changed copy on the other: nothing "was added"."""
    part = {"a": [1, "x"], "b": 2}
    (found,) = explain_hash([part, part]).differences(explain_hash([part, {**part, "b": 3}]))
    assert found.path == "value[1]"


def test_the_attribute_that_pickling_changes_is_named() -> None:
    """What makes a key unstable."""
    value = [Fresh()]
    tree = explain_hash(value)
    (found,) = tree.differences(explain_hash(pickle.loads(pickle.dumps(value))))
    assert found.path == "value[0].place"


def test_tables_are_cut_to_lines_and_width() -> None:
    """The dearest parts stay, in the order of the value; the rest is counted."""
    value = {"a": [1, "x"], "big": np.zeros(4_000_000), "c": [2, "y"]}
    lines = explain_hash(value).table(lines=2, width=60).splitlines()
    assert max(map(len, lines)) <= 60
    assert "['big']" in lines[2]
    assert lines[3].endswith("... 2 more")
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("option", "given"), [("depth", -1), ("depth", 51), ("depth", True), ("width", 0), ("width", 1.5)]
)
def test_bounds_that_cannot_be_right_are_refused(option: str, given: Any) -> None:
    """By name, before anything is looked at."""
    with pytest.raises(InvalidOption, match=option):
        explain_hash(1, **{option: given})
    with pytest.raises(InvalidOption, match="hash_name"):
        explain_hash(1, "crc7")
