"""One cache for three hosts: each key is computed once, the dead are replaced, nothing stale is served."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.torture.hosts import COUNT, Hosts, Namespaces

pytest.importorskip("obstore", reason="object stores are reached through obstore")
pytest.importorskip("moto", reason="the server that speaks the protocol of S3 is moto's")

LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
KEYS = 200 if LONG else 20
BEAT = 0.4

pytestmark = [pytest.mark.torture, pytest.mark.timeout(1800 if LONG else 120)]

# A host of its own: what it computes it writes down in one file; it has a folder for copies of its own.
_HOST = """
import os, sys, time, warnings
import numpy as np
from lightwork.errors import CacheWarning
from lightwork.memory import Memory
from lightwork.stores import ObjectStore, SqliteStore, TieredStore
url, folder, copies, beat, fresh = *sys.argv[1:4], *map(float, sys.argv[4:6])
options = {"client_options": {"allow_http": True, "timeout": "1s", "connect_timeout": "300ms"}}
far = ObjectStore(url, beat=beat, **options)
cached = Memory(store=TieredStore(SqliteStore(copies), far, fresh=fresh)).cache
def write(name, text):
    with open(os.path.join(folder, name), "a") as file:
        file.write(f"{text}\\n")
@cached(version=1, track="none")
def work(n):
    write("computed", f"{n} {os.getpid()}")
    while n < 0 and not os.path.exists(os.path.join(folder, "go")):
        time.sleep(0.01)
    time.sleep(0.005)
    return np.full(200_000 if n % 4 == 0 else 3, float(n))
@cached(version=1, track="none")
def moment():
    return time.monotonic_ns()
def ask(keys):
    for n in keys:
        found = work(n)
        assert (found == n).all(), (n, found)
        found[:] = -1
    return work.stats().misses
def bump(times):
    for _ in range(times):
        moment.forget()
        written = moment()
        with open(os.path.join(folder, "new"), "w") as file:
            file.write(str(written))
        os.replace(os.path.join(folder, "new"), os.path.join(folder, "latest"))
        time.sleep(0.01)
    write("done", "")
def watch():
    looks = 0
    while not os.path.exists(os.path.join(folder, "done")):
        try:
            with open(os.path.join(folder, "latest")) as file:
                latest = int(file.read())
        except FileNotFoundError:
            continue
        found = moment()
        assert found >= latest, (found, latest)
        looks += 1
    return looks
def count(kind, call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(each.message) for each in caught if issubclass(each.category, kind)]
for line in sys.stdin:
    print(repr(eval(line)), flush=True)
"""


class Host:
    """A process on a host, which is asked for the values of expressions."""

    def __init__(self, hosts: Hosts, number: int, folder: Path, *, fresh: float = 0.0) -> None:
        script = folder / "host.py"
        script.write_text(_HOST)
        command = [*hosts.prefix(number), sys.executable, "-W", "error", str(script)]
        arguments = [
            hosts.server.url("hosts"),
            str(folder),
            str(folder / f"copies-{number}"),
            str(BEAT),
            str(fresh),
        ]
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **hosts.server.environment},
        )

    def ask(self, expression: str) -> None:
        """Let it find the value of an expression."""
        assert self.process.stdin is not None
        self.process.stdin.write(expression + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """The value of the expression that was asked for first and not answered yet."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()

    def send(self, number: int) -> None:
        """Send it a signal: `ip netns exec` becomes the command that it runs."""
        self.process.send_signal(number)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Network namespaces, if this user may make some."""
    hosts: Hosts = Namespaces()
    try:
        try:
            hosts.open()
        except (OSError, subprocess.CalledProcessError):
            hosts.close()
            hosts = Hosts()
        hosts.server.start()
        yield hosts
    finally:
        hosts.close()


@pytest.fixture
def three(hosts: Hosts, tmp_path: Path) -> Iterator[list[Host]]:
    """A process on each host, started."""
    made = [Host(hosts, number, tmp_path) for number in range(COUNT)]
    for host in made:
        host.ask("1 + 1")
    for host in made:
        assert host.answer() == "2"
    yield made
    for host in made:
        host.close()


def _computed(folder: Path) -> list[int]:
    path = folder / "computed"
    return [int(line.split()[0]) for line in path.read_text().splitlines()] if path.exists() else []


def _wait_for(folder: Path, lines: int, *, seconds: float = 30.0) -> float:
    begun = time.monotonic()
    while len(_computed(folder)) < lines:
        assert time.monotonic() < begun + seconds
        time.sleep(0.005)
    return time.monotonic() - begun


def test_each_key_is_computed_once(three: list[Host], tmp_path: Path) -> None:
    """By one of three hosts that ask for all of them, in the same order or in others."""
    chance = random.Random(7)
    orders = [list(range(KEYS)), list(range(KEYS)), list(range(KEYS))]
    chance.shuffle(orders[1])
    for host, order in zip(three, orders, strict=True):
        host.ask(f"ask({order})")
    misses = [int(host.answer()) for host in three]
    assert sorted(_computed(tmp_path)) == list(range(KEYS))
    assert sum(misses) == KEYS


def test_a_killed_leader_is_replaced(three: list[Host], tmp_path: Path) -> None:
    """By one of those who wait, within seven beats; the third gets what that one made."""
    three[0].ask("ask([-1])")
    _wait_for(tmp_path, 1)
    for host in three[1:]:
        host.ask("ask([-1])")
    time.sleep(15 * BEAT)  # whoever lives is not replaced
    assert _computed(tmp_path) == [-1]
    three[0].send(signal.SIGKILL)
    assert _wait_for(tmp_path, 2) < 7 * BEAT + 3.0  # the machine has other things to do
    (tmp_path / "go").touch()
    assert sorted(int(host.answer()) for host in three[1:]) == [0, 1]
    assert _computed(tmp_path) == [-1, -1]


def test_a_stopped_leader_goes_on(three: list[Host], tmp_path: Path) -> None:
    """It is replaced, and what it brings late is as good as what the other made."""
    three[0].ask("ask([-1, -2])")
    _wait_for(tmp_path, 1)
    three[0].send(signal.SIGSTOP)
    three[1].ask("ask([-1, -2])")
    _wait_for(tmp_path, 2)
    (tmp_path / "go").touch()
    assert int(three[1].answer()) == 2
    three[0].send(signal.SIGCONT)
    assert int(three[0].answer()) == 1
    three[2].ask("ask([-1, -2])")
    assert int(three[2].answer()) == 0
    assert _computed(tmp_path) == [-1, -1, -2]


def test_nothing_stale_is_served(three: list[Host]) -> None:
    """What one host removes and makes anew the others never get in its old form, though they have copies."""
    three[0].ask(f"bump({300 if LONG else 40})")
    for host in three[1:]:
        host.ask("watch()")
    assert three[0].answer() == "None"
    assert all(int(host.answer()) > 10 for host in three[1:])


def test_a_host_whose_cable_is_pulled_computes(hosts: Hosts, three: list[Host], tmp_path: Path) -> None:
    """With one warning; the others go on, and it finds their results when it is back."""
    if not isinstance(hosts, Namespaces):
        pytest.skip("network namespaces cannot be made here, and processes of one network have no cable")
    hosts.cut(2)
    three[0].ask("ask(range(6))")
    assert three[0].answer() == "6"
    three[2].ask("count(CacheWarning, lambda: ask(range(6)))")
    warning = three[2].answer()
    assert warning.count("cannot be reached") == 1
    assert warning.count("not kept") == 1
    assert sorted(_computed(tmp_path)) == sorted([*range(6), *range(6)])
    hosts.mend(2)
    deadline = time.monotonic() + 40.0  # a pause of half a minute at most
    while True:
        three[2].ask("(ask(range(6)), len(list(far.scan())))[1]")
        if three[2].answer() == "6":
            break
        assert time.monotonic() < deadline
        time.sleep(0.2)
    before = len(_computed(tmp_path))
    three[2].ask("(ask(range(6)), 0)[1]")
    assert three[2].answer() == "0"
    assert len(_computed(tmp_path)) == before


def test_a_server_that_dies_half_way(hosts: Hosts, three: list[Host], tmp_path: Path) -> None:
    """All hosts end with right results, and a warning each."""
    for host in three:
        host.ask(f"count(CacheWarning, lambda: ask(range({KEYS})))")
    _wait_for(tmp_path, KEYS // 2)
    hosts.server.kill()
    for host in three:
        warning = host.answer()
        assert warning.count("not kept") == 1
        assert warning.count("cannot be reached") == 1
    assert set(_computed(tmp_path)) == set(range(KEYS))
