"""Ways to write code: for each, an edit that matters gives another key, and one that does not the same key.

The sources are in ``patterns.txt``. In them 1001, 1002, ... are numbers that the function ``f`` depends on,
2001, ... are numbers that it does not. Every one of them is edited in turn.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from lightwork.hashing.calls import CallKeys

NAME = "pattern_job"


def patterns() -> dict[str, str]:
    """The sources by title; ``[3.12]`` behind a title names the oldest Python that can read it."""
    parts = re.split(r"(?m)^=== (.*)\n", Path(__file__).with_name("patterns.txt").read_text())
    found = {}
    for title, source in zip(parts[1::2], parts[2::2], strict=True):
        oldest = re.search(r"\[3\.(\d+)\]", title)
        if oldest is None or sys.version_info >= (3, int(oldest[1])):
            found[title] = source
    return found


PATTERNS = patterns()


@pytest.fixture(autouse=True)
def module() -> Iterator[None]:
    yield
    sys.modules.pop(NAME, None)


def key(source: str) -> bytes:
    """The key of ``f()`` in a new module of that source."""
    module = sys.modules[NAME] = ModuleType(NAME)
    exec(compile(source, f"/project/{NAME}.py", "exec"), vars(module))
    return CallKeys(module.f).key((), {})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_edits_that_matter_reach_the_key_and_others_do_not(pattern: str) -> None:
    """Each number is changed on its own."""
    source = PATTERNS[pattern]
    first = key(source)
    assert key(source) == first
    numbers = re.findall(r"[12]0\d\d", source)
    assert len(set(numbers)) == len(numbers) > 0
    for number in numbers:
        changed = key(source.replace(number, "9" + number[1:])) != first
        assert changed == number.startswith("1"), number


@pytest.mark.parametrize("pattern", PATTERNS)
def test_moves_do_not_matter(pattern: str) -> None:
    """Other lines, a comment, another function in the file."""
    source = PATTERNS[pattern]
    moved = "\n\n\n" + source.replace("\ndef ", "\n\n\ndef ").replace("\nclass ", "\n\nclass ")
    unused = f"def unused_one(): return 1\n{source}\nUNUSED_TWO = 3\n"
    assert {key(each) for each in (source + "# comment\n", moved, unused)} == {key(source)}


def test_names_that_are_made_up_are_listed() -> None:
    """What no survey can see is said: use ``depends_on=`` there."""
    source = "def g(): return 1\ndef f(): return globals()['g']() + eval('g()')\n"
    key(source)
    untracked = CallKeys(sys.modules[NAME].f).dependencies().untracked
    assert [line.partition("(")[0] for line in untracked] == ["globals", "eval"]
