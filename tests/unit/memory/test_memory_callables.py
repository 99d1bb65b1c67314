"""Everything that can be called can be cached, in whatever order the decorators stand."""

import functools
import inspect
import operator
import time
import typing
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import pytest

from lightwork.errors import CacheWarning, InvalidOption
from lightwork.memory import Memory
from lightwork.stores import TransientStore

MEMORY = Memory(store=TransientStore())
ran: list[str] = []


class Shape:
    """Every kind of method, with the cache below and above the other decorator."""

    kind = "shape"

    def __init__(self, size: int) -> None:
        self.size = size

    @classmethod
    @MEMORY.cache(track="none")
    def class_below(cls, x: int = 1) -> str:
        ran.append("class_below")
        return f"{cls.__name__}{x}"

    @staticmethod
    @MEMORY.cache(track="none")
    def static_below(x: int) -> int:
        ran.append("static_below")
        return x + 1

    @property
    @MEMORY.cache(track="none")
    def property_below(self) -> int:
        ran.append("property_below")
        return self.size

    @functools.cached_property
    @MEMORY.cache(track="none")
    def kept_below(self) -> int:
        ran.append("kept_below")
        return self.size

    def _class_above(cls, x: int = 1) -> str:
        ran.append("class_above")
        return f"{cls.__name__}{x}"  # type: ignore[attr-defined]  # a class, once it is decorated

    def _static_above(x: int) -> int:  # type: ignore[misc]  # likewise
        ran.append("static_above")
        return x + 1

    def _property_above(self) -> int:
        """The size."""
        ran.append("property_above")
        return self.size

    def _set(self, size: int) -> None:
        self.size = size

    def _kept_above(self) -> int:
        ran.append("kept_above")
        return self.size

    # As calls, which type checkers do not follow: they allow no decorator above some of these.
    decorate: Any = MEMORY.cache(track="none")
    class_above = decorate(classmethod(typing.cast(Any, _class_above)))
    static_above = decorate(staticmethod(_static_above))
    property_above = decorate(property(_property_above, _set))
    kept_above: Any = decorate(functools.cached_property(_kept_above))

    def __call__(self, x: int) -> int:
        ran.append("__call__")
        return self.size * x


class Square(Shape):
    kind = "square"


@pytest.fixture(autouse=True)
def _empty() -> None:
    MEMORY.clear(warn=False)
    ran.clear()


@pytest.mark.parametrize("side", ["below", "above"])
def test_class_methods(side: str) -> None:
    """The class is part of the key, so subclasses have results of their own; both orders agree."""
    name, shape, square = f"class_{side}", Shape(1), Square(1)
    calls: list[Any] = [getattr(held, name) for held in (Shape, Square, shape, square)]
    assert [call(2) for call in calls] == ["Shape2", "Square2", "Shape2", "Square2"]
    assert ran == [name, name]
    assert calls[0]() == "Shape1"
    assert calls[0].__name__.endswith(name)


@pytest.mark.parametrize("side", ["below", "above"])
def test_static_methods(side: str) -> None:
    """No object is part of the key."""
    name = f"static_{side}"
    assert [getattr(held, name)(2) for held in (Shape, Shape(1), Square(2))] == [3, 3, 3]
    assert ran == [name]
    assert getattr(Shape, name).check_call_in_cache(2)


@pytest.mark.parametrize("name", ["property_below", "property_above", "kept_below", "kept_above"])
def test_properties(name: str) -> None:
    """The object is the key: equal ones share the result, and a change of it computes."""
    one = Shape(5)
    assert [getattr(one, name), getattr(Shape(5), name), getattr(Square(5), name)] == [5, 5, 5]
    assert getattr(Shape(6), name) == 6
    assert ran == [name] * 3


def test_a_property_keeps_its_setter_and_its_text() -> None:
    """Only reading is cached."""
    one: Any = Shape(5)
    assert one.property_above == 5
    one.property_above = 7
    assert one.property_above == 7
    assert Shape.property_above.__doc__ == "The size."


def test_a_cached_property_changes_keys_once() -> None:
    """What reading a ``cached_property`` leaves in an object looks like what was assigned to it."""
    one = Shape(5)
    assert one.property_below == one.kept_below == one.property_below == one.property_below == 5
    assert ran == ["property_below", "kept_below", "property_below"]


def test_a_property_that_cannot_be_read_is_refused() -> None:
    """There is nothing to cache in it."""
    with pytest.raises(InvalidOption, match="cannot cache a property object"):
        MEMORY.cache(property(None, Shape._set))


def test_abstract_methods_stay_abstract() -> None:
    """`abstractmethod` below the cache is seen by `ABC`."""

    class Base(ABC):
        @MEMORY.cache
        @abstractmethod
        def size(self) -> int: ...

    with pytest.raises(TypeError, match="abstract"):
        Base()  # type: ignore[abstract]  # that is the point


def _adder(x: int, y: int = 1, *, z: int = 0) -> int:
    return x + y + z


@functools.wraps(_adder)
def _wrapped(*args: Any, **kwargs: Any) -> int:
    return _adder(*args, **kwargs)


@functools.singledispatch
def _dispatched(x: object, y: int) -> int:
    return y


@pytest.mark.parametrize(
    ("func", "args", "expected"),
    [
        (lambda x: x + 1, (1,), 2),
        (functools.partial(_adder, 1, z=2), (3,), 6),
        (functools.partial(functools.partial(_adder, 1), 2), (), 3),
        (_wrapped, (1,), 2),
        (functools.lru_cache(_adder), (1,), 2),
        (_dispatched, (1, 2), 2),
        (Shape(3), (2,), 6),
        (Shape(3).__call__, (2,), 6),
        (len, ([1, 2],), 2),
        (str.upper, ("a",), "A"),
        ("a,b".split, (",",), ["a", "b"]),
        (operator.itemgetter(1), ([5, 6],), 6),
        (operator.methodcaller("upper"), ("a",), "A"),
        (complex, (1, 2), 1 + 2j),
        (np.square, (3,), 9),
        (np.add.reduce, ([1, 2],), 3),
        (np.array([1, 2]).sum, (), 3),
    ],
    ids=str,
)
def test_every_callable_is_cached(func: Any, args: tuple[Any, ...], expected: object) -> None:
    """Whatever can be called: the second call is a hit."""
    cached: Any = MEMORY.cache(func)
    assert [cached(*args), cached(*args)] == [expected, expected]
    assert cached.stats()[:2] == (1, 1)


def test_wraps_semantics() -> None:
    """Name, module, text, signature and annotations are those of the function."""

    def area(width: float, height: float = 1.0, *, unit: str = "m") -> float:
        """Width times height."""
        return width * height

    cached: Any = MEMORY.cache(area)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__"):
        assert getattr(cached, name) == getattr(area, name)
    assert inspect.signature(cached) == inspect.signature(area)
    assert inspect.unwrap(cached) is area
    assert typing.get_type_hints(cached) == {"width": float, "height": float, "unit": str, "return": float}


class Slow:
    """An object whose state takes a while to gather."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __getstate__(self) -> float:
        end = time.thread_time() + self.seconds
        while time.thread_time() < end:
            pass
        return self.seconds

    @MEMORY.cache
    def run(self, x: int) -> int:
        return x

    @MEMORY.cache(key=lambda self, x: x)
    def keyed(self, x: int) -> int:
        return x


def test_an_object_that_is_slow_to_hash_is_told_once() -> None:
    """Over 10 ms for ``self``: one warning that names ``key=``; a quick object gets none."""
    Slow(0.0).run(1)
    Slow(0.011).keyed(1)
    with pytest.warns(CacheWarning, match=r"Slow\.run hashes its object.*key=") as caught:
        assert [Slow(0.011).run(1), Slow(0.011).run(2)] == [1, 2]
    assert len(caught) == 1
    assert caught[0].filename == __file__
