"""The process engine: what `lightwork.protocols.Engine` asks for, over a pool of worker processes."""

import weakref
from typing import Any, Final

from ...errors import InvalidOption
from ...protocols import SessionRequest
from ...system.cpu import cpu_count
from ...system.units import parse_seconds
from .pool import Pool
from .session import ProcessSession

__all__ = ["ProcessEngine"]

_IDLE: Final = 300.0


class ProcessEngine:
    """Runs calls in worker processes that are kept between sessions.

    Tasks get copies of their arguments, each its own; large numpy arrays that several tasks of a session
    share are written once and mapped privately by the workers. Functions of ``__main__``, lambdas and
    closures work. A worker that dies costs the task that it ran and nothing else. No worker, and nothing
    that a worker started, outlives this process by more than two seconds.

    Session options: ``idle_worker_timeout``, seconds after which an idle worker leaves (default 300);
    ``task_timeout``, seconds after which the worker of a task is ended and the task lost with `TaskTimeout`.

    Notes
    -----
    Safe to use from several threads, and in a process that was forked from one that uses it: the child
    begins afresh. Linux only today; elsewhere `open` is fine and the first `send` raises `EngineError`
    (macOS and Windows are designed, with spawned workers, and not built).
    """

    def __init__(self) -> None:
        self._pool = Pool()
        # When the engine is collected, and at exit: nothing stays open, so nothing warns.
        weakref.finalize(self, self._pool.end)

    @property
    def name(self) -> str:
        """The name that ``backend=`` takes."""
        return "processes"

    @property
    def shares_memory(self) -> bool:
        """Tasks see copies of the caller's objects."""
        return False

    def effective_n_jobs(self, n_jobs: int) -> int:
        """The number of workers for a request: ``-1`` is one per core, ``-2`` one less, at least one.

        Raises
        ------
        InvalidOption
            `n_jobs` is 0.
        """
        if n_jobs == 0:
            raise InvalidOption("n_jobs=0 has no meaning: give a number of workers, or -1 for one per core")
        return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)

    def open(self, request: SessionRequest) -> ProcessSession:
        """Begin a session. Starts nothing.

        Raises
        ------
        InvalidOption
            An option is not known, or `n_jobs` or `inner_threads` is not positive.
        UnpicklableError
            The runner cannot travel.
        """
        if request.n_jobs < 1:
            raise InvalidOption(f"n_jobs={request.n_jobs!r} is not a number of slots: give 1 or more")
        if request.inner_threads is not None and request.inner_threads < 1:
            raise InvalidOption(f"inner_threads={request.inner_threads!r}: give 1 or more, or None")
        options = dict(request.options)
        patience = parse_seconds(options.pop("idle_worker_timeout", _IDLE), name="idle_worker_timeout")
        limit = options.pop("task_timeout", None)
        task_timeout = None if limit is None else parse_seconds(limit, name="task_timeout")
        _refuse(options)
        return ProcessSession(self._pool, request, patience=patience, task_timeout=task_timeout, engine=self)

    def shutdown(self) -> None:
        """End idle workers, and the template too unless a session is open. The engine starts anew on use."""
        self._pool.shutdown()


def _refuse(unknown: dict[str, Any]) -> None:  # Any: what users give
    if unknown:
        names = ", ".join(sorted(unknown))
        raise InvalidOption(
            f"the engine 'processes' does not know the option(s) {names}: "
            "it takes idle_worker_timeout and task_timeout"
        )
