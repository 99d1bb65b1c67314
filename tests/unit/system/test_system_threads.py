"""The helper threads: results in order, errors handed on, one thread when there is but one."""

import os
import signal
import threading

import pytest

from lightwork.system.threads import HelperThreads, abandon, do_now, interruptibly


@pytest.mark.parametrize("count", [1, 3])
def test_submitted_work_gives_its_result_or_its_error(count: int) -> None:
    """Whether a thread did it or the caller: `result` tells."""
    helpers = HelperThreads()
    helpers.limit(count)
    assert helpers.submit(abs, -3).result() == 3
    with pytest.raises(ZeroDivisionError):
        helpers.submit(lambda number: 1 / number, 0).result()


def test_a_single_thread_is_the_callers_own() -> None:
    """With one core nothing is handed over."""
    helpers = HelperThreads()
    helpers.limit(1)
    assert helpers.submit(lambda _: threading.get_ident(), 0).result() == threading.get_ident()


def test_the_limit_is_heeded_and_lifted() -> None:
    """``None`` goes back to the number of cores."""
    helpers = HelperThreads()
    helpers.limit(5)
    assert helpers.count == 5
    helpers.limit(None)
    assert helpers.count >= 1


@pytest.mark.parametrize("count", [1, 2])
def test_abandoned_jobs_do_not_run_any_more(count: int) -> None:
    """What has not begun never does, and what has begun is waited for."""
    helpers = HelperThreads()
    helpers.limit(count)
    begun, go = threading.Event(), threading.Event()
    if count == 1:
        go.set()
    ended: list[int] = []

    def work(number: int) -> None:
        begun.set()
        assert go.wait(20)
        ended.append(number)

    jobs = [helpers.submit(work, number) for number in range(6)]
    assert begun.wait(20)
    threading.Timer(0.01, go.set).start()
    abandon(jobs)
    assert go.is_set()
    assert all(job.done() for job in jobs)
    known = list(ended)
    helpers.submit(abs, 0).result()
    assert ended == known


def test_a_job_done_at_once_tells_its_error_when_asked() -> None:
    """As a future does: the error belongs to the result."""
    job = do_now(int, "x")
    assert job.done()
    assert not job.cancel()
    with pytest.raises(ValueError, match="invalid literal"):
        job.result()


def test_the_main_thread_can_be_interrupted_while_it_waits() -> None:
    """By a signal; otherwise the value and the error of the function are the caller's."""
    go_on, ended = threading.Event(), threading.Event()

    def wait() -> None:
        go_on.wait()
        ended.set()

    threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        interruptibly(wait)
    go_on.set()
    assert ended.wait(20.0)
    assert interruptibly(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        interruptibly(lambda: 1 // 0)
