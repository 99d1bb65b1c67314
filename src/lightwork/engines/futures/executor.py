"""Any ``concurrent.futures.Executor`` as an engine. It stays the caller's: nothing here shuts it down."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from queue import SimpleQueue
from typing import Any, Final

from ...errors import InvalidOption, ParallelError
from ...protocols import Event, SessionRequest
from ...system.optional import loaded
from .endings import explained
from .local import LocalPacker
from .packing import RemotePacker
from .polling import PolledSite
from .session import FutureSession, Pending, Site

__all__ = ["ExecutorEngine", "ExecutorSite", "check_options"]

_WIDTHS: Final = ("num_workers", "_max_workers")
"""Where executors say how many workers they have: mpi4py's, and all that follow the standard library. (Those
of executorlib have `max_workers`, which asks a thread of theirs and may never get an answer.)"""

_NO_HOLD: Final = "the workers of an executor are not ours to end"
_LACKS: Final = {
    "task_timeout": f"{_NO_HOLD}, so no task can be stopped",
    "max_worker_memory": f"{_NO_HOLD} and replace",
    "max_tasks_per_worker": f"{_NO_HOLD} and replace; executors may take max_tasks_per_child",
    "memory_budget": "an executor does not tell how much memory its workers have",
    "worker_env": "its workers have the environment that they were started with",
    "capture_output='fd'": "its workers are not ours to redirect; True captures what Python prints",
}
_LACKS_IN_THREADS: Final = {
    **_LACKS,
    "initializer": "whoever made its threads prepares them; give initializer to the executor",
}

_INSIDE: ContextVar[frozenset[int]] = ContextVar("lightwork_inside_executors", default=frozenset())
"""The ids of the executors of this process whose tasks the running code is in."""


class ExecutorEngine:
    """Runs tasks on an executor. A `ForeignWorkers`.

    Tasks of a ``ThreadPoolExecutor`` share memory with the caller. To all others they travel as with the
    process engine: each is a value of its own, functions of ``__main__``, lambdas and closures work, errors
    have the worker's traceback. lightwork must be installed where they run. Large arrays travel with each
    batch.

    The session option ``read_only``: arrays that travel beside the pickle of their task cannot be written to.
    """

    def __init__(self, executor: Any) -> None:  # Any: whatever has `submit`
        self._executor = executor
        self._is_local = _shares_memory(executor)

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self._executor).__name__

    @property
    def shares_memory(self) -> bool:
        """Whether it has threads of this process."""
        return self._is_local

    @property
    def lacks(self) -> Mapping[str, str]:
        """No task of an executor can be killed, and its workers are as they are."""
        return _LACKS_IN_THREADS if self._is_local else _LACKS

    @property
    def batch_seconds(self) -> float:
        """Short in threads; longer where the way there takes a fraction of a millisecond, or a process."""
        if self._is_local:
            return 5e-3
        return 20e-3 if _has_callbacks(self._executor) else 10.0

    def is_crowded(self) -> bool:
        """Processes of executors run one task at a time."""
        return False

    def effective_n_jobs(self, n_jobs: int) -> int:
        """At most as many workers as the executor has; negative numbers count back from those.

        Raises
        ------
        InvalidOption
            `n_jobs` is negative, and the executor does not tell how many it has.
        """
        width = _width(self._executor)
        if width is None:
            if n_jobs < 0:
                raise InvalidOption(
                    f"n_jobs={n_jobs!r}: a {self.name} does not tell how many workers it has; "
                    "give the number of batches that may run at once"
                )
            return n_jobs
        return min(n_jobs, width) if n_jobs > 0 else max(1, width + 1 + n_jobs)

    def open(self, request: SessionRequest) -> FutureSession:
        """Begin a session. Starts nothing.

        Raises
        ------
        InvalidOption
            There is no option of that name, or this is a task of the same executor.
        UnpicklableError
            The runner cannot travel.
        """
        check_options(self.name, request)
        if id(self._executor) in _INSIDE.get():
            raise InvalidOption(
                f"backend={self.name}: this call is made by a task of the same executor, which would wait "
                "for itself as soon as all workers do so; give another executor, or leave backend out"
            )
        heard: SimpleQueue[Event | None] = SimpleQueue()
        site: Site = (
            ExecutorSite(self._executor) if _has_callbacks(self._executor) else PolledSite(self._executor)
        )
        if not self._is_local:
            return FutureSession(request.n_jobs, RemotePacker(request), site, heard=heard, engine=self)
        token = _INSIDE.set(_INSIDE.get() | {id(self._executor)})
        try:
            packer = LocalPacker(request, heard)  # whose tasks see the variables as they are now
        finally:
            _INSIDE.reset(token)
        return FutureSession(request.n_jobs, packer, site, heard=heard, engine=self)

    def shutdown(self) -> None:
        """Nothing: the executor is its owner's."""


def check_options(name: str, request: SessionRequest) -> None:
    """Refuse options of a session on futures that nobody knows. Raises `InvalidOption`."""
    unknown = sorted(request.options.keys() - {"read_only"})
    if unknown:
        raise InvalidOption(f"backend={name} has no option {', '.join(unknown)}")


class ExecutorSite:
    """A `Site` of an executor whose futures call back."""

    def __init__(self, executor: Any) -> None:  # Any: as in `ExecutorEngine`
        self._executor = executor
        # The thread of executorlib 1.11 ends with an error at a future that was cancelled before it began.
        self._cancels = not type(executor).__module__.startswith("executorlib.")

    def submit(self, function: Callable[..., Any], args: Sequence[Any]) -> Pending:
        """Submit."""
        pending: Pending = self._executor.submit(function, *args)
        return pending

    def withdraw(self, pending: Any) -> bool:  # Any: the executor's future
        """Whether it could be cancelled."""
        return self._cancels and bool(pending.cancel())

    def explain(self, error: BaseException) -> ParallelError:
        """No executor says which of its workers is gone, or goes on without it: the call has ended."""
        return explained(type(self._executor).__name__, error)

    def leave(self, pendings: Sequence[Any], *, abort: bool) -> None:  # Any: the executor's futures
        """Cancel what has not begun; what runs is abandoned."""
        for pending in pendings:
            self.withdraw(pending)


def _width(executor: Any) -> int | None:  # Any: as in `ExecutorEngine`
    """How many workers it has, if it tells."""
    for name in _WIDTHS:
        width = getattr(executor, name, None)
        if isinstance(width, int) and width > 0:
            return width
    return None


def _shares_memory(executor: object) -> bool:
    futures = loaded("concurrent.futures")
    kind = getattr(futures, "ThreadPoolExecutor", None)
    if kind is None or not isinstance(executor, kind):
        return False
    isolated = getattr(futures, "InterpreterPoolExecutor", None)
    return isolated is None or not isinstance(executor, isolated)


def _has_callbacks(executor: object) -> bool:
    """Whether its futures are those of the standard library. Others have to be asked."""
    futures = loaded("concurrent.futures")
    return futures is not None and isinstance(executor, futures.Executor)
