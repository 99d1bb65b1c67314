"""How a cache grew and what it saved: counted while it is used, read from the store for a picture."""

import re
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork import Memory
from lightwork.memory.course import Course, summed, thinned
from lightwork.memory.history import History, histories_of, kept_by
from lightwork.memory.picture import page_of_cache, page_of_entries, page_of_stats
from lightwork.protocols import Record
from lightwork.stores import FileStore, SqliteStore, TransientStore


def slow(seconds: float) -> bytes:
    time.sleep(seconds)
    return bytes(2000)


def small(x: int) -> int:
    return x


# Courses

steps = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10)), max_size=400)


def course(story: list[tuple[float, float]]) -> list[tuple[float, float]]:
    now = value = 0.0
    found = []
    for pause, step in story:
        now, value = now + pause, value + step
        found.append((now, value))
    return found


@given(steps, st.integers(1, 20))
@settings(deadline=None, max_examples=50)
def test_a_thinned_course_is_never_wrong(story: list[tuple[float, float]], most: int) -> None:
    """It has some of the marks, the last among them, by time."""
    marks = course(story)
    found = thinned(marks, most)
    assert len(found) <= most + 1
    assert set(found) <= set(marks)
    assert [moment for moment, _ in found] == sorted(moment for moment, _ in found)
    assert found[-1:] == marks[-1:]


@given(st.lists(steps, max_size=4))
@settings(deadline=None, max_examples=50)
def test_the_sum_of_courses_ends_at_the_sum(stories: list[list[tuple[float, float]]]) -> None:
    """And only grows."""
    courses = [course(story) for story in stories]
    found = summed(courses)
    total = sum(marks[-1][1] for marks in courses if marks)
    assert (found[-1][1] if found else 0.0) == pytest.approx(total)
    values = [value for _, value in found]
    assert all(b >= a - 1e-6 for a, b in pairwise(values))


def test_marks_are_bounded() -> None:
    """However often a figure grows; the latest is always there, and they become rarer."""
    found, due = Course(), 0.0
    for number in range(100_000):
        if number >= due:
            due = found.mark(float(number), number)
    assert len(found.marks) <= 257
    assert due - found.marks[-1][0] > 1
    assert found.marks[-1][0] > 99_000


# What is counted


def test_seconds_saved_are_noted_as_they_grow(tmp_path: Path) -> None:
    """By function, on the wall clock; the last is what the figures say."""
    memory, before = Memory(tmp_path), time.time()
    cached, other = memory.cache(slow), memory.cache(small)
    cached(0.02)
    for _ in range(3):
        time.sleep(0.015)
        cached(0.02)
        other(1)
    stats = memory.stats()
    assert stats.history is not None
    saved = stats.history.saved
    name = next(name for name in saved if name.endswith("slow"))
    moments, values = zip(*saved[name], strict=True)
    assert len(values) >= 3
    assert values[-1] == stats.functions[name].saved
    assert list(values) == sorted(values)
    assert list(moments) == sorted(moments)
    assert before <= moments[0] <= moments[-1] <= time.time()


def test_several_cached_functions_of_one_name_count_together(tmp_path: Path) -> None:
    """Also one that is gone."""
    memory = Memory(tmp_path)
    for _ in range(3):
        cached = memory.cache(slow)
        cached(0.02)
        del cached
    history = memory.stats().history
    assert history is not None
    ((_, marks),) = history.saved.items()
    assert len(marks) == 2  # the first call was no hit
    assert [value for _, value in marks] == pytest.approx([marks[0][1], 2 * marks[0][1]])


# What is read


@pytest.mark.parametrize("kind", [SqliteStore, FileStore])
def test_a_store_tells_sizes_by_function(tmp_path: Path, kind: Any) -> None:
    """Number, bytes and cost of the results of each, the largest first; nothing counts as used."""
    memory = Memory(store=kind(tmp_path))
    cached, other = memory.cache(slow), memory.cache(small)
    for number in range(3):
        cached(0.001 * number)
        other(number)
    entries, now = memory.entries(), time.time()
    history = memory.stats().history
    assert history is not None
    found = history.read()
    assert [one.name.rsplit(":")[-1] for one in found] == ["slow", "small"]
    for one in found:
        mine = [entry for entry in entries if entry.function == one.name]
        assert (one.records, one.nbytes) == (3, sum(entry.nbytes for entry in mine))
        assert one.seconds == pytest.approx(sum(entry.seconds for entry in mine))
        assert one.sizes[-1][1] == one.nbytes
    told = histories_of(entries, now)
    assert [one[:4] for one in told] == [one[:4] for one in found]
    for one, other_one in zip(told, found, strict=True):
        assert [value for _, value in one.sizes] == [value for _, value in other_one.sizes]
        assert [moment for moment, _ in one.sizes] == pytest.approx([moment for moment, _ in other_one.sizes])
    assert "<h2>Size by function</h2>" in page_of_entries(entries, "cache")
    assert memory.stats().calls.hits == 0


def test_the_least_that_is_certain_is_what_used_results_took() -> None:
    """Of a store alone: each used since it was written counts once, when it was used last."""
    now = 100.0
    store = TransientStore(clock=lambda: now)
    for number in range(3):
        store.put(bytes([7] * 8 + [number] * 24), Record(b"x", (), b"{}"), seconds=number + 1.0)
    now = 200.0
    assert store.get(bytes([7] * 8 + [2] * 24)) is not None
    (found,) = kept_by(store)
    assert found.name == "07" * 8
    assert found.records == 3
    assert found.seconds == 6.0
    assert list(found.saved) == [(200.0, 3.0)]
    assert [moment for moment, _ in found.sizes] == [100.0] * 3


# Pages


def test_figures_save_themselves(tmp_path: Path) -> None:
    """With a chart of the sizes and of the seconds saved, and a row for each function."""
    memory = Memory(tmp_path / "cache")
    cached = memory.cache(slow)
    cached(0.01)
    time.sleep(0.02)
    cached(0.01)
    stats = memory.stats()
    stats.save(tmp_path / "cache.html")
    page = (tmp_path / "cache.html").read_text()
    assert page == page_of_stats(stats)
    for title in ("Size by function", "Seconds saved by function", "Functions"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg") == 2
    assert re.search(r'slow</td><td class="number">1</td>', page)


def test_a_cache_that_is_nowhere_is_drawn_too(tmp_path: Path) -> None:
    """As one that is empty is."""
    for memory in (Memory(None), Memory(tmp_path)):
        assert "0 results" in page_of_stats(memory.stats())
        assert "0 results" in memory.stats()._repr_html_()
    assert "0 B" in page_of_cache([], "nothing")
    assert History(None, {}).read() == []


def test_a_page_of_many_functions_is_bounded() -> None:
    """Two hundred rows, seven colours; the rest is counted."""
    store = TransientStore()
    for number in range(300):
        store.put(number.to_bytes(8, "big") + bytes(24), Record(bytes(number), (), b"{}"), seconds=1.0)
    page = page_of_cache(kept_by(store), "cache")
    assert "and 100 more" in page
    assert "294 others" in page
