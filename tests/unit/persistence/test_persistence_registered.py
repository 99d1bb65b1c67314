"""`register_safe`: classes of users that ``load(safe=True)`` builds from checked attributes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import dump, dumps, load, loads, register_safe
from lightwork.errors import CorruptFileError, InvalidOption, UnsafeFileError


@dataclass
class Point:
    x: float
    y: float = 0.0


class Slotted:
    __slots__ = ("array", "name")

    def __init__(self, array: Any, name: str) -> None:
        self.array, self.name = array, name


class Unknown:
    def __init__(self) -> None:
        self.a = 1


class Guarded:
    def __init__(self, a: int) -> None:
        self.a = a

    def __reduce__(self) -> Any:
        return Guarded, (self.a,)


def point(held: dict[str, Any]) -> Point:
    if not all(isinstance(held.get(name), float) for name in ("x", "y")):
        raise ValueError("a point has two floats")
    return Point(held["x"], held["y"])


@pytest.fixture(autouse=True)
def registered() -> None:
    register_safe(Point, point)
    register_safe(Slotted, lambda held: Slotted(held["array"], str(held["name"])))


@pytest.mark.parametrize("mmap_mode", [None, "c"])
def test_a_registered_class_is_built(tmp_path: Path, mmap_mode: Any) -> None:
    """At any depth, with its arrays, by the registered function."""
    value: dict[str, Any] = {"p": [Point(1.0, 2.0)] * 2, "s": Slotted(np.arange(10_000), "n")}
    dump(value, tmp_path / "x.lw")
    found = load(tmp_path / "x.lw", mmap_mode, safe=True)
    assert found["p"] == [Point(1.0, 2.0)] * 2
    assert found["p"][0] is found["p"][1]
    assert (found["s"].array == value["s"].array).all()
    assert found["s"].name == "n"


def test_what_is_not_registered_is_refused() -> None:
    """Beside what is, by name."""
    with pytest.raises(UnsafeFileError, match=r"test_persistence_registered\.Unknown"):
        loads(dumps([Point(1.0), Unknown()]), safe=True)


def test_the_function_judges_the_attributes() -> None:
    """What it raises says that the file is damaged."""
    wrong: Any = "far"
    with pytest.raises(CorruptFileError, match="a point has two floats"):
        loads(dumps(Point(1.0, wrong)), safe=True)


@pytest.mark.parametrize("given", [3, Guarded, type("Local.<locals>.C", (), {})])
def test_a_class_that_is_no_bag_of_attributes_cannot_be_registered(given: Any) -> None:
    """Nor anything else."""
    with pytest.raises(InvalidOption):
        register_safe(given, point)
    with pytest.raises(InvalidOption, match="cannot be called"):
        register_safe(Point, None)  # type: ignore[arg-type]
