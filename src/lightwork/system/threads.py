"""The library's own helper threads, for hashing and compressing large buffers.

One executor per process, made when it is first needed, forgotten in a forked child: an inherited executor
has no threads and hangs for ever. The number of threads is the process' share of the cores.
"""

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

from .cpu import cpu_count
from .forks import after_fork_in_child
from .optional import on_demand
from .signals import awaited, begin

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

__all__ = ["HELPERS", "SHARE_VARIABLE", "HelperThreads", "Job", "abandon", "do_now", "interruptibly"]

SHARE_VARIABLE = "LIGHTWORK_HELPER_THREADS"

T = TypeVar("T")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class Job(Protocol[R_co]):
    """Work that was handed over, as `concurrent.futures.Future`: begun, ended or waiting for a thread."""

    def result(self) -> R_co:
        """Wait for the end; what came out, or the error that did."""

    def done(self) -> bool:
        """Whether it has ended."""

    def cancel(self) -> bool:
        """Do not begin it any more; whether that was in time."""


class _Ended(Generic[R]):
    """A `Job` that was done by the caller's own thread."""

    __slots__ = ("_error", "_value")

    def __init__(self, value: R | None, error: Exception | None) -> None:
        self._value = value
        self._error = error

    def result(self) -> R:
        if self._error is not None:
            raise self._error
        return cast(R, self._value)  # there is a value where there is no error

    def done(self) -> bool:
        return True

    def cancel(self) -> bool:
        return False


def do_now(function: Callable[[T], R], item: T) -> Job[R]:
    """``function(item)``, done in this thread; an error is raised by `Job.result`."""
    try:
        return _Ended(function(item), None)
    except Exception as exc:  # noqa: BLE001 - handed to the caller by `result`, as the executor does
        return _Ended(None, exc)


def abandon(jobs: Iterable[Job[Any]]) -> None:  # Any: nobody asks for the results any more
    """Cancel what has not begun and wait for the rest: nothing of it runs any more afterwards."""
    left = [job for job in jobs if not job.cancel() and not job.done()]
    if left:  # then they are futures
        on_demand("concurrent.futures").wait(left)


def interruptibly(function: Callable[[], R]) -> R:
    """``function()``, in another thread if this is the main one, which signals can then interrupt meanwhile.

    For native code that waits for long and looks for no signals. What is interrupted goes on to its end, in
    a daemon thread, which keeps the interpreter from nothing. A thread takes a tenth of a millisecond.
    """
    if threading.current_thread() is not threading.main_thread():
        return function()
    jobs: list[Job[R]] = []
    ended = threading.Event()

    def work() -> None:
        try:
            jobs.append(do_now(lambda _: function(), None))
        finally:
            ended.set()

    begin(threading.Thread(target=work, name="lightwork-wait", daemon=True))
    awaited(ended, None)
    return jobs[0].result()


class HelperThreads:
    """An executor that is made on first use and survives forks by being made anew.

    Safe to call from several threads. Tasks must not call `map` themselves: they would wait for threads
    that wait for them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._parked: list[object] = []  # executors of a parent: never shut down here, that would hang
        self._limit: int | None = None
        after_fork_in_child(self._forget)

    @property
    def count(self) -> int:
        """How many threads work at once, ``>= 1``."""
        if self._limit is None:
            # Asked once: it reads files, which takes longer than a small job. Workers find their share in a
            # variable, so that they need not import this module to be told.
            share = os.environ.get(SHARE_VARIABLE, "")
            self._limit = max(1, int(share)) if share.isdecimal() else cpu_count()
        return self._limit

    def limit(self, count: int | None) -> None:
        """Use at most `count` threads from now on (``None``: one per core). A worker sets its share."""
        with self._lock:
            self._limit = count
            self._parked.append(self._executor)
            self._executor = None

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """``[function(item) for item in items]``, over the threads; in this thread if there is but one."""
        if self.count == 1:
            return [function(item) for item in items]
        return list(self._open().map(function, items))

    def submit(self, function: Callable[[T], R], item: T) -> Job[R]:
        """``function(item)``, begun by a thread now; done at once, in this thread, if there is but one."""
        return self._open().submit(function, item) if self.count > 1 else do_now(function, item)

    def _open(self) -> "ThreadPoolExecutor":
        with self._lock:
            executor = self._executor
            if executor is None:
                futures = on_demand("concurrent.futures")  # and `logging` with it: 10 ms
                executor = futures.ThreadPoolExecutor(self.count, thread_name_prefix="lightwork-helper")
                self._executor = executor
            return executor

    def _forget(self) -> None:
        self._parked.append(self._executor)
        self._executor = None
        self._lock = threading.Lock()


HELPERS = HelperThreads()
