"""`Memory` at a URL: one cache for many hosts."""

import asyncio
import itertools
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lightwork import hashing
from lightwork.errors import CacheWarning
from lightwork.memory import Memory
from lightwork.parallel import Parallel, delayed
from lightwork.stores import ObjectStore, TieredStore
from tests.s3_server import S3Server

pytest.importorskip("obstore", reason="object stores are reached through obstore")
pytest.importorskip("moto", reason="the server that speaks the protocol of S3 is moto's")

NUMBERS = itertools.count()


@pytest.fixture
def url(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place in it, which the environment tells of, as users do it."""
    return _place(server, monkeypatch)


@pytest.fixture
def fragile(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[S3Server, str]]:
    """A server of one test, and a place in it."""
    server = S3Server()
    server.start()
    yield server, _place(server, monkeypatch)
    server.kill()


def _place(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.url(f"memory/{next(NUMBERS)}")  # a process opens each place once


def table(n: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.full(n, float(n))


def noted(folder: str, x: int) -> int:
    """Leaves a file for each time that it is computed."""
    Path(folder, f"{x}-{os.getpid()}-{time.monotonic_ns()}").touch()
    return 2 * x


def test_results_are_kept_at_a_url(url: str, tmp_path: Path) -> None:
    """Small and large ones, private, with local copies and without; all questions are answered."""
    for options in ({}, {"local": tmp_path / "copies", "local_bytes": "1GB"}):
        memory = Memory(url, backend_options=options)
        cached = memory.cache(table)
        for n in (3, 200_000):
            for _ in range(2):
                found = cached(n)
                assert (found == n).all()
                found[:] = -1
        assert cached.check_call_in_cache(3)
        assert not cached.check_call_in_cache(4)
        assert cached.explain(3).is_hit
        assert "n" in str(cached.explain(4))
        assert {entry.call for entry in memory.entries()} == {"table(3)", "table(200000)"}
        assert memory.stats().records == 2
        assert memory.verify().records == 2
        assert cached.call_and_shelve(3).get()[0] == 3
        assert pickle.loads(pickle.dumps(memory)).store is memory.store
        if options:
            assert isinstance(memory.store, TieredStore)
            assert cached.stats().misses == 0
            memory.reduce_size(items_limit=1)
            assert memory.stats().records == 1
            memory.clear(warn=False)
            assert memory.entries() == []
        else:
            assert isinstance(memory.store, ObjectStore)
            assert cached.stats().misses == 2


def test_a_server_that_dies_costs_one_warning(fragile: tuple[S3Server, str], tmp_path: Path) -> None:
    """In the middle of a loop: all values are right, nothing waits for long, and one warning says why."""
    server, url = fragile
    memory = Memory(url, backend_options={"local": tmp_path / "copies", "fresh": 0})
    cached = memory.cache(noted)
    folder = tmp_path / "calls"
    folder.mkdir()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for x in range(40):
            if x == 20:
                server.kill()
                begun = time.monotonic()
            assert cached(str(folder), x) == 2 * x
            assert cached(str(folder), x // 2) == x // 2 * 2
    assert time.monotonic() - begun < 20.0
    (warning,) = caught
    assert issubclass(warning.category, CacheWarning)
    assert "cannot be reached" in str(warning.message)
    assert "not kept" in str(warning.message)
    assert warning.filename == __file__


def test_a_server_that_dies_while_it_is_computed(fragile: tuple[S3Server, str]) -> None:
    """The value is returned; who cannot be reached holds up nobody."""
    server, url = fragile

    def last(x: int) -> int:
        server.kill()
        return x

    with pytest.warns(CacheWarning, match="cannot be reached"):
        assert Memory(url).cache(last, track="none")(1) == 1


def test_a_server_that_was_never_there(fragile: tuple[S3Server, str]) -> None:
    """The same from the first call on."""
    server, url = fragile
    server.kill()
    with pytest.warns(CacheWarning, match="cannot be reached"):
        assert Memory(url).cache(table)(3)[0] == 3


def test_workers_share_it(url: str, tmp_path: Path) -> None:
    """Results of a parallel call are kept by the workers, and found by the next one."""
    cached = Memory(url).cache(noted, ignore=["folder"])
    for _ in range(2):
        results = Parallel(n_jobs=2)(delayed(cached)(str(tmp_path), x) for x in range(8))
        assert results == [2 * x for x in range(8)]
    assert len(list(tmp_path.iterdir())) == 8


_ASKING = """
import os, sys, time, warnings
from lightwork.memory import Memory
warnings.simplefilter("error")
def noted(folder, x):
    open(f"{folder}/{x}-{os.getpid()}-{time.monotonic_ns()}", "x").close()
    return 2 * x
cached = Memory(sys.argv[1]).cache(noted, ignore=["folder"])
print("ready", flush=True)
sys.stdin.readline()
print([cached(sys.argv[2], x) for x in range(10)])
"""


def test_processes_compute_each_key_once(url: str, tmp_path: Path) -> None:
    """Four at once, that have nothing in common but the server."""
    command = [sys.executable, "-c", _ASKING, url, str(tmp_path)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate()[0] for process in processes]
    assert answers == [f"{[2 * x for x in range(10)]}\n"] * 4
    assert sorted(int(path.name.split("-")[0]) for path in tmp_path.iterdir()) == list(range(10))


def test_event_loops_are_not_held_up(fragile: tuple[S3Server, str]) -> None:
    """While the server takes its time other tasks run; the same key is computed once."""
    server, url = fragile
    calls: list[int] = []

    @Memory(url).cache(track="none")
    async def slow(x: int) -> int:
        calls.append(x)
        await asyncio.sleep(0.05)
        return x + 1

    async def watch(gaps: list[float], stop: asyncio.Event) -> None:
        while not stop.is_set():
            begun = time.perf_counter()
            await asyncio.sleep(0.01)
            gaps.append(time.perf_counter() - begun)

    async def main() -> list[float]:
        gaps: list[float] = []
        stop = asyncio.Event()
        watching = asyncio.create_task(watch(gaps, stop))
        for number in range(2):
            server.signal(signal.SIGSTOP)
            threading.Timer(2.0, server.signal, [signal.SIGCONT]).start()
            assert await asyncio.gather(*(slow(number) for _ in range(3))) == [number + 1] * 3
            assert await slow(0) == 1
            assert (await slow.call_and_shelve(number)).get is not None
        stop.set()
        await watching
        return gaps

    gaps = asyncio.run(main())
    assert calls == [0, 1]
    assert max(gaps) < 1.5  # a loop that waited for the server would stand still for two seconds


def test_a_cancelled_task_leaves_no_lease(server: S3Server, url: str) -> None:
    """Cancelled while it waits for the answer, or while it computes: another process gets the key."""
    other = ObjectStore(url, **server.options)
    computing = asyncio.Event()

    @Memory(url).cache(track="none")
    async def endless(x: int) -> int:
        computing.set()
        await asyncio.sleep(3600)
        return x

    key = hashing.calls.CallKeys(endless.func, track="none").call((1,), {}).key

    async def main(wait: float | None) -> None:
        task = asyncio.create_task(endless(1))
        if wait is None:
            await computing.wait()
            assert not other.lease(key)
        else:
            await asyncio.sleep(wait)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    for wait in (0.0, 0.005, 0.01, 0.02, 0.04, None):
        computing.clear()
        asyncio.run(main(wait))
        deadline = time.monotonic() + 20.0
        while not other.lease(key):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        other.release(key, failed=False)
        other.close()


def test_a_forked_child_computes(url: str) -> None:
    """It cannot use what its parent used; one warning says what to do."""
    cached = Memory(url).cache(table)
    cached(3)
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)  # without the refusal it would wait for ever
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                found = [int(cached(3)[0]), int(cached(4)[0])]
            os.write(write, f"{found} {[str(each.message) for each in caught]}".encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    answer = os.read(read, 4000).decode()
    os.close(read)
    os.close(write)
    assert answer.startswith("[3, 4] [")
    assert answer.count("spawn") == 1
