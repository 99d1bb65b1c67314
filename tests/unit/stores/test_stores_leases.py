"""Leases between hosts. Each `ObjectStore` made here is a process of its own to all others."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightwork.errors import StoreUnavailable
from lightwork.stores import ObjectStore
from lightwork.stores.objects.holdings import Held, Holdings
from lightwork.stores.objects.leases import Leases
from lightwork.stores.objects.link import Link
from lightwork.testing.stores import key_of

pytest.importorskip("obstore", reason="object stores are reached through obstore")

BEAT = 0.1
KEY = key_of(1)

_LEADER = """
import sys
from lightwork.stores import ObjectStore
store = ObjectStore(sys.argv[1], beat=float(sys.argv[2]))
print([store.lease(bytes.fromhex(key)) for key in sys.argv[3:]], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/shared"


@pytest.fixture
def host(url: str) -> Iterator[Callable[[], ObjectStore]]:
    made: list[ObjectStore] = []

    def make() -> ObjectStore:
        made.append(ObjectStore(url, beat=BEAT))
        return made[-1]

    yield make
    for store in made:
        store.close()


@pytest.fixture
def leader(url: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that has the lease of `KEY` and of another key."""
    command = [sys.executable, "-c", _LEADER, url, str(BEAT), KEY.hex(), key_of(2).hex()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "[True, True]\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def _until(claim: Callable[[], bool], *, seconds: float = 20.0) -> float:
    """Ask until a claim is true; how long that took."""
    begun = time.monotonic()
    while not claim():
        assert time.monotonic() < begun + seconds
        time.sleep(BEAT / 10)  # as `Flights` does: a store tells nobody of a change
    return time.monotonic() - begun


def _objects(url: str, part: str) -> list[str]:
    return [found.name for page in _link(url).pages(f"lightwork-1/{part}") for found in page]


def _link(url: str) -> Link:
    return Link(url, config={}, client_options={})


def test_one_host_has_the_lease(host: Callable[[], ObjectStore], url: str) -> None:
    """The others get it when it is given back; nothing is left of it then."""
    first, second = host(), host()
    assert first.lease(KEY)
    assert first.lease(KEY)
    assert not second.lease(KEY)
    assert second.lease(key_of(2))
    time.sleep(8 * BEAT)  # a leader that lives is not replaced, however long it takes
    assert not second.lease(KEY)
    first.release(KEY, failed=False)
    mark = second.failures(KEY)
    _until(lambda: second.lease(KEY))
    assert second.failures(KEY) == mark
    assert not first.lease(KEY)
    second.release(KEY, failed=False)
    second.release(key_of(2), failed=False)
    _until(lambda: _objects(url, "leases") == [])


def test_a_lease_that_is_not_held_is_not_given_back(host: Callable[[], ObjectStore]) -> None:
    """Nor can a host end what another holds."""
    first, second = host(), host()
    assert first.lease(KEY)
    second.release(KEY, failed=True)
    third = host()
    assert not third.lease(KEY)
    assert third.failures(KEY) == b""


def _ask_together(store: ObjectStore, key: bytes, barrier: threading.Barrier, got: list[bool]) -> None:
    barrier.wait()
    got.append(store.lease(key))


def _take(key: bytes, store: ObjectStore, got: list[ObjectStore]) -> bool:
    if store.lease(key):
        got.append(store)
    return bool(got)


def test_of_many_hosts_one_leads(host: Callable[[], ObjectStore]) -> None:
    """Whatever the moment at which they ask."""
    for number in range(20):
        got: list[bool] = []
        barrier = threading.Barrier(4)
        threads = [
            threading.Thread(target=_ask_together, args=(host(), key_of(number), barrier, got))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == [False, False, False, True]


def test_a_failure_is_told(host: Callable[[], ObjectStore]) -> None:
    """Those who wait learn that no record will come, and ask for the lease no more."""
    first, second, third = host(), host(), host()
    assert first.lease(KEY)
    assert not second.lease(KEY)
    assert not third.lease(KEY)
    marks = second.failures(KEY), third.failures(KEY)
    first.release(KEY, failed=True)
    for store, mark in zip((second, third), marks, strict=True):
        _until(lambda store=store, mark=mark: not store.lease(KEY) and store.failures(KEY) != mark)  # type: ignore[misc]  # mypy infers no lambda with defaults
    assert host().failures(KEY) == b""


def test_a_killed_leader_is_replaced_by_one(
    host: Callable[[], ObjectStore], url: str, leader: "subprocess.Popen[str]"
) -> None:
    """Within seven beats of those who waited already; all keys of the dead are free, each for one."""
    first, second = host(), host()
    for key in (KEY, key_of(2)):
        assert not first.lease(key)
        assert not second.lease(key)
    for _ in range(20):
        assert not first.lease(KEY)
        time.sleep(BEAT / 2)
    leader.send_signal(signal.SIGKILL)
    leader.wait()
    got: list[ObjectStore] = []
    seconds = _until(lambda: _take(KEY, first, got) or _take(KEY, second, got))
    assert len(got) == 1
    assert seconds < 7 * BEAT + 2.0  # the machine has other things to do
    other = second if got == [first] else first
    assert not other.lease(KEY)
    _until(lambda: other.lease(key_of(2)))
    got[0].release(KEY, failed=False)
    _until(lambda: other.lease(KEY))
    for store in (first, second):
        store.release(KEY, failed=False)
        store.release(key_of(2), failed=False)
    _until(lambda: _objects(url, "leases") == [])


def test_who_comes_after_the_death_waits_as_long(
    host: Callable[[], ObjectStore], leader: "subprocess.Popen[str]"
) -> None:
    """A newcomer has to see for itself that nothing beats, whatever clocks say."""
    leader.kill()
    leader.wait()
    store = host()
    assert not store.lease(KEY)
    assert _until(lambda: store.lease(KEY)) >= 4 * BEAT


def test_the_dead_follow_each_other(host: Callable[[], ObjectStore], url: str) -> None:
    """A leader that died after it replaced a dead one is replaced too, and all traces go in the end."""
    command = [sys.executable, "-c", _LEADER, url, str(BEAT), KEY.hex()]
    for answer in ("[True]\n", "[False]\n"):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == answer
            process.kill()
    second, third = host(), host()
    _until(lambda: second.lease(KEY))
    assert len(_objects(url, "leases")) == 2
    _stop(second)
    _until(lambda: third.lease(KEY))
    assert len(_objects(url, "leases")) == 3
    third.release(KEY, failed=False)
    _until(lambda: _objects(url, "leases") == [])


def _stop(store: ObjectStore) -> None:
    """Let a host of this process fall silent, as a kill does."""
    store._leases._holdings._write_pulse = lambda: None  # type: ignore[method-assign]  # no public way to die


def test_clocks_are_not_compared(url: str) -> None:
    """A host whose clocks are hours ahead sees a leader live, and another die, like everybody."""
    now = [1e6]
    link = _link(url)
    early = Holdings(link, beat=BEAT)
    ahead = Leases(link, Holdings(link, beat=BEAT), clock=lambda: now[0])
    assert Leases(link, early).take(KEY)
    for _ in range(30):
        assert not ahead.take(KEY)
        now[0] += 3 * BEAT
        pulse = link.get(f"lightwork-1/pulses/{early.process}")
        _until(lambda pulse=pulse: link.get(f"lightwork-1/pulses/{early.process}") != pulse)  # type: ignore[misc]  # as above
    early.give_back(KEY, failed=False)
    early.close()


def test_a_lost_answer_is_found_again(url: str) -> None:
    """A lease that was made, though the server failed to say so, is held."""
    link = _link(url)

    class Deaf(Link):
        def create(self, name: str, content: bytes) -> bool:
            return super().create(name, content) and False

    deaf = Deaf(url, config={}, client_options={})
    holdings = Holdings(deaf, beat=BEAT)
    assert Leases(deaf, holdings).take(KEY)
    assert not Leases(link, Holdings(link, beat=BEAT)).take(KEY)
    holdings.give_back(KEY, failed=False)
    holdings.close()
    assert _objects(url, "leases") == []


def test_a_lease_of_nobody_knows_which_is_given_up(url: str) -> None:
    """If there was no answer the object is removed as soon as there is one; the caller computes."""
    broken = [True]

    class Mute(Link):
        def create(self, name: str, content: bytes) -> bool:
            created = super().create(name, content)
            if broken[0]:
                raise StoreUnavailable(5, "no answer")
            return created

    mute = Mute(url, config={}, client_options={})
    holdings = Holdings(mute, beat=BEAT)
    leases = Leases(mute, holdings)
    assert leases.take(KEY)
    _until(lambda: _objects(url, "leases") == [])
    leases.give_back(KEY, failed=False)
    broken[0] = False
    assert leases.take(KEY)
    leases.give_back(KEY, failed=False)
    holdings.close()


def test_what_is_not_ours_is_held_by_nobody(host: Callable[[], ObjectStore], url: str) -> None:
    """A lease that cannot be read is taken over."""
    first = host()
    assert first.lease(KEY)
    (name,) = _objects(url, "leases")
    _link(url).put(name, b"\xff rubbish")
    second = host()
    assert second.lease(KEY) or second.lease(KEY)
    first.release(KEY, failed=False)
    second.release(KEY, failed=False)


def test_a_leader_that_was_held_up_ends_nobody_elses_lease(url: str) -> None:
    """Whoever was taken for dead and goes on removes its own objects only."""
    link = _link(url)
    holdings = Holdings(link, beat=BEAT)
    holdings.begin()
    link.put("lightwork-1/leases/x", b"other nonce2 0.05")
    holdings.add(KEY, Held((("lightwork-1/leases/x", "nonce1"),)))
    holdings.give_back(KEY, failed=False)
    holdings.close()
    assert link.get("lightwork-1/leases/x") is not None


def test_pulses_of_the_killed_are_swept_after_a_day(host: Callable[[], ObjectStore], url: str) -> None:
    """By the times of the server, and by whoever leads next; those of the living stay."""
    folder = Path(url.removeprefix("file://")) / "lightwork-1" / "pulses"
    old, young = folder / "old", folder / "young"
    folder.mkdir(parents=True)
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    store = host()
    assert store.lease(KEY)
    _until(lambda: not old.exists())
    assert young.exists()
    store.release(KEY, failed=False)


def test_the_thread_ends_with_its_work(host: Callable[[], ObjectStore]) -> None:
    """`close` sends what waits; a store that is used again begins again."""
    store, other = host(), host()
    before = set(threading.enumerate())
    for _ in range(3):
        assert store.lease(KEY)
        store.release(KEY, failed=False)
        store.close()
        assert set(threading.enumerate()) <= before
        assert other.lease(KEY)
        other.release(KEY, failed=False)
        other.close()


def test_a_store_that_is_thrown_away_ends_its_leases(url: str) -> None:
    """Nobody could give them back any more, and its thread would beat for ever."""
    store, other = ObjectStore(url, beat=BEAT), ObjectStore(url, beat=BEAT)
    assert store.lease(KEY)
    assert not other.lease(KEY)
    del store
    assert _until(lambda: other.lease(KEY)) < 4 * BEAT + 1.0
    other.release(KEY, failed=False)
    other.close()
