"""Splitting values into a skeleton and buffers, and joining them again."""

import pickle
import threading
from typing import Any

import numpy as np
import pytest

from lightwork.errors import UnpicklableError
from lightwork.parcel.parcels import join, join_with, split, split_small
from tests.unit.parcel.parcel_samples import ARRAYS, FOREIGN, same


def back(value: Any, *, by_value: bool = False) -> Any:
    parcel = split(value, by_value=by_value)
    return join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])


@pytest.mark.parametrize("name", ARRAYS)
def test_every_array_comes_back_the_same_and_writable(name: str) -> None:
    """Class, dtype, shape, order and elements survive, whatever the layout; nothing comes back read-only."""
    found = back(ARRAYS[name])
    assert same(found, ARRAYS[name])
    assert found.flags.writeable


@pytest.mark.parametrize("name", FOREIGN)
def test_the_other_byte_order_is_kept(name: str) -> None:
    """A parcel does not turn bytes round; only `load` may."""
    assert same(back(FOREIGN[name]), FOREIGN[name])


def test_an_array_met_twice_is_one_array() -> None:
    """References to one array stay references to one array, small or large."""
    for array in (np.arange(3), np.arange(50_000)):
        first, second, inside = back([array, array, {"again": array}])
        assert first is second is inside["again"]


def test_large_contiguous_arrays_are_not_copied() -> None:
    """The buffers are the memory of the arrays themselves, in C or Fortran order."""
    array = np.arange(20_000.0).reshape(100, 200)
    for value in (array, array.T):
        (buffer,) = split(value).buffers
        assert np.shares_memory(np.frombuffer(buffer), array)


def test_small_arrays_share_buffers_and_do_not_overlap() -> None:
    """A thousand small arrays need few buffers, and writing to one changes no other."""
    arrays = [np.full(7, number, "i2") for number in range(1000)]
    parcel = split(arrays)
    assert len(parcel.buffers) < 10
    found = join(parcel.skeleton, [bytearray(buffer) for buffer in parcel.buffers])
    for array in found:
        array += 1
    assert all((array == number + 1).all() for number, array in enumerate(found))


def test_arrays_are_writable_only_if_the_buffers_are() -> None:
    """Read-only buffers give read-only arrays: nobody writes to what is not his."""
    parcel = split([np.arange(3), np.arange(50_000)])
    found = join(parcel.skeleton, [bytes(buffer) for buffer in parcel.buffers])
    assert not any(array.flags.writeable for array in found)


def test_the_class_of_arrays_is_a_value_like_any_other() -> None:
    """A reader that puts its own arrays in place leaves ``numpy.ndarray`` itself alone."""
    parcel = split([np.ndarray, np.arange(3)])
    kind, array = join_with(parcel.skeleton, parcel.buffers, make_array=lambda *arguments: "made")
    assert kind is np.ndarray
    assert array == "made"


class Model:
    """Has something inside that cannot be pickled."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.name = "model"


class Faulty:
    """Fails in its own way when it is taken apart."""

    def __getstate__(self) -> Any:
        raise KeyError("boom")


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ([1, Model()], "value[1].lock"),
        ({"a": [0, 1, {"b": Model()}]}, "value['a'][2]['b'].lock"),
        ((1, threading.Lock()), "value[1]"),
        ({Model(): 1}, "key value[<Model>].lock"),
        ([np.array([1, Model()], object)], "value[0][1].lock"),
        ([Faulty()], "value[0]"),
    ],
)
def test_the_error_names_the_part_that_cannot_be_pickled(value: Any, place: str) -> None:
    """The message tells where inside the value the trouble is; the first error is the cause."""
    with pytest.raises(UnpicklableError) as caught:
        split(value)
    assert f"cannot pickle {place}: " in str(caught.value)
    assert caught.value.__cause__ is not None
    assert isinstance(caught.value, pickle.PicklingError)


def test_the_root_of_the_path_can_be_named() -> None:
    """A store speaks of the result, a file of the value."""
    with pytest.raises(UnpicklableError, match=r"cannot pickle result\[0\]:"):
        split([threading.Lock()], path="result")


def test_a_value_nested_too_deeply_is_refused_with_that_reason() -> None:
    """Ten thousand lists inside each other exceed the stack; the message says so."""
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]
    with pytest.raises(UnpicklableError, match="nested too deeply"):
        split(value)
    while value:  # taken down by hand: letting go of it at once would recurse as deeply
        value = value.pop()


def test_functions_without_a_name_travel_by_value_only_when_asked() -> None:
    """A lambda is refused by default, and works with ``by_value``, together with the arrays around it."""
    array = np.arange(50_000)
    value = {"f": lambda x: x + 1, "a": array}
    with pytest.raises(UnpicklableError, match=r"value\['f'\]"):
        split(value)
    parcel = split(value, by_value=True)
    assert np.shares_memory(np.frombuffer(parcel.buffers[0], "i8"), array)
    found = join(*parcel)
    assert found["f"](1) == 2
    assert (found["a"] == array).all()


def test_by_value_names_the_part_that_no_pickler_takes() -> None:
    """cloudpickle's refusals are explained in the same way."""
    with pytest.raises(UnpicklableError, match=r"cannot pickle value\[1\]:"):
        split([lambda: 1, threading.Lock()], by_value=True)


def test_values_without_arrays_have_no_buffers() -> None:
    """Plain containers are all skeleton."""
    value = {"a": [1, 2.5, None, (True, "x", b"y")], "b": {1, 2}}
    parcel = split(value)
    assert not parcel.buffers
    assert join(*parcel) == value


def test_only_small_values_are_small() -> None:
    """By the bytes of skeleton and buffers together; a function of nowhere goes by value."""
    array = np.zeros(1000)
    assert split_small(array, 7_000) is None
    assert split_small("x" * 1000, 999) is None
    assert split_small(threading.Lock(), 1000) is None
    parcel = split_small({"a": array}, 9_000)
    assert parcel is not None
    assert join(*parcel)["a"].tolist() == array.tolist()
    by_value = split_small(lambda: 7, 9_000)
    assert by_value is not None
    assert join(*by_value)() == 7


def test_a_large_value_is_given_up_early() -> None:
    """The parts behind the limit are not looked at."""
    seen: list[int] = []

    class Part:
        def __reduce__(self) -> tuple[Any, ...]:
            seen.append(1)
            return bytes, (b"x" * 10_000,)

    assert split_small([Part() for _ in range(1000)], 64 << 10) is None
    assert len(seen) < 100
