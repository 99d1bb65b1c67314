"""A bell that is rung from everywhere."""

import signal

import pytest

from lightwork.engines.processes.bell import Bell

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals are sent by a timer")


def test_a_handler_may_ring_while_its_thread_does() -> None:
    """Signals at any moment of many rings: nobody waits for himself."""
    bell = Bell()
    rung: list[int] = []

    def handle(signum: int, frame: object) -> None:
        bell.ring()
        rung.append(signum)

    previous = signal.signal(signal.SIGALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
        while len(rung) < 300:
            bell.ring()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    bell.silence()
    bell.close()
