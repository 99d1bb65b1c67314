"""Kills, crowds, forks and hostile disks. ``LIGHTWORK_TORTURE=long`` makes it long."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork.memory import Memory
from lightwork.stores import FileStore, SqliteStore

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills and mounts of Linux"),
]

LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
SECONDS = 60.0 if LONG else 6.0


def _script(text: str, *args: object) -> "subprocess.Popen[str]":
    """A fresh process that runs `text` with `args`, in a session of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(text), *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _output(process: "subprocess.Popen[str]") -> str:
    """What the process printed, after it ended well."""
    out, err = process.communicate(timeout=50)
    assert process.returncode == 0, err
    return out.strip()


def _integrity(location: Path) -> str:
    connection = sqlite3.connect(location / "lightwork-1" / "records.sqlite")
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


def _code_of_child(action: Callable[[], bool]) -> int:
    """Fork, run `action`, and return 0 if it was true, 1 if false, 2 after an error, or minus the signal."""
    pid = os.fork()
    if pid == 0:
        code = 2
        try:
            signal.alarm(20)
            code = 0 if action() else 1
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


_WRITER = """
import random, sys
from lightwork.protocols import Record
from lightwork.stores import SqliteStore
store, chance = SqliteStore(sys.argv[1]), random.Random(int(sys.argv[2]))
sizes = (10, 70_000, 1_200_000, 2_500_000)
while True:
    number = chance.randrange(40)
    key = bytes(31) + bytes([number])
    size = sizes[number % 4]
    if chance.random() < 0.1:
        store.drop([key])
    elif chance.random() < 0.02:
        store.trim(max_items=20)
    else:
        store.put(key, Record(b"%d" % number, [bytes([number]) * size, b"tail"], b"{}"))
    found = store.get(key)
    if found is not None:
        assert found.skeleton == b"%d" % number, (found.skeleton, number)
        assert bytes(found.buffers[0]) == bytes([number]) * size and bytes(found.buffers[1]) == b"tail"
"""


@pytest.mark.slow
def test_killed_writers_leave_a_sound_cache(tmp_path: Path) -> None:
    """SIGKILL at any moment: no other process fails, every read is right, the database is intact."""
    chance = random.Random(20)
    writers = [_script(_WRITER, tmp_path, seed) for seed in range(3)]
    deadline, seed = time.monotonic() + SECONDS, 3
    try:
        while time.monotonic() < deadline:
            victim = chance.randrange(3)
            time.sleep(chance.uniform(0.05, 0.5))  # the moment of the kill is what is being varied
            assert writers[victim].poll() is None, writers[victim].communicate()[1]
            writers[victim].kill()
            writers[victim].communicate()
            writers[victim] = _script(_WRITER, tmp_path, seed)
            seed += 1
    finally:
        for writer in writers:
            writer.kill()
        errors = [writer.communicate()[1] for writer in writers]
    assert errors == ["", "", ""]
    assert _integrity(tmp_path) == "ok"
    _check_accounts(tmp_path)


def _check_accounts(location: Path) -> None:
    """After a sweep every file is known to the database, and the counters say what is there."""
    store = SqliteStore(location)
    for number in range(40):
        found = store.get(bytes(31) + bytes([number]))
        assert found is None or bytes(found.buffers[0])[:1] == bytes([number])
    assert os.listdir(location / "lightwork-1" / "tmp") == []
    assert os.listdir(location / "lightwork-1" / "trash") == []
    connection = sqlite3.connect(location / "lightwork-1" / "records.sqlite")
    (own,) = connection.execute("SELECT coalesce(sum(own), 0) FROM records").fetchone()
    (shared,) = connection.execute("SELECT coalesce(sum(nbytes), 0) FROM blobs").fetchone()
    known = {digest.hex() for (digest,) in connection.execute("SELECT digest FROM blobs")}
    connection.close()
    assert store.totals() == (len(list(store.scan())), own + shared)
    assert set(os.listdir(location / "lightwork-1" / "blobs")) <= known
    store.close()


_OPENER = """
import sys
from lightwork.memory import Memory
from lightwork.stores import SqliteStore
sys.stdin.readline()
memory = Memory(sys.argv[1])
cached = memory.cache(divmod)
for number in range(20):
    assert cached(number, 7) == divmod(number, 7)
print(cached.stats().misses)
"""


@pytest.mark.slow
def test_sixteen_processes_open_a_new_cache_at_once(tmp_path: Path) -> None:
    """Nobody gets "database is locked", a warning or a wrong value, and each key is computed once."""
    rounds = 5 if LONG else 1
    for number in range(rounds):
        location = tmp_path / f"cache{number}"
        command = [sys.executable, "-W", "error", "-c", _OPENER, str(location)]
        crowd = [
            subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(16)
        ]
        for process in crowd:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=500 if LONG else 50) for process in crowd]
        assert [err for _, err in answers] == [""] * 16
        assert sum(int(out) for out, _ in answers) == 20
        assert _integrity(location) == "ok"


def test_hit_and_put_in_a_forked_child(tmp_path: Path) -> None:
    """With connections open a fork leaves parent and child both able to hit and to put."""
    memory = Memory(tmp_path)
    cached = memory.cache(np.zeros)
    cached(3), cached(300_000)
    for number in range(5):

        def use(number: int = number) -> bool:
            fine = bool(cached(3).sum() == 0 and cached(300_000).sum() == 0)
            cached(10 + number)
            return fine and cached.stats().misses == 3 + number

        assert _code_of_child(use) == 0
        misses = cached.stats().misses
        assert cached(10 + number).sum() == 0
        assert cached.stats().misses == misses
        cached(100 + number)
    assert _integrity(tmp_path) == "ok"


_FOLDED = """
import sys, warnings
from lightwork.memory import Memory
memory = Memory(sys.argv[1])
cached = memory.cache(pow)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    values = [cached(2, n) for n in (3, 3, 4)]
assert values == [8, 8, 16], values
print(len(caught), cached.stats().hits, caught[0].category.__name__ if caught else "")
"""


_DROPPED = """
import os, sys, tempfile
from lightwork.memory import Memory
with tempfile.TemporaryDirectory() as folder:
    Memory(folder).cache(pow)(2, 1)     # so that all is loaded that is loaded on first use
if os.getuid() == 0:     # only now: this account may not be allowed to read the interpreter's files
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


def _run_as_nobody(location: Path) -> str:
    return _output(_script(_DROPPED + _FOLDED, location))


@pytest.fixture
def open_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder that other accounts can reach."""
    folder = tmp_path / "open"
    folder.mkdir()
    changed = [path for path in (folder, *folder.parents) if path.stat().st_uid == os.getuid()]
    modes = {path: path.stat().st_mode for path in changed}
    for path in changed:
        path.chmod(modes[path] | 0o055)
    yield folder
    for path, mode in modes.items():
        path.chmod(mode)


@pytest.mark.slow
def test_a_forbidden_folder_costs_one_warning(open_folder: Path) -> None:
    """Where nothing may be written every call is computed, with one warning in all."""
    location = open_folder / "cache"
    location.mkdir(mode=0o555)
    assert _run_as_nobody(location) == "1 0 CacheWarning"
    assert os.listdir(location) == []


@pytest.mark.slow
def test_a_read_only_cache_is_read(open_folder: Path) -> None:
    """A cache that others filled and that may not be written gives hits, and one warning for the rest."""
    location = open_folder / "cache"
    script = _FOLDED.replace("(3, 3, 4)", "(3,)").replace("[8, 8, 16]", "[8]")
    subprocess.run([sys.executable, "-c", script, str(location)], check=True, capture_output=True)
    for path in [location, *location.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert _run_as_nobody(location) == "1 2 CacheWarning"


def _filled(n: int, value: float) -> Any:  # Any: an array
    return np.full(n, value)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [SqliteStore, FileStore])
def test_a_full_disk_costs_one_warning(small_disk: Path, kind: Any) -> None:
    """Values are right while the disk fills up; what was kept stays readable; nothing is half-written."""
    memory = Memory(store=kind(small_disk / "cache"))
    cached = memory.cache(_filled)
    sizes = [(250_000, 4_000)[number % 2] for number in range(30)]
    with pytest.warns(Warning, match="cannot be written") as caught:
        assert all((cached(size, number) == number).all() for number, size in enumerate(sizes))
    assert len(caught) == 1
    kept = [number for number, size in enumerate(sizes) if cached.check_call_in_cache(size, number)]
    assert 0 < len(kept) < 30
    hits = cached.stats().hits
    assert all((cached(sizes[number], number) == number).all() for number in kept)
    assert cached.stats().hits == hits + len(kept)
    assert os.listdir(small_disk / "cache" / "lightwork-1" / "tmp") == []
    memory.clear(warn=False)
    cached(10, 1)
    assert cached.check_call_in_cache(10, 1)
    assert memory.store is not None
    memory.store.close()


_LEADER = """
import os, sys, time
from lightwork.memory import Memory
memory = Memory(sys.argv[1])
@memory.cache(track="none", version=1)
def slow(x):
    if sys.argv[2] == "leader":
        if os.fork() == 0:       # a grandchild that outlives its parent and does not give way
            time.sleep(30)
            os._exit(0)
        print("inside", flush=True)
        time.sleep(30)
    return x + 1
print(slow(1), slow.stats().misses, flush=True)
"""


@pytest.mark.slow
def test_a_killed_leader_is_replaced_though_its_child_lives(tmp_path: Path) -> None:
    """The kernel frees the lease with the leader, not with what it forked: a waiter takes over at once."""
    script = tmp_path / "job.py"
    script.write_text(_LEADER)
    command = [sys.executable, "-u", str(script), str(tmp_path / "cache")]
    leader = subprocess.Popen([*command, "leader"], stdout=subprocess.PIPE, text=True, start_new_session=True)
    try:
        assert leader.stdout is not None
        assert leader.stdout.readline() == "inside\n"
        waiter = subprocess.Popen([*command, "waiter"], stdout=subprocess.PIPE, text=True)
        with pytest.raises(subprocess.TimeoutExpired):
            waiter.wait(1.0)  # it waits for the leader
        killed = time.monotonic()
        os.kill(leader.pid, signal.SIGKILL)
        out, _ = waiter.communicate(timeout=20)
        assert out == "2 1\n"
        assert time.monotonic() - killed < 10  # not the 30 s of the grandchild; far above any scheduling
    finally:
        os.killpg(leader.pid, signal.SIGKILL)
        leader.wait()
        assert leader.stdout is not None
        leader.stdout.close()


_ONCE = """
import sys, time
from lightwork.memory import Memory
memory = Memory(sys.argv[1])
@memory.cache
def slow(x):
    with open(sys.argv[2], "a") as log:
        log.write("x")
    time.sleep(0.5)
    return x
print(slow(1))
"""


@pytest.mark.slow
def test_processes_compute_once(tmp_path: Path) -> None:
    """Of processes that ask for one key at the same time one computes."""
    script, log = tmp_path / "job.py", tmp_path / "log"
    script.write_text(_ONCE)
    command = [sys.executable, str(script), str(tmp_path / "cache"), str(log)]
    crowd = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(6)]
    assert [process.communicate(timeout=50)[0] for process in crowd] == ["1\n"] * 6
    assert log.read_text() == "x"
