import functools
import inspect
import logging
import operator
import pickle
import re
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork.errors import (
    CacheWarning,
    EntryMissing,
    InvalidOption,
    StoreUnavailable,
    UnhashableError,
    UnpicklableError,
)
from lightwork.memory import MemorizedResult, Memory, expires_after
from lightwork.memory.validity import ExpiresAfter
from lightwork.protocols import Record
from lightwork.stores import TransientStore

MODULE_MEMORY = Memory(store=TransientStore())


@MODULE_MEMORY.cache
def by_name(x: int) -> int:
    return x + 1


def triple(x: int, *, ignored: object = None) -> int:
    """Three times x."""
    return 3 * x


class Scaled:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    @MODULE_MEMORY.cache
    def times(self, x: int) -> int:
        """A cached method."""
        return self.factor * x

    @classmethod
    @MODULE_MEMORY.cache
    def name(cls, x: int) -> str:
        return f"{cls.__name__}{x}"

    @staticmethod
    @MODULE_MEMORY.cache
    def plus(x: int) -> int:
        return x + 100


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "cache")


def test_the_second_call_is_a_hit(memory: Memory) -> None:
    """Equal arguments, however they are spelled, compute once."""
    cached = memory.cache(triple)
    assert [cached(2), cached(x=2), cached(2, ignored=None)] == [6, 6, 6]
    assert cached.stats()[:2] == (2, 1)
    assert cached.stats().seconds > 0


def test_none_is_a_result_like_any_other(memory: Memory) -> None:
    """A function that returns nothing is computed once too."""
    calls = []
    cached = memory.cache(lambda x: calls.append(x), track="none")
    assert [cached(1), cached(1)] == [None, None]
    assert calls == [1]


def test_ignored_arguments_do_not_count(memory: Memory) -> None:
    """What is ignored may even be without a key."""
    cached = memory.cache(triple, ignore=["ignored"])
    cached(1, ignored=threading.Lock())
    cached(1, ignored=2)
    assert cached.stats()[:2] == (1, 1)


def test_errors_pass_and_nothing_is_kept(memory: Memory) -> None:
    """The function's error arrives as it is; the next call runs it again."""

    @memory.cache
    def fails(x: int) -> int:
        raise KeyError(x)

    for _ in range(2):
        with pytest.raises(KeyError) as caught:
            fails(7)
        assert caught.value.args == (7,)
    assert fails.stats()[:2] == (0, 2)
    assert not fails.check_call_in_cache(7)


def test_wrong_arguments_are_the_functions_error(memory: Memory) -> None:
    """A call that the function would refuse is refused in the same way."""
    with pytest.raises(TypeError):
        memory.cache(triple)(1, 2, 3)  # type: ignore[call-arg]  # the point of the test


def test_arguments_without_a_key_are_named(memory: Memory) -> None:
    """The error says which argument cannot be identified."""
    with pytest.raises(UnhashableError, match="x"):
        memory.cache(triple)(threading.Lock())  # type: ignore[arg-type]  # the point of the test


def test_it_looks_like_its_function(memory: Memory) -> None:
    """Name, text, signature and the function itself are those of the original."""
    cached = memory.cache(triple)
    assert (cached.__name__, cached.__doc__, cached.__module__) == ("triple", "Three times x.", __name__)  # type: ignore[attr-defined]  # set by functools
    assert inspect.signature(cached) == inspect.signature(triple)
    assert cached.func is triple
    assert "triple" in repr(cached)


def test_a_cached_function_is_not_wrapped_twice(memory: Memory) -> None:
    """Caching what is cached gives the function a new memory."""
    assert memory.cache(memory.cache(triple)).func is triple


def test_methods_work_in_class_bodies() -> None:
    """`self` is part of the key: two objects share results only if their state is equal."""
    assert [Scaled(2).times(5), Scaled(2).times(5), Scaled(3).times(5)] == [10, 10, 15]
    assert Scaled(2).times.check_call_in_cache(5)
    assert not Scaled(4).times.check_call_in_cache(5)
    assert Scaled(5).times.call(2)[0] == 10
    assert Scaled(5).times.call_and_shelve(2).get() == 10
    assert Scaled(5).times.forget(2)
    one = Scaled(2)
    assert one.times == one.times != Scaled(2).times
    assert one.times.__name__ == "times"
    # Type checkers do not know what classmethod makes of a descriptor.
    names: Any = Scaled
    assert (names.name(1), names.name(1), names.plus(1), names(1).plus(1)) == (
        "Scaled1",
        "Scaled1",
        101,
        101,
    )
    assert Scaled.times(Scaled(2), 5) == 10


@pytest.mark.parametrize(
    ("func", "args", "expected"),
    [
        (abs, (-3,), 3),
        (functools.partial(operator.add, 2), (3,), 5),
        (Scaled(4).__class__.plus.func, (1,), 101),
        (np.square, (3,), 9),
        ("x".join, (["a", "b"],), "axb"),
    ],
)
def test_callables_of_other_kinds_are_cached(memory: Memory, func: Any, args: Any, expected: object) -> None:
    """Builtins, partials, ufuncs and bound methods."""
    cached = memory.cache(func)
    assert [cached(*args), cached(*args)] == [expected, expected]
    assert cached.stats()[:2] == (1, 1)


def test_bound_values_of_partials_count(memory: Memory) -> None:
    """Two partials of one function do not answer for each other, nor evict each other."""
    one, two = memory.cache(functools.partial(triple, 1)), memory.cache(functools.partial(triple, 2))
    assert [one(), two(), one(), two()] == [3, 6, 3, 6]
    assert (one.stats().misses, two.stats().misses) == (1, 1)


def test_call_computes_always(memory: Memory) -> None:
    """`call` runs the function, keeps the result and tells how long it took."""
    cached = memory.cache(triple)
    for _ in range(2):
        value, metadata = cached.call(2)
        assert value == 6
    assert cached.stats().misses == 2
    assert cached(2) == 6
    assert cached.stats().hits == 1
    assert metadata["duration"] >= 0
    assert set(metadata) == {"args", "call", "code", "duration", "function", "time"}


def test_shelved_results_are_references(memory: Memory) -> None:
    """A reference is small, travels, reads when asked, and says when there is nothing left to read."""
    cached = memory.cache(triple)
    shelved = cached.call_and_shelve(2)
    assert cached.call_and_shelve(2).get() == 6
    assert cached.stats().misses == 1
    assert isinstance(shelved, MemorizedResult)
    again = pickle.loads(pickle.dumps(shelved))
    assert (again.get(), again.args_id, again.func_id) == (6, shelved.args_id, shelved.func_id)
    assert again.duration is not None
    assert repr(again) == repr(shelved)
    again.clear()
    with pytest.raises(EntryMissing, match="Non-existing item"):
        shelved.get()
    with pytest.raises(KeyError):
        shelved.get()


def test_a_shelved_result_that_cannot_be_kept_is_held(memory: Memory) -> None:
    """The reference then holds the value itself."""
    with pytest.warns(CacheWarning, match="cannot be kept"):
        shelved = memory.cache(lambda: (i for i in "ab")).call_and_shelve()
    assert list(shelved.get()) == ["a", "b"]
    shelved.clear()
    with pytest.raises(KeyError, match="No value stored"):
        shelved.get()


def test_forget_and_clear(memory: Memory) -> None:
    """One call, or all calls of one function, can be forgotten."""
    one, two = memory.cache(triple), memory.cache(abs)
    one(1), one(2), two(3)
    assert one.forget(1)
    assert not one.forget(1)
    assert not one.check_call_in_cache(1)
    assert one.check_call_in_cache(2)
    one.clear()
    assert not one.check_call_in_cache(2)
    assert two.check_call_in_cache(3)


def test_a_result_begun_before_a_clearing_is_not_kept(memory: Memory) -> None:
    """Clearing while a call runs: the call returns its result, and leaves none."""

    @memory.cache(track="none")
    def clears(x: int) -> int:
        memory.clear(warn=False)
        return x

    assert clears(1) == 1
    assert not clears.check_call_in_cache(1)


@pytest.mark.parametrize("verdict", [True, False])
def test_the_callback_decides(memory: Memory, verdict: bool) -> None:
    """It is asked before a kept result is used, never without one, and asking for it deletes nothing."""
    seen: list[dict[str, Any]] = []

    def is_valid(metadata: dict[str, Any]) -> bool:
        seen.append(metadata)
        return verdict

    cached = memory.cache(triple, cache_validation_callback=is_valid)
    cached(1)
    assert seen == []
    assert cached.check_call_in_cache(1) is verdict
    cached(1)
    assert cached.stats().misses == (1 if verdict else 2)
    assert "duration" in seen[0]


def test_results_expire() -> None:
    """A result is valid for its span of time, and not before it was made."""
    assert expires_after(days=1, hours=1).seconds == 90_000
    no_number: Any = "x"
    with pytest.raises(InvalidOption, match="days='x'"):
        expires_after(days=no_number)
    valid = ExpiresAfter(10, clock=lambda: 1000.0)
    assert [valid({"time": time}) for time in (990.0, 990.1, 1000.0, 1000.1)] == [False, True, True, False]
    assert not valid({})


def test_results_are_private_and_writable(memory: Memory) -> None:
    """Arrays of results may be changed in place, large (mapped) ones too, without any effect on the next."""

    @memory.cache
    def zeros(n: int) -> Any:
        return np.zeros(n)

    for n in (10, 300_000):
        zeros(n)
        for _ in range(2):
            found = zeros(n)
            assert found.sum() == 0
            found += 1
    assert zeros.stats()[:2] == (4, 2)


def test_mmap_mode_r_gives_read_only_arrays(memory: Memory) -> None:
    """With "r" no call returns an array that can be written, the first one no more than the others."""
    cached = memory.cache(np.ones, mmap_mode="r")
    for _ in range(2):
        assert not cached(300_000).flags.writeable


def test_unpicklable_results_are_told_once(memory: Memory) -> None:
    """The value is returned, one warning names the part, and nothing is left behind."""

    @memory.cache
    def mixed(x: int) -> list[Any]:
        return [x, lambda: x]

    with pytest.warns(CacheWarning, match=r"result\[1\]") as caught:
        assert [mixed(x)[0] for x in (1, 1, 2)] == [1, 1, 2]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert not mixed.check_call_in_cache(1)
    with pytest.raises(UnpicklableError, match=r"result\[1\]"):
        memory.cache(mixed.func, on_error="raise")(1)


def test_generators_come_back_whole(memory: Memory) -> None:
    """A generator that a function returns cannot be kept; it is returned unread."""

    @memory.cache
    def count(n: int) -> Iterator[int]:
        return (x for x in range(n))

    with pytest.warns(CacheWarning, match="generator"):
        assert list(count(3)) == [0, 1, 2]


class _Full(TransientStore):
    """A store on a full disk."""

    def put(self, key: bytes, record: Record, *, seconds: float = 0.0) -> None:
        raise StoreUnavailable(28, "no space left")


def test_a_full_store_costs_one_warning() -> None:
    """Results are returned though none can be kept, with one warning, or an error if asked for."""
    memory = Memory(store=_Full())
    one, two = memory.cache(triple), memory.cache(abs)
    with pytest.warns(CacheWarning, match="no space left") as caught:
        assert [one(1), one(1), two(-1)] == [3, 3, 1]
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.raises(StoreUnavailable, match="no space left"):
        memory.cache(triple, on_error="raise")(1)


class Fragile:
    broken = False

    def __reduce__(self) -> Any:
        return _make_fragile, ()


def _make_fragile() -> Fragile:
    if Fragile.broken:
        raise AttributeError("gone")
    return Fragile()


def test_results_that_cannot_be_read_are_computed_again(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be built any more costs a computation. It is counted; only the log tells, once."""
    cached = memory.cache(lambda x: Fragile())
    cached(1)
    monkeypatch.setattr(Fragile, "broken", True)
    with caplog.at_level(logging.INFO, "lightwork"), warnings.catch_warnings(action="error"):
        cached(1), cached(1)
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert re.search("cannot be read any more.*gone", record.getMessage())
    assert cached.stats().misses == 3
    assert cached.stats().causes["unreadable"] == 1  # the first miss was new: the class is code that counts


def test_cached_functions_travel(memory: Memory) -> None:
    """By name if that finds them, else with their function; either way they share the cache."""
    assert pickle.loads(pickle.dumps(by_name)) is by_name
    assert pickle.loads(pickle.dumps(Scaled.times)) is Scaled.times
    cached = memory.cache(triple, version=3)
    cached(1)
    copy = pickle.loads(pickle.dumps(cached))
    assert copy is not cached
    assert copy.check_call_in_cache(1)
    assert pickle.loads(pickle.dumps(memory)).cache(triple, version=3).check_call_in_cache(1)


def test_verbose_is_logged(memory: Memory, caplog: pytest.LogCaptureFixture) -> None:
    """Above 0 computations are logged, above 1 hits; nothing is printed."""
    cached = memory.cache(triple, verbose=2)
    with caplog.at_level(logging.INFO, logger="lightwork"):
        cached(1), cached(1)
        cached.clear()
    assert [record.message.split("(")[0].rpartition(" ")[0] for record in caplog.records][:2] == [
        "computing",
        "loading",
    ]
    assert "Clearing function cache" in caplog.text


def test_recursion_computes_each_value_once(memory: Memory) -> None:
    """A cached function that calls itself neither waits for itself nor repeats work."""

    @memory.cache
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(30) == 832_040
    assert fib.stats().misses == 31


def test_a_function_that_asks_for_its_own_call_does_not_hang(memory: Memory) -> None:
    """Asking for the very key that is being computed computes at once."""
    depth = []

    @memory.cache(track="none")
    def inner(x: int) -> int:
        depth.append(x)
        return inner(x) if len(depth) < 3 else x

    assert inner(1) == 1
    assert len(depth) == 3


def test_threads_compute_once(memory: Memory) -> None:
    """Of threads that ask for one key at the same time one computes, the others wait for its result."""
    started, go = threading.Event(), threading.Event()
    calls, answers = [], []

    @memory.cache(track="none")
    def slow(x: int) -> int:
        calls.append(x)
        started.set()
        go.wait(20)
        return x

    threads = [threading.Thread(target=lambda: answers.append(slow(1))) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert started.wait(20)
    go.set()
    for thread in threads:
        thread.join()
    assert (calls, answers) == ([1], [1] * 8)


def test_shelving_threads_compute_once(memory: Memory) -> None:
    """Also beside threads that ask for the value; `call` waits for nobody and runs the function."""
    started, go = threading.Event(), threading.Event()
    calls, answers = [], []

    @memory.cache(track="none")
    def slow(x: int) -> int:
        calls.append(x)
        started.set()
        go.wait(20)
        return x

    def shelve() -> None:
        answers.append(slow.call_and_shelve(1).get())

    threads = [threading.Thread(target=shelve) for _ in range(4)]
    threads += [threading.Thread(target=lambda: answers.append(slow(1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert started.wait(20)
    go.set()
    assert slow.call(1)[0] == 1
    for thread in threads:
        thread.join()
    assert (calls, answers) == ([1, 1], [1] * 8)


def test_shelved_failures_are_those_of_each_caller(memory: Memory) -> None:
    """An error passes, and whatever waits computes for itself."""

    @memory.cache
    def fails(x: int) -> int:
        raise KeyError(x)

    for _ in range(2):
        with pytest.raises(KeyError):
            fails.call_and_shelve(1)
    assert fails.stats().misses == 2


def test_waiters_do_not_queue_behind_failures(memory: Memory) -> None:
    """When the one that computes fails, each of the others computes for itself."""
    started, go = threading.Event(), threading.Event()
    errors = []

    @memory.cache(track="none")
    def fails(x: int) -> int:
        started.set()
        go.wait(20)
        raise ValueError(x)

    def ask() -> None:
        try:
            fails(1)
        except ValueError as exc:
            errors.append(exc)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert started.wait(20)
    go.set()
    for thread in threads:
        thread.join()
    assert len({id(error) for error in errors}) == 4


def test_parameters_may_have_the_name_self() -> None:
    """Keyword arguments of every name reach the function."""

    def join(self: int, func: int) -> int:
        return 10 * self + func

    cached = Memory(store=TransientStore()).cache(join)
    assert cached(self=1, func=2) == 12
    assert cached.check_call_in_cache(self=1, func=2)
    assert cached.call(self=1, func=2)[0] == 12
    assert Memory(None).cache(join)(self=1, func=2) == 12


@pytest.mark.parametrize(
    "option", [{"ignore": 5}, {"ignore": ["y"]}, {"key": 5}, {"track": "all"}, {"on_error": "stop"}]
)
def test_nothing_is_accepted_because_nothing_is_kept(option: dict[str, Any]) -> None:
    """`Memory(None)` refuses what any other would, so that switching the cache on has no surprises."""
    with pytest.raises(InvalidOption, match=next(iter(option))):
        Memory(None).cache(triple, **option)


@pytest.mark.parametrize("option", [{"ignore": 5}, {"key": 5}])
def test_options_of_another_kind_are_refused_by_name(option: dict[str, Any]) -> None:
    """At the decoration, not at the first call."""
    with pytest.raises(InvalidOption, match=f"{next(iter(option))}=5"):
        Memory(store=TransientStore()).cache(triple, **option)
