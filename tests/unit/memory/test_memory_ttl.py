"""How long results live."""

import math
import pickle
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import InvalidOption
from lightwork.memory import Memory
from lightwork.memory.facts import read_facts, write_facts
from lightwork.memory.ttl import parse_ttl
from lightwork.memory.validity import is_alive
from lightwork.protocols import Store
from lightwork.stores import TransientStore


def written(store: Store, *, ago: float) -> None:
    """Let all results have been written `ago` seconds before now, as far as their facts tell."""
    for entry in list(store.scan()):
        record = store.get(entry.key)
        assert record is not None
        facts = {**read_facts(record.facts), "time": time.time() - ago}
        store.put(entry.key, record._replace(facts=write_facts(facts)))


@pytest.fixture(params=["sqlite", "transient"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return Memory(tmp_path) if request.param == "sqlite" else Memory(store=TransientStore())


def store_of(memory: Memory) -> Store:
    assert memory.store is not None
    return memory.store


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(90, 90.0), (0.5, 0.5), ("1h", 3600.0), ("7 days", 604800.0), (timedelta(minutes=2), 120.0)],
)
def test_every_spelling_of_a_span_is_read(given: Any, seconds: float) -> None:
    """Numbers are seconds; timedelta and texts are understood."""
    assert parse_ttl(given) == seconds


@pytest.mark.parametrize("ttl", [0, -1, "soon", math.nan, True, [1]])
def test_what_is_no_span_is_refused(tmp_path: Path, ttl: Any) -> None:
    """A ttl that cannot be right is refused by name, for a memory and for a function."""
    with pytest.raises(InvalidOption, match="ttl="):
        Memory(tmp_path, ttl=ttl)
    with pytest.raises(InvalidOption, match="ttl="):
        Memory(tmp_path).cache(abs, ttl=ttl)


@pytest.mark.parametrize(
    ("age", "alive"), [(-0.001, False), (0.0, True), (59.999, True), (60.0, False), (-300.0, False)]
)
def test_the_interval_is_half_open(age: float, alive: bool) -> None:
    """Valid iff written <= now < written + ttl: an entry from the future is a miss."""
    assert is_alive({"time": 1000.0, "ttl": 60.0}, None, 1000.0 + age) is alive
    assert is_alive({"time": 1000.0}, 60.0, 1000.0 + age) is alive


def test_the_shorter_ttl_holds() -> None:
    """The ttl that is kept with the result and the asker's own both hold; infinity sets no limit."""
    facts = {"time": 0.0, "ttl": 60.0}
    assert is_alive(facts, 3600.0, 59.0)
    assert not is_alive(facts, 3600.0, 61.0)
    assert not is_alive(facts, 10.0, 11.0)
    assert not is_alive(facts, math.inf, 61.0)
    assert is_alive({"time": 5.0}, math.inf, 0.0)
    assert not is_alive({}, 10.0, 0.0)


def test_an_expired_result_is_computed_again(memory: Memory) -> None:
    """Young results are hits; expired ones are computed and live again. Asking agrees with calling."""
    cached = memory.cache(abs, ttl="1h")
    assert [cached(-1), cached(-1)] == [1, 1]
    assert cached.stats()[:2] == (1, 1)
    written(store_of(memory), ago=3601)
    assert not cached.check_call_in_cache(-1)
    assert "expired: written 1 hour ago, ttl 1 hour" in cached.explain(-1).reason
    assert cached(-1) == 1
    assert cached.stats()[:2] == (1, 2)
    assert cached.check_call_in_cache(-1)


def test_clocks_that_disagree_resurrect_nothing(memory: Memory) -> None:
    """A result of a machine whose clock is five minutes ahead is no hit, though it ends in our future."""
    cached = memory.cache(abs, ttl=60)
    cached(-1)
    written(store_of(memory), ago=-300)
    assert "in the future" in cached.explain(-1).reason
    cached(-1)
    assert cached.stats()[:2] == (0, 2)


def test_the_ttl_belongs_to_the_result(memory: Memory) -> None:
    """A result that was made to live for a minute expires for whoever asks without a ttl, too."""
    memory.cache(abs, ttl=60)(-1)
    forever = memory.cache(abs)
    assert forever.call(-2)[1].get("ttl") is None
    assert forever.check_call_in_cache(-1)
    written(store_of(memory), ago=61)
    assert not forever.check_call_in_cache(-1)
    assert forever.check_call_in_cache(-2)
    forever(-1)
    assert forever.stats().misses == 2


def test_expired_results_are_not_shelved(memory: Memory) -> None:
    """A reference is made to a result that is valid now."""
    cached = memory.cache(abs, ttl=60)
    cached.call_and_shelve(-1)
    written(store_of(memory), ago=61)
    assert cached.call_and_shelve(-1).get() == 1
    assert cached.stats().misses == 2


def test_functions_take_the_ttl_of_their_memory(tmp_path: Path) -> None:
    """`Memory(ttl=)` holds where a function says nothing, also after a journey."""
    memory = pickle.loads(pickle.dumps(Memory(tmp_path, ttl=timedelta(hours=1))))
    assert memory.cache(abs).call(-1)[1]["ttl"] == 3600.0
    assert memory.cache(abs, ttl="1d").call(-1)[1]["ttl"] == 86400.0
    assert "ttl" not in memory.cache(abs, ttl=math.inf).call(-1)[1]


def test_an_argument_may_be_called_ttl(memory: Memory) -> None:
    """What looks like a ttl in the arguments is none."""

    @memory.cache
    def keep(ttl: str) -> str:
        return ttl

    assert keep('"ttl":1') == keep('"ttl":1')
    assert keep.stats()[:2] == (1, 1)
