"""`is_cancelled`: tasks that nobody can end learn that nobody waits for them."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from lightwork import Executor, is_cancelled
from lightwork.errors import CallCancelled, TaskTimeout
from lightwork.parallel import Parallel, delayed

PATIENCE = 30
"""Seconds after which a task that was not told gives up, and its test fails."""


class Waiting:
    """A task that runs until it is told that its call was given up."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.told = threading.Event()

    def __call__(self) -> None:
        self.begun.set()
        tick = threading.Event()  # never set
        for _ in range(PATIENCE * 1000):
            if is_cancelled():
                self.told.set()
                return
            tick.wait(0.001)

    def fail(self) -> None:
        """A task that fails as soon as the other runs."""
        assert self.begun.wait(PATIENCE)
        raise LookupError

    def interrupt(self) -> Iterator[Any]:
        """An input that is interrupted as soon as the task runs."""
        yield delayed(self)()
        yield delayed(abs)(1)
        assert self.begun.wait(PATIENCE)
        raise KeyboardInterrupt

    def nest(self, backend: str, n_jobs: int) -> None:
        """A task that runs it as a task of its own."""
        Parallel(n_jobs, backend)([delayed(self)()] * n_jobs)

    def run_elsewhere(self, run: Callable[[], object]) -> threading.Thread:
        """Run something in a thread until the task has begun."""

        def run_quietly() -> None:
            with suppress(CallCancelled):
                run()

        thread = threading.Thread(target=run_quietly)
        thread.start()
        assert self.begun.wait(PATIENCE)
        return thread


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.mark.parametrize("return_as", ["list", "generator"])
@pytest.mark.parametrize(("backend", "n_jobs"), [("threads", 2), ("sequential", 1), ("threads", 1)])
def test_a_task_is_told_that_its_call_was_cancelled(
    waiting: Waiting, backend: str, n_jobs: int, return_as: Any
) -> None:
    """From another thread, wherever the task runs; the call raises as ever."""
    call = Parallel(n_jobs, backend, return_as)
    thread = waiting.run_elsewhere(lambda: list(call([delayed(waiting)()] * 2)))
    call.cancel()
    assert waiting.told.wait(PATIENCE)
    thread.join(PATIENCE)
    assert list(call([delayed(is_cancelled)()] * 2)) == [False, False], "the next call is another one"


def test_a_task_is_told_that_another_has_failed(waiting: Waiting) -> None:
    """The first error ends the call."""
    with pytest.raises(LookupError):
        Parallel(2, "threads")([delayed(waiting)(), delayed(waiting.fail)()])
    assert waiting.told.wait(PATIENCE)


def test_a_task_is_told_that_its_generator_was_closed(waiting: Waiting) -> None:
    """Nobody will read its result."""
    results = Parallel(2, "threads", "generator")([delayed(abs)(-1), delayed(waiting)()])
    assert next(results) == 1
    assert waiting.begun.wait(PATIENCE)
    results.close()
    assert waiting.told.wait(PATIENCE)


def test_a_task_is_told_that_its_call_was_interrupted(waiting: Waiting) -> None:
    """As by Ctrl-C."""
    with pytest.raises(KeyboardInterrupt):
        Parallel(2, "threads", batch_size=1, pre_dispatch=3)(waiting.interrupt())
    assert waiting.told.wait(PATIENCE)


def test_a_task_is_told_that_the_call_waits_no_longer(waiting: Waiting) -> None:
    """With `timeout`, which threads can have."""
    with pytest.raises(TaskTimeout):
        Parallel(2, "threads", timeout=0.05)([delayed(waiting)()] * 2)
    assert waiting.told.wait(PATIENCE)


def test_retries_are_told_as_well(waiting: Waiting) -> None:
    """Each attempt of a task is one."""
    call = Parallel(1, retries=2)
    thread = waiting.run_elsewhere(lambda: call([delayed(waiting)()]))
    call.cancel()
    assert waiting.told.wait(PATIENCE)
    thread.join(PATIENCE)


@pytest.mark.parametrize(("backend", "n_jobs"), [("threads", 2), ("sequential", 1)])
def test_what_is_nested_in_a_cancelled_call_is_cancelled(waiting: Waiting, backend: str, n_jobs: int) -> None:
    """A task of a task is nobody's any more when the outer call is not."""
    call = Parallel(2, "threads", inner_max_num_threads=None)
    thread = waiting.run_elsewhere(lambda: call([delayed(waiting.nest)(backend, n_jobs)] * 2))
    call.cancel()
    assert waiting.told.wait(PATIENCE)
    thread.join(PATIENCE)


def test_threads_of_others_tell_their_tasks(waiting: Waiting) -> None:
    """An executor of the standard library as the backend."""
    with ThreadPoolExecutor(2) as pool:
        call = Parallel(2, pool)
        thread = waiting.run_elsewhere(lambda: call([delayed(waiting)()] * 2))
        call.cancel()
        assert waiting.told.wait(PATIENCE)
        thread.join(PATIENCE)


def test_calls_of_an_executor_that_is_given_up_are_told(waiting: Waiting) -> None:
    """Ctrl-C in its block ends what can be ended."""
    with pytest.raises(KeyboardInterrupt), Executor(2, "threads") as executor:
        executor.submit(waiting)
        assert waiting.begun.wait(PATIENCE)
        raise KeyboardInterrupt
    assert waiting.told.wait(PATIENCE)


@pytest.mark.parametrize("backend", ["threads", "sequential", "processes"])
def test_it_is_false_while_a_call_goes_on(backend: str) -> None:
    """In tasks, between the results of a generator, after a call, and without any."""
    assert not is_cancelled()
    results = Parallel(2, backend, "generator")([delayed(is_cancelled)()] * 3)
    assert not next(results)
    assert not is_cancelled()
    assert list(results) == [False, False]
    assert not is_cancelled()


def test_who_cancels_is_not_cancelled(waiting: Waiting) -> None:
    """The thread of a call is no task of it once it is over."""
    call = Parallel(1)

    def cancel() -> bool:
        call.cancel()
        return is_cancelled()

    with pytest.raises(CallCancelled):
        call([delayed(cancel)(), delayed(abs)(1)])
    assert not is_cancelled()
