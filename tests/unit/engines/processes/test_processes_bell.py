"""A bell that is rung from everywhere."""

import os
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


def test_a_bell_that_nobody_holds_leaves_nothing_open() -> None:
    """Its descriptor is closed with it, once: another file may have the number afterwards."""
    bell = Bell()
    number = bell.fileno()
    del bell
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)
    closed = Bell()
    closed.close()
    other = os.open(os.devnull, os.O_RDONLY)
    del closed
    os.close(other)
