"""Progress: an event for each task, whoever runs it; displays for terminals, files, notebooks and rich."""

import io
import re
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import AlreadyRunning, MissingDependency
from lightwork.parallel import Parallel, delayed
from lightwork.parallel.displays import NotebookBar
from lightwork.parallel.progress import Bar, Progress

Counts = tuple[int, int | None, int]

PLACES = [(1, None), (2, "threads"), (2, "processes"), (2, "sequential")]


def parse(text: str) -> int:
    return int(text)


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
@pytest.mark.parametrize("kind", [list, iter])
def test_there_is_one_event_per_task(n_jobs: int, backend: str | None, return_as: Any, kind: Any) -> None:
    """Done counts up by one, failed by at most one; the total is right whenever the input knows it."""
    seen: list[Counts] = []
    parallel = Parallel(
        n_jobs, backend, return_as, on_error="skip", progress=lambda *counts: seen.append(counts)
    )
    list(parallel(kind([delayed(parse)("x" if i % 4 == 0 else "1") for i in range(200)])))
    assert [done for done, _, _ in seen] == list(range(1, 201))
    failed = [0, *(count for _, _, count in seen)]
    assert {after - before for before, after in pairwise(failed)} == {0, 1}
    assert failed[-1] == 50
    assert {total for _, total, _ in seen} <= ({200} if kind is list else {None, 200})


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
def test_tasks_that_a_checkpoint_knows_are_told(
    n_jobs: int, backend: str | None, return_as: Any, tmp_path: Path
) -> None:
    """One event each, also of those that are looked up when the reader has made room for them."""
    for _ in range(2):
        seen: list[Counts] = []
        note = partial(_note, seen)
        parallel = Parallel(n_jobs, backend, return_as, checkpoint=tmp_path / "kept", progress=note)
        assert len(list(parallel([delayed(parse)(str(i)) for i in range(20)]))) == 20
        assert [done for done, _, _ in seen] == list(range(1, 21))


def _note(seen: list[Counts], *counts: Any) -> None:
    seen.append(counts)


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES[:3])
def test_tasks_that_ended_before_an_error_are_told(n_jobs: int, backend: str | None) -> None:
    """The error of a task ends the call; the tasks that ended before it have had their events."""
    seen: list[Counts] = []
    tasks = [delayed(parse)(text) for text in ["1"] * 20 + ["x"]]
    with pytest.raises(ValueError):
        Parallel(n_jobs, backend, batch_size=1, pre_dispatch=1, progress=lambda *c: seen.append(c))(
            iter(tasks)
        )
    assert [done for done, _, _ in seen][:19] == list(range(1, 20))


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES[:3])
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_a_hook_that_raises_ends_the_call_with_its_own_error(
    n_jobs: int, backend: str | None, return_as: Any
) -> None:
    """Its error comes out unchanged, in a generator too, and the object and its pool go on working."""

    def hook(done: int, total: int | None, failed: int) -> None:
        if done == 3:
            raise LookupError("no progress")

    parallel = Parallel(n_jobs, backend, return_as, progress=hook)
    for _ in range(3):
        with pytest.raises(LookupError, match="no progress"):
            list(parallel([delayed(parse)("1")] * 50))
    assert Parallel(n_jobs, backend)([delayed(parse)("2")] * 3) == [2, 2, 2]


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES[:3])
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_a_hook_may_run_a_call_of_its_own(n_jobs: int, backend: str | None, return_as: Any) -> None:
    """Work that a hook submits is done, whatever the call that it watches does meanwhile."""
    sums: list[int] = []

    def hook(done: int, total: int | None, failed: int) -> None:
        if done % 10 == 0:
            sums.append(sum(Parallel(2, "processes")(delayed(parse)(str(i)) for i in range(done))))

    results = list(Parallel(n_jobs, backend, return_as, progress=hook)([delayed(parse)("1")] * 30))
    assert results == [1] * 30
    assert sums == [45, 190, 435]


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES[:3])
def test_a_hook_that_calls_its_own_parallel_is_told_so(n_jobs: int, backend: str | None) -> None:
    """One object runs one call at a time, also from its own hook; that error ends the call, and no more."""
    parallel = Parallel(n_jobs, backend, progress=lambda *_: parallel([delayed(parse)("1")]))
    with pytest.raises(AlreadyRunning):
        parallel([delayed(parse)("1")] * 5)
    assert Parallel(n_jobs, backend)([delayed(parse)("2")]) == [2]


def test_several_tasks_at_once_are_told_one_by_one() -> None:
    """What one step of the driver changed becomes an event per task, good ones first."""
    seen: list[Counts] = []
    progress = Progress([], lambda *counts: seen.append(counts))
    for state in [(0, 6, 0), (3, 6, 1), (3, 6, 1), (4, 6, 1), (6, 6, 3)]:
        progress(*state)
    assert seen == [(1, 6, 0), (2, 6, 0), (3, 6, 1), (4, 6, 1), (5, 6, 2), (6, 6, 3)]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_before_the_first_task_has_ended() -> None:
    """Who waits for a long task sees that something runs."""
    stream = Terminal()
    Bar(stream, lambda: 0.0)(0, 5, 0)
    assert "0/5 tasks" in stream.getvalue()


class Output:
    """What a notebook shows: the last of what was displayed."""

    def __init__(self) -> None:
        self.shown: list[dict[str, str]] = []

    def display(self, data: dict[str, str], *, raw: bool, display_id: bool) -> "Output":
        assert raw
        assert display_id
        assert not self.shown
        self.shown.append(data)
        return self

    def update(self, data: dict[str, str], *, raw: bool) -> None:
        assert raw
        self.shown.append(data)


def test_a_notebook_gets_one_display_that_is_updated() -> None:
    """At most ten times a second and at the end, as HTML and as text."""
    now, output = [0.0], Output()
    bar = NotebookBar(output.display, lambda: now[0])
    for done in range(101):
        bar(done, 100, done // 50)
        now[0] += 0.01
    bar.close()
    assert 10 <= len(output.shown) <= 13
    assert 'value="0"' in output.shown[0]["text/html"]
    assert 'value="100" max="100"' in output.shown[-1]["text/html"]
    assert "2 failed" in output.shown[-1]["text/plain"]


def test_a_notebook_bar_of_unknown_length_has_no_value() -> None:
    """Without a total there is nothing to fill."""
    output = Output()
    NotebookBar(output.display, lambda: 0.0)(5, None, 0)
    assert "value=" not in output.shown[0]["text/html"]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_rich_draws_a_bar(n_jobs: int, return_as: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """``progress="rich"`` shows counts and failures on standard error, and ends its line."""
    parallel = Parallel(n_jobs, "threads", return_as, on_error="skip", progress="rich")
    list(parallel([delayed(parse)("x"), *[delayed(parse)("1")] * 4]))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert re.search(r"5/5\s+tasks", shown.err)
    assert re.search(r"1\s+failed", shown.err)
    assert shown.err.endswith("\n")


def test_rich_stops_when_the_call_fails(capsys: pytest.CaptureFixture[str]) -> None:
    """Its thread and its hold on the terminal end with the call, so that the next one can draw."""
    for _ in range(2):
        with pytest.raises(ValueError):
            Parallel(2, "threads", progress="rich")([delayed(parse)("x")])
    list(Parallel(1, progress="rich")([delayed(parse)("1")]))
    assert "1/1 tasks" in " ".join(capsys.readouterr().err.split())


def test_rich_that_is_missing_is_an_error_before_any_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what needs it and how to get it."""
    monkeypatch.setitem(sys.modules, "rich.progress", None)
    with pytest.raises(MissingDependency, match=r"progress=\"rich\" needs .*lightwork\[progress\]"):
        Parallel(2, progress="rich")


def test_a_file_gets_plain_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard error that is a file holds whole lines without control characters."""
    path = tmp_path / "log"
    with path.open("w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        Parallel(2, "threads", progress=True)([delayed(parse)("1")] * 3)
    assert path.read_text().startswith("3/3 tasks, ")
    assert "\r" not in path.read_text()
