"""`explain`: whether a call would be a hit, and which argument or piece of code makes it a miss."""

import dataclasses
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from lightwork import File, Memory, expires_after
from lightwork.memory.facts import LEAVES_AFTER
from lightwork.memory.reasons import Explanation, explain_miss, how_long
from lightwork.protocols import Record
from lightwork.stores.transient import TransientStore

CODE = """
LIMIT = 3
OPTIONS = {"a": 1}

def helper(x):
    return x + LIMIT + OPTIONS["a"]

class Model:
    rate = 1
    def fit(self, x):
        return x * self.rate

def work(x, y=2):
    return helper(x) + y + Model().fit(x)
"""


@pytest.fixture(params=["sqlite", "transient"])
def memory(request: pytest.FixtureRequest, tmp_path: Path) -> Memory:
    return Memory(tmp_path / "cache") if request.param == "sqlite" else Memory(store=TransientStore())


def module_of(text: str) -> Any:
    """A module of this source, as a new process would load it."""
    module = ModuleType("explained")
    exec(compile(text, "explained.py", "exec"), vars(module))
    return module


def cached(memory: Memory, text: str = CODE, **options: Any) -> Any:
    return memory.cache(module_of(text).work, **options)


def test_a_hit_tells_how_old_it_is(memory: Memory) -> None:
    """Asking counts as no hit and computes nothing."""
    work = cached(memory)
    work(1)
    found = work.explain(1)
    assert found.is_hit
    assert str(found).startswith("hit: its result is kept, computed 0 s ago in ")
    assert work.stats()[:2] == (0, 1)


def test_nothing_is_kept(memory: Memory) -> None:
    """Of the function, or at all."""
    assert cached(memory).explain(1) == Explanation(False, "no result of this function is kept")
    assert "no location" in Memory(None).cache(module_of(CODE).work).explain(1).reason


def test_a_function_that_has_moved_is_told(memory: Memory) -> None:
    """Its results are kept under the name that it had."""
    cached(memory)(1)
    module = module_of(CODE)
    module.work.__module__ = "elsewhere"
    found = memory.cache(module.work).explain(1)
    assert found.reason == "no result of this function is kept"
    assert found.changes[0] == "this one is elsewhere:work; there are results of explained:work"


def test_the_argument_that_differs_is_named(memory: Memory) -> None:
    """Compared with the kept call that is nearest."""
    work = cached(memory)
    work(1, 1)
    work(2, 2)
    found = work.explain(1, 3)
    assert found.changes == ("argument 'y' differs",)
    assert "work(1, 1)" in found.reason
    assert set(work.explain(8, 9).changes) == {"argument 'x' differs", "argument 'y' differs"}


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("return x + LIMIT", "return x - LIMIT", "explained:helper has changed"),
        ("LIMIT = 3", "LIMIT = 4", "LIMIT has changed"),
        ('"a": 1', '"a": 2', "OPTIONS has changed"),
        ("rate = 1", "rate = 2", "explained:Model.rate has changed"),
        ("x * self.rate", "x + self.rate", "explained:Model.fit has changed"),
        ("helper(x) + y", "helper(x) - y", "explained:work has changed"),
    ],
)
def test_the_code_that_differs_is_named(memory: Memory, old: str, new: str, change: str) -> None:
    """A helper, a value, a method, the function itself; and nothing else."""
    cached(memory)(1)
    found = cached(memory, CODE.replace(old, new)).explain(1)
    assert found.changes == (change,)
    assert "computed 0 s ago, with other code" in found.reason


def test_a_new_helper_and_a_lost_one_are_named(memory: Memory) -> None:
    """Also what is behind the one that is gone."""
    cached(memory)(1)
    text = CODE.replace("helper(x) + y", "other(x) + y") + "\ndef other(x):\n    return x\n"
    changes = cached(memory, text).explain(1).changes
    assert "explained:other is used now" in changes
    assert "explained:helper is not used any more" in changes
    assert "LIMIT is not used any more" in changes


def test_what_is_used_and_not_tracked_any_more_is_named(memory: Memory) -> None:
    """With the reason, and the other way round."""
    large = CODE.replace("LIMIT = 3", "import numpy; LIMIT = numpy.zeros(100_000)")
    cached(memory)(1)
    (change,) = cached(memory, large).explain(1).changes
    assert change.startswith("LIMIT is not tracked any more: a numpy:ndarray, of which")
    memory.clear(warn=False)
    cached(memory, large)(1)
    assert cached(memory).explain(1).changes == ("LIMIT is tracked now",)


def test_options_and_files_are_named(memory: Memory, tmp_path: Path) -> None:
    """`version=`, the parameters that count, ``depends_on=``."""
    path = tmp_path / "config"
    path.write_text("one")
    options: dict[str, Any] = {"depends_on": [File(path)]}
    cached(memory, version=1, **options)(1)
    assert cached(memory, version=2, **options).explain(1).changes == ("version was 1 then, is 2 now",)
    path.write_text("two")
    (change,) = cached(memory, version=1, **options).explain(1).changes
    assert change == f"depends_on {File(path)!r} has changed"


def test_a_file_that_has_changed_is_named(memory: Memory, tmp_path: Path, monkeypatch: Any) -> None:
    """Compared with the result for the file of that name; of a file of another name both are told."""
    monkeypatch.chdir(tmp_path)
    read = memory.cache(lambda file, x: 1)
    for name in ("a.csv", "b.csv", "c.csv"):
        (tmp_path / name).write_text(name)
        read(File(name), 1)
    (tmp_path / "a.csv").write_text("other")
    assert read.explain(File("a.csv"), 1).changes == ("file a.csv has changed",)
    (tmp_path / "d.csv").write_text("d")
    (change,) = read.explain(File("d.csv"), 1).changes
    assert change == "argument 'file' has another content: file d.csv now, c.csv then"


@pytest.mark.slow
def test_a_file_inside_of_an_argument_has_no_parts(tmp_path: Path) -> None:
    """What its key is made of has no name that users know."""
    path = tmp_path / "a.csv"
    work = Memory(store=TransientStore()).cache(slow)
    path.write_text("one")
    work({"data": File(path)}, File(path))
    path.write_text("two")
    assert work.explain({"data": File(path)}, File(path)).changes == (
        "argument 'config' differs at config['data']",
        f"file {path} has changed",
    )


def test_a_result_that_is_not_valid_any_more(memory: Memory) -> None:
    """The callback is asked, and named."""
    work = cached(memory, cache_validation_callback=expires_after(seconds=0))
    work(1)
    assert "cache_validation_callback does not accept it" in work.explain(1).reason


def test_a_result_whose_file_is_gone(memory: Memory, tmp_path: Path) -> None:
    """It is kept, and a call would run all the same."""
    path = tmp_path / "made"

    @memory.cache
    def make() -> list[File]:
        path.write_text("one")
        return [File(path)]

    make()
    assert make.explain().is_hit
    path.write_text("two")
    found = make.explain()
    assert not found.is_hit
    assert "has changed since" in found.reason
    path.unlink()
    assert "cannot be read" in make.explain().reason


def test_methods_explain_too(memory: Memory) -> None:
    """The object is an argument like any other."""

    class Model:
        def __init__(self, rate: int) -> None:
            self.rate = rate

        @memory.cache
        def fit(self, x: int) -> int:
            return self.rate * x

    Model(1).fit(1)
    assert Model(1).fit.explain(1).is_hit
    assert Model(2).fit.explain(1).changes == ("argument 'self' differs",)


def test_a_store_without_notes_tells_what_it_can() -> None:
    """Stores of others need not keep notes."""

    class Plain:
        def __init__(self) -> None:
            self._inner = TransientStore()
            self.get, self.put, self.drop = self._inner.get, self._inner.put, self._inner.drop
            self.scan, self.close = self._inner.scan, self._inner.close

    work = cached(Memory(store=Plain()))
    work(1)
    assert work.explain(1) == Explanation(True, "its result is kept")
    assert "keeps no notes" in work.explain(2).reason


def test_records_of_others_are_no_obstacle(memory: Memory) -> None:
    """Facts without what explanations need are passed over."""
    work = cached(memory)
    work(1)
    assert memory.store is not None
    key = next(iter(memory.store.scan())).key
    memory.store.put(key[:8] + bytes(24), Record(b"", (), b'{"function": "old"}'))
    assert work.explain(2).changes == ("argument 'x' differs",)


def test_clearing_a_function_forgets_its_notes(memory: Memory) -> None:
    """And what it is made of is noted again with the next result."""
    work = cached(memory)
    work(1)
    work.clear()
    assert work.explain(1).reason == "no result of this function is kept"
    work(1)
    found = cached(memory, CODE.replace("LIMIT = 3", "LIMIT = 4")).explain(1)
    assert found.changes == ("LIMIT has changed",)


def test_another_python_computes_once() -> None:
    """Keys contain bytecode: a new minor version is told as the reason, and not all that it changes."""
    note = {"python": "3.12", "version": "None", "parameters": "x", "parts": {"m:f": "1"}}
    made = {"args": {"x": "1"}, "code": "a"}
    kept = [{"args": {"x": "1"}, "code": "b", "time": 0.0, "call": "f(1)"}]
    then = {**note, "python": "3.11", "parts": {"m:f": "2"}}
    found = explain_miss(made, note, kept, lambda code: then if code == "b" else None, 7200.0)
    assert found.reason == "it was computed 2 hours ago, with other code"
    assert found.changes == (
        "Python 3.11 then, 3.12 now: bytecode is part of the key, so each minor version computes once",
    )
    unknown = explain_miss(made, note, kept, lambda code: None, 0.0)
    assert unknown.changes == ("what that code was made of is not known any more",)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (3, "3 s"), (60, "1 minute"), (7300, "2 hours"), (864000, "10 days")]
)
def test_spans_of_time(seconds: float, text: str) -> None:
    """For people."""
    assert how_long(seconds) == text


@dataclasses.dataclass
class Options:
    rate: float
    layers: list[int]


def slow(config: Any, other: Any = None) -> None:
    """Takes as long as it must for its leaves to be kept, whatever the machine does."""
    end = time.perf_counter() + LEAVES_AFTER
    while time.perf_counter() < end:
        pass


@pytest.mark.slow
@pytest.mark.parametrize(
    ("then", "now", "changes"),
    [
        ({"lr": 0.1, "n": 1}, {"lr": 0.2, "n": 1}, ["argument 'config' differs at config['lr']"]),
        (
            {"opt": {"name": "adam", "b": [1, 2]}, "n": 1},
            {"opt": {"name": "sgd", "b": [1, 3]}, "n": 1},
            [
                "argument 'config' differs at config['opt']['name']",
                "argument 'config' differs at config['opt']['b']",
            ],
        ),
        ({"a": 1}, {"a": 1, "b": 2}, ["config['b'] is new"]),
        ({"a": 1, "b": [1, 2]}, {"a": 1}, ["config['b'] is gone"]),
        ([1, "x", 3], [1, "y", 3], ["argument 'config' differs at config[1]"]),
        (Options(0.1, [1]), Options(0.2, [1]), ["argument 'config' differs at config.rate"]),
        ({1, 2}, {1, 3}, ["argument 'config' differs"]),
        (3, 4, ["argument 'config' differs"]),
        ({"a": 1}, 3, ["argument 'config' differs"]),
        (
            dict.fromkeys("abcdefghi", 1),
            dict.fromkeys("abcdefghi", 2),
            [
                *(f"argument 'config' differs at config[{n!r}]" for n in "abcde"),
                "and 4 more parts of argument 'config'",
            ],
        ),
        ({str(n): n for n in range(500)}, {str(n): n for n in range(501)}, ["argument 'config' differs"]),
    ],
)
def test_the_part_of_an_argument_that_differs_is_named(then: Any, now: Any, changes: list[str]) -> None:
    """The smallest parts that tell it."""
    work = Memory(store=TransientStore()).cache(slow)
    work(then)
    assert sorted(work.explain(now).changes) == sorted(changes)


@pytest.mark.slow
def test_columns_and_arrays_are_parts() -> None:
    """Of a frame, also inside of a container."""
    pandas = pytest.importorskip("pandas")
    work = Memory(store=TransientStore()).cache(slow)
    work(pandas.DataFrame({"a": [1, 2], "b": [3, 4]}), {"x": pandas.Series([1])})
    changed = pandas.DataFrame({"a": [1, 2], "b": [3, 5]}), {"x": pandas.Series([2])}
    first, second = work.explain(*changed).changes
    assert first == "argument 'config' differs at config['b']"
    assert second.startswith("argument 'other' differs at other['x']")


@pytest.mark.slow
def test_arguments_that_are_large_for_their_call_have_no_parts() -> None:
    """They would be hashed once more."""
    pandas = pytest.importorskip("pandas")
    work = Memory(store=TransientStore()).cache(slow)
    for large in ({"a": [1], "b": np.zeros(1_000_000)}, pandas.DataFrame({"a": np.zeros(1_000_000)})):
        work(large)
        large["a"] = 2
        assert work.explain(large).changes == ("argument 'config' differs",)


@pytest.mark.slow
def test_an_argument_that_the_call_changes_has_no_parts(memory: Memory) -> None:
    """What it was made of then is not known any more."""

    @memory.cache
    def grow(values: list[int]) -> None:
        slow(0)
        values.append(9)

    grow([1, 2])
    assert grow.explain([1, 3]).changes == ("argument 'values' differs",)


def test_quick_calls_keep_no_parts(memory: Memory) -> None:
    """So that a million of them take no more room."""
    work = cached(memory)
    work(1)
    assert "leaves" not in work.call_and_shelve(1).metadata


def test_what_was_evicted_is_told(tmp_path: Path) -> None:
    """For certain if this process kept it, else as a possibility while the cache is full."""
    memory = Memory(tmp_path, max_items=2)
    work = cached(memory)
    for number in range(8):
        work(number)
    (gone, *_) = [number for number in range(8) if not work.check_call_in_cache(number)]
    found = work.explain(gone)
    assert not found.is_hit
    assert "its result was kept 0 s ago, and is gone: evicted to keep max_items=2" in found.reason
    assert "or it was evicted: the cache is full (2 of max_items=2)" in work.explain(99).changes


def test_what_others_removed_is_told(memory: Memory) -> None:
    """Without limits nothing is evicted."""
    work = cached(memory)
    work(1)
    memory.reduce_size(items_limit=0)
    assert "is gone: removed by reduce_size" in work.explain(1).reason


def test_what_was_forgotten_is_as_if_it_had_not_been(memory: Memory) -> None:
    """The user knows why it is gone."""
    work = cached(memory)
    work(1)
    work(2)
    work.forget(1)
    assert "nearest is" in work.explain(1).reason
    work.clear()
    assert work.explain(2).reason == "no result of this function is kept"
    work(3)
    memory.clear(warn=False)
    assert work.explain(3).reason == "no result of this function is kept"


class Gone:
    """Of a class that cannot be loaded any more."""

    def __reduce__(self) -> tuple[object, ...]:
        return _fails, ()


def _fails() -> None:
    raise ImportError("No module named 'gone'")


def test_a_result_that_cannot_be_read_is_told(memory: Memory) -> None:
    """With the error; what the store itself finds damaged is told by it."""
    work = memory.cache(lambda: Gone())
    work()
    found = work.explain()
    assert not found.is_hit
    assert found.reason == (
        "its result is kept, and cannot be read any more (ImportError: No module named 'gone')"
    )


@pytest.mark.slow
def test_what_stands_for_the_arguments_has_no_parts() -> None:
    """With ``key=`` the arguments themselves do not count."""
    work = Memory(store=TransientStore()).cache(slow, key=lambda config, other=None: config["a"])
    work({"a": [1, 2]})
    assert work.explain({"a": [1, 3]}).changes == ("argument 'key(...)' differs",)
