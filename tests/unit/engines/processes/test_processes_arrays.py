"""Arrays behave the same in a worker as in the caller: writable, private, the same for every task."""

import contextlib
import errno
import gc
import mmap
import os
import resource
import weakref
from collections.abc import Iterator
from pickle import PickleBuffer
from typing import Any

import numpy as np
import pytest

from lightwork.arrays.sightings import SHARED_FROM
from lightwork.engines.processes import ProcessEngine, publishing
from lightwork.engines.processes.publishing import Known, Publisher
from lightwork.engines.workers.calls import calls
from lightwork.engines.workers.channel import Frame
from lightwork.engines.workers.wire import STREAM, StreamWriter
from lightwork.errors import UnpicklableError
from lightwork.protocols import Batch
from tests.unit.engines.processes.driving import batches, collect, open_session, results, running_engine, task

SIZES = [8, 5_000, 200_000]  # inside the pickle, beside it, published


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    with running_engine() as engine:
        yield engine


KEPT: list[Any] = []


def add_one(array: Any) -> float:
    array += 1
    return float(array.sum())


def keep_and_change(array: Any, value: float) -> list[float]:
    """Change the array, keep it in a global, and tell what all kept ones look like."""
    array[0] = value
    KEPT.append(array)
    return [float(kept[0]) for kept in KEPT]


def give_back(array: Any) -> Any:
    array[1] = -1
    return array


def both(one: Any, two: Any) -> tuple[float, float]:
    one[0] = 5
    return float(one[0]), float(two[0])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("batch", [1, 4])
def test_each_task_changes_its_own_copy(engine: ProcessEngine, size: int, batch: int) -> None:
    """Adding in place gives the same for every task, and the caller sees nothing of it."""
    array = np.zeros(size)
    assert results(engine, [task(add_one, array)] * 8, size=batch) == [size] * 8
    assert not array.any()


@pytest.mark.parametrize("size", SIZES)
def test_a_read_only_array_arrives_writable(engine: ProcessEngine, size: int) -> None:
    """What is private may be written."""
    array = np.zeros(size)
    array.flags.writeable = False
    assert results(engine, [task(add_one, array)] * 4) == [size] * 4


def test_what_a_task_keeps_is_left_to_it(engine: ProcessEngine) -> None:
    """A published array that a global still refers to keeps its content while later tasks run."""
    array = np.zeros(200_000)
    values = results(engine, [task(keep_and_change, array, float(k)) for k in range(1, 6)], slots=1)
    assert values[-1] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_a_published_array_can_be_a_result(engine: ProcessEngine) -> None:
    """It comes back as a copy, with what the task wrote."""
    array = np.arange(100_000.0)
    for value in results(engine, [task(give_back, array)] * 5, size=2, slots=1):
        assert value[1] == -1
        assert value[2] == 2
        assert value.flags.writeable
    assert array[1] == 1


def test_two_arguments_with_the_same_memory_are_two_copies(engine: ProcessEngine) -> None:
    """Two views on one buffer do not see each other's changes, published or not."""
    array = np.zeros(100_000)
    assert results(engine, [task(both, array, array[:])] * 4, slots=1) == [(5.0, 0.0)] * 4


@pytest.mark.parametrize("make", [np.asfortranarray, lambda a: a[::2, ::2], lambda a: a.T, lambda a: a[3:]])
def test_layouts_keep_their_values(engine: ProcessEngine, make: Any) -> None:
    """Fortran order, strided, transposed and sliced arrays arrive with equal elements, again and again."""
    array = make(np.arange(160_000.0).reshape(400, 400))
    for value in results(engine, [task(np.asarray, array)] * 4, slots=1):
        np.testing.assert_array_equal(value, array)


def test_large_results_arrive_writable(engine: ProcessEngine) -> None:
    """They are received into memory of their own."""
    one, two = results(engine, [task(np.full, 1_000_000, 7.0), task(np.full, 3, 8.0)])
    one += 1
    two += 1
    assert one[-1] == 8
    assert two.tolist() == [9, 9, 9]


def test_arrays_are_let_go_with_their_task(engine: ProcessEngine) -> None:
    """After its task is reported the parent keeps no reference to an argument, published or not."""
    session = open_session(engine)
    arrays = [np.zeros(200_000), np.zeros(200_000)]
    owners = [weakref.ref(array) for array in arrays]
    calls = [task(add_one, arrays[0]), task(add_one, arrays[1]), task(add_one, arrays[1])]
    for batch in batches(calls, 1):
        session.send(0, batch)
    collect(session, 3)
    del calls, batch
    arrays.clear()
    gc.collect()
    assert [owner() for owner in owners] == [None, None]
    session.close(abort=False)


def test_new_arrays_at_an_old_address_are_not_confused(engine: ProcessEngine) -> None:
    """A fresh array often lies where the last one lay; each task gets its own content."""
    session = open_session(engine)
    for k in range(30):
        session.send(0, Batch(k, [task(np.mean, np.full(50_000, float(k)))]))
    found = collect(session, 30)
    session.close(abort=False)
    assert found.values == {k: float(k) for k in range(30)}


def test_a_buffer_is_published_at_its_second_sight() -> None:
    """Inline the first time, a segment from then on; small ones never."""
    publisher = Publisher()
    large, small = np.zeros(SHARED_FROM, "u1"), np.zeros(SHARED_FROM - 1, "u1")
    assert isinstance(publisher.place(PickleBuffer(large.data)), memoryview)
    assert publisher.place(PickleBuffer(large.data)) == publisher.place(PickleBuffer(large.data)) == 0
    assert all(isinstance(publisher.place(PickleBuffer(small.data)), memoryview) for _ in range(3))
    publisher.close()


def descriptors(_: Any = None) -> int:
    return len(os.listdir("/proc/self/fd"))


def total_of(arrays: Any) -> tuple[float, int]:
    """All of them changed and added up, and the descriptors that are open meanwhile."""
    for array in arrays:
        array += 1
    return float(sum(array[0] for array in arrays)), descriptors()


def add_up(arrays: Any) -> tuple[float, int]:
    return float(sum(array[0] for array in arrays)), descriptors()


@pytest.mark.parametrize("read_only", [False, True])
def test_many_arrays_take_few_descriptors(engine: ProcessEngine, read_only: bool) -> None:
    """More arrays than a process may have descriptors: here and in workers most are left for others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    arrays = [np.full(SHARED_FROM // 8, float(k)) for k in range(300)]
    expected = sum(range(300)) + (0 if read_only else 300)
    before = descriptors()
    resource.setrlimit(resource.RLIMIT_NOFILE, (200 + before, hard))
    try:
        with running_engine() as limited:
            session = open_session(limited, **({"read_only": True} if read_only else {}))
            session.send(0, Batch(0, [task(add_up if read_only else total_of, arrays)] * 3))
            session.send(0, Batch(3, [task(add_up if read_only else total_of, arrays)] * 3))
            found = collect(session, 6)
            here = descriptors() - before
            session.close(abort=False)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert [total for total, _ in found.values.values()] == [expected] * 6
    assert max(count for _, count in found.values.values()) < 180
    assert here < 100


def test_all_buffers_beyond_the_first_share_a_file() -> None:
    """Each at a place that can be mapped; a worker gets each file once."""
    publisher = Publisher()
    arrays = [np.full(SHARED_FROM + 8, k % 251, "u1") for k in range(200)]
    for _ in range(2):
        placed = [publisher.place(PickleBuffer(array.data)) for array in arrays]
    assert placed == list(range(200))
    segments = list(publisher.unknown(placed, Known()))
    assert len({segment.file.number for segment, _ in segments}) == 64
    assert sum(descriptor is not None for _, descriptor in segments) == 64
    for array, (segment, _) in zip(arrays, segments, strict=True):
        with mmap.mmap(segment.file.descriptor, segment.nbytes, offset=segment.offset) as mapping:
            assert mapping[:] == array.tobytes()
    before = descriptors()
    publisher.close()
    assert descriptors() == before - 64


def test_a_buffer_that_cannot_be_placed_fails_its_task_alone() -> None:
    """The next ones get their own buffers, and not those that were left."""
    writer = StreamWriter(lambda buffer: buffer.raw())
    for k in range(3):
        writer.add(((np.full(5000, k), np.full(5000, 10 + k)), {}), function=0)
    body, buffers = writer.take()
    placed = iter(range(6))

    def place(item: Any) -> memoryview:
        if next(placed) == 0:
            raise OSError(errno.EMFILE, "no descriptor")
        assert isinstance(item, memoryview)
        return item

    frame = Frame(
        STREAM, 0, 1, 0, 3, memoryview(body), [item for item in buffers if not isinstance(item, int)]
    )
    take = calls(frame, {0: both}, place)
    with pytest.raises(UnpicklableError, match="no descriptor"):
        take()
    for k in (1, 2):
        _, (one, two), _ = take()
        assert (one[0], two[0]) == (k, 10 + k)


def test_segments_have_no_name(engine: ProcessEngine) -> None:
    """Publishing leaves ``/dev/shm`` as it is, also while the session is open."""
    before = set(os.listdir("/dev/shm"))
    session = open_session(engine)
    array = np.zeros(500_000)
    session.send(0, Batch(0, [task(add_one, array)] * 4))
    collect(session, 4)
    assert {name for name in os.listdir("/dev/shm") if "lightwork" in name} <= before
    session.close(abort=False)


def published_bytes() -> int:
    """The memory published by a parent that this process has open; a mapping has one more descriptor."""
    folder, sizes = "/proc/self/fd", dict[int, int]()
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            if os.readlink(f"{folder}/{name}").startswith("/memfd:lightwork "):
                status = os.stat(f"{folder}/{name}")
                sizes[status.st_ino] = status.st_size
    return sum(sizes.values())


def first_and_published(array: Any) -> tuple[float, int]:
    return float(array[0]), published_bytes()


@pytest.mark.parametrize("constant", [0, 80])
def test_what_no_task_needs_any_more_is_given_back(
    engine: ProcessEngine, constant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream of arrays, each for several tasks, takes no more memory than those that are under way.

    So also behind more arrays that stay than there are files.
    """
    monkeypatch.setattr(publishing, "_LARGE_FILE", 4 << 20)
    kept = [np.full(SHARED_FROM // 8, float(k)) for k in range(constant)]
    session = open_session(engine)
    before, index = published_bytes(), 0
    for _ in range(2):
        session.send(0, Batch(index, [task(add_up, kept)]))
        index += 1
        collect(session, 1)
    base, most = published_bytes() - before, 0
    for k in range(60):
        array = np.full(100_000, float(k))
        session.send(0, Batch(index, [task(first_and_published, array)] * 3))
        del array
        found = collect(session, 3).values
        assert [value for value, _ in found.values()] == [float(k)] * 3
        index += 3
        most = max(most, published_bytes() - before, *(there for _, there in found.values()))
    session.send(0, Batch(index, [task(add_up, kept)]))
    assert collect(session, 1).values[index][0] == sum(range(constant))
    session.close(abort=False)
    assert base == constant * SHARED_FROM
    assert most <= base + 2 * (4 << 20) + 2 * 800_000  # a full file and the next one
    assert published_bytes() == before
