"""The small parts: batch sizes, windows, notes, progress, `delayed`."""

import copy
import inspect
import io
import logging
import random
from collections import deque
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.parallel import Parallel, delayed
from lightwork.parallel.batching import BATCH_BYTES, LARGEST, BatchSizes, result_bytes
from lightwork.parallel.failures import add_note, describe
from lightwork.parallel.progress import Bar, bar_line, plain_line, span
from lightwork.parallel.window import Window


def documented(x: int, *, y: int = 2) -> int:
    """Twice x and y."""
    return x * y


# `delayed`


def test_delayed_writes_a_call_down() -> None:
    """The result is the function with its positional and keyword arguments."""
    assert delayed(documented)(1, y=3) == (documented, (1,), {"y": 3})


def test_delayed_looks_like_the_function() -> None:
    """Name, documentation and signature are those of the function."""
    wrapped: Any = delayed(documented)
    assert (wrapped.__name__, wrapped.__doc__) == ("documented", "Twice x and y.")
    assert wrapped.__wrapped__ is documented
    assert inspect.signature(wrapped) == inspect.signature(documented)
    assert "documented" in repr(wrapped)
    assert copy.copy(wrapped)(1) == wrapped(1)


@pytest.mark.parametrize("function", [lambda x: x, partial(documented, y=1), len, str.upper, int])
def test_delayed_takes_any_callable(function: Any) -> None:
    """Lambdas, partials, builtins, methods and classes can be delayed."""
    assert delayed(function)("a") == (function, ("a",), {})


def test_delayed_passes_any_keyword() -> None:
    """No name is taken: ``function`` and ``self`` are arguments like others."""
    call: Any = delayed(dict)
    assert call(function=1, self=2)[2] == {"function": 1, "self": 2}


# Batch sizes


def test_batches_grow_with_fast_tasks() -> None:
    """Ten reports of microsecond tasks are enough to reach batches of thousands."""
    sizes = BatchSizes()
    for _ in range(10):
        sizes.record(sizes.size, sizes.size * 1e-6)
    assert sizes.size == LARGEST


def test_batches_shrink_at_once_when_tasks_become_slow() -> None:
    """One slow task after any number of fast ones, and batches are small again."""
    sizes = BatchSizes()
    for _ in range(20):
        sizes.record(sizes.size, sizes.size * 1e-5)
    assert sizes.size >= 400
    sizes.record(1, 0.1)
    assert sizes.size <= 5
    sizes.record(1, 0.1)
    assert sizes.size == 1


def test_one_lucky_task_starts_nothing() -> None:
    """A single fast report leads to a few tasks per batch, not to hundreds."""
    sizes = BatchSizes()
    sizes.record(1, 1e-6)
    assert sizes.size <= 4


def test_large_results_travel_alone() -> None:
    """Tasks that give megabytes are not put into one batch, however fast they are."""
    sizes = BatchSizes()
    for _ in range(10):
        sizes.record(sizes.size, sizes.size * 1e-5, BATCH_BYTES)
    assert sizes.size == 1


def test_batches_hold_ten_times_what_they_cost() -> None:
    """Where sending costs much, and no less than it costs at the end of a call."""
    sizes = BatchSizes()
    for _ in range(10):
        sizes.record(sizes.size, sizes.size * 1e-3)
    assert sizes.size in (4, 5)
    sizes.weigh(0.05)
    for _ in range(5):
        sizes.record(sizes.size, sizes.size * 1e-3)
    assert 490 <= sizes.size <= 510
    assert sizes.split(10, 2) >= 45
    assert not sizes.worth_moving(30)


def test_a_fixed_size_stays() -> None:
    """A size that the user chose is kept whatever the tasks do."""
    sizes = BatchSizes(7)
    sizes.record(7, 1e-6)
    assert (sizes.size, sizes.share(2, 4)) == (7, 7)


def test_last_batches_shrink() -> None:
    """With few tasks left, batches are cut so that each worker gets some."""
    sizes = BatchSizes()
    for _ in range(10):
        sizes.record(sizes.size, sizes.size * 1e-3)
    assert sizes.size in (4, 5)
    assert sizes.share(8, 4) == 1


@pytest.mark.parametrize(
    ("value", "nbytes"),
    [(1, 0), (None, 0), ("abc", 3), (b"12", 2), (np.zeros(10), 80), ((np.zeros(10), np.zeros(5)), 120),
     ([b"1234", [b"1"]], 4), (object(), 0), ({}, 0)],
)  # fmt: skip
def test_sizes_of_results_are_seen_cheaply(value: object, nbytes: int) -> None:
    """Arrays, bytes and texts are weighed, also inside a tuple; nothing else is looked at."""
    assert result_bytes([value]) == nbytes


# The window


@given(st.integers(0, 2**32))
def test_a_window_is_a_dictionary_that_forgets(seed: int) -> None:
    """Against a plain dictionary: what was put and not dropped is there, in any order of ranges."""
    chance = random.Random(seed)
    window: Window[int] = Window()
    twin: dict[int, int] = {}
    waiting: deque[tuple[int, int]] = deque()
    start = 0
    for _ in range(60):
        if chance.random() < 0.5:
            stop = start + chance.randint(1, 5)
            window.put(start, list(range(start, stop)))
            twin.update({i: i for i in range(start, stop)})
            waiting.append((start, stop))
            start = stop
        elif waiting:
            low, high = waiting[(at := chance.randrange(len(waiting)))]
            del waiting[at]
            assert window.take(low, high) == [twin.pop(i) for i in range(low, high)]
        for low, high in waiting:
            assert window.get(low, high) == list(range(low, high))
    while waiting:
        window.drop(*waiting.popleft())
    assert len(window) == 0


# Notes


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("nobody asks for my name")


@pytest.mark.parametrize(
    ("args", "text"),
    [
        ((3, np.zeros((10, 2))), "3, ndarray(float64, (10, 2))"),
        ((Loud(),), "<Loud>"),
        (([Loud(), 1],), "[<Loud>, 1]"),
        (({"a": Loud()},), "{'a': <Loud>}"),
        ((None, True, 1.5, b"x"), "None, True, 1.5, b'x'"),
        ((np.float64(2.5),), "2.5"),
        ((list(range(100)),), "[0, 1, 2, 3, ...]"),
        ((len,), "len"),
    ],
)
def test_a_call_is_described_without_users_code(args: tuple[Any, ...], text: str) -> None:
    """Builtins by value, arrays by type and shape, all else by type."""
    assert describe(5, (documented, args, {})) == f"task 5: documented({text})"


def test_a_description_is_short() -> None:
    """However much is passed, a note has at most 200 characters."""
    call = (documented, ("x" * 5000,) * 50, {f"name{i}": [b"y" * 500] * 9 for i in range(50)})
    assert len(describe(0, call)) <= 200


def test_a_note_is_put_once_and_never_in_the_way() -> None:
    """The same note is not repeated, and an error that takes no notes is left alone."""

    class Frozen(Exception):
        def __setattr__(self, name: str, value: object) -> None:
            raise AttributeError(name)

    error, frozen = ValueError(), Frozen()
    add_note(error, "a")
    add_note(error, "a")
    add_note(frozen, "a")
    assert error.__notes__ == ["a"]
    assert not hasattr(frozen, "__notes__")


# Progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0s"),
        (0.44, "0.4s"),
        (9.96, "10s"),
        (59.4, "59s"),
        (59.9, "1m00s"),
        (200, "3m20s"),
        (7500, "2h05m"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    """Times are shown in the unit that fits."""
    assert span(seconds) == text


def test_lines_tell_rate_rest_and_failures() -> None:
    """Done, total, rate, elapsed, left and failed, as far as they are known."""
    assert plain_line(50, 200, 2, 10) == "50/200 tasks, 5/s, 10s elapsed, 30s left, 2 failed"
    assert plain_line(50, None, 0, 10) == "50 tasks, 5/s, 10s elapsed"
    assert plain_line(0, 5, 0, 0) == "0/5 tasks, 0.0s elapsed"


@pytest.mark.parametrize("width", [10, 40, 79, 200])
def test_bars_fit(width: int) -> None:
    """A line is never wider than the terminal."""
    line = bar_line(50, 200, 0, 10, width=width)
    assert len(line) <= width
    assert ("|███" in line) == (width >= 79)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_drawn_again() -> None:
    """On a terminal the line is overwritten, at most ten times a second, and ended once."""
    now = [0.0]
    stream = Terminal()
    bar = Bar(stream, lambda: now[0])
    for done in range(1, 101):
        now[0] += 0.01
        bar(done, 100, 0)
    bar.close()
    text = stream.getvalue()
    assert 5 <= text.count("\r") <= 12
    assert text.count("\n") == 1
    assert "100/100 tasks" in text


def test_a_file_gets_few_whole_lines() -> None:
    """Elsewhere there is a line every ten seconds and one at the end."""
    now = [0.0]
    stream = io.StringIO()
    bar = Bar(stream, lambda: now[0])
    for done in range(1, 101):
        now[0] += 0.25
        bar(done, None, 0)
    bar.close()
    assert [line.split(" ")[0] for line in stream.getvalue().splitlines()] == ["40", "80", "100"]


def test_a_stream_that_is_gone_stops_nothing() -> None:
    """A closed stream ends the drawing, not the work."""
    stream = io.StringIO()
    bar = Bar(stream)
    stream.close()
    bar(1, 2, 0)
    bar.close()
    bar.close()
    assert stream.closed


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("return_as", ["list", "generator"])
@pytest.mark.parametrize("kind", [list, iter])
def test_observers_see_every_task(n_jobs: int, return_as: Any, kind: Any) -> None:
    """The function gets counts that only grow, up to all tasks, with failures among them."""
    seen: list[tuple[int, int | None, int]] = []
    parallel = Parallel(
        n_jobs, "threads", return_as, on_error="skip", progress=lambda *counts: seen.append(counts)
    )
    list(parallel(kind([delayed(int)("x" if i % 4 == 0 else "1") for i in range(40)])))
    assert seen[-1][0] == 40
    assert seen[-1][2] == 10
    assert [done for done, _, _ in seen] == sorted({done for done, _, _ in seen})
    assert {total for _, total, _ in seen} <= ({40} if kind is list else {None, 40})


def test_a_bar_is_drawn_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """``progress=True`` writes to standard error, nothing to standard output."""
    Parallel(2, "threads", progress=True)([delayed(abs)(1)] * 3)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("3/3 tasks")


def test_verbose_is_logged_and_not_printed(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """``verbose`` speaks through the logger ``lightwork`` at level INFO."""
    with caplog.at_level(logging.INFO, "lightwork"):
        Parallel(2, "threads", verbose=11)([delayed(abs)(1)] * 3)
    assert "using backend threads with 2 workers" in caplog.text
    assert "3/3 tasks" in caplog.text
    assert capsys.readouterr() == ("", "")
