"""The process engine: what `lightwork.protocols.Engine` asks for, over a pool of worker processes."""

import threading
import weakref
from typing import TYPE_CHECKING

from ...errors import InvalidOption
from ...protocols import SessionRequest
from ...system.cpu import workers_for
from .. import processes  # its parts are loaded by the first call

if TYPE_CHECKING:
    from .launcher import Template
    from .pool import Pool
    from .session import ProcessSession

__all__ = ["ProcessEngine"]


class ProcessEngine:
    """Runs calls in worker processes that are kept between sessions.

    Tasks get copies of their arguments, each its own; large numpy arrays that several tasks of a session
    share are written once and mapped privately by the workers. Functions of ``__main__``, lambdas and
    closures work. A worker that dies costs the task that it ran and nothing else. No worker, and nothing
    that a worker started, outlives this process by more than two seconds.

    Session options: ``idle_worker_timeout``, seconds after which an idle worker leaves (default 300);
    ``task_timeout``, seconds after which the worker of a task is ended and the task lost with `TaskTimeout`;
    ``max_tasks_per_worker`` and ``max_worker_memory`` (bytes), after which a worker is replaced between two
    tasks; ``max_kept_memory`` (bytes), with more of which an idle worker leaves and is not used;
    ``worker_env``, variables for each slot, which its worker has before it imports anything;
    ``read_only``: arrays that travel beside the pickle of their task cannot be written to.

    Notes
    -----
    Safe to use from several threads, and in a process that was forked from one that uses it: the child
    begins afresh. Linux only; elsewhere the name stands for `lightwork.engines.spawned`.
    """

    def __init__(self) -> None:
        self._pools: dict[str, Pool] = {}  # at most one, set by whichever thread comes first
        self._over = threading.Event()
        # When the engine is collected, and at exit: nothing stays open, so nothing warns.
        weakref.finalize(self, _finish, self._pools, self._over)

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

        In a task at most the task's share of the cores.

        Raises
        ------
        InvalidOption
            `n_jobs` is 0.
        """
        if n_jobs == 0:
            raise InvalidOption("n_jobs=0 has no meaning: give a number of workers, or -1 for one per core")
        return workers_for(n_jobs)

    def warm_up(self) -> None:
        """Start the template, unless there was one before, and load what a session needs meanwhile."""
        if not self._pools and not self._over.is_set():
            self._take(processes.launcher.Template())

    def open(self, request: SessionRequest) -> "ProcessSession":
        """Begin a session. Starts nothing.

        Raises
        ------
        InvalidOption
            An option is not known, or `n_jobs` or `inner_threads` is not positive.
        UnpicklableError
            The runner cannot travel.
        """
        options = processes.options.parse(request)
        pool = self._pools.get("pool") or self._take(None)
        return processes.session.ProcessSession(pool, request, options, engine=self)

    def shutdown(self) -> None:
        """End idle workers, and the template too unless a session is open. The engine starts anew on use."""
        pool = self._pools.get("pool")
        if pool is not None:
            pool.shutdown()

    def _take(self, template: "Template | None") -> "Pool":
        """The pool of this engine, which begins with that template if it is made now."""
        mine = processes.pool.Pool(template)
        pool = self._pools.setdefault("pool", mine)
        if pool is not mine:
            mine.end()
        if self._over.is_set():  # since it was decided to make a pool: `_finish` has not seen this one
            pool.finish()
        return pool


def _finish(pools: "dict[str, Pool]", over: threading.Event) -> None:
    over.set()
    pool = pools.get("pool")
    if pool is not None:
        pool.finish()
