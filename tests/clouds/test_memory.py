"""`Memory` at `az://` and `gs://`: one cache for many processes, against Azurite and `google_program`."""

import itertools
import pickle
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lightwork.errors import CacheWarning, InvalidOption
from lightwork.memory import Memory
from lightwork.stores import ObjectStore, TieredStore
from tests.clouds.servers import AzureServer, TranslatedServer

NUMBERS = itertools.count()
BEAT = 0.4


@pytest.fixture
def url(cloud: AzureServer | TranslatedServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """A place in it, which the environment tells of, as users do it."""
    return _place(cloud, monkeypatch)


def _place(server: AzureServer | TranslatedServer, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.url(f"memory/{next(NUMBERS)}")  # a process opens each place once


def table(n: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.full(n, float(n))


@pytest.mark.parametrize("copies", [False, True])
def test_results_are_kept(url: str, tmp_path: Path, copies: bool) -> None:
    """Small ones and large, with local copies and without; all questions are answered, and all is removed."""
    memory = Memory(url, backend_options={"local": tmp_path / "copies"} if copies else {})
    cached = memory.cache(table)
    for n in (3, 200_000, 3_000_000):
        for _ in range(2):
            found = cached(n)
            assert (found == n).all()
            found[:] = -1
    assert (cached.stats().hits, cached.stats().misses) == (3, 3)
    assert isinstance(memory.store, TieredStore if copies else ObjectStore)
    assert cached.check_call_in_cache(3)
    assert not cached.check_call_in_cache(4)
    assert cached.explain(3).is_hit
    assert "n" in str(cached.explain(4))
    assert {entry.call for entry in memory.entries()} == {"table(3)", "table(200000)", "table(3000000)"}
    assert memory.stats().records == memory.verify().records == 3
    assert pickle.loads(pickle.dumps(memory)).store is memory.store
    cached.forget(3)
    memory.reduce_size(items_limit=1)
    assert memory.stats().records == 1
    memory.clear(warn=False)
    assert memory.entries() == []
    assert cached(3)[0] == 3


def test_options_say_what_the_environment_does_not(cloud: AzureServer | TranslatedServer) -> None:
    """An account, its key and its server, in the words of obstore."""
    memory = Memory(cloud.url("options"), backend_options=cloud.options)
    assert memory.cache(table)(3)[0] == memory.cache(table)(3)[0] == 3
    assert memory.stats().records == 1


def test_limits_are_refused(url: str) -> None:
    """A container has rules of its own for that."""
    for limit in ({"max_bytes": "1GB"}, {"max_items": 3}, {"max_age": "1d"}):
        with pytest.raises(InvalidOption, match="rules of its own"):
            Memory(url, **limit)


# One that asks for a call that waits for a line; it says when it computes.
_HOST = """
import sys, warnings
from lightwork.memory import Memory
from lightwork.stores import ObjectStore
warnings.simplefilter("error")
def say(text):
    print(text, flush=True)
cached = Memory(store=ObjectStore(sys.argv[1], beat=float(sys.argv[2]))).cache(version=1, track="none")
@cached
def work(x):
    say(f"computes {x}")
    return sys.stdin.readline() and 2 * x
@cached
def quick(x):
    say(f"computes {x}")
    return 2 * x
say("ready")
exec(sys.stdin.readline())
"""


class _Host:
    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOST, url, str(BEAT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.hear() == "ready"

    def tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()

    def hear(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip()


@pytest.fixture
def hosts(url: str) -> Iterator[tuple[_Host, _Host]]:
    """Two processes that have nothing in common but the server."""
    pair = _Host(url), _Host(url)
    yield pair
    for host in pair:
        host.process.kill()
        host.process.communicate()


@pytest.mark.slow
def test_two_processes_compute_each_key_once(hosts: tuple[_Host, _Host]) -> None:
    """They ask for the same at once, and get the same."""
    for host in hosts:
        host.tell("say([quick(x) for x in range(20)])")
    said = []
    for host in hosts:
        *computed, answer = host.process.communicate()[0].splitlines()
        said += computed
        assert answer == str([2 * x for x in range(20)])
    assert sorted(said) == sorted(f"computes {x}" for x in range(20))


@pytest.mark.slow
def test_one_computes_and_the_other_waits(hosts: tuple[_Host, _Host], url: str) -> None:
    """However long it takes: who lives is not replaced."""
    leader, waiter = hosts
    leader.tell("say(work(3))")
    assert leader.hear() == "computes 3"
    waiter.tell("say(work(3))")
    with pytest.raises(subprocess.TimeoutExpired):
        waiter.process.wait(15 * BEAT)
    leader.tell("go")
    assert (leader.hear(), waiter.hear()) == ("6", "6")


@pytest.mark.slow
def test_a_killed_leader_is_replaced(hosts: tuple[_Host, _Host]) -> None:
    """By the one who waits, within seven beats."""
    leader, waiter = hosts
    leader.tell("say(work(3))")
    assert leader.hear() == "computes 3"
    waiter.tell("say(work(3))")
    leader.process.kill()
    killed = time.monotonic()
    assert waiter.hear() == "computes 3"
    assert time.monotonic() - killed < 7 * BEAT + 3.0  # the machine has other things to do
    waiter.tell("go")
    assert waiter.hear() == "6"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [AzureServer, TranslatedServer])
def test_a_server_that_dies_costs_one_warning(
    kind: type[AzureServer | TranslatedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a loop: all values are right, and one warning says why."""
    server = kind()
    server.start()
    cached = Memory(_place(server, monkeypatch)).cache(table)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for n in range(1, 20):
            if n == 10:
                server.kill()
            assert cached(n)[0] == n
    (warning,) = caught
    assert issubclass(warning.category, CacheWarning)
    assert "cannot be reached" in str(warning.message)
