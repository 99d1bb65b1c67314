"""What a report and a trace look like, and what is noted for it while a call runs."""

import json
import os
import time
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightwork.errors import CorruptFileError, InvalidOption, UnknownFormatError
from lightwork.parallel import Failure, Parallel, delayed
from lightwork.parallel.gauge import Gauge
from lightwork.parallel.picture import page_of
from lightwork.parallel.sheet import Sheet
from lightwork.parallel.stretches import Stretches
from lightwork.parallel.traced import joined, read_trace
from lightwork.pictures.timeline import Lane, Span

PLACES = [(1, None), (2, "threads"), (2, "processes"), (2, "sequential")]


def spin(seconds: float) -> float:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds


def fail(text: str) -> None:
    raise ValueError(text)


def fill(nbytes: int, seconds: float) -> None:
    array = np.ones(nbytes, np.uint8)
    spin(seconds)
    assert array[-1]


# Stretches

pieces = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 5), st.integers(0, 9)), max_size=200)


@given(pieces, st.integers(2, 12))
@settings(deadline=None, max_examples=50)
def test_stretches_are_few_and_lose_nothing(story: list[tuple[float, float, int]], most: int) -> None:
    """Tasks, busy time, begin and end are those of all that was added; pieces follow each other."""
    stretches, now, index, busy = Stretches(most), 0.0, 0, 0.0
    for pause, length, tasks in story:
        now += pause
        stretches.add(now, now + length, tasks, index)
        now += length
        busy += length
        index += tasks
    runs = list(stretches.runs())
    assert len(runs) <= most
    assert sum(run.tasks for run in runs) == index
    assert sum(run.busy for run in runs) == pytest.approx(busy)
    assert [run.began for run in runs] == sorted(run.began for run in runs)
    assert all(run.ended >= run.began for run in runs)
    assert all(before.ended <= after.began for before, after in pairwise(runs))
    if story:
        assert runs[0].began == story[0][0]
        assert runs[-1].ended == now


def test_a_few_stretches_are_kept_as_they_are() -> None:
    """Nothing is joined before it must be."""
    stretches = Stretches()
    for number in range(1000):
        stretches.add(number, number + 0.5, 2, 2 * number)
    runs = list(stretches.runs(origin=10.0))
    assert len(runs) == 1000
    assert runs[3] == (-7.0, -6.5, 0.5, 2, 6, 7)


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_a_report_knows_what_ran_when(n_jobs: int, backend: str | None, return_as: Any) -> None:
    """For each worker: all of its tasks, and as much time as it was busy, within the call."""
    parallel = Parallel(n_jobs, backend, return_as, on_error="skip")
    calls = [delayed(spin)(1e-4), delayed(fail)("x"), *[delayed(spin)(2e-3)] * 50, *[delayed(abs)(1)] * 3000]
    list(parallel(iter(calls)))
    report = parallel.report()
    for worker in report.workers:
        assert sum(run.tasks for run in worker.runs) == worker.tasks
        assert sum(run.busy for run in worker.runs) == pytest.approx(worker.busy, rel=0.02, abs=2e-3)
        assert all(0 <= run.began <= run.ended <= report.wall * 1.01 for run in worker.runs)
        assert len(worker.runs) <= 1000
    assert sorted(run.first for worker in report.workers for run in worker.runs)[0] == 0


def test_a_task_that_runs_still_is_a_run_as_well(tmp_path: Path) -> None:
    """In a report that is asked for meanwhile."""
    parallel = Parallel(2, "processes", return_as="generator", batch_size=1)
    gate = tmp_path / "open"

    def wait() -> None:
        while not gate.exists():
            time.sleep(0.001)

    results = parallel([delayed(abs)(1), delayed(wait)()])
    next(results)
    runs = [run for worker in parallel.report().workers for run in worker.runs]
    gate.touch()
    list(results)
    assert [run.tasks for run in runs if run.first == -1] == [0]
    assert all(run.tasks for worker in parallel.report().workers for run in worker.runs)


# Memory


@pytest.mark.slow
def test_the_memory_of_workers_is_seen_while_their_tasks_run() -> None:
    """Also of tasks that end long after, and give all of it back."""
    parallel = Parallel(2, "processes")
    parallel([delayed(fill)(60_000_000, 0.6), delayed(spin)(0.6)])
    report = parallel.report()
    peaks = {course.name: course.peak for course in report.memory}
    assert list(peaks) == ["this process", "worker 0", "worker 1"]
    assert 60e6 < max(peaks["worker 0"], peaks["worker 1"]) < 400e6
    assert min(peaks["worker 0"], peaks["worker 1"]) < 60e6
    assert "most memory seen: this process " in str(report)
    for course in report.memory:
        moments = [moment for moment, _ in course.moments]
        assert moments == sorted(moments)
        assert moments[0] >= 0
        assert moments[-1] <= report.wall


@pytest.mark.parametrize(("n_jobs", "backend"), [(1, None), (2, "threads")])
def test_threads_share_the_memory_of_this_process(n_jobs: int, backend: str | None) -> None:
    """There is one course, its own."""
    parallel = Parallel(n_jobs, backend)
    parallel([delayed(spin)(0.03)] * 8)
    (course,) = parallel.report().memory
    assert course.name == "this process"
    assert course.peak > 1e6


def test_nobody_looks_in_short_calls() -> None:
    """They pay nothing."""
    parallel = Parallel(2, "threads")
    parallel([delayed(abs)(1)] * 2)
    report = parallel.report()
    assert report.memory == () or report.wall > 0.05


def test_a_sheet_lets_go_of_the_session_at_the_end() -> None:
    """Whoever keeps the object for its report keeps no workers with it."""
    sheet = Sheet(2)
    sheet.memory = list
    sheet.end()
    assert sheet.memory is None


def test_looks_are_bounded_and_dear_ones_are_rare() -> None:
    """However long a call is; and looking takes at most a two-hundredth of the time."""
    now = 0.0

    def clock() -> float:
        return now

    def dear() -> list[int]:
        nonlocal now
        now += 1.0
        return [5, 0]

    gauge = Gauge(clock)
    for _ in range(2000):
        now = max(now, gauge.look(None))
    (course,) = gauge.courses(0.0)
    assert 128 <= len(course.moments) <= 257
    assert gauge.look(dear) - now >= 199
    assert [(one.name, one.peak) for one in gauge.courses(0.0)][1:] == [("worker 0", 5)]


# Pages

Traced: TypeAlias = tuple[Parallel[Literal["list"], Literal["skip"]], Path]


@pytest.fixture
def traced(tmp_path: Path) -> Traced:
    parallel = Parallel(2, "threads", trace=tmp_path / "run.json", on_error="skip")
    parallel([delayed(spin)(0.01), delayed(fail)("<b>"), *[delayed(spin)(0.003)] * 30])
    return parallel, tmp_path / "run.json"


def test_a_report_saves_itself(traced: Traced) -> None:
    """As a page with all of its parts, which are told in words as well."""
    parallel, path = traced
    report = parallel.report()
    report.save(path.with_suffix(".html"))
    page = path.with_suffix(".html").read_text()
    assert page == page_of(report)
    for title in ("Where the time went", "What ran when", "Memory", "Slowest calls", "Failed", "Workers"):
        assert f"<h2>{title}</h2>" in page
    assert repr(report) == f"<Report: {report.title}; print it, or .save('report.html')>"
    with pytest.raises(InvalidOption, match=r"run\.json' does not end in \.html"):
        report.save(path)
    assert read_trace(path).title.startswith("Parallel(n_jobs=2")


def test_reports_of_nothing_are_drawn_too() -> None:
    """A call without tasks has a page and a drawing."""
    for n_jobs in (1, 2):
        parallel = Parallel(n_jobs, "threads")
        parallel([])
        assert "No task was run" in page_of(parallel.report())
        assert "No task was run" in parallel.report()._repr_html_()


def test_a_failure_shows_its_error() -> None:
    """With the notes of its task, as text, and not without end."""
    error = ValueError("bad")
    error.add_note("task 1: f(2)")
    assert "ValueError: bad\ntask 1: f(2)" in Failure(1, error, 1)._repr_html_()
    drawing = Failure(1, ValueError("<x>" * 10_000), 3)._repr_html_()
    assert "task 1 failed, 3 attempts" in drawing
    assert "ValueError: &lt;x&gt;" in drawing
    assert len(drawing) < 40_000


def test_a_trace_holds_the_report(traced: Traced) -> None:
    """What is read again is what the call would say itself, and each of its tasks."""
    parallel, path = traced
    own, told = parallel.report(), read_trace(path).report
    assert told._replace(memory=(), workers=()) == own._replace(memory=(), workers=())
    assert [worker[:3] for worker in told.workers] == [worker[:3] for worker in own.workers]
    assert [course.name for course in told.memory] == [course.name for course in own.memory]
    for mine, its in zip(own.memory, told.memory, strict=True):
        assert [nbytes for _, nbytes in mine.moments] == [nbytes for _, nbytes in its.moments]
    lanes = read_trace(path).lanes
    found = [span for lane in lanes if lane.kind == "run" for span in lane.spans]
    assert sorted(span.first for span in found) == list(range(32))
    assert [span.error for span in found if span.first == 1] == ["ValueError"]
    assert {lane.kind for lane in lanes} == {"input", "pickling", "run"} or len(lanes) >= 2


def test_a_trace_without_a_report_is_drawn_too(traced: Traced) -> None:
    """As those of earlier versions are: with what the events tell."""
    _, path = traced
    content = json.loads(path.read_text())
    del content["otherData"]["report"]
    path.write_text(json.dumps(content))
    report = read_trace(path).report
    assert (report.tasks, report.n_jobs, report.failed) == (32, 2, (1,))
    assert sum(report.phases) == pytest.approx(report.wall * 2)
    assert "without a report" in page_of(report)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"traceEvents": []}', "PK\3\4", '{"otherData": 3, "traceEvents": []}']
)
def test_other_files_are_refused_by_name(text: str, tmp_path: Path) -> None:
    """Traces of other programs too."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(
        UnknownFormatError, match=r"x\.json' is no trace that trace= of a Parallel has written"
    ):
        read_trace(path)


@given(data=st.data())
@settings(deadline=None)
def test_damage_is_told_or_harmless(data: st.DataObject, damaged: dict[str, Any]) -> None:
    """Whatever value of a trace is replaced by another: an error of the tree, or a page."""
    content = json.loads(json.dumps(damaged["content"]))
    place: Any = content
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.integers(0, 4)) == 0:
            break
        place = place[key]
    values = st.sampled_from([None, -1, 1e308, "x", [], {}, True, [1], {"a": 1}, float("nan")])
    place[key] = data.draw(values)
    damaged["path"].write_text(json.dumps(content))
    try:
        title, report, lanes = read_trace(damaged["path"])
    except (CorruptFileError, UnknownFormatError):
        return
    assert page_of(report, title=title, lanes=lanes)


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    path = tmp_path_factory.mktemp("damaged") / "run.json"
    Parallel(2, "threads", trace=path)([delayed(spin)(0.03)] * 5)
    return {"path": path, "content": json.loads(path.read_text())}


def test_a_trace_that_was_cut_off_is_damaged(traced: Traced) -> None:
    """It is told apart from what never was one."""
    _, path = traced
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(CorruptFileError, match="damaged or cut off"):
        read_trace(path)


@given(
    st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3), st.booleans()), max_size=80),
    st.integers(2, 20),
)
@settings(deadline=None, max_examples=50)
def test_spans_are_joined_and_none_is_lost(story: list[tuple[float, float, bool]], most: int) -> None:
    """As many tasks and as much busy time as before; failed ones stay by themselves."""
    spans, now = [], 0.0
    for index, (pause, length, failed) in enumerate(story):
        begin = now + pause
        now = begin + length
        spans.append(Span(begin, now, length, 1, index, -1, "f", "ValueError" if failed else ""))
    (lane,) = joined([Lane("worker 0", "run", spans)], most)
    assert sum(span.tasks for span in lane.spans) == len(spans)
    assert sum(span.busy for span in lane.spans) == pytest.approx(sum(span.busy for span in spans))
    assert [span.first for span in lane.spans if span.error] == [
        i for i, (_, _, bad) in enumerate(story) if bad
    ]
    if not any(bad for _, _, bad in story):
        assert len(lane.spans) <= most
