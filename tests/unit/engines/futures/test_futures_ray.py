"""Calls of `Parallel` on a real ray with two workers."""

import asyncio
import contextvars
import doctest
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import Failure, Parallel, delayed, effective_n_jobs, parallel_config, share, task_rng
from lightwork.errors import (
    CallCancelled,
    EngineError,
    InvalidOption,
    RemoteTraceback,
    UnpicklableError,
    WorkerDied,
)

ray = pytest.importorskip("ray", reason="ray is not installed (lightwork[ray])")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.usefixtures("own_ray")]

_VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable_of_a_test", default="unset")


@pytest.fixture
def puts(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was put into the object store."""
    found: list[object] = []
    put = ray.put

    def noted(value: object) -> Any:
        found.append(value)
        return put(value)

    monkeypatch.setattr(ray, "put", noted)
    return found


def die_at(index: int, number: int) -> int:
    if index == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return index


def test_both_workers_are_used_by_default() -> None:
    """Who names ray and no number wants what the cluster has."""
    parallel = Parallel(backend="ray", batch_size=1)
    pids = parallel(delayed(_pid_after)(0.05) for _ in range(6))
    assert len(set(pids)) == 2
    assert os.getpid() not in pids
    assert parallel.backend == "ray"


def _pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def test_a_killed_worker_costs_the_task_that_it_ran() -> None:
    """All others of its batch have results."""
    results = Parallel(backend="ray", on_error="return", batch_size=4)(
        delayed(die_at)(i, 5) for i in range(10)
    )
    failure = results[5]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, WorkerDied)
    assert failure.error.task == 5
    assert [*results[:5], *results[6:]] == [0, 1, 2, 3, 4, 6, 7, 8, 9]


def test_a_task_whose_worker_was_killed_is_tried_again(tmp_path: Path) -> None:
    """As `retries` says."""

    def once(index: int) -> int:
        mark = tmp_path / "mark"
        if index == 3 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return index

    assert Parallel(backend="ray", retries=2)(delayed(once)(i) for i in range(6)) == list(range(6))


def test_an_error_has_the_workers_traceback() -> None:
    """Its type is unchanged, and where it was raised can be read."""

    def fail() -> None:
        raise LookupError("not here")

    with pytest.raises(LookupError, match=r"not here") as caught:
        Parallel(backend="ray")([delayed(fail)()])
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "in fail" in str(caught.value.__cause__)


@pytest.mark.parametrize("nbytes", [100_000, 4 << 20])
def test_an_array_that_all_tasks_get_is_put_once(nbytes: int, puts: list[object]) -> None:
    """And each task has its own, which it may change."""
    array = np.ones(nbytes // 8)

    def change(own: Any, index: int) -> float:
        own[0] += index
        return float(own[0] + own[-1])

    parallel = Parallel(backend="ray", batch_size=2)
    assert parallel(delayed(change)(array, i) for i in range(12)) == [2.0 + i for i in range(12)]
    assert array[0] == 1
    assert len(puts) == 1


def test_arrays_may_be_read_where_they_lie() -> None:
    """`mmap_mode="r"` saves the copy."""

    def look(own: Any) -> tuple[bool, float]:
        return own.flags.writeable, float(own.sum())

    array = np.ones(1 << 18)
    assert Parallel(backend="ray", mmap_mode="r")([delayed(look)(array)] * 3) == [(False, float(1 << 18))] * 3


def test_large_results_are_the_callers_own() -> None:
    """Not views of ray's store."""
    results = Parallel(backend="ray")(delayed(np.full)(1 << 18, i) for i in range(3))
    for index, result in enumerate(results):
        result += 1
        assert result[0] == result[-1] == index + 1


def test_references_travel_as_references() -> None:
    """Both ways, in containers too: what they refer to is fetched by whoever asks for it."""

    def add(references: list[Any], number: int) -> Any:
        return ray.put(ray.get(references[0]) + number)

    reference = ray.put(40)
    results = Parallel(backend="ray")(delayed(add)([reference], i) for i in range(3))
    assert ray.get(results, timeout=30) == [40, 41, 42]


def test_seeds_are_those_of_any_backend() -> None:
    """The same numbers as in this process."""
    draws = [
        Parallel(n_jobs=n_jobs, backend=backend, seed=5)(delayed(_draw)() for _ in range(4))
        for n_jobs, backend in ((2, "ray"), (1, "sequential"))
    ]
    assert draws[0] == draws[1]


def _draw() -> tuple[float, float]:
    return float(task_rng().random()), float(np.random.random())


def test_context_records_and_output_cross(caplog: pytest.LogCaptureFixture) -> None:
    """What a call takes to its workers, and what it hears from them."""
    printed: list[tuple[int, str, str]] = []

    def task() -> str:
        print("heard")
        logging.getLogger("lightwork_test_ray").warning("logged")
        return _VARIABLE.get()

    token = _VARIABLE.set("set")
    try:
        parallel = Parallel(backend="ray", capture_output=lambda *what: printed.append(what))
        assert parallel([delayed(task)()]) == ["set"]
    finally:
        _VARIABLE.reset(token)
    assert printed == [(0, "stdout", "heard\n")]
    assert "logged" in caplog.text


def test_progress_and_generators_work() -> None:
    """One call of the observer per task; results as they are there."""
    seen: list[int] = []
    parallel = Parallel(
        backend="ray", return_as="generator", progress=lambda done, total, failed: seen.append(done)
    )
    assert list(parallel(delayed(abs)(-i) for i in range(50))) == list(range(50))
    assert seen[-1] == 50


def test_a_cancelled_call_ends_its_tasks(tmp_path: Path) -> None:
    """Workers that run something for nobody are killed."""
    path = tmp_path / "pid"

    def sleep() -> None:
        path.write_text(str(os.getpid()))
        time.sleep(600)

    parallel = Parallel(backend="ray", return_as="generator")
    results = parallel([delayed(sleep)()])
    pid = _await(lambda: path.exists() and path.read_text())
    parallel.cancel()
    with pytest.raises(CallCancelled):
        list(results)
    _await(lambda: not _is_running(int(pid)))


def _await(condition: Callable[[], Any]) -> Any:
    """What a condition on another process says; nothing tells of it, so it is asked."""
    deadline = time.monotonic() + 30
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_nested_calls_stay_in_their_worker() -> None:
    """They use threads, as in other workers."""

    def outer(count: int) -> list[int]:
        return list(Parallel(n_jobs=2)(delayed(os.getpid)() for _ in range(count)))

    for pids in Parallel(backend="ray")(delayed(outer)(2) for _ in range(2)):
        assert len(set(pids)) == 1


def test_a_task_that_holds_cpus_must_not_wait_for_others_on_ray() -> None:
    """With as many such tasks as CPUs all would wait for ever. One that holds none may."""

    def outer() -> Any:
        return Parallel(n_jobs=2, backend="ray")(delayed(abs)(i) for i in (-1, -2))

    with pytest.raises(InvalidOption, match=r"holds CPUs.*num_cpus=0"):
        Parallel(backend="ray")([delayed(outer)()])
    assert Parallel(backend="ray", n_jobs=1, num_cpus=0)([delayed(outer)()]) == [[1, 2]]


def test_what_a_batch_needs_bounds_the_workers() -> None:
    """`-1` is how often that fits into the cluster."""
    assert [_workers(num_cpus=cpus) for cpus in (0.5, 1, 2, 5)] == [4, 2, 1, 1]
    assert _workers(num_cpus=0) == 2
    with parallel_config(backend="ray", num_cpus=1):
        assert effective_n_jobs(-2) == 1
    with parallel_config(backend="ray", num_cpus=2):
        assert Parallel()(delayed(abs)(i) for i in (-1, -2)) == [1, 2]


def _workers(**options: Any) -> int:
    with parallel_config(backend="ray", **options):
        return effective_n_jobs(-1)


def test_tasks_have_their_runtime_environment() -> None:
    """Variables, for example."""
    options: dict[str, Any] = {"runtime_env": {"env_vars": {"LIGHTWORK_TEST_RAY": "7"}}}
    assert Parallel(n_jobs=1, backend="ray", **options)([delayed(os.getenv)("LIGHTWORK_TEST_RAY")]) == ["7"]


@pytest.mark.parametrize(
    "options",
    [
        {"sandwich": 1},
        {"num_cpus": -1},
        {"num_cpus": "all"},
        {"num_gpus": -1},
        {"memory": "much"},
        {"resources": {"special": -1}},
        {"resources": {"CPU": 1}},
        {"resources": 3},
        {"runtime_env": 3},
        {"address": 3},
        {"address": "192.0.2.1:1"},
        {"task_timeout": 1},
        {"max_worker_memory": "1GB"},
        {"max_tasks_per_worker": 3},
        {"worker_env": {"A": "b"}},
        {"capture_output": "fd"},
    ],
    ids=repr,
)
def test_what_cannot_be_right_or_kept_is_refused_by_name(options: dict[str, Any]) -> None:
    """Before anything runs."""
    with pytest.raises(InvalidOption, match=next(iter(options))):
        Parallel(n_jobs=2, backend="ray", **options)([delayed(abs)(1)])


def test_a_ray_of_the_caller_is_left_alone() -> None:
    """Shutting the engine down does not end what it has not started."""
    with parallel_config(backend="ray") as settings:
        Parallel()([delayed(abs)(1)])
    engine: Any = settings["backend"]
    engine.shutdown()
    assert ray.is_initialized()


_OWN = """
import os, sys, threading, time, pytest, ray
from lightwork import Parallel, delayed, effective_n_jobs, parallel_config
from lightwork.errors import EngineError
from lightwork.engines.registry import engine

with parallel_config(backend="ray"):
    assert effective_n_jobs(-1) >= 1
    assert not ray.is_initialized()
    first = set(Parallel(n_jobs=3)(delayed(os.getppid)() for _ in range(6)))
    assert ray.cluster_resources()["CPU"] >= 3
    assert first == set(Parallel(n_jobs=3)(delayed(os.getppid)() for _ in range(6))), "another ray"
with pytest.raises(EngineError, match="special: 1 of 0"):
    Parallel(n_jobs=2, backend="ray", resources={"special": 1})([delayed(abs)(1)])
pid = os.fork()
if pid == 0:
    try:
        Parallel(n_jobs=2, backend="ray")([delayed(abs)(1)])
    except EngineError as error:
        os._exit(0 if "forked" in str(error) else 2)
    os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
with pytest.raises(EngineError, match="have no lightwork, or not the same"):
    variables = {"PYTHONPATH": sys.argv[1]}
    Parallel(n_jobs=1, backend="ray", runtime_env={"env_vars": variables})([delayed(abs)(1)])
threading.Timer(1, engine("ray").shutdown).start()
with pytest.raises(EngineError, match="shut down while"):
    Parallel(n_jobs=2, backend="ray")(delayed(time.sleep)(50) for _ in range(3))
engine("ray").shutdown()
assert not ray.is_initialized()
results = Parallel(n_jobs=2, backend="ray", return_as="generator")(delayed(time.sleep)(50) for _ in range(3))
worker = ray.get_runtime_context().worker
ending = threading.Thread(target=ray.shutdown)
ending.start()
while ray.is_initialized():
    time.sleep(1e-3)
results.close()
assert not hasattr(worker, "core_worker"), "what is let go of during a shutdown ends this process"
ending.join()
with pytest.raises(EngineError, match="nobody answers at '127.0.0.1:9'"):
    Parallel(n_jobs=2, backend="ray", address="127.0.0.1:9")([delayed(abs)(1)])
"""


def test_without_a_ray_one_is_started_kept_and_ended(tmp_path: Path) -> None:
    """In a process of its own, which has none. All that may happen to a ray of our own is in there."""
    (tmp_path / "lightwork").mkdir()
    (tmp_path / "lightwork" / "__init__.py").touch()  # another version, say
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    done = subprocess.run([sys.executable, "-c", _OWN, path], capture_output=True, text=True, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_examples_of_the_page_are_right() -> None:
    """``docs/ray.md``."""
    page = Path(__file__).parents[4] / "docs" / "ray.md"
    result = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert (result.failed, result.attempted) == (0, 4)


def test_shared_objects_are_built_once_in_a_worker() -> None:
    """`share` works as with other workers, and travels through the store."""
    table = {str(number): number for number in range(200_000)}

    def look_up(shared: Any, word: str) -> int:  # Any: a handle becomes its object
        return int(shared[word])

    with share(table) as shared:
        parallel = Parallel(backend="ray")
        assert parallel(delayed(look_up)(shared, str(i)) for i in range(20)) == list(range(20))


def test_a_worker_without_memory_or_node_is_lost() -> None:
    """How ray says so is known here by name; these names must be there."""
    for name in ("WorkerCrashedError", "NodeDiedError", "OutOfMemoryError", "ObjectLostError"):
        assert issubclass(getattr(ray.exceptions, name), ray.exceptions.RayError)
    assert issubclass(EngineError, RuntimeError)


class _Fetches:
    """Counts what is brought here, and tells when so many tasks have ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, until: int) -> None:
        self.count = 0
        self.ended = threading.Event()
        self._until = until
        self._get = ray.get
        monkeypatch.setattr(ray, "get", self._counted)

    def hear(self, done: int, total: int | None, failed: int) -> None:
        if done == self._until:
            self.ended.set()

    def _counted(self, *args: Any, **kwargs: Any) -> Any:
        self.count += 1
        return self._get(*args, **kwargs)


_LARGE = 4 << 20  # numbers, 32 MiB


@pytest.mark.parametrize("return_as", ["generator", "generator_unordered"])
def test_large_results_stay_in_the_store_until_they_are_handed_out(
    return_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a slow reader has not taken takes no memory of this process."""
    fetches = _Fetches(monkeypatch, until=8)
    before = _own_memory()
    results = Parallel(
        backend="ray", batch_size=1, return_as=return_as, pre_dispatch="all", progress=fetches.hear
    )(delayed(np.full)(_LARGE, float(i)) for i in range(8))
    assert fetches.ended.wait(60)
    assert fetches.count == 0
    assert _own_memory() - before < 4 * _LARGE  # half of one of eight
    seen = []
    for taken, result in enumerate(results, 1):
        assert fetches.count == taken
        assert result[0] == result[-1]
        result += 1  # its own
        seen.append(result[0] - 1)
    assert sorted(seen) == list(range(8))


def _own_memory() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) << 10


def test_what_is_small_or_needed_is_brought_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is for all of it; with tries, kept failures or a checkpoint no result may get lost."""
    fetches = _Fetches(monkeypatch, until=-1)
    sizes = [1, 1 << 18]
    options: list[dict[str, Any]] = [
        {"return_as": "list"},
        {"retries": 1},
        {"on_error": "return"},
        {"checkpoint": tmp_path},
    ]
    for each in options:
        made: Any = Parallel(backend="ray", **{"return_as": "generator", **each})
        assert [len(result) for result in made(delayed(np.ones)(size) for size in sizes)] == sizes
    assert len(list(Parallel(backend="ray", return_as="generator")([delayed(np.ones)(100)] * 3))) == 3
    assert fetches.count == 0


def test_results_of_one_batch_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one go, each with its value."""
    fetches = _Fetches(monkeypatch, until=-1)
    results = Parallel(backend="ray", batch_size=3, return_as="generator")(
        delayed(np.full)(1 << 18, i) for i in range(6)
    )
    assert [result[-1] for result in results] == [0, 1, 2, 3, 4, 5]
    assert fetches.count == 2


def test_large_results_are_fetched_beside_an_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """`async for` does not wait in the loop."""
    threads = set()
    get = ray.get

    def noted(*args: Any, **kwargs: Any) -> Any:
        threads.add(threading.current_thread())
        return get(*args, **kwargs)

    monkeypatch.setattr(ray, "get", noted)

    async def collect() -> list[float]:
        results = Parallel(backend="ray", return_as="generator")(
            delayed(np.full)(1 << 18, float(i)) for i in range(3)
        )
        return [float(result[0]) async for result in results]

    assert asyncio.run(collect()) == [0.0, 1.0, 2.0]
    assert threads
    assert threading.main_thread() not in threads


class _Stubborn:
    """Is not rebuilt in the process that made the call."""

    def __init__(self, pid: int) -> None:
        self.load = b"l" * (2 << 20)
        self.pid = pid

    def __setstate__(self, state: dict[str, Any]) -> None:
        if os.getpid() == state["pid"]:
            raise LookupError("not here")


def test_a_result_that_cannot_be_rebuilt_ends_the_call() -> None:
    """With the error that it would have had at once, and the generator is at its end."""
    results = Parallel(backend="ray", batch_size=1, return_as="generator")(
        [delayed(abs)(-1), delayed(_Stubborn)(os.getpid()), delayed(abs)(-3)]
    )
    assert next(results) == 1
    with pytest.raises(UnpicklableError, match=r"task 1: its result cannot be rebuilt here: LookupError"):
        next(results)
    assert not results.running


def test_a_result_that_is_lost_ends_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it was taken, with the node that held it: nobody is there to run its task again."""

    def lose(reference: Any) -> None:
        raise ray.exceptions.ObjectLostError(reference.hex(), None, "")

    results = Parallel(backend="ray", batch_size=1, return_as="generator")(
        delayed(np.full)(1 << 18, i) for i in range(3)
    )
    assert next(results)[0] == 0
    monkeypatch.setattr(ray, "get", lose)
    with pytest.raises(WorkerDied, match="nodes of ray were lost"):
        next(results)
    assert not results.running


def test_a_killed_worker_ends_a_generator(caplog: pytest.LogCaptureFixture) -> None:
    """With the error of its task, which ray does not report as overlooked."""
    results = Parallel(backend="ray", batch_size=1, return_as="generator")(
        delayed(die_at)(i, 2) for i in range(5)
    )
    with caplog.at_level(logging.ERROR), pytest.raises(WorkerDied) as caught:
        list(results)
    gc.collect()
    assert caught.value.task == 2
    assert "Unhandled" not in caplog.text


def test_a_result_whose_ray_is_gone_is_an_error(tmp_path: Path) -> None:
    """It was not taken in time, and no other ray is started to look for it."""
    program = tmp_path / "program.py"
    program.write_text(_GONE)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.splitlines() == ["1.0", "EngineError", "False"], done.stderr


_GONE = """
import threading
import numpy as np
import ray
from lightwork import Parallel, delayed
from lightwork.errors import EngineError

if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    ended = threading.Event()
    results = Parallel(
        backend="ray", batch_size=1, return_as="generator", pre_dispatch="all",
        progress=lambda done, total, failed: done == 3 and ended.set(),
    )(delayed(np.ones)(1 << 18) for i in range(3))
    print(next(results)[0])
    ended.wait()
    ray.shutdown()
    try:
        list(results)
    except EngineError as error:
        print(type(error).__name__)
    print(ray.is_initialized())
"""
