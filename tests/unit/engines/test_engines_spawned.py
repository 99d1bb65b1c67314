"""Workers for systems without lightwork's own pool. They need nothing but POSIX, so they are tested here.

The last test disguises this system as macOS: what Linux alone has is taken away in a process. That is no
macOS; there nothing was run.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import Failure, Parallel, delayed, worker_id
from lightwork.engines.spawned import SpawnedEngine
from lightwork.errors import EngineError, InvalidOption, WorkerDied
from lightwork.parallel.task import TaskRunner
from lightwork.protocols import Batch, Done, SessionRequest


@pytest.fixture(scope="module")
def engine() -> Iterator[SpawnedEngine]:
    engine = SpawnedEngine()
    yield engine
    engine.shutdown()


def _until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_tasks_run_elsewhere_and_workers_are_kept(engine: SpawnedEngine) -> None:
    """Closures of this module, arrays that may be written to, results in order."""
    offset, data = 10, np.zeros(100_000)

    def task(index: int, array: Any) -> tuple[int, int, float]:
        array[0] += index
        return os.getpid(), index + offset, float(array[0])

    parallel = Parallel(n_jobs=2, backend=engine)
    first = parallel(delayed(task)(index, data) for index in range(20))
    assert [(number, value) for _, number, value in first] == [(10 + i, float(i)) for i in range(20)]
    pids = {pid for pid, _, _ in first}
    assert os.getpid() not in pids
    assert len(pids) <= 2
    again = {pid for pid, _, _ in parallel(delayed(task)(index, data) for index in range(20))}
    assert len(pids | again) <= 2
    assert data[0] == 0


@pytest.mark.parametrize("end", ["signal", "exit"])
def test_a_worker_that_dies_costs_its_task_alone(engine: SpawnedEngine, end: str) -> None:
    """Of a batch it is found out which."""

    def task(index: int) -> int:
        if index == 7:
            os._exit(3) if end == "exit" else os.kill(os.getpid(), signal.SIGSEGV)
        return index

    results = Parallel(n_jobs=2, backend=engine, on_error="return")(delayed(task)(i) for i in range(12))
    failure = results[7]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, WorkerDied)
    assert failure.error.task == 7
    assert (failure.error.signal, failure.error.exitcode) == (
        (None, 3) if end == "exit" else (signal.SIGSEGV, None)
    )
    assert results[:7] + results[8:] == [*range(7), *range(8, 12)]


def test_a_generator_that_is_closed_ends_its_workers(engine: SpawnedEngine, tmp_path: Path) -> None:
    """With what their tasks have started."""

    def task(index: int) -> int:
        if index:
            child = subprocess.Popen(["sleep", "1000"])
            (tmp_path / "new").write_text(f"{os.getpid()} {child.pid}")
            (tmp_path / "new").rename(tmp_path / "pids")
            child.wait()
        return index

    results = Parallel(n_jobs=2, backend=engine, return_as="generator", batch_size=1)(
        delayed(task)(i) for i in range(2)
    )
    assert next(results) == 0
    _until((tmp_path / "pids").exists)
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert all(map(_is_running, pids))
    results.close()
    _until(lambda: not any(map(_is_running, pids)))
    assert Parallel(n_jobs=2, backend=engine)(delayed(abs)(i) for i in (-1, -2)) == [1, 2]


_PARENT = """
import os, subprocess, sys, time
from lightwork import Parallel, delayed
from lightwork.engines.spawned import SpawnedEngine

def task(index):
    child = subprocess.Popen(["sleep", "1000"])
    print(os.getpid(), child.pid, flush=True)
    time.sleep(1000)

Parallel(n_jobs=2, backend=SpawnedEngine())(delayed(task)(index) for index in range(2))
"""


def test_nothing_outlives_a_parent_that_is_killed(tmp_path: Path) -> None:
    """No main guard either: workers do not run the script."""
    script = tmp_path / "script.py"
    script.write_text(_PARENT)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for _ in range(2) for pid in parent.stdout.readline().split()]
        assert len(pids) == 4
        assert all(map(_is_running, pids))
        parent.kill()
    _until(lambda: not any(map(_is_running, pids)))


_FORKS = """
import os
from lightwork import Parallel, delayed
from lightwork.engines.spawned import SpawnedEngine

engine = SpawnedEngine()
parallel = Parallel(n_jobs=2, backend=engine)
assert parallel(delayed(abs)(i) for i in (-1, -2)) == [1, 2]
pid = os.fork()
found = parallel(delayed(abs)(i) for i in (-3, -4))
if pid == 0:
    engine.shutdown()
    os._exit(0 if found == [3, 4] else 1)
assert found == [3, 4]
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
assert parallel(delayed(abs)(i) for i in (-5, -6)) == [5, 6]
print("seen", end="")
assert parallel([delayed(print)("in a worker"), delayed(abs)(-1)]) == [None, 1]
"""


def test_a_forked_child_has_workers_of_its_own() -> None:
    """Parent and child go on; the script ends without a warning, and what tasks print arrives."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", _FORKS],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.split()) == ["a", "in", "seen", "worker"] or "in a worker" in done.stdout


def test_each_worker_has_its_own_variables(engine: SpawnedEngine) -> None:
    """Those of its number."""

    def task(_: int) -> tuple[str, int]:
        time.sleep(0.01)  # long enough that both get some
        return os.environ["DEVICE"], worker_id()

    parallel = Parallel(
        n_jobs=2, backend=engine, batch_size=1, worker_env=lambda number: {"DEVICE": f"gpu{number}"}
    )
    found = set(parallel(delayed(task)(i) for i in range(20)))
    assert found == {("gpu0", 0), ("gpu1", 1)}


def test_inner_threads_are_limited_before_anything_is_imported(engine: SpawnedEngine) -> None:
    """By variables; a call that asks for another limit gets other workers."""
    for limit in (1, 3):
        parallel = Parallel(n_jobs=2, backend=engine, inner_max_num_threads=limit)
        assert set(parallel(delayed(os.getenv)("OMP_NUM_THREADS") for _ in range(4))) == {str(limit)}


@pytest.mark.parametrize(
    "options",
    [
        {"task_timeout": 1},
        {"max_tasks_per_worker": 3},
        {"max_worker_memory": "1GB"},
    ],
    ids=repr,
)
def test_what_cannot_be_kept_is_refused_by_name(engine: SpawnedEngine, options: dict[str, Any]) -> None:
    """Before anything runs."""
    with pytest.raises(InvalidOption, match=f"{next(iter(options))}: needs the worker processes"):
        Parallel(n_jobs=2, backend=engine, **options)(delayed(abs)(i) for i in (-1, -2))


def test_workers_that_cannot_begin_end_the_call(
    engine: SpawnedEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With one clear error, be there no interpreter or one that fails."""
    engine.shutdown()
    parallel = Parallel(n_jobs=2, backend=engine)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(EngineError, match="cannot start"):
        parallel(delayed(abs)(i) for i in (-1, -2))
    (tmp_path / "python").write_text("#!/bin/sh\nexit 5\n")
    (tmp_path / "python").chmod(0o755)
    with pytest.raises(EngineError, match=r"ended before it could begin \(exit status 5\)"):
        parallel(delayed(abs)(i) for i in (-1, -2))


def test_idle_workers_leave(engine: SpawnedEngine) -> None:
    """After the time that their last session has named."""
    engine.shutdown()
    request = SessionRequest(1, TaskRunner(1), None, {"idle_worker_timeout": 0.2})
    session = engine.open(request)
    session.send(0, Batch(0, [(os.getpid, (), {})]))
    (done,) = session.wait(None)
    assert isinstance(done, Done)
    (pid,) = done.values
    session.close(abort=False)
    _until(lambda: not _is_running(pid))


def test_several_threads_share_the_engine(engine: SpawnedEngine) -> None:
    """Calls under way do not take each other's workers."""
    found: dict[int, list[int]] = {}

    def call(number: int) -> None:
        found[number] = Parallel(n_jobs=2, backend=engine)(delayed(pow)(number, i) for i in range(30))

    threads = [threading.Thread(target=call, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: [number**i for i in range(30)] for number in range(4)}


_ELSEWHERE = """
import mmap, os, signal, socket, sys
sys.platform = "darwin"
LACKS = {
    os: "memfd_create eventfd eventfd_read eventfd_write EFD_CLOEXEC EFD_NONBLOCK MFD_CLOEXEC pidfd_open "
        "P_PIDFD sched_getaffinity sched_setaffinity posix_fadvise posix_fallocate copy_file_range splice "
        "O_TMPFILE O_DIRECT getxattr setxattr listxattr removexattr fdatasync",
    mmap: "MADV_POPULATE_WRITE MADV_HUGEPAGE MADV_DONTFORK MADV_REMOVE MAP_POPULATE",
    signal: "pidfd_send_signal sigtimedwait SIGRTMIN SIGRTMAX",
    socket: "SO_PEERCRED MSG_CMSG_CLOEXEC SOCK_CLOEXEC SOCK_NONBLOCK",
}
for module, names in LACKS.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)

def refuse(event, args):
    if event in ("open", "os.listdir", "os.scandir") and isinstance(args[0], (str, bytes)):
        if os.fsdecode(args[0]).startswith(("/proc/", "/sys/", "/dev/shm")):
            raise FileNotFoundError(2, "there is none on this system", args[0])

sys.addaudithook(refuse)
import tempfile
import lightwork
from lightwork import Executor, Memory, Parallel, delayed, dump, hash, load
from lightwork.engines.registry import engine
from lightwork.engines.spawned import SpawnedEngine

assert isinstance(engine("loky"), SpawnedEngine)
memory = Memory(tempfile.mkdtemp(), max_bytes="1G")
square = memory.cache(lambda x: x * x)
for _ in range(2):
    assert Parallel(n_jobs=2)(delayed(square)(i) for i in range(9)) == [i * i for i in range(9)]
assert square.stats().hits == 9
with Executor(2) as executor:
    assert executor.submit(lambda: 7).result() == 7
path = os.path.join(tempfile.mkdtemp(), "value.lw")
for options in ({}, {"compress": True}):
    dump(list(range(100_000)), path, **options)
    assert hash(load(path)) == hash(list(range(100_000)))
from lightwork.compat import joblib
halves = joblib.Parallel(n_jobs=2)(joblib.delayed(divmod)(i, 2) for i in range(4))
assert halves == [divmod(i, 2) for i in range(4)]
print("all of it")
"""


def test_it_is_what_processes_means_elsewhere() -> None:
    """In a process that looks like one of macOS."""
    done = subprocess.run([sys.executable, "-c", _ELSEWHERE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "all of it\n"), done.stderr
