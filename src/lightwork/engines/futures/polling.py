"""Executors whose futures do not call back (submitit's jobs): a thread asks them.

The exception to "never poll": such a job is a file on a disk that others write, or a row of a queue on
another machine, and its library offers no event to wait for.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from ...errors import ParallelError
from ...system.optional import on_demand
from .endings import explained
from .session import Pending

__all__ = ["PolledSite"]

_SOONEST: Final = 20e-3
_LATEST: Final = 1.0
"""Seconds between two looks: short when something ended a moment ago, then longer and longer."""


class PolledSite:
    """A `Site` of an executor with ``submit``, whose jobs have ``done``, ``result`` and perhaps ``cancel``.

    Its thread runs from the first submission to the end of the session and of all jobs.
    """

    def __init__(self, executor: Any) -> None:  # Any: users' executors
        self._executor = executor
        self._lock = threading.Lock()
        self._jobs: dict[Any, Any] = {}  # our futures to their jobs
        self._news = threading.Event()
        self._over = False
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[..., Any], args: Sequence[Any]) -> Pending:
        """Submit, and have the job watched."""
        job = self._executor.submit(function, *args)
        future = on_demand("concurrent.futures").Future()
        with self._lock:
            self._jobs[future] = job
        self._news.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="lightwork-jobs", daemon=True)
            self._thread.start()
        pending: Pending = future
        return pending

    def withdraw(self, pending: Pending) -> bool:
        """No job says that it has not begun and never will."""
        return False

    def explain(self, error: BaseException) -> ParallelError:
        """As for any executor."""
        return explained(type(self._executor).__name__, error)

    def leave(self, pendings: Sequence[Pending], *, abort: bool) -> None:
        """Cancel the jobs, which ends those that run where they can be ended, and see them end."""
        with self._lock:
            jobs = list(self._jobs.values())
        for job in jobs:
            cancel = getattr(job, "cancel", None)
            if cancel is not None:
                cancel()
        self._over = True
        self._news.set()

    def _watch(self) -> None:
        pause = _SOONEST
        while True:
            with self._lock:
                jobs = list(self._jobs.items())
            if self._over and not jobs:
                return
            ended = [(future, job) for future, job in jobs if job.done()]
            for future, job in ended:
                with self._lock:
                    del self._jobs[future]
                _settle(future, job)
            pause = _SOONEST if ended else min(2 * pause, _LATEST)
            if self._news.wait(pause if jobs else None):
                self._news.clear()
                pause = _SOONEST


def _settle(future: Any, job: Any) -> None:  # Any: a future of the standard library; the job of another
    try:
        value = job.result()
    except BaseException as error:  # noqa: BLE001 - it is the error of whoever waits
        future.set_exception(error)
    else:
        future.set_result(value)
