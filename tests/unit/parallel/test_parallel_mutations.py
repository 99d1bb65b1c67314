"""``check_mutation=True``: arguments that change while a call runs."""

import functools
import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from lightwork.errors import ArgumentChanged, InvalidOption, UnhashableError
from lightwork.parallel import Parallel, delayed
from lightwork.parallel.mutations import MutationCheck
from lightwork.protocols import Call

numpy = pytest.importorskip("numpy")

PLACES = [(1, None), (2, "threads"), (2, "processes")]


def total(values: Any, *more: Any, **named: Any) -> float:
    return float(sum(map(float, values)))


def refilled(count: int) -> Iterator[Call]:
    """The trap: one array, filled anew for each task."""
    array = numpy.zeros(20_000)
    for number in range(count):
        array[:] = number
        yield delayed(total)(array)


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
def test_an_array_that_is_filled_anew_for_each_task_is_found(
    n_jobs: int, backend: Any, return_as: Any
) -> None:
    """Although it is gone at the end of the call. The error names both tasks."""
    call = Parallel(n_jobs, backend, return_as, check_mutation=True)
    with pytest.raises(ArgumentChanged, match=r"args\[0\] of task 0 has changed.* it is args\[0\] of task 1"):
        list(call(refilled(5)))
    assert list(call([delayed(total)([1])] * 3)) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_a_change_behind_the_last_task_is_found(n_jobs: int, backend: Any, on_error: Any) -> None:
    """At the end of the call, by name; in nested arguments too."""
    array = numpy.zeros(20_000)

    def tasks() -> Iterator[Call]:
        yield delayed(total)([1])
        yield delayed(total)([2], named={"deep": [array]})
        array[7] = 1

    with pytest.raises(ArgumentChanged, match="named of task 1 has changed while the call ran:"):
        Parallel(n_jobs, backend, on_error=on_error, check_mutation=True)(tasks())


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES[:2])
def test_a_task_that_changes_what_is_the_callers_is_found(n_jobs: int, backend: Any) -> None:
    """Where tasks share the memory of the caller."""
    shared: list[int] = []
    with pytest.raises(ArgumentChanged, match=r"args\[0\] of task 0"):
        Parallel(n_jobs, backend, check_mutation=True)([delayed(shared_append)(shared)])


def shared_append(values: list[int]) -> None:
    values.append(1)


def test_a_task_that_changes_its_copy_is_right() -> None:
    """In processes nobody else sees it."""
    values: list[int] = []
    Parallel(2, check_mutation=True)([delayed(shared_append)(values)] * 4)
    assert values == []


class Model:
    def __init__(self) -> None:
        self.fitted = 0

    def fit(self, _: int) -> None:
        self.fitted += 1


def test_the_object_of_a_method_is_an_argument() -> None:
    """Like what a partial holds."""
    model = Model()
    with pytest.raises(ArgumentChanged, match="the object of the method of task 0"):
        Parallel(2, "threads", check_mutation=True)(delayed(model.fit)(i) for i in range(3))
    values: list[int] = []
    with pytest.raises(ArgumentChanged, match="the function of task 0"):
        Parallel(2, "threads", check_mutation=True)([delayed(functools.partial(shared_append, values))()])


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
def test_what_stays_as_it_is_is_right(n_jobs: int, backend: Any) -> None:
    """Arguments that tasks share, that are new for each of them, that are equal, or that nobody keeps."""
    shared = numpy.arange(20_000)
    call = Parallel(n_jobs, backend, check_mutation=True)
    expected = [float(shared.sum()) + i for i in range(40)]
    assert call(delayed(add)(shared, numpy.full(3, i)) for i in range(40)) == expected


def add(one: Any, other: Any) -> float:
    return float(one.sum() + other[0])


def test_arrays_are_not_kept_for_the_check() -> None:
    """The memory of a call is what it is without it."""
    arrays = [numpy.full(20_000, float(i)) for i in range(3)]
    watched = [weakref.ref(array) for array in arrays]
    check = MutationCheck(copies=False)
    check.examine([delayed(total)(array) for array in arrays], 0)
    del arrays
    gc.collect()
    assert [reference() for reference in watched] == [None] * 3
    check.verify()


class Argument(list[int]):
    """A list that can be watched being let go."""


def test_an_error_keeps_no_arguments() -> None:
    """Whoever holds on to the error of a call does not hold on to the call's input."""
    arguments = [Argument([i]) for i in range(5)]
    watched = [weakref.ref(argument) for argument in arguments]
    with pytest.raises(ZeroDivisionError) as caught:
        Parallel(2, "threads", check_mutation=True)(delayed(divide)([argument]) for argument in arguments)
    del arguments
    gc.collect()
    assert sum(reference() is not None for reference in watched) <= 1
    assert caught.value.args


def divide(arguments: list[Argument]) -> float:
    return 1 / arguments[0][0]


def test_what_has_no_content_is_refused_by_name() -> None:
    """It could change without anybody being able to tell."""
    tasks = [delayed(total)([1], []), delayed(total)([1], threading.Lock())]
    with pytest.raises(UnhashableError, match=r"args\[1\] of task 1"):
        Parallel(2, "threads", check_mutation=True)(tasks)


@pytest.mark.parametrize("wrong", [1, None, "yes"])
def test_the_option_is_a_truth_value(wrong: Any) -> None:
    """Anything else is a mistake."""
    with pytest.raises(InvalidOption, match="check_mutation"):
        Parallel(check_mutation=wrong)
