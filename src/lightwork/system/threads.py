"""The library's own helper threads, for hashing and compressing large buffers.

One executor per process, made when it is first needed, forgotten in a forked child: an inherited executor
has no threads and hangs for ever. The number of threads is the process' share of the cores.
"""

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from .cpu import cpu_count
from .forks import after_fork_in_child

__all__ = ["HELPERS", "SHARE_VARIABLE", "HelperThreads"]

SHARE_VARIABLE = "LIGHTWORK_HELPER_THREADS"

T = TypeVar("T")
R = TypeVar("R")


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

    def submit(self, function: Callable[[T], R], item: T) -> "Future[R]":
        """``function(item)``, begun by a thread now; done at once, in this thread, if there is but one."""
        if self.count > 1:
            return self._open().submit(function, item)
        future: Future[R] = Future()
        try:
            future.set_result(function(item))
        except Exception as exc:  # noqa: BLE001 - handed to the caller by `result`, as the executor does
            future.set_exception(exc)
        return future

    def _open(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._executor is None:
                self._executor = ThreadPoolExecutor(self.count, thread_name_prefix="lightwork-helper")
            return self._executor

    def _forget(self) -> None:
        self._parked.append(self._executor)
        self._executor = None
        self._lock = threading.Lock()


HELPERS = HelperThreads()
