import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import InvalidOption
from lightwork.memory import Memory
from lightwork.stores import TransientStore


def double(x: int) -> int:
    return 2 * x


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"backend": "s3"}, "backend='s3'"),
        ({"compress": 10}, 'compress level given: "10"'),
        ({"compress": "gzip"}, "method given: \"gzip\": give one of 'zstd'"),
        ({"compress": ("zlib",)}, "exactly 2 elements"),
        ({"compress": 3, "mmap_mode": "r"}, "mmap_mode='r' and compress= exclude each other"),
        ({"mmap_mode": "r+"}, "mmap_mode='r\\+'"),
        ({"mmap_mode": "x"}, "mmap_mode='x'"),
        ({"backend_options": {"a": 1}}, "backend_options"),
        ({"store": object()}, "store="),
        ({"store": TransientStore()}, "exclude store="),
    ],
)
def test_unsupported_options_are_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """What is not built is refused by name, before anything happens."""
    with pytest.raises(InvalidOption, match=words):
        Memory(tmp_path / "cache", **options)
    assert not (tmp_path / "cache").exists()


def test_a_location_must_be_a_path() -> None:
    """A number is no folder."""
    with pytest.raises(InvalidOption, match="location=3"):
        Memory(3)  # type: ignore[arg-type]  # the point of the test


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cache_validation_callback": 3}, "callable"),
        ({"mmap_mode": "w+"}, "w\\+"),
        ({"ignore": "x"}, "list"),
        ({"ignore": ["z"]}, "'z'"),
        ({"on_error": "ignore"}, "on_error='ignore'"),
        ({"track": "far"}, "track='far'"),
    ],
)
def test_wrong_options_of_a_function_are_refused(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    """A wrong option is told at decoration, not at the first call."""
    with pytest.raises(InvalidOption, match=words):
        Memory(tmp_path).cache(double, **options)


def test_constructing_touches_nothing(tmp_path: Path) -> None:
    """Making a Memory and decorating functions creates no file."""
    memory = Memory(tmp_path / "cache")
    memory.cache(double)
    assert os.listdir(tmp_path) == []
    assert memory.cache(double)(2) == 4
    assert os.listdir(tmp_path) == ["cache"]


def test_home_is_expanded_and_the_folder_is_that_of_construction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`~` is the home folder; a relative location does not follow later changes of the working folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    Memory("~/one").cache(double)(1)
    assert (tmp_path / "one").is_dir()
    monkeypatch.chdir(tmp_path / "one")
    memory = Memory("two")
    monkeypatch.chdir(tmp_path)
    memory.cache(double)(1)
    assert (tmp_path / "one" / "two").is_dir()


@pytest.mark.parametrize("decorate", [lambda m: m.cache, lambda m: m.cache(), lambda m: m.cache(ignore=[])])
def test_every_spelling_of_the_decorator_works(
    tmp_path: Path, decorate: Callable[[Memory], Callable[[Any], Any]]
) -> None:
    """With parentheses, without, and with options."""
    cached = decorate(Memory(tmp_path))(double)
    assert [cached(2), cached(2)] == [4, 4]
    assert cached.stats()[:2] == (1, 1)


def test_without_location_functions_are_called_through() -> None:
    """`Memory(None)` keeps nothing, and everything else works."""
    memory = Memory(None)
    cached = memory.cache(double)
    assert [cached(2), cached(2)] == [4, 4]
    assert cached.call(3) == (6, {})
    assert cached.call_and_shelve(3).get() == 6
    assert not cached.check_call_in_cache(2)
    assert not cached.forget(2)
    assert cached.stats().hits == 0
    assert memory.eval(double, 4) == 8
    cached.clear()
    memory.clear()
    memory.reduce_size(bytes_limit=0)
    assert memory.store is None
    assert repr(memory) == "Memory(location=None)"


def test_methods_are_called_through_without_location() -> None:
    """The decorator may stay in a class body when caching is switched off."""

    class Scaled:
        factor = 3

        @Memory(None).cache
        def times(self, x: int) -> int:
            return self.factor * x

    assert Scaled().times(2) == 6


def test_another_process_finds_the_results(tmp_path: Path) -> None:
    """Results outlive the process that made them."""
    code = (
        "import sys\nfrom lightwork.memory import Memory\n"
        "memory = Memory(sys.argv[1])\n"
        "@memory.cache\ndef double(x):\n    return 2 * x\n"
        "print(double(21), *double.stats()[:2])\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    answers = [subprocess.run(command, capture_output=True, text=True).stdout for _ in range(2)]
    assert answers == ["42 0 1\n", "42 1 0\n"]


def test_clear_empties_all_functions(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """After `clear` every call computes again; that it was called is logged."""
    memory = Memory(tmp_path)
    one, two = memory.cache(double), memory.cache(abs)
    one(1), two(-1)
    memory.clear()
    assert not one.check_call_in_cache(1)
    assert not two.check_call_in_cache(-1)
    assert "Flushing completely the cache" in caplog.text
    caplog.clear()
    memory.clear(warn=False)
    assert caplog.text == ""


@pytest.mark.parametrize("transient", [False, True])
def test_reduce_size_keeps_what_was_used_last(tmp_path: Path, transient: bool) -> None:
    """The least recently used results go first, whichever store carries it out."""
    memory = Memory(store=TransientStore()) if transient else Memory(tmp_path)
    cached = memory.cache(double)
    for number in range(6):
        cached(number)
    cached(0)
    memory.reduce_size()
    assert all(cached.check_call_in_cache(number) for number in range(6))
    memory.reduce_size(items_limit=2)
    assert [number for number in range(6) if cached.check_call_in_cache(number)] == [0, 5]
    for long in (timedelta(days=1), "30 days", 86_400):
        memory.reduce_size(age_limit=long)
    assert cached.check_call_in_cache(0)
    time.sleep(0.002)  # ages are measured by the clock of the machine
    memory.reduce_size(age_limit=timedelta(0))
    assert not cached.check_call_in_cache(0)
    cached(1)
    memory.reduce_size(bytes_limit="1K")
    assert cached.check_call_in_cache(1)
    memory.reduce_size(bytes_limit=0)
    assert not cached.check_call_in_cache(1)


@pytest.mark.parametrize(
    "limits",
    [
        {"bytes_limit": "1X"},
        {"bytes_limit": -1},
        {"items_limit": -1},
        {"items_limit": 1.5},
        {"age_limit": "3 moons"},
        {"age_limit": timedelta(-1)},
    ],
)
def test_wrong_limits_are_refused(tmp_path: Path, limits: dict[str, Any]) -> None:
    """A limit that is none is an error that names it."""
    with pytest.raises(InvalidOption, match=next(iter(limits))):
        Memory(tmp_path).reduce_size(**limits)


def test_an_option_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """As by `Parallel`: with what was probably meant, and without an effect."""
    unknown: Any = {"verbos": 3}
    with pytest.raises(InvalidOption, match=r"Memory has no option verbos=3: did you mean verbose\?"):
        Memory(tmp_path / "cache", **unknown)
    assert not (tmp_path / "cache").exists()


def test_memory_shows_its_location(tmp_path: Path) -> None:
    """The text of a Memory is short and says where it is."""
    assert repr(Memory(tmp_path)) == f"Memory(location={tmp_path})"
