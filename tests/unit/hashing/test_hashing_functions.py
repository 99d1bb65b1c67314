"""Functions and classes as values: functions by code and captured values, classes by name."""

import copy
import functools
import json
import operator
from typing import Any

import cloudpickle
import numpy as np
import pytest

from lightwork.errors import UnhashableError
from lightwork.hashing import hash as key_of


def adder(amount: Any) -> Any:
    def add(x: Any) -> Any:
        return x + amount

    return add


def local_class(value: Any) -> Any:
    class Local:
        number = value

        def get(self) -> Any:
            return self.number

    return Local


def compiled(source: str) -> Any:
    space: dict[str, Any] = {"__name__": "made_up"}
    exec(source, space)
    return space["f"]


class Greeter:
    def __init__(self, name: str) -> None:
        self.name = name

    def greet(self) -> str:
        return self.name

    @classmethod
    def make(cls) -> "Greeter":
        return cls("a")


def test_captured_values_count() -> None:
    """Closures of one function differ by what they hold, and only by that."""
    assert key_of(adder(1)) == key_of(adder(1))
    assert len({key_of(adder(value)) for value in (1, 2, 1.0, "1", [1])}) == 5


def test_code_counts_and_formatting_does_not() -> None:
    """Comments, docstrings, annotations and line moves leave the key; constants, names and bodies do not."""
    same = [
        "def f(x):\n return x + 1",
        "\n\n# comment\ndef f(x):\n    # more\n    return (x\n      + 1)",
        'def f(x):\n "doc"\n return x + 1',
        "def f(x: int) -> int:\n return x + 1",
    ]
    other = [
        "def f(x):\n return x + 2",
        "def f(x):\n return x + 1.0",
        "def f(x=1):\n return x + 1",
        "def f(x, *, y=1):\n return x + 1",
        "def f(x):\n return x - 1",
        "def f(x):\n return f(x)",
        "def f(x):\n return x in {1, 2}",
        "def f(x):\n return [x + 1 for _ in x]",
        "def f(x):\n return [x + 2 for _ in x]",
        "f = lambda x: x + 1",
    ]
    assert len({key_of(compiled(source)) for source in same}) == 1
    assert len({key_of(compiled(source)) for source in same[:1] + other}) == len(other) + 1


def test_functions_travel() -> None:
    """A function that was sent to a worker by value is still the same one."""
    for function in (
        adder(3),
        lambda x: x,
        functools.partial(adder, 2),
        Greeter("a").greet,
        test_functions_travel,
    ):
        assert key_of(cloudpickle.loads(cloudpickle.dumps(function))) == key_of(function)


def test_functions_of_libraries_count_by_name() -> None:
    """A new release of a library does not change the keys of values that mention it."""
    values = [
        json.dumps,
        json.loads,
        functools.reduce,
        operator.add,
        operator.itemgetter(1),
        operator.itemgetter(2),
    ]
    assert len({key_of(value) for value in values}) == len(values)
    assert all(key_of(value) == key_of(copy.deepcopy(value)) for value in values)


def test_methods_count_with_their_object() -> None:
    """A bound method is its function and its object; a class method is its class."""
    keys = [key_of(each) for each in (Greeter("a").greet, Greeter("b").greet, Greeter.greet, Greeter.make)]
    assert len(set(keys)) == 4
    assert key_of(Greeter("a").greet) == keys[0]


def test_classes_without_a_name_count_by_content() -> None:
    """Two classes that one function made are not one class, nor are their instances."""
    one, same, two = local_class(1), local_class(1), local_class(2)
    assert key_of(one) == key_of(same) != key_of(two)
    assert key_of(one()) == key_of(same()) != key_of(two())


def test_partials_count_by_what_they_hold() -> None:
    """Function, positional and keyword arguments."""
    partials = [
        functools.partial(max),
        functools.partial(min),
        functools.partial(max, 1),
        functools.partial(max, key=1),
    ]
    assert len({key_of(each) for each in partials}) == 4
    partials[0].note = 1  # type: ignore[attr-defined]  # as for functions, what was stored in it counts
    assert len({key_of(each) for each in [*partials, functools.partial(max)]}) == 5
    assert key_of(functools.partial(max, a=1, b=2)) == key_of(functools.partial(max, b=2, a=1))


def test_functions_behind_a_cache_count_by_what_is_behind_it() -> None:
    """Two functions behind ``lru_cache`` in closures are two, though pickle knows them by one name."""
    assert key_of(functools.lru_cache(adder(1))) == key_of(functools.lru_cache(adder(1)))
    assert key_of(functools.lru_cache(adder(1))) != key_of(functools.lru_cache(adder(2)))


def test_a_name_that_leads_elsewhere_is_no_identity() -> None:
    """What numpy makes of a function has no content and no name of its own."""
    assert key_of(np.sin) != key_of(np.cos)
    with pytest.raises(UnhashableError, match="no name of numpy"):
        key_of(np.frompyfunc(lambda x: x, 1, 1))
