"""`explain`: whether a call would be a hit, and which argument or piece of code makes it a miss."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lightwork import File, Memory, expires_after
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
