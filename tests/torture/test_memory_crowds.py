"""Two versions of a program on one cache, killed all the time: on a local disk, and on a network disk."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lightwork.protocols import Record, Store
from lightwork.stores import FileStore, SqliteStore
from lightwork.testing.stores import key_of

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills of Linux, and its /proc"),
    pytest.mark.timeout(1800 if os.environ.get("LIGHTWORK_TORTURE") == "long" else 180),
]

LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
SECONDS = 60.0 if LONG else 4.0
PROCESSES = 8
HERE = Path(__file__).parent

_VERSION = """
import numpy as np
SIZES = (1, 3, 2_000, 20_000, 200_000)
def helper(n):
    return {version} * 1_000_000 + n
def value(n):
    return {{"n": helper(n), "data": np.full(SIZES[n % 5 if n % 50 else 4], float(helper(n)))}}
"""

_WORKER = """
import os, random, sys, warnings
warnings.filterwarnings("ignore", "keeping the results of")  # costs more than it saves: so it does here
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from lightwork.memory import Memory
from lightwork.stores import FileStore
import program
cache, log, seed, keys, kind = sys.argv[3], sys.argv[4], *map(int, sys.argv[5:7]), sys.argv[7]
if kind == "network":
    import network_disk
    network_disk.install(cache, delay=0.5, seed=seed)
memory = Memory(store=FileStore(cache)) if kind == "network" else Memory(cache)
cached, chance = memory.cache(program.value), random.Random(seed)
done = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
announced = False
while True:
    n = chance.randrange(keys)
    found = cached(n)
    right = program.helper(n)
    assert found["n"] == right and (found["data"] == right).all(), (n, right, found["n"], found["data"][0])
    found["data"][:] = -1     # nobody else may see it
    assert cached.stats().unkept == 0
    os.write(done, b"%d\\n" % n)
    if not announced:
        print("well", flush=True)
        announced = True
"""

_REFEREE = """
import sys, warnings
warnings.filterwarnings("ignore", "keeping the results of")
sys.path.insert(0, sys.argv[1])
from lightwork.memory import Memory
from lightwork.stores import FileStore
import program
memory = Memory(store=FileStore(sys.argv[2])) if sys.argv[4] == "network" else Memory(sys.argv[2])
cached = memory.cache(program.value)
kept = {int(line) for line in open(sys.argv[3]).read().split("\\n")[:-1]}
for n in kept:
    found = cached(n)
    assert found["n"] == program.helper(n) and (found["data"] == program.helper(n)).all()
print(len(kept), cached.stats().misses, len(memory.verify().damaged))
"""


class Crowd:
    """Processes of two versions of a program that share a cache."""

    def __init__(self, folder: Path, *, kind: str, keys: int) -> None:
        self._folder = folder
        self._kind = kind
        self._keys = keys
        self._seed = 0
        for version in (1, 2):
            (folder / f"v{version}").mkdir()
            (folder / f"v{version}" / "program.py").write_text(_VERSION.format(version=version))
        self._workers = [self._start(place) for place in range(PROCESSES)]

    def _arguments(self, version: int) -> tuple[str, str]:
        return str(self._folder / "cache"), str(self._folder / f"log{version}")

    def _start(self, place: int) -> "subprocess.Popen[str]":
        version = place % 2 + 1
        self._seed += 1
        arguments = [self._folder / f"v{version}", HERE, *self._arguments(version), self._seed, self._keys]
        return _python(_WORKER, *arguments, self._kind)

    def wait(self) -> None:
        """Until each process has had a first answer."""
        for worker in self._workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "well\n", worker.communicate()[1]

    def kill_one(self, place: int) -> None:
        """Kill a process, which must have been well, and start another in its place."""
        worker = self._workers[place]
        worker.kill()
        _, err = worker.communicate()
        assert (worker.returncode, err) == (-signal.SIGKILL, "")
        self._workers[place] = self._start(place)

    def end(self) -> None:
        """Kill all; they must have been well."""
        for worker in self._workers:
            worker.kill()
        answers = [worker.communicate()[1] for worker in self._workers]
        assert answers == [""] * PROCESSES

    def judge(self, version: int) -> tuple[int, int, int]:
        """In a fresh process: calls that were answered, how many of them are misses now, damaged records."""
        program = self._folder / f"v{version}"
        judge = _python(_REFEREE, program, *self._arguments(version), self._kind)
        out, err = judge.communicate(timeout=500 if LONG else 50)
        assert judge.returncode == 0, err
        answered, misses, damaged = map(int, out.split())
        return answered, misses, damaged


def _python(script: str, *arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _run(crowd: Crowd) -> None:
    chance = random.Random(3)
    try:
        crowd.wait()
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            time.sleep(chance.uniform(0.05, 0.6))  # the moment of the kill is what is being varied
            crowd.kill_one(chance.randrange(PROCESSES))
    finally:
        crowd.end()


@pytest.mark.slow
def test_two_versions_survive_kills(tmp_path: Path) -> None:
    """Every value is right, nobody fails, what was answered stays kept for both versions of the code."""
    crowd = Crowd(tmp_path, kind="local", keys=1000)
    _run(crowd)
    for version in (1, 2):
        answered, misses, damaged = crowd.judge(version)
        assert answered > 0
        assert (misses, damaged) == (0, 0)
    database = tmp_path / "cache" / "lightwork-1" / "records.sqlite"
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert os.listdir(tmp_path / "cache" / "lightwork-1" / "tmp") == []


@pytest.mark.slow
def test_a_network_disk_without_locks_and_late(tmp_path: Path) -> None:
    """The same with files on a disk that shows changes late, loses answers and knows no locks or maps."""
    crowd = Crowd(tmp_path, kind="network", keys=300)
    _run(crowd)
    for version in (1, 2):
        answered, misses, damaged = crowd.judge(version)
        assert answered > 0
        assert (misses, damaged) == (0, 0)


_SIZES = (10, 3_000, 70_000, 1_200_000)


def _record(number: int) -> Record:
    size = _SIZES[number % len(_SIZES)]
    return Record(b"%d" % number, [bytes([number % 251]) * size, b"tail"], b"{}")


def _put_until_killed(open_store: Callable[[], Store], first: int, after: float, log: int) -> None:
    """In a forked child: put records until the kernel ends the process `after` seconds; none gets ready."""
    try:
        store = open_store()
        if first % 2:  # else opening the cache is what is interrupted
            store.get(key_of(0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, after)
        for number in range(first, first + 1000):
            store.put(key_of(number % 97), _record(number % 97))
            os.write(log, b"%d\n" % (number % 97))
    finally:
        os._exit(3)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path / "log", os.O_RDWR | os.O_APPEND | os.O_CREAT)
    yield descriptor
    os.close(descriptor)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SqliteStore, FileStore])
def test_a_put_that_is_killed_anywhere_leaves_all_or_nothing(
    tmp_path: Path, kind: type[SqliteStore] | type[FileStore], log: int
) -> None:
    """At whatever instruction a process ends: what was put is whole, and what it had begun is swept."""
    chance, cache = random.Random(11), tmp_path / "cache"
    kind(cache).put(key_of(0), _record(0))
    for round_ in range(200 if LONG else 30):
        pid = os.fork()
        if pid == 0:
            _put_until_killed(lambda: kind(cache), round_ * 7, chance.uniform(5e-4, 0.03), log)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGALRM
        store = kind(cache)
        for number in {*map(int, (tmp_path / "log").read_text().split())}:
            found = store.get(key_of(number))
            assert found is not None, (round_, number)
            assert (found.skeleton, bytes(found.buffers[0])) == (b"%d" % number, _record(number).buffers[0])
        assert len([*store.scan()]) <= 97
        store.close()
    if kind is SqliteStore:
        _check_nothing_is_left(cache / "lightwork-1")


def _check_nothing_is_left(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "records.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        known = {digest.hex() for (digest,) in connection.execute("SELECT digest FROM blobs")}
        assert connection.execute("SELECT count(*) FROM blobs WHERE uses = 0").fetchone() == (0,)
    assert {*os.listdir(folder / "blobs")} == known
    assert os.listdir(folder / "tmp") == os.listdir(folder / "trash") == []
