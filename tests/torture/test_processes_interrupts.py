"""Ctrl-C at any moment: the session is aborted, and the next one is right."""

import contextlib
import random
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from lightwork.engines.processes import ProcessEngine
from tests.torture.watchdog import LONG
from tests.unit.engines.processes.driving import batches, collect, open_session, results, running_engine, task

pytestmark = [pytest.mark.torture, pytest.mark.once]
TURNS = 100 if LONG else 6


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    with running_engine() as engine:
        yield engine


def shape_and_sum(array: np.ndarray[tuple[int], np.dtype[np.float64]], k: int) -> tuple[int, float]:
    return len(array), float(array[k])


@contextlib.contextmanager
def interrupt_after(seconds: float) -> Iterator[None]:
    """SIGINT for this process in `seconds`, unless the block is over before."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def raise_interrupt(signum: int, frame: object) -> None:
    raise KeyboardInterrupt


def test_an_interrupt_at_any_moment_leaves_the_pool_whole(engine: ProcessEngine) -> None:
    """Sessions interrupted at random moments, each aborted and followed by one that must be right."""
    moments = random.Random(4)
    array = np.arange(50_000.0)
    calls = [task(shape_and_sum, array, k) for k in range(60)]
    expected = [(50_000, float(k)) for k in range(60)]
    assert results(engine, calls) == expected
    previous = signal.signal(signal.SIGALRM, raise_interrupt)
    try:
        for _ in range(TURNS):
            session = open_session(engine, slots=2)
            with contextlib.suppress(KeyboardInterrupt), interrupt_after(moments.uniform(0.0001, 0.02)):
                for number, batch in enumerate(batches(calls, 3)):
                    session.send(number % 2, batch)
                collect(session, 60)
            session.close(abort=True)
            assert results(engine, calls) == expected
    finally:
        signal.signal(signal.SIGALRM, previous)
