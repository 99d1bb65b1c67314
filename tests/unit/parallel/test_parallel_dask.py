"""`Parallel` on clusters of Dask: real ones, of several processes on this machine."""

import contextvars
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import (
    Failure,
    Parallel,
    delayed,
    effective_n_jobs,
    parallel_config,
    share,
    task_rng,
    worker_id,
)
from lightwork.engines.registry import engine
from lightwork.errors import CallCancelled, EngineError, InvalidOption, RemoteTraceback, WorkerDied

distributed = pytest.importorskip("distributed", reason="distributed is not installed (lightwork[dask])")
dask = pytest.importorskip("dask")

VARIABLE: contextvars.ContextVar[int] = contextvars.ContextVar("VARIABLE", default=0)


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """The scheduler logs what is done to its workers here."""
    logger = logging.getLogger("distributed")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


def make_cluster(**options: Any) -> Any:  # Any: distributed.LocalCluster
    return distributed.LocalCluster(processes=True, dashboard_address=":0", **options)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers of one thread each. Not the current client: who wants it names it."""
    with (
        make_cluster(n_workers=2, threads_per_worker=1) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def crowd() -> Iterator[Any]:
    """One worker of three threads."""
    with (
        make_cluster(n_workers=1, threads_per_worker=3) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


def square(x: int) -> int:
    return x * x


def fail_at_three(x: int) -> int:
    if x == 3:
        raise KeyError("three")
    return x


def add_first(array: Any, index: int) -> float:
    array[0] += index
    return float(array[0])


def kill_at_three(x: int, *_: Any) -> int:
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def kill_once(x: int, folder: Path, array: Any) -> float:
    """The first to come to 7 takes its worker along."""
    if x == 7 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return float(array[x])


def test_results_are_those_of_the_loop(client: Any, crowd: Any) -> None:
    """In order, with closures and lambdas, whatever the size of the batches and the threads of a worker."""
    offset = 10
    for each in (client, crowd):
        for size in ("auto", 3):
            parallel = Parallel(backend=each, batch_size=size)
            assert parallel(delayed(lambda x: x + offset)(i) for i in range(40)) == [
                i + 10 for i in range(40)
            ]
            assert parallel.backend == "dask"


def test_all_threads_of_the_cluster_are_the_default(client: Any, crowd: Any) -> None:
    """`n_jobs` counts back from those; a positive number is taken as it is, since clusters grow."""
    for each, threads in ((client, 2), (crowd, 3)):
        with parallel_config(backend="dask", client=each):
            assert effective_n_jobs(None) == effective_n_jobs(-1) == threads
            assert effective_n_jobs(-2) == threads - 1
            assert effective_n_jobs(7) == 7
            assert Parallel()(delayed(square)(i) for i in range(4)) == [0, 1, 4, 9]


def test_the_current_client_is_used(client: Any) -> None:
    """``backend="dask"`` alone means the client that Dask itself would use."""
    pids = set(client.run(os.getpid).values())
    with client.as_current():
        assert set(Parallel(backend="dask")(delayed(os.getpid)() for _ in range(4))) <= pids


def test_an_address_is_enough(client: Any) -> None:
    """One connection is made for it, however often it is named; `shutdown` closes it."""
    address = client.scheduler_info()["address"]
    pids = set(client.run(os.getpid).values())
    before = len(client.run_on_scheduler(_client_names))
    for _ in range(3):
        found = Parallel(backend="dask", client=address)(delayed(os.getpid)() for _ in range(4))
        assert set(found) <= pids
    assert len(client.run_on_scheduler(_client_names)) == before + 1
    engine("dask").shutdown()
    assert len(client.run_on_scheduler(_client_names)) == before


def _client_names(dask_scheduler: Any) -> list[str]:
    return list(dask_scheduler.clients)


@pytest.mark.slow
def test_without_a_client_a_cluster_is_made_and_kept() -> None:
    """One process per worker, the same for the next call, more if it wants more; `shutdown` ends it."""
    try:
        first = set(Parallel(1, backend="dask")(delayed(os.getpid)() for _ in range(4)))
        assert os.getpid() not in first
        both = Parallel(2, backend="dask", batch_size=1)(delayed(_meet)(0.5) for _ in range(8))
        assert first < set(both)
        assert len(set(both)) == 2
    finally:
        engine("dask").shutdown()
    assert all(not Path(f"/proc/{pid}").exists() for pid in set(both))
    with pytest.raises(ValueError, match="client"):
        distributed.get_client()


def _meet(seconds: float) -> int:
    time.sleep(seconds / 10)  # long enough for the other worker to get a task, too
    return os.getpid()


@pytest.fixture
def sent(client: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All that is scattered by the client."""
    sent: list[Any] = []
    scatter: Callable[..., Any] = client.scatter

    def noted(data: Any, **options: Any) -> Any:
        sent.extend(data)
        return scatter(data, **options)

    monkeypatch.setattr(client, "scatter", noted)
    return sent


def test_a_large_argument_is_scattered_once(client: Any, sent: list[Any]) -> None:
    """100 MB for 30 tasks travel once to the cluster, and each task has a copy of its own."""
    array = np.zeros(12_500_000)
    found = Parallel(backend=client, batch_size=2)(delayed(add_first)(array, i) for i in range(30))
    assert found == list(range(30))
    assert array[0] == 0
    assert [part.nbytes() for part in sent] == [array.nbytes]


def test_scattered_data_is_gone_with_the_call(client: Any) -> None:
    """Nothing stays on the cluster."""
    array = np.zeros(1_000_000)
    Parallel(backend=client)(delayed(add_first)(array, i) for i in range(6))
    deadline = time.monotonic() + 20
    while (
        client.run_on_scheduler(_task_names) and time.monotonic() < deadline
    ):  # releasing takes a few messages
        time.sleep(0.02)
    assert client.run_on_scheduler(_task_names) == []


def _task_names(dask_scheduler: Any) -> list[str]:
    return list(map(str, dask_scheduler.tasks))


def test_scatter_sends_any_object_once(client: Any, sent: list[Any]) -> None:
    """``scatter=`` is for what is no array: tasks that get it as an argument get that of their worker."""
    table = {number: str(number) for number in range(100_000)}
    parallel = Parallel(backend="dask", client=client, scatter=[table], batch_size=1)
    found = parallel(delayed(_look_up)(table, number, other=table) for number in range(12))
    assert found == [(str(number), True) for number in range(12)]
    assert len(sent) == 1


def _look_up(table: dict[int, str], number: int, other: Any) -> tuple[str, bool]:
    return table[number], table is other


def test_shared_objects_and_read_only_arrays(client: Any) -> None:
    """`share` and ``mmap_mode="r"`` hold as in worker processes of lightwork."""
    array = np.arange(1_000_000)
    with share(array) as shared:
        assert Parallel(backend=client)(delayed(_sum)(shared) for _ in range(3)) == [array.sum()] * 3
    with pytest.raises(ValueError, match="read-only"):
        Parallel(backend=client, mmap_mode="r")(delayed(add_first)(array, i) for i in range(3))


def _sum(array: Any) -> int:
    return int(array.sum())


def test_large_tasks_and_results(client: Any) -> None:
    """What is large and different for each task travels beside the scheduler's graph, without a warning."""
    values = [{"text": "x" * 3_000_000, "array": np.full(300_000, i)} for i in range(6)]
    found = Parallel(backend=client)(delayed(_turned)(value) for value in values)
    for i, (length, array) in enumerate(found):
        assert length == 3_000_000
        array += 1
        assert (array == -i + 1).all()


def _turned(value: dict[str, Any]) -> tuple[int, Any]:
    return len(value["text"]), -value["array"]


def test_errors_and_retries(client: Any, tmp_path: Path) -> None:
    """An error has its type, its traceback and its task; ``retries`` are lightwork's."""
    with pytest.raises(KeyError) as caught:
        Parallel(backend=client)(delayed(fail_at_three)(i) for i in range(9))
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert any("task 3" in note for note in caught.value.__notes__)
    found = Parallel(backend=client, on_error="return")(delayed(fail_at_three)(i) for i in range(5))
    assert isinstance(found[3], Failure)
    assert [*found[:3], found[4]] == [0, 1, 2, 4]

    def flaky(path: Path) -> str:
        if not path.exists():
            path.touch()
            raise OSError("not yet")
        return path.name

    assert Parallel(backend=client, retries=1)(delayed(flaky)(tmp_path / name) for name in "abc") == [
        "a",
        "b",
        "c",
    ]


@pytest.mark.slow
def test_a_worker_killed_in_mid_run_costs_nothing(client: Any, tmp_path: Path) -> None:
    """Its tasks, and the array that lay on it, go to the other workers; all results are there."""
    array = np.arange(500_000.0)
    found = Parallel(backend=client)(delayed(kill_once)(i, tmp_path, array) for i in range(60))
    assert found == list(range(60))
    assert (tmp_path / "killed").exists()
    client.wait_for_workers(2)


@pytest.mark.slow
def test_all_workers_killed_by_somebody_else(client: Any) -> None:
    """Tasks run again when the cluster has workers again, and scattered arrays are sent again."""
    array = np.arange(500_000.0)
    began = threading.Event()

    def progress(done: int, total: int | None, failed: int) -> None:
        began.set()

    def kill() -> None:
        began.wait(30)
        for pid in client.run(os.getpid).values():
            os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = Parallel(backend=client, progress=progress, batch_size=2)(
        delayed(_slowly)(array, i) for i in range(40)
    )
    killer.join()
    assert found == list(range(40))
    client.wait_for_workers(2)


def _slowly(array: Any, i: int) -> float:
    time.sleep(0.05)
    return float(array[i])


@pytest.mark.slow
@pytest.mark.timeout(150)  # three workers have to start anew
def test_a_task_that_kills_its_worker_fails_alone() -> None:
    """It is `WorkerDied`, with its index; the other tasks of its batch have their results."""
    try:
        found = Parallel(2, backend="dask", batch_size=4, on_error="return")(
            delayed(kill_at_three)(i) for i in range(12)
        )
        assert [value for value in found if not isinstance(value, Failure)] == [*range(3), *range(4, 12)]
        assert isinstance(found[3], Failure)
        assert isinstance(found[3].error, WorkerDied)
        assert found[3].error.task == 3
        assert "of Dask ended without an answer" in str(found[3].error)
    finally:
        engine("dask").shutdown()


def test_nested_calls_give_up_their_place(client: Any) -> None:
    """Tasks that wait for tasks of the same cluster would block it: they secede, at any depth."""

    def outer(depth: int) -> int:
        if depth == 0:
            return 1
        return sum(Parallel(backend="dask")(delayed(outer)(depth - 1) for _ in range(3)))

    found = Parallel(backend="dask", client=client)(delayed(outer)(2) for _ in range(4))
    assert found == [9] * 4


def test_nested_calls_without_a_backend_stay_in_their_worker(client: Any) -> None:
    """As in any other task."""

    def outer() -> bool:
        return set(Parallel(2)(delayed(os.getpid)() for _ in range(4))) == {os.getpid()}

    assert Parallel(backend=client)(delayed(outer)() for _ in range(3)) == [True] * 3


def test_cancel(client: Any) -> None:
    """It raises at once, and what has not begun never does; what runs ends unheard."""
    parallel = Parallel(backend=client, batch_size=1)
    timer = threading.Timer(0.3, parallel.cancel)
    timer.start()
    begin = time.monotonic()
    with pytest.raises(CallCancelled):
        parallel(delayed(time.sleep)(1.0) for _ in range(100))
    assert time.monotonic() - begin < 10
    assert Parallel(backend=client)(delayed(square)(i) for i in range(3)) == [0, 1, 4]


def test_results_are_streamed(client: Any) -> None:
    """The first results are there before the last task was read."""
    read: list[int] = []

    def tasks() -> Iterator[Any]:
        for i in range(60):
            read.append(i)
            yield delayed(square)(i)

    results = Parallel(backend=client, return_as="generator", batch_size=1)(tasks())
    assert [next(results), next(results)] == [0, 1]
    assert len(read) < 60
    assert sum(1 for _ in results) == 58


def test_seeds_progress_and_output(client: Any, crowd: Any) -> None:
    """As on any other backend, in workers of several threads too."""

    def draw(i: int) -> tuple[float, int]:
        print("drawing", i)
        logging.getLogger("there").warning("drew %d", i)
        return float(task_rng().random()), VARIABLE.get()

    expected = [number for number, _ in Parallel(2, seed=7)(delayed(draw)(i) for i in range(6))]
    handler, records = logging.Handler(), list[logging.LogRecord]()
    handler.emit = records.append  # type: ignore[method-assign, assignment]  # all it does
    logging.getLogger().addHandler(handler)
    token = VARIABLE.set(5)
    try:
        for each in (client, crowd):
            records.clear()
            seen: list[int] = []
            lines: list[tuple[int, str, str]] = []
            found = Parallel(
                backend=each,
                seed=7,
                batch_size=2,
                progress=_first_of(seen),
                capture_output=lambda *line, lines=lines: lines.append(line),
            )(delayed(draw)(i) for i in range(6))
            assert [number for number, _ in found] == expected
            assert seen == list(range(1, 7))
            assert sorted(lines) == [(i, "stdout", f"drawing {i}\n") for i in range(6)]
            assert sorted(record.getMessage() for record in records) == [f"drew {i}" for i in range(6)]
    finally:
        VARIABLE.reset(token)
        logging.getLogger().removeHandler(handler)


def _first_of(seen: list[int]) -> Callable[[int, int | None, int], None]:
    return lambda done, total, failed: seen.append(done)


def test_several_tasks_run_at_once_in_one_worker(crowd: Any) -> None:
    """Its threads each have a task, a number and a context of their own."""
    found = Parallel(backend=crowd, batch_size=1)(delayed(_together)() for _ in range(6))
    assert {pid for pid, _, _ in found} == set(crowd.run(os.getpid).values())
    assert max(running for _, _, running in found) > 1
    assert {number for _, number, _ in found} == {0, 1, 2}


class _Running:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


RUNNING = _Running()


def _together() -> tuple[int, int, int]:
    import tests.unit.parallel.test_parallel_dask as here

    with here.RUNNING.lock:
        here.RUNNING.count += 1
    time.sleep(0.2)
    with here.RUNNING.lock:
        count = here.RUNNING.count
        here.RUNNING.count -= 1
    return os.getpid(), worker_id(), count


def test_resources(client: Any) -> None:
    """What batches need is Dask's to see to; a resource that nobody has is waited for."""
    parallel = Parallel(backend="dask", client=client, resources={"GPU": 1}, timeout=0.5)
    with pytest.raises(TimeoutError):
        parallel(delayed(square)(i) for i in range(3))
    one = next(iter(client.scheduler_info()["workers"]))
    pid = client.run(os.getpid, workers=[one])[one]
    found = Parallel(backend="dask", client=client, workers=[one])(delayed(os.getpid)() for _ in range(4))
    assert set(found) == {pid}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"task_timeout": 1.0}, "task_timeout=1.0: backend='dask' cannot keep it: Dask has no way"),
        ({"max_worker_memory": 10}, "max_worker_memory=10: .*memory_limit"),
        ({"max_tasks_per_worker": 3}, "max_tasks_per_worker=3: backend='dask'"),
        ({"worker_env": {"A": "1"}}, "worker_env={'A': '1'}: backend='dask'"),
        ({"capture_output": "fd"}, "capture_output='fd': backend='dask'"),
        ({"require": "sharedmem"}, "backend='dask' does not support shared memory"),
        ({"colour": 1}, "backend='dask' has no option colour: it takes client"),
        ({"scatter": np.zeros(3)}, "scatter=ndarray: give a list of objects"),
        ({"client": 3}, "client=3: give a distributed.Client, or the address of a scheduler"),
        ({"wait_for_workers_timeout": -1}, "wait_for_workers_timeout"),
    ],
)
def test_what_it_cannot_keep_is_refused(option: dict[str, Any], message: str) -> None:
    """By name, with the reason, before a cluster is made."""
    with pytest.raises(InvalidOption, match=message):
        Parallel(backend="dask", **option)


def test_options_need_their_backend(client: Any) -> None:
    """Options of Dask are no options of the others."""
    with pytest.raises(InvalidOption, match="Parallel has no option client="):
        Parallel(client=client)
    with pytest.raises(InvalidOption, match="Parallel has no option client="):
        Parallel(backend="threads", client=client)
    with pytest.raises(InvalidOption, match="parallel_config has no option scatter="):
        parallel_config(scatter=[])


def test_nobody_at_the_address() -> None:
    """One error that names the address."""
    with dask.config.set({"distributed.comm.timeouts.connect": "300ms"}):
        parallel = Parallel(backend="dask", client="tcp://127.0.0.1:9")
        with pytest.raises(EngineError, match=r"client='tcp://127.0.0.1:9': no scheduler answers there"):
            parallel(delayed(square)(i) for i in range(3))


@pytest.mark.slow
def test_a_cluster_without_workers() -> None:
    """It is waited for as long as was said, and then the error says so."""
    with make_cluster(n_workers=0) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        parallel = Parallel(backend="dask", client=client, wait_for_workers_timeout=0.3)
        with pytest.raises(EngineError, match=r"has no workers, .* wait_for_workers_timeout=0.3 s"):
            parallel(delayed(square)(i) for i in range(3))
        cluster.scale(1)
        assert Parallel(backend=client)(delayed(square)(i) for i in range(3)) == [0, 1, 4]


def test_a_client_that_was_closed(client: Any) -> None:
    """One error that says so."""
    address = client.scheduler_info()["address"]
    with distributed.Client(address, set_as_default=False) as other:
        parallel = Parallel(backend=other)
    with pytest.raises(EngineError, match="closed"):
        parallel(delayed(square)(i) for i in range(3))


def test_dasks_own_executor_is_one_like_any_other(client: Any) -> None:
    """Who prefers that interface can have it."""
    executor = client.get_executor()
    assert Parallel(2, backend=executor)(delayed(square)(i) for i in range(5)) == [0, 1, 4, 9, 16]
