"""Cached functions and the files, functions and packages that they depend on; arguments that they change."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import File, Memory
from lightwork.errors import CacheWarning, InvalidOption


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(tmp_path / "cache")


def test_a_file_as_argument(memory: Memory, tmp_path: Path) -> None:
    """Touched: a hit. Changed: a miss. Changed back: a hit."""
    path = tmp_path / "data.txt"

    @memory.cache
    def read(file: File) -> str:
        return Path(file).read_text()

    path.write_text("one")
    assert (read(File(path)), read(File(path))) == ("one", "one")
    os.utime(path, (1, 1))
    assert read(File(path)) == "one"
    assert read.stats().misses == 1
    path.write_text("two")
    assert read(File(path)) == "two"
    path.write_text("one")
    assert read(File(path)) == "one"
    assert read.stats().misses == 2


def test_files_that_change_places_are_others(memory: Memory, tmp_path: Path) -> None:
    """In ``depends_on=`` each file has a part of its own: what is in which one counts."""
    left, right = tmp_path / "left", tmp_path / "right"
    left.write_text("1")
    right.write_text("2")

    @memory.cache(depends_on=[File(left), File(right)])
    def order() -> str:
        return left.read_text() + right.read_text()

    assert order() == "12"
    left.write_text("2")
    right.write_text("1")
    assert order() == "21"


def test_a_file_as_result(memory: Memory, tmp_path: Path) -> None:
    """A result that names a file is a miss, without a word, when that is gone or another one."""
    path = tmp_path / "made.txt"

    @memory.cache
    def make(text: str) -> dict[str, File]:
        path.write_text(text)
        return {"out": File(path)}

    assert make("a") == make("a") == {"out": File(path)}
    assert make.stats().misses == 1
    path.unlink()
    assert make("a") == {"out": File(path)}
    assert path.read_text() == "a"
    path.write_text("something else")
    make("a")
    assert path.read_text() == "a"
    assert make.stats().misses == 3


def test_a_file_that_is_not_made_is_returned_and_not_kept(memory: Memory, tmp_path: Path) -> None:
    """There is nothing to compare with later, which one warning says."""

    @memory.cache
    def make() -> File:
        return File(tmp_path / "never")

    with pytest.warns(CacheWarning, match="never"):
        assert make() == File(tmp_path / "never")
    assert not make.check_call_in_cache()


def test_a_caller_of_a_cached_function_depends_on_its_files_too(memory: Memory, tmp_path: Path) -> None:
    """``depends_on=`` reaches the keys of functions that use the one that says it."""
    path = tmp_path / "config"
    path.write_text("1")

    @memory.cache(depends_on=[File(path)])
    def inner() -> int:
        return int(path.read_text())

    @memory.cache
    def outer() -> int:
        return inner() + 1

    assert outer() == 2
    path.write_text("5")
    assert outer() == 6


def test_functions_that_depend_on_each_other(memory: Memory, tmp_path: Path) -> None:
    """No recursion without end, and keys that do not depend on who is asked first."""
    path = tmp_path / "config"
    path.write_text("1")
    left: Any
    right: Any

    def uses_right() -> str:
        return str(right.__name__) + path.read_text()

    def uses_left() -> str:
        return str(left.__name__) + path.read_text()

    left = memory.cache(uses_right, depends_on=[uses_left, File(path)])
    right = memory.cache(uses_left, depends_on=[uses_right])
    assert (left(), right()) == ("uses_left1", "uses_right1")
    assert left.check_call_in_cache()
    assert right.check_call_in_cache()
    path.write_text("2")
    assert not left.check_call_in_cache()


@pytest.mark.parametrize("wrong", ["numpy", File("x"), len, 3, [3], [b"x"], ["no such package"]])
def test_wrong_dependencies_are_refused(memory: Memory, wrong: Any) -> None:
    """When the function is decorated, naming what was given."""
    with pytest.raises(InvalidOption, match="depends_on"):
        memory.cache(depends_on=wrong)(len)


def test_a_changed_argument_is_named(memory: Memory) -> None:
    """One warning per function and argument; the result is kept under the key of what came in."""

    @memory.cache(check_mutation=True)
    def grow(items: list[int], table: dict[str, Any], n: int = 1) -> int:
        items.append(n)
        return len(items)

    with pytest.warns(CacheWarning, match="changed its argument 'items', which"):
        assert grow([1], {}) == 2
    assert grow.check_call_in_cache([1], {})
    assert grow([1, 2], {}) == 3  # said once: warnings are errors here
    with pytest.raises(InvalidOption, match="check_mutation"):
        memory.cache(check_mutation=1)(len)  # type: ignore[call-overload]  # that is the point


def test_an_argument_that_stays_as_it_is_is_no_warning(memory: Memory) -> None:
    """Also one that was changed and changed back, or ignored."""

    @memory.cache(check_mutation=True, ignore=["log"])
    def total(array: Any, log: list[str]) -> float:
        array += 1
        log.append("done")
        array -= 1
        return float(array.sum())

    assert total(np.arange(4), []) == 6


def test_an_argument_that_loses_its_key_is_told(memory: Memory) -> None:
    """The result is returned and kept all the same."""

    @memory.cache(check_mutation=True)
    def lock(box: dict[str, Any]) -> int:
        box["lock"] = threading.Lock()
        return 1

    with pytest.warns(CacheWarning, match="has no key any more"):
        assert lock({}) == 1
    assert lock.check_call_in_cache({})
