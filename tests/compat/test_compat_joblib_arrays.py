"""Arrays below `max_nbytes` on their way to workers: each task has what they held when it was made."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from lightwork.compat.joblib.externals.loky import get_reusable_executor
from lightwork.compat.joblib.externals.loky.backend.reduction import set_loky_pickler
from lightwork.compat.joblib.parallel import Parallel, delayed

LARGE = 100_000  # bytes: sent once, and below the size of files


@pytest.fixture(autouse=True)
def _with_fresh_workers() -> Iterator[None]:
    yield
    get_reusable_executor().shutdown(wait=True)


def first_and_last(array: Any, *others: Any) -> tuple[Any, Any]:
    return array.flat[0].item(), array.flat[array.size - 1].item()


def change(array: Any) -> float:
    """What a task finds, and what it leaves behind."""
    found = float(array.sum())
    array += 1
    return found


def describe(array: Any) -> tuple[Any, ...]:
    numpy_kind = (type(array), array.dtype, array.shape, array.flags.f_contiguous, array.flags.writeable)
    return (*numpy_kind, array.tobytes())


def change_one(one: Any, other: Any) -> tuple[float, float]:
    one[0] = 7
    return float(one[0]), float(other[0])


def test_the_input_may_change_an_array_between_tasks() -> None:
    """joblib pickles tasks when it has read one for each worker, and so do we: later changes do not count."""
    array = np.zeros(LARGE // 8)

    def tasks() -> Iterator[Any]:
        for number in range(60):
            if number % 2 == 0:
                array[:] = number
            yield delayed(first_and_last)(array, number)

    expected = [(number - number % 2,) * 2 for number in map(float, range(60))]
    assert Parallel(n_jobs=2, batch_size=1)(tasks()) == expected


def test_calls_of_a_block_see_what_changed_between_them() -> None:
    array = np.zeros(LARGE // 8)
    with Parallel(n_jobs=2) as parallel:
        for number in range(5):
            array[-1] = number
            assert parallel(delayed(first_and_last)(array) for _ in range(6)) == [(0.0, number)] * 6


def test_what_a_task_changes_nobody_else_sees() -> None:
    array = np.ones(LARGE // 8)
    results = Parallel(n_jobs=2, batch_size=1)(delayed(change)(array) for _ in range(20))
    assert results == [float(LARGE // 8)] * 20
    assert array.sum() == LARGE // 8


@pytest.mark.parametrize(
    "array",
    [
        np.arange(LARGE // 8, dtype="f8").reshape(100, -1),
        np.asfortranarray(np.arange(LARGE // 8, dtype="f8").reshape(100, -1)),
        np.arange(LARGE // 4, dtype="f8").reshape(100, -1)[:, ::2],
        np.arange(LARGE // 8).astype("M8[s]"),
        np.zeros(LARGE // 16, dtype=[("a", "i4"), ("b", "S5"), ("c", "f4")]),
        np.arange(LARGE // 8, dtype=">i8"),
        np.array([str(k) for k in range(LARGE // 16)]),
        np.arange(LARGE // 8).view(np.matrix),
    ],
    ids=["C", "F", "strided", "times", "records", "big-endian", "texts", "matrix"],
)
def test_every_kind_of_array_arrives_as_in_the_caller(array: Any) -> None:
    """Plain, writable, of its order."""
    found = Parallel(n_jobs=2)(delayed(describe)(array) for _ in range(6))
    order = array.flags.f_contiguous
    assert found == [(type(array), array.dtype, array.shape, order, True, array.tobytes())] * 6


def test_read_only_arrays_arrive_writable() -> None:
    """As joblib's pickles make them."""
    array = np.ones(LARGE // 8)
    array.flags.writeable = False
    assert Parallel(n_jobs=2)(delayed(change)(array) for _ in range(6)) == [float(LARGE // 8)] * 6


def test_arrays_on_the_same_memory_are_two_in_the_worker() -> None:
    array = np.ones(LARGE // 8)
    assert Parallel(n_jobs=2)(delayed(change_one)(array, array[:]) for _ in range(6)) == [(7.0, 1.0)] * 6


def test_by_value_pickles_have_arrays_beside_them_too() -> None:
    array = np.ones(LARGE // 8)
    scale = 3
    results = Parallel(n_jobs=2)(delayed(lambda values: float(values[0]) * scale)(array) for _ in range(6))
    assert results == [3.0] * 6


def test_picklers_of_others_need_not_know_of_buffers() -> None:
    array = np.ones(LARGE // 8)
    set_loky_pickler("pickle")
    try:
        found = Parallel(n_jobs=2)(delayed(first_and_last)(array) for _ in range(6))
    finally:
        set_loky_pickler()
    assert found == [(1.0, 1.0)] * 6
