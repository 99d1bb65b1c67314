"""A signal is heard by a thread that waits, whenever it comes, and an interrupt stays an interrupt."""

import _thread
import signal
import threading
import time
from queue import Empty, SimpleQueue

import pytest

from lightwork.system.queues import received
from lightwork.system.signals import at_a_time, awaited, begin


def interrupt_from(thread: threading.Thread) -> None:
    """SIGINT for another thread than the main one: noted, and no wait of the main thread is broken off.

    So it is too with a signal that comes just before such a wait.
    """
    ident = thread.ident
    assert ident is not None
    signal.pthread_kill(ident, signal.SIGINT)


def test_the_main_thread_waits_a_little_at_a_time() -> None:
    """Other threads, which handle no signals, wait as long as they are asked to."""
    assert at_a_time(None) == at_a_time(100) == 0.25
    assert at_a_time(0.01) == 0.01
    found: list[float | None] = []
    thread = threading.Thread(target=lambda: found.extend([at_a_time(None), at_a_time(100)]))
    thread.start()
    thread.join()
    assert found == [None, 100]


def test_an_item_is_waited_for_longer_than_at_a_time() -> None:
    """In the main thread, without a limit and within one."""
    queue: SimpleQueue[int] = SimpleQueue()
    for timeout in (None, 30.0):
        timer = threading.Timer(0.3, queue.put, (7,))
        timer.start()
        assert received(queue, timeout) == 7
        timer.join()


def test_an_event_is_waited_for_longer_than_at_a_time() -> None:
    """In the main thread, without a limit and within one; beyond the limit the answer is no."""
    for timeout in (None, 30.0):
        event = threading.Event()
        timer = threading.Timer(0.3, event.set)
        timer.start()
        assert awaited(event, timeout)
        timer.join()
    assert not awaited(threading.Event(), 0.3)


def test_no_item_is_waited_for_beyond_the_limit() -> None:
    """Empty, and not before the time has come, though that is more than is waited at a time."""
    begun = time.monotonic()
    with pytest.raises(Empty):
        received(SimpleQueue[int](), 0.3)
    assert time.monotonic() - begun >= 0.3


def test_a_signal_that_breaks_off_no_wait_is_heard_nevertheless() -> None:
    """Within a second, though nothing comes."""
    queue: SimpleQueue[int] = SimpleQueue()
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    timer = threading.Timer(0.05, interrupt_from, (other,))
    timer.start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        received(queue, 30)
    assert time.monotonic() - begun < 1
    over.set()
    timer.join()
    other.join()


class Interrupted(threading.Thread):
    """A thread whose `start` is interrupted at the worst moment, as `threading` reports it."""

    def start(self) -> None:
        lock = _thread.allocate_lock()
        try:
            raise KeyboardInterrupt("while a thread begins")
        finally:
            lock.release()


class Refused(threading.Thread):
    """A thread that the system has no room for."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


def test_an_interrupt_while_a_thread_begins_stays_one() -> None:
    """Also in a block that handles an earlier one."""
    with pytest.raises(RuntimeError, match="unlocked"):
        Interrupted().start()
    with pytest.raises(KeyboardInterrupt):
        begin(Interrupted())
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt, match="while a thread begins"):
            begin(Interrupted())


def test_a_thread_that_cannot_be_had_is_an_error() -> None:
    """The error of `threading` itself, in whatever block that is."""
    with pytest.raises(RuntimeError, match="can't start"):
        begin(Refused())
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(RuntimeError, match="can't start"):
            begin(Refused())
