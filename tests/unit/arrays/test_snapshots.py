"""Memory as it was at a moment, copied once as long as it does not change."""

import gc
import threading
import weakref

import numpy as np
import pytest

from lightwork.arrays.sightings import Sightings
from lightwork.arrays.snapshots import Snapshots


def view(array: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> memoryview:
    return array.view("u1").data


def test_unchanged_memory_is_copied_once() -> None:
    """While somebody has the copy; a view on the same memory is the same memory."""
    snapshots, array = Snapshots(), np.arange(1000.0)
    first = snapshots.take(view(array))
    assert snapshots.take(view(array[:])) is first
    assert bytes(first) == array.tobytes()
    assert snapshots.take(view(array[:500])) is not first


def test_a_change_is_a_new_copy_and_the_old_one_stays() -> None:
    snapshots, array = Snapshots(), np.arange(1000.0)
    first, old = snapshots.take(view(array)), array.tobytes()
    array[-1] += 1
    second = snapshots.take(view(array))
    assert bytes(first) == old
    assert bytes(second) == array.tobytes()
    assert snapshots.take(view(array)) is second


def test_nothing_is_kept_that_nobody_has() -> None:
    """Neither the copies, nor the memory that they are of."""
    snapshots, array = Snapshots(), np.arange(1000.0)
    ends: list[weakref.ref[object]] = [weakref.ref(snapshots.take(view(array)))]
    gc.collect()
    assert ends[0]() is None
    ends.append(weakref.ref(array))
    kept = snapshots.take(view(array))
    del array
    gc.collect()
    assert ends[1]() is None
    assert len(kept) == 8000


def test_memory_that_nobody_can_know_again_is_copied_each_time() -> None:
    snapshots, data = Snapshots(), bytearray(range(100))
    first, second = (snapshots.take(memoryview(data)) for _ in range(2))
    assert first == second == data
    assert first is not second


def test_threads_share_one_copy() -> None:
    snapshots, array, found = Snapshots(), np.arange(100_000.0), []
    start = threading.Barrier(8)

    def take() -> None:
        start.wait()
        found.append(snapshots.take(view(array)))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_the_end_of_memory_is_told_once_with_what_was_noted_of_it() -> None:
    """Also if other memory lies in its place by then."""
    told: list[object] = []
    sightings = Sightings(told.append)
    for number in range(50):
        array = np.full(10_000, float(number))
        seen, is_first = sightings.meet(view(array))
        assert seen is not None
        assert is_first
        if number % 2:
            seen.mark = number
    del array
    sightings.sweep()
    assert told == list(range(1, 50, 2))


@pytest.mark.parametrize("order", ["C", "F"])
def test_views_of_one_array_are_known_by_their_place(order: str) -> None:
    array = np.zeros((100, 100), order=order)  # type: ignore[call-overload]  # a text, not a literal
    sightings = Sightings()
    assert sightings.meet(array.ravel(order).view("u1").data)[1]
    assert not sightings.meet(array.ravel(order).view("u1").data)[1]
    assert sightings.meet(array.ravel(order)[10:].view("u1").data)[1]
