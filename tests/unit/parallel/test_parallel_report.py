"""The report: where the time of a call went, and the advice that follows from it."""

import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightwork.errors import ParallelError
from lightwork.parallel import Parallel, delayed
from lightwork.parallel.advice import Facts, advise
from lightwork.parallel.report import Phases, Report
from lightwork.parallel.sheet import Account, Sheet
from lightwork.parallel.window import Window
from lightwork.protocols import Batch, Call, Done, Failed, Returned

PLACES = [(1, None), (2, "threads"), (2, "processes"), (3, "sequential")]


def spin(seconds: float) -> float:
    """A task that computes for so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass
    return seconds


def fail(text: str) -> None:
    raise ValueError(text)


def assert_whole(report: Report) -> None:
    total = report.wall * report.n_jobs
    assert sum(report.phases) == pytest.approx(total, rel=0.05)
    assert min(report.phases) >= 0
    assert sum(worker.busy for worker in report.workers) == pytest.approx(report.phases.run)


# Of real calls


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("return_as", ["list", "generator"])
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_phases_add_up_to_the_time_of_all_workers(
    n_jobs: int, backend: str | None, return_as: Any, on_error: Any
) -> None:
    """Within 5 % of wall time times workers, and the tasks that ended are all there."""
    parallel = Parallel(n_jobs, backend, return_as, on_error=on_error)
    for tasks in ([1e-3] * 60, [1e-6] * 3000, [0.05] * 2, []):
        list(parallel(delayed(spin)(seconds) for seconds in tasks))
        report = parallel.report()
        assert_whole(report)
        assert report.tasks == len(tasks)
        assert sum(worker.tasks for worker in report.workers) == len(tasks)
        assert report.phases.run >= sum(tasks) * 0.9


@pytest.mark.parametrize(
    "options", [{"n_jobs": 1}, {"n_jobs": 1, "backend": "threads"}, {"backend": "sequential"}]
)
def test_a_report_says_that_the_caller_ran_the_tasks(options: Any) -> None:
    """With one worker there are neither processes nor threads, whatever the backend is called."""
    parallel = Parallel(**options)
    parallel([delayed(spin)(0.0)])
    assert parallel.report().backend == "sequential"
    assert re.match(r"1 task in .*, in the caller's thread\n", str(parallel.report()))


def test_a_report_says_that_one_worker_was_a_process() -> None:
    """An option made it one."""
    parallel = Parallel(1, task_timeout=20)
    parallel([delayed(spin)(0.0)])
    assert "1 worker (processes)" in str(parallel.report())


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
def test_the_slowest_calls_are_named(n_jobs: int, backend: str | None) -> None:
    """Index, text and seconds of the five that took longest, wherever they are among fast ones."""
    slow = {3: 0.2, 300: 0.3}
    parallel = Parallel(n_jobs, backend)
    parallel([delayed(spin)(slow.get(i, 3e-4)) for i in range(400)])
    report = parallel.report()
    found = {call.index: call for call in report.slowest}
    assert len(found) == 5
    times = [call.seconds for call in report.slowest]
    assert times == sorted(times, reverse=True)
    assert found[3].seconds >= 0.2
    assert found[300].seconds >= 0.3
    assert found[300].call == "spin(0.3)"


def test_a_slow_call_among_tiny_ones_is_found_with_one_worker() -> None:
    """There it is one of a few hundred that were timed together: nothing is paid for each."""
    parallel = Parallel(1)
    parallel([delayed(spin)(0.1 if i == 5000 else 0.0) for i in range(10_000)])
    slowest = parallel.report().slowest[0]
    assert slowest.seconds >= 0.1
    assert slowest.index <= 5000 < slowest.index + 1024
    # On a busy machine it may have been timed by itself.
    assert slowest.index == 5000 or "one of the" in slowest.call


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("on_error", ["return", "skip"])
def test_failed_tasks_are_listed(n_jobs: int, backend: str | None, on_error: Any) -> None:
    """By index; as skipped only if their results were left out."""
    parallel = Parallel(n_jobs, backend, on_error=on_error)
    parallel([delayed(fail)("x") if i in (2, 7) else delayed(spin)(0.0) for i in range(10)])
    report = parallel.report()
    assert set(report.failed) == {2, 7}
    assert report.skipped == (report.failed if on_error == "skip" else ())
    assert report.tasks == 10
    assert f"failed{' and skipped' * (on_error == 'skip')}: 2 (tasks" in str(report)


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
def test_tasks_and_attempts_are_told_apart(n_jobs: int, backend: str | None) -> None:
    """A task counts once, however often it was begun; the workers' figures are attempts."""
    parallel = Parallel(n_jobs, backend, on_error="return", retries=2)
    parallel([delayed(fail)("x") if i in (2, 7) else delayed(spin)(0.0) for i in range(10)])
    report = parallel.report()
    assert (report.tasks, report.attempts, report.failed) == (10, 14, (2, 7))
    assert sum(worker.tasks for worker in report.workers) == 14
    assert "attempts: 14, at 10 tasks" in str(report)
    assert report.n_jobs == 1 or "attempts, busy" in str(report)


def test_an_attempt_that_was_late_is_among_the_slowest() -> None:
    """Once for its task, with what ended it; the advice speaks of nothing else."""
    parallel = Parallel(2, task_timeout=0.3, retries=1, on_error="return")
    parallel([delayed(time.sleep)(60 if i == 3 else 0.0) for i in range(8)])
    report = parallel.report()
    slow = [(call.index, call.error) for call in report.slowest if call.seconds > 0.25]
    assert slow == [(3, "TaskTimeout")]
    assert (report.tasks, report.attempts, report.failed) == (8, 9, (3,))
    assert report.advice.startswith("2 attempts that ran into task_timeout took")
    assert "failed: 1 (task 3)" in str(report)


def test_what_ran_before_an_error_is_counted_with_one_worker() -> None:
    """Tasks that are timed many together as well."""
    parallel = Parallel(1)
    with pytest.raises(ValueError):
        parallel(delayed(fail)("x") if i == 2000 else delayed(abs)(i) for i in range(9999))
    assert (parallel.report().tasks, parallel.report().attempts) == (2001, 2001)


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
def test_a_call_that_failed_is_reported_as_well(n_jobs: int, backend: str | None) -> None:
    """The report ends where the call ended, and names the task."""
    parallel = Parallel(n_jobs, backend)
    with pytest.raises(ValueError):
        parallel([delayed(spin)(0.0), delayed(fail)("x")])
    report = parallel.report()
    assert report.failed == (1,)
    assert_whole(report)
    assert parallel.report().wall == report.wall


def test_a_report_may_be_asked_while_the_call_runs() -> None:
    """From another thread, any number of times: what has ended so far is in it."""
    parallel = Parallel(2, "threads")
    started, go = threading.Barrier(3), threading.Event()

    def wait() -> None:
        started.wait()
        go.wait()

    caller = threading.Thread(target=parallel, args=([delayed(wait)()] * 2,))
    caller.start()
    started.wait()
    report = parallel.report()
    go.set()
    caller.join()
    assert report.tasks == 0
    assert_whole(report)
    assert parallel.report().tasks == 2


def test_there_is_no_report_before_the_first_call() -> None:
    """The error says what to do."""
    with pytest.raises(ParallelError, match="call it first"):
        Parallel(2).report()


def test_a_slow_input_is_found_out() -> None:
    """Workers that wait for the input are said to, and the advice names the generator."""

    def tasks() -> Iterator[Call]:
        for _ in range(20):
            yield delayed(spin)(spin(0.01) / 100)

    for n_jobs in (1, 2):
        parallel = Parallel(n_jobs, "threads")
        parallel(tasks())
        report = parallel.report()
        assert report.phases.input > 0.5 * sum(report.phases)
        assert "generator is slow" in report.advice


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
def test_a_slow_input_is_found_out_with_a_checkpoint(
    n_jobs: int, backend: str | None, tmp_path: Path
) -> None:
    """Looking for kept results is part of reading it; what was found is no task that ran."""

    def slow() -> Iterator[Call]:
        for i in range(20):
            time.sleep(0.01)
            yield delayed(abs)(i)

    for ran in (20, 0):
        parallel = Parallel(n_jobs, backend, checkpoint=tmp_path / "kept", trace=tmp_path / "run.json")
        parallel(slow())
        report = parallel.report()
        assert (report.tasks, report.known, report.attempts) == (20, 20 - ran, ran)
        assert ran or "20 tasks (20 from cache or checkpoint) in" in str(report)
        assert ran or report.advice.startswith("No task had to run: 20 results came from")
        assert report.phases.input >= 0.2 * 0.9
        assert '"input"' in (tmp_path / "run.json").read_text()


def test_pickling_is_found_out() -> None:
    """What the parent spends on arguments shows as pickling, with the size of what is pickled."""
    parallel = Parallel(2, "processes", batch_size=1)
    parallel([delayed(spin)(0.0)])
    parallel([delayed(len)(["text" * 5 + str(i) for i in range(100_000)]) for _ in range(12)])
    report = parallel.report()
    assert report.phases.pickling > 0
    assert_whole(report)


def test_a_report_prints_and_draws_itself() -> None:
    """One line per phase and worker and slow call, and the advice; HTML with a bar, all text escaped."""
    parallel = Parallel(2, "threads")
    parallel([delayed(sorted)(["<b>"] * 100_000)] * 2)
    report = parallel.report()
    text, page = str(report), report._repr_html_()
    assert text.startswith("2 tasks in ")
    assert all(name in text for name in Phases._fields)
    assert "worker 1: " in text
    assert "sorted(['<b>', '<b>', '<b>', '<b>', ...])" in text
    assert text.endswith(report.advice)
    assert "<b>&#x27;" not in page
    assert "&lt;b&gt;" in page
    assert page.count("title=") == len(Phases._fields) + report.n_jobs  # each phase, each worker


# Of the accounts alone


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def batch(start: int, count: int) -> Batch:
    return Batch(start, [delayed(spin)(0.0)] * count)


def test_the_life_of_one_worker() -> None:
    """Each second of a slot is in the phase that it belongs to."""
    clock = Hands()
    sheet, calls = Sheet(1, clock=clock), Window[Call]()
    calls.put(0, [delayed(spin)(0.0)] * 10)
    clock.now = 2  # the input was read for two seconds
    sheet.read(0, 4, 0.0, exhausted=False)
    clock.now = 3  # pickled for one
    sheet.sent(0, batch(0, 4), 2.0)
    clock.now = 10  # it began a second later, and ended its tasks at 8 after 3 + 1 seconds of work
    sheet.take_in([Done(0, 0, [None] * 2, 2.0, 4.0), Done(0, 2, [None] * 2, 1.0, 7.0)], calls)
    clock.now = 11
    sheet.end()
    _, (account,) = sheet.settled()
    assert (account.input, account.pickling, account.queue) == (2, 1, 1)
    assert (account.run, account.transfer, account.idle) == (3, 3, 1)
    assert (account.tasks, account.tail) == (4, 0)


def test_input_that_keeps_the_parent_from_looking_is_no_transfer() -> None:
    """A worker that ended while the input was read has waited for the input, from then on."""
    clock = Hands()
    sheet, calls = Sheet(1, clock=clock), Window[Call]()
    calls.put(0, [delayed(spin)(0.0)] * 10)
    sheet.sent(0, batch(0, 1), 0.0)
    clock.now = 9
    sheet.read(1, 1, 1.0, exhausted=True)  # from 1 to 9; the task ended at 3
    clock.now = 10
    sheet.take_in([Done(0, 0, [None], 3.0, 0.0)], calls)
    sheet.end()
    _, (account,) = sheet.settled()
    assert (account.run, account.input, account.transfer) == (3, 6, 1)


def test_the_end_of_a_call_with_nothing_left_to_give_is_the_tail() -> None:
    """Idle time after the input was read is what shorter tasks would save."""
    clock = Hands()
    sheet, calls = Sheet(2, clock=clock), Window[Call]()
    calls.put(0, [delayed(spin)(0.0)] * 10)
    sheet.exhausted(1)
    sheet.sent(0, batch(0, 1), 0.0)
    clock.now = 5
    sheet.take_in([Done(0, 0, [None], 5.0, 0.0)], calls)
    sheet.end()
    _, (busy, free) = sheet.settled()
    assert (busy.run, busy.tail) == (5, 0)
    assert (free.idle, free.tail) == (5, 5)


moves = st.lists(
    st.tuples(
        st.sampled_from(["read", "send", "done", "failed", "back", "wait"]),
        st.integers(0, 2),
        st.floats(0, 9),
    ),
    max_size=60,
)


@given(moves, st.booleans())
def test_accounts_add_up_whatever_happens(story: list[tuple[str, int, float]], tells: bool) -> None:
    """For any order of events with honest times, each slot's phases make up the time of the call."""
    clock = Hands()
    sheet, calls = Sheet(3, clock=clock), Window[Call]()
    calls.put(0, [delayed(spin)(0.0)] * 100)
    held, since = [0] * 3, [0.0] * 3
    index = 0
    for what, slot, seconds in story:
        begin = clock.now
        clock.now += seconds
        if what == "read":
            sheet.read(0, 1, begin, exhausted=False)
        elif what == "send":
            sheet.sent(slot, batch(0, 2), begin)
            since[slot] = since[slot] if held[slot] else clock.now
            held[slot] += 2
        elif held[slot] and what in ("done", "failed"):
            ran = 0.75 * (clock.now - since[slot])
            began = clock.now - ran if tells else None
            done = Done(slot, index, [None], ran, began)
            sheet.take_in([done if what == "done" else Failed(slot, index, ValueError(), ran, began)], calls)
            since[slot] = clock.now
            held[slot] -= 1
        elif held[slot] and what == "back":
            sheet.take_in([Returned(slot, 0, held[slot])], calls)
            held[slot] = 0
    wall, accounts = sheet.settled()
    for account in accounts:
        parts = [getattr(account, name) for name in Phases._fields]
        assert sum(parts) == pytest.approx(wall, abs=1e-6)
        assert min(parts) >= -1e-9


def test_asking_changes_nothing() -> None:
    """The accounts that a report is made of are copies."""
    sheet = Sheet(1, clock=(clock := Hands()))
    clock.now = 5
    assert sheet.settled()[1][0].idle == 5
    assert sheet.settled()[1][0].idle == 5
    assert isinstance(sheet.accounts[0], Account)
    assert sheet.accounts[0].idle == 0


# Advice

EVEN = Facts(
    wall=10.0, workers=4, attempts=1000, known=0, total=1000, late=(),
    run=38.0, pickling=0.5, input=0.5, queue=0.5, transfer=0.25, idle=0.25,
    tail=0.25, longest=0.1, nbytes=0, waits_for_reader=False, cores=4,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "ran tasks 95 % of the time"),
        ({"run": 3e-3, "wall": 1.0, "pickling": 3.0}, "take 3 µs each: n_jobs=1 would be as fast"),
        ({"run": 20.0, "pickling": 20.0, "nbytes": 80 << 20}, "50 % .* sending 80 MB per task: share()"),
        ({"run": 20.0, "pickling": 20.0}, "50 % .* pickling the arguments"),
        ({"run": 2.0, "transfer": 30.0, "nbytes": 80 << 20}, "75 % .* sending 80 MB per task"),
        ({"run": 16.0, "input": 24.0}, "idled 60 % .* the input generator is slow"),
        ({"run": 2.0, "input": 38.0}, "the input generator is slow"),
        ({"run": 20.0, "idle": 20.0, "tail": 20.0}, "idled 50 % .* begin with the longest"),
        ({"run": 9.5, "idle": 30.0, "tail": 30.0, "longest": 9.0}, "One call took 9 s of 10 s"),
        ({"run": 20.0, "idle": 20.0, "waits_for_reader": True}, "until results were taken"),
        ({"run": 20.0, "idle": 20.0}, "pre_dispatch"),
        ({"run": 20.0, "transfer": 20.0}, "until the parent had their results"),
        ({"run": 20.0, "queue": 20.0}, "before they began"),
        ({"attempts": 0}, "No task was run to its end"),
        ({"attempts": 0, "known": 3}, "No task had to run: 3 results came from a cache or the checkpoint"),
        ({"run": 2.0, "input": 38.0, "known": 9}, "9 results had to be found"),
        ({"late": (6.0, 6.0)}, "2 attempts that ran into task_timeout took 12 s, 30 % of the workers' time"),
        ({"workers": 8, "attempts": 2, "total": 2, "run": 20.0, "idle": 60.0}, "2 tasks to run for 8"),
        ({"run": 9.0, "idle": 30.0, "tail": 20.0}, "n_jobs=1 would be as fast"),
        ({"run": 12.0, "idle": 27.0, "tail": 20.0}, "idled 68 % of the time, most of it while the"),
        ({"workers": 1, "run": 9.0}, "n_jobs=4 could take 2.5 s"),
        ({"workers": 1, "run": 9.0, "cores": 1}, "one worker is right"),
        ({"workers": 1, "run": 3.0, "input": 7.0}, "70 % .* the generator is slow"),
        ({"workers": 1, "run": 1e-3, "wall": 1e-3, "input": 0.0}, "take 1 µs each: one worker is right"),
    ],
)  # fmt: skip
def test_advice_names_the_greatest_loss(changes: dict[str, Any], words: str) -> None:
    """Each rule gives its own sentence, and one sentence only."""
    text = advise(EVEN._replace(**changes))
    assert re.search(words.replace("share()", r"share\(\)"), text)
    assert text.endswith(".")
    assert "\n" not in text
