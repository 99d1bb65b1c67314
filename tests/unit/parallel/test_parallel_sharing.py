"""`share`: large objects that are taken apart once, on every engine."""

import contextlib
import copy
import functools
import gc
import os
import pickle
import threading
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwork
from lightwork import Parallel, delayed, share
from lightwork.engines.processes.engine import ProcessEngine
from lightwork.errors import ArgumentChanged, InvalidOption, UnpicklableError
from lightwork.parallel.sharing import resolved

BACKENDS = ("processes", "threads", "sequential")


class Counted:
    """Notes in a file each time that it is pickled, and each time that it is built."""

    def __init__(self, log: str) -> None:
        self.log = log
        self.array = np.arange(100_000)
        self.names = {str(i): i for i in range(20_000)}

    def __getstate__(self) -> dict[str, Any]:
        self._note("pickled")
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._note("built")

    def _note(self, what: str) -> None:
        with open(self.log, "a") as file:
            print(what, file=file)


def look(counted: Counted, i: int) -> tuple[int, int]:
    return len(counted.names) + int(counted.array[i]), os.getpid()


def types(*args: Any, **kwargs: Any) -> list[str]:
    found = []
    waiting = [args, kwargs]
    while waiting:
        value = waiting.pop()
        found.append(type(value).__name__)
        if isinstance(value, list | tuple):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
    return found


def write(array: Any) -> str:
    try:
        array[0] = 1
    except ValueError as error:
        return str(error)
    return "written"


def total(array: Any, factor: int = 1) -> int:
    return int(array.sum()) * factor


def mapped_bytes(_: int) -> int:
    """Bytes of shared objects that this process maps."""
    nbytes = 0
    with open("/proc/self/maps") as maps:
        for line in maps:
            if "memfd:lightwork-shared" in line:
                start, stop = (int(part, 16) for part in line.split()[0].split("-"))
                nbytes += stop - start
    return nbytes


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    engine = ProcessEngine()
    yield engine
    engine.shutdown()


def test_an_object_is_pickled_once_and_built_once_in_each_worker(
    tmp_path: Path, engine: ProcessEngine
) -> None:
    """A thousand tasks, and then another call: nothing travels or is built a second time."""
    log = tmp_path / "log"
    shared: Any = share(Counted(str(log)))  # Any: a type checker takes the handle for what it is
    workers: set[int] = set()
    for _ in range(2):
        results = Parallel(2, engine)(delayed(look)(shared, i) for i in range(1000))
        assert [value for value, _ in results] == [20_000 + i for i in range(1000)]
        workers |= {pid for _, pid in results}
    words = log.read_text().split()
    assert words.count("pickled") == 1
    assert words.count("built") == len(workers) <= 2


def test_the_bytes_do_not_travel_with_the_tasks(engine: ProcessEngine) -> None:
    """All that a worker maps of 8 MB, whatever the number of tasks, are those 8 MB."""
    shared = share(np.zeros(1_000_000))
    parallel = Parallel(2, engine, batch_size=1)
    parallel(delayed(total)(shared) for _ in range(50))
    found = parallel(delayed(mapped_bytes)(i) for i in range(8))
    assert max(found) < 1.1 * shared.nbytes


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_task_gets_the_object_wherever_the_handle_lies(n_jobs: int, backend: str) -> None:
    """As an argument, a keyword, in lists, tuples and dicts, and in a partial."""
    shared = share(np.arange(30_000))
    calls = [
        delayed(types)(shared),
        delayed(types)(key=shared),
        delayed(types)([1, (2, {"a": shared})]),
        delayed(functools.partial(types, shared, other=shared))(),
    ]
    for found in Parallel(n_jobs, backend)(calls):
        assert "ndarray" in found
        assert "Shared" not in found


def test_threads_get_the_object_itself() -> None:
    """And one worker in the caller's thread; other arguments stay what they are, too."""
    value, other = {"a": 1}, [[1]]
    shared = share(value)
    for parallel in (Parallel(2, "threads"), Parallel(1), Parallel(2, "sequential")):
        (found,) = parallel([delayed(lambda *args: args)(shared, other)])
        assert found[0] is value
        assert found[1] is other


def test_containers_without_a_handle_are_not_copied() -> None:
    """Only what holds a handle is made anew, and only four levels deep."""
    shared = share(7)
    inner = [1, 2]
    given = {"a": inner, "b": (shared,)}
    found = resolved(given)
    assert found == {"a": [1, 2], "b": (7,)}
    assert found["a"] is inner
    assert given["b"] == (shared,)
    deep: Any = shared
    for _ in range(30):
        deep = [deep]
    assert resolved(deep) is deep


def test_arrays_are_read_only_in_workers() -> None:
    """All tasks of a worker see them, so none may change them."""
    shared = share(np.zeros(100_000))
    assert set(Parallel(2)(delayed(write)(shared) for _ in range(4))) == {
        "assignment destination is read-only"
    }


def test_it_is_a_snapshot_for_workers() -> None:
    """What is changed later reaches no worker."""
    array = np.ones(100_000)
    shared = share(array)
    array[:] = 5
    assert Parallel(2)(delayed(total)(shared) for _ in range(3)) == [100_000] * 3


def segments() -> int:
    """Descriptors of shared objects that are open here."""
    count = 0
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            count += "lightwork-shared" in os.readlink(f"/proc/self/fd/{number}")
    return count


@pytest.mark.parametrize("way", ["with", "close", "last reference"])
def test_it_is_freed(way: str, engine: ProcessEngine) -> None:
    """At the end of the block, or with the last reference; workers let go when the next call begins."""
    before = segments()
    shared = share(np.ones(200_000))
    assert Parallel(2, engine)(delayed(total)(shared) for _ in range(4)) == [200_000] * 4
    if way == "with":
        with shared:
            assert segments() > before
    elif way == "close":
        shared.close()
        shared.close()
    else:
        gone = weakref.ref(shared)
        del shared
        gc.collect()
        assert gone() is None
    gc.collect()
    assert segments() == before
    assert set(Parallel(2, engine)(delayed(mapped_bytes)(i) for i in range(8))) == {0}
    if way != "last reference":
        with pytest.raises(ValueError, match="closed"):
            shared.value
        with pytest.raises(ValueError, match="closed"):
            Parallel(2, "threads")([delayed(total)(shared)])


def test_a_handle_can_be_copied_and_kept() -> None:
    """A copy is the handle itself; a pickle has the bytes, and is one handle again in another process."""
    shared = share({"a": np.arange(5)})
    assert copy.deepcopy(shared) is shared
    assert pickle.loads(pickle.dumps(shared)) is shared
    for protocol in (2, 4, 5):
        text = pickle.dumps(shared, protocol)
        (found,) = Parallel(2)([delayed(unpickled)(text)])
        assert found == 10
    assert "bytes" in repr(shared)


def unpickled(text: bytes) -> int:
    return int(pickle.loads(text).value["a"].sum())


def test_it_counts_by_its_content(tmp_path: Path) -> None:
    """In keys, so a checkpoint finds its tasks again, in this process or another."""
    first, same, other = share(np.arange(10)), share(np.arange(10)), share(np.arange(11))
    assert lightwork.hash(first) == lightwork.hash(same) != lightwork.hash(other)
    for _ in range(2):
        shared = share(np.arange(30_000))
        calls = [delayed(total)(shared, i) for i in range(5)]
        assert Parallel(2, checkpoint=tmp_path)(calls) == [int(np.arange(30_000).sum()) * i for i in range(5)]


def look_up(table: dict[str, int], key: str) -> int:
    return table[key]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", [list, iter])
def test_a_kept_result_is_that_of_the_content_tasks_were_given(
    tmp_path: Path, backend: str, kind: Any
) -> None:
    """Workers get what was shared, tasks of this process what it is now; the key is of that."""

    def run(shared: Any) -> list[int]:
        results: list[int] = Parallel(2, backend, checkpoint=tmp_path)(kind([delayed(look_up)(shared, "x")]))
        return results

    table = {"x": 1}
    shared = share(table)
    table["x"] = 2
    assert run(shared) == ([1] if backend == "processes" else [2])
    assert run(share({"x": 2})) == [2]
    assert run(share({"x": 1})) == [1]
    table["x"] = 3
    assert run(shared) == ([1] if backend == "processes" else [3])


def test_both_kinds_of_engine_find_what_the_other_has_kept(tmp_path: Path) -> None:
    """An object that has not changed has one key, whoever is given it."""
    log = tmp_path / "log"
    for backend in ("processes", "threads"):
        shared: Any = share({"path": str(log), "array": np.arange(1000), "call": count})
        assert Parallel(2, backend, checkpoint=tmp_path / "kept")([delayed(count)(shared)]) == [1000]
    assert log.read_text() == "run\n"


def count(table: dict[str, Any]) -> int:
    with open(table["path"], "a") as file:
        print("run", file=file)
    return len(table["array"])


def test_outside_of_a_call_it_counts_by_the_object_as_it_is() -> None:
    """`value` is the object itself here, so a key of the handle has to change with it."""
    table = {"x": 1}
    shared = share(table)
    before = lightwork.hash(shared)
    table["x"] = 2
    assert lightwork.hash(shared) == lightwork.hash(share({"x": 2})) != before


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_what_is_looked_at_for_changes_is_what_tasks_are_given(backend: str) -> None:
    """The copy that workers get cannot change; the object that threads get can."""
    table = {"x": 1}
    shared: Any = share(table)

    def tasks() -> Iterator[Any]:
        for x in range(1, 9):
            table["x"] = x
            yield delayed(look_up)(shared, "x")

    run = Parallel(2, backend, check_mutation=True, batch_size=1, pre_dispatch=1)
    if backend == "processes":
        assert run(tasks()) == [1] * 8
    else:
        with pytest.raises(ArgumentChanged, match=r"args\[0\] of task 0"):
            run(tasks())


def test_cached_functions_take_shared_objects(tmp_path: Path) -> None:
    """The key is that of the object, whether it was shared or not."""
    cached = lightwork.Memory(tmp_path).cache(total)
    array = np.arange(1000)
    expected = [cached(array, i) for i in range(4)]
    misses = cached.stats().misses
    for n_jobs in (1, 2):
        shared = share(array)
        assert Parallel(n_jobs, "threads")(delayed(cached)(shared, i) for i in range(4)) == expected
    assert cached.stats().misses == misses


def test_what_cannot_be_shared_is_an_error() -> None:
    """Handles of handles, and what cannot be pickled; the message names the part."""
    with pytest.raises(InvalidOption, match="already"):
        share(share(1))
    with pytest.raises(UnpicklableError, match=r"shared object\['lock'\]"):
        share({"lock": threading.Lock()})


def test_handles_work_in_nested_calls() -> None:
    """A task gives the object on to tasks of its own, with threads and with processes."""
    shared = share(np.arange(30_000))
    assert Parallel(2)(delayed(nested)(shared, backend) for backend in ("threads", "processes")) == [3, 3]


def nested(array: Any, backend: str) -> int:
    return len(Parallel(2, backend)(delayed(total)(array) for _ in range(3)))


FOUND: list[Any] = []


def remember(table: dict[str, int], also: list[Any]) -> None:
    FOUND[:] = [table["a"], also[0]["a"]]


def found(_: int) -> list[Any]:
    return list(FOUND)


@pytest.mark.parametrize(("n_jobs", "backend"), [(1, None), (2, "threads"), (2, "processes")])
def test_initializers_get_the_object(n_jobs: int, backend: str | None) -> None:
    """As tasks do, wherever they run."""
    with share({"a": 7}) as shared:
        call = Parallel(n_jobs, backend, initializer=remember, initargs=(shared, [shared]))
        assert call(delayed(found)(i) for i in range(4)) == [[7, 7]] * 4
