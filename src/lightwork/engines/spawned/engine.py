"""The engine: what `lightwork.protocols.Engine` asks for, over spawned workers."""

import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ...errors import EngineError, InvalidOption, ParallelError, WorkerDied
from ...protocols import SessionRequest
from ...system.cpu import workers_for
from ..futures.packets import Packet
from ..futures.packing import RemotePacker
from ..futures.session import FutureSession, Loss, Pending
from ..processes.options import births, parse
from ..workers.environment import look
from .crew import Crew
from .worker import Worker

__all__ = ["SpawnedEngine"]

_OURS = frozenset({"read_only", "idle_worker_timeout", "worker_env"})
"""Options that it keeps."""


class SpawnedEngine:
    """Runs calls in worker processes that are kept between sessions. Needs a POSIX system.

    As with `ProcessEngine` tasks get copies of their arguments, each its own; functions of ``__main__``,
    lambdas and closures work, and scripts need no main guard; a worker that dies costs the task that it ran
    and nothing else; no worker outlives this process. Large arrays travel with each batch, though, and what
    needs a hold on a single task (``task_timeout``) or on a worker's life is refused by name.
    """

    def __init__(self) -> None:
        self._crew = Crew()
        weakref.finalize(self, self._crew.end)  # when it is collected, and at exit

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
        return workers_for(n_jobs)

    def open(self, request: SessionRequest) -> FutureSession:
        """Begin a session. Starts nothing.

        Raises
        ------
        EngineError
            This is Windows.
        InvalidOption
            An option is not known or cannot be kept, or `n_jobs` or `inner_threads` is not positive.
        UnpicklableError
            The runner cannot travel.
        """
        if sys.platform == "win32":
            raise EngineError("worker processes need a POSIX system, this is Windows: use backend='threads'")
        options = parse(request)
        if lacking := sorted({name for name, value in request.options.items() if value} - _OURS):
            raise InvalidOption(
                f"{', '.join(lacking)}: needs the worker processes that lightwork has on Linux, and this is "
                f"{sys.platform!r}: leave it out"
            )
        site = SpawnedSite(self._crew, births(request, options), options.idle_worker_timeout)
        return FutureSession(request.n_jobs, RemotePacker(request), site, engine=self)

    def shutdown(self) -> None:
        """End idle workers. The engine starts anew on use."""
        self._crew.end_idle()


class SpawnedSite:
    """A `Site` for the loads of a `RemotePacker`: each has a worker for itself while it runs.

    Parameters
    ----------
    births
        For each slot, the variables that its worker has from its birth on.
    patience
        Seconds without work after which they leave.
    """

    def __init__(self, crew: Crew, births: Sequence[dict[str, str]], patience: float) -> None:
        self._crew = crew
        self._births = births
        self._patience = patience
        self._environment = look()
        self._workers: dict[Any, Worker] = {}  # Any: futures have a hash

    def submit(self, function: Callable[..., Any], args: Sequence[Any]) -> Pending:
        """Give it to a worker that has nothing to do, a new one if need be."""
        packet: Packet = args[0]
        worker = self._crew.take(self._births[packet.slot], self._patience)
        pending = worker.run(self._environment, function, args)
        self._workers[pending] = worker
        pending.add_done_callback(self._done)  # before any other: then the worker is free again
        return pending

    def withdraw(self, pending: Pending) -> bool:
        """It has begun."""
        return False

    def explain(self, error: BaseException) -> ParallelError | Loss:
        """A worker that died is no end: there are others."""
        if isinstance(error, WorkerDied):
            return Loss(error)
        if isinstance(error, ParallelError):
            return error
        return EngineError(f"a worker could not run a batch of tasks ({type(error).__name__}: {error})")

    def leave(self, pendings: Sequence[Pending], *, abort: bool) -> None:
        """End the workers whose results nobody waits for."""
        for pending in pendings:
            worker = self._workers.get(pending)
            if worker is not None:
                worker.kill()

    def _done(self, pending: Any) -> None:  # Any: a future
        worker = self._workers.pop(pending, None)
        if worker is not None:
            self._crew.give_back(worker)
