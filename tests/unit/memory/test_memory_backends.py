"""`register_store_backend`: stores of others under a name."""

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lightwork import Memory, register_store_backend
from lightwork.errors import InvalidOption
from lightwork.memory.backends import BACKENDS
from lightwork.protocols import Store
from lightwork.stores import SqliteStore, TransientStore


class Remote(TransientStore):
    """A store that knows where it is."""

    def __init__(self, location: str, *, region: str = "north", retries: list[int] | None = None) -> None:
        super().__init__()
        self.place = (location, region)


def double(x: int) -> int:
    return 2 * x


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    """A class and a function are registered."""
    register_store_backend("remote", Remote)
    register_store_backend("disk", lambda location: SqliteStore(location))
    yield
    register_store_backend("remote", Remote)


def test_a_registered_store_is_found_by_name() -> None:
    """It gets the location as it was given, a URL too, and the options."""
    memory = Memory("s3://bucket/a", "remote", backend_options={"region": "south"})
    assert isinstance(memory.store, Remote)
    assert memory.store.place == ("s3://bucket/a", "south")
    assert memory.backend == "remote"
    assert memory.backend_options == {"region": "south"}
    cached = memory.cache(double)
    assert [cached(2), cached(2)] == [4, 4]
    assert cached.stats()[:2] == (1, 1)


def test_equal_memories_share_a_store() -> None:
    """So they share leases and figures; other options, and those without a hash, are another store."""
    first = Memory("shared", "remote")
    assert Memory("shared", "remote").store is first.store
    assert Memory("shared", "remote", backend_options={"region": "x"}).store is not first.store
    options = {"retries": [1, 2]}
    listed = Memory("shared", "remote", backend_options=options)
    assert listed.store is not Memory("shared", "remote", backend_options=options).store


def test_the_last_one_of_a_name_counts(tmp_path: Path) -> None:
    """As with joblib; a `Memory` that is there keeps its store."""
    before = Memory("x", "remote")
    register_store_backend("remote", lambda location: SqliteStore(tmp_path / location))
    assert isinstance(Memory("x", "remote").store, SqliteStore)
    assert isinstance(before.store, Remote)


@pytest.mark.parametrize("name", [3, None, "", "local"])
def test_a_name_is_text_and_not_taken_by_us(name: Any) -> None:
    """``"local"`` is ours."""
    with pytest.raises(InvalidOption, match="name"):
        register_store_backend(name, Remote)


@pytest.mark.parametrize(
    ("backend", "words"), [(None, "makes no stores"), (dict, "no put, drop, scan, close")]
)
def test_what_makes_no_stores_is_refused(backend: Any, words: str) -> None:
    """What is missing is named."""
    with pytest.raises(InvalidOption, match=words):
        register_store_backend("other", backend)


def test_a_function_must_make_a_store() -> None:
    """That shows when a `Memory` is made."""
    make: Any = dict
    register_store_backend("wrong", lambda location: make())
    with pytest.raises(InvalidOption, match=r"'wrong' makes \{\}, which is no .*Store: it has no put"):
        Memory("x", "wrong")


def test_unknown_names_are_told_with_the_known_ones() -> None:
    """Also where nothing would be kept."""
    for location in ("x", None):
        with pytest.raises(
            InvalidOption, match=r"backend='s3' is not known: give one of 'local', .*'remote'"
        ):
            Memory(location, "s3")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"store": TransientStore()}, "exclude"),
        ({"trust_folder": True}, "trust_folder=True means nothing"),
        ({"backend_options": 3}, "no mapping"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], words: str) -> None:
    """Nothing is accepted and ignored."""
    location = None if "store" in options else "x"
    with pytest.raises(InvalidOption, match=words):
        Memory(location, "remote", **options)


def test_errors_of_a_store_pass_through() -> None:
    """An option that it does not know is its own `TypeError`."""
    with pytest.raises(TypeError, match="colour"):
        Memory("x", "remote", backend_options={"colour": "red"})


def test_a_registered_store_keeps_limits_if_it_can(tmp_path: Path) -> None:
    """Others are told that theirs cannot."""
    memory = Memory(tmp_path, "disk", max_items=3)
    cached = memory.cache(double)
    for number in range(10):
        cached(number)
    assert memory.stats().records <= 3
    with pytest.raises(InvalidOption, match="max_items"):
        Memory("x", "remote", max_items=3)


@pytest.mark.slow
def test_a_pickled_memory_brings_its_kind_along(tmp_path: Path) -> None:
    """Another process need not have registered it."""
    (tmp_path / "ours.py").write_text(
        "from lightwork.stores import SqliteStore\n"
        "def make(location):\n    return SqliteStore(location)\n"
        "def double(x):\n    return 2 * x\n"
    )
    script = (
        "import pickle, sys, ours, lightwork\n"
        "if len(sys.argv) == 3:\n"
        "    lightwork.register_store_backend('ours', ours.make)\n"
        "    memory = lightwork.Memory(sys.argv[1], 'ours')\n"
        "    sys.stdout.write(pickle.dumps(memory).hex())\n"
        "else:\n"
        "    memory = pickle.loads(bytes.fromhex(sys.stdin.read()))\n"
        "    print(memory.backend, end=' ')\n"
        "cached = memory.cache(ours.double)\n"
        "assert cached(2) == 4\n"
        "if len(sys.argv) == 2: print(*cached.stats()[:2], end='')\n"
    )
    run = [sys.executable, "-c", script, str(tmp_path / "cache")]
    pickled = subprocess.run([*run, "first"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    again = subprocess.run(run, cwd=tmp_path, input=pickled, capture_output=True, text=True, check=True)
    assert again.stdout == "ours 1 0"


def test_a_pickled_memory_of_this_process_is_of_the_same_store() -> None:
    """As with folders."""
    memory = Memory("travels", "remote", backend_options={"region": "west"})
    again = pickle.loads(pickle.dumps(memory))
    assert again.store is memory.store
    assert again.backend_options == {"region": "west"}


def test_what_has_slots_is_not_shared() -> None:
    """A store that cannot be referred to weakly is made for each `Memory`."""

    class Slotted:
        __slots__ = ("_inner",)

        def __init__(self, location: str) -> None:
            self._inner = TransientStore()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._inner, name)

        get = put = drop = scan = close = lambda self, *args, **kwargs: None

    slotted: Any = Slotted
    BACKENDS.add("slotted", slotted)
    store = BACKENDS.open("slotted", "x", {})
    assert isinstance(store, Store)
    assert BACKENDS.open("slotted", "x", {}) is not store


class Bare:
    """A store with the five methods, and nothing else."""

    def __init__(self) -> None:
        inner = TransientStore()
        self.get, self.put, self.drop = inner.get, inner.put, inner.drop
        self.scan, self.close = inner.scan, inner.close


def test_five_methods_are_enough() -> None:
    """All that a `Memory` does works with a store that knows no more, some of it with less to tell."""
    memory = Memory(store=Bare())
    cached = memory.cache(double)
    assert [cached(2), cached(2)] == [4, 4]
    assert cached.call(3)[0] == cached.call_and_shelve(3).get() == 6
    assert cached.check_call_in_cache(2)
    assert cached.explain(2).is_hit
    assert "keeps no notes" in cached.explain(9).reason
    assert len(cached.plan([2, 9]).missing) == 1
    assert memory.stats().records == 2
    assert len(memory.entries()) == 2
    assert memory.verify().records == 2
    memory.reduce_size(items_limit=1)
    assert memory.stats().records == 1
    assert cached.forget(3) != cached.forget(2)
    cached(5)
    cached.clear()
    memory.clear(warn=False)
    assert memory.stats().records == 0


def test_five_methods_are_enough_for_what_expires() -> None:
    """``ttl=`` and signatures need no more of a store."""
    memory = Memory(store=Bare(), ttl=3600, sign=b"s" * 16, compress=True)
    cached = memory.cache(double)
    assert [cached(2), cached(2)] == [4, 4]
    assert cached.stats()[:2] == (1, 1)
