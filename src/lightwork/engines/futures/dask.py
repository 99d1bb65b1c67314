"""Clusters of Dask as an engine: that of a client, that of an address, or one of our own on this machine."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ...errors import EngineError, InvalidOption, ParallelError, WorkerDied
from ...protocols import SessionRequest
from ...system.cpu import workers_for
from ...system.optional import on_demand, require
from ...system.units import parse_seconds
from .clusters import CLUSTERS
from .dask_client import DaskDepot, brought, leave_place
from .endings import explained
from .executor import check_options
from .handles import Handles
from .packets import Packet
from .packing import RemotePacker
from .scattering import LARGE, ScatteringCarrier
from .session import FutureSession, Loss, Pending

__all__ = ["DaskEngine", "DaskSite"]

_TO_SUBMIT: Final = ("resources", "workers", "allow_other_workers", "priority")
"""Options that go to ``Client.submit`` as they are."""

_LACKS: Final = {
    "task_timeout": "Dask has no way to end a task that runs",
    "max_worker_memory": "the memory of its workers is limited where they are started (memory_limit)",
    "max_tasks_per_worker": "Dask does not replace workers after so many tasks",
    "memory_budget": "Dask watches the memory of its workers itself (memory_limit, resources)",
    "worker_env": "its workers have the environment that their nannies gave them",
    "capture_output='fd'": "its workers are not ours to redirect; True captures what Python prints",
}


class DaskEngine:
    """Runs tasks on a cluster of Dask. A `ForeignWorkers`.

    Parameters
    ----------
    client
        A ``distributed.Client``, or the address of a scheduler. By default the current client; in a task of
        Dask that of its worker; and if there is none a cluster on this machine, one process per worker, which
        is made with the first call, serves later ones, and is closed by `shutdown` or at exit.
    scatter
        A list of large objects (dicts, models, ...). Each is sent to each worker once, where a task gets it
        as an argument; all tasks of a worker share it and must not change it. Arrays of 1 MiB and more, and
        those of 64 KiB and more that several tasks get, are scattered in any case, and each task has its own
        copy.
    resources, workers, allow_other_workers, priority
        As for ``distributed.Client.submit``: what each batch needs, and where it may run.
    wait_for_workers_timeout
        Seconds to wait for the first worker of a cluster that has none yet.

    Notes
    -----
    The workers must have lightwork, in a version like that of the caller. A batch whose worker is lost runs
    again on another, as the cluster's ``allowed-failures`` says; then its tasks are tried one by one, and the
    one that takes workers with it fails with `WorkerDied`.
    """

    def __init__(
        self,
        *,
        client: Any = None,  # Any: distributed.Client, or a text
        scatter: Sequence[Any] = (),  # Any: users' objects
        wait_for_workers_timeout: float = 10.0,
        **options: Any,  # Any: as for Client.submit
    ) -> None:
        self._distributed = require("distributed", purpose="backend='dask'", extra="dask")
        unknown = sorted(options.keys() - set(_TO_SUBMIT))
        if unknown:
            raise InvalidOption(
                f"backend='dask' has no option {', '.join(unknown)}: it takes client, scatter, "
                f"wait_for_workers_timeout, {', '.join(_TO_SUBMIT)}"
            )
        if not isinstance(client, str | None | self._distributed.Client):
            raise InvalidOption(
                f"client={client!r}: give a distributed.Client, or the address of a scheduler"
            )
        if not isinstance(scatter, list | tuple):
            raise InvalidOption(
                f"scatter={type(scatter).__name__}: give a list of objects, [{scatter!r:.40}]"
            )
        if isinstance(client, self._distributed.Client) and client.asynchronous:
            raise InvalidOption(f"client={client!r} is asynchronous: give one that was made without that")
        self._given = client
        self._patience = parse_seconds(wait_for_workers_timeout, name="wait_for_workers_timeout")
        self._wholes = list(scatter)
        self._options = options

    @property
    def name(self) -> str:
        """The name that ``backend=`` takes."""
        return "dask"

    @property
    def shares_memory(self) -> bool:
        """Tasks see copies of the caller's objects."""
        return False

    @property
    def lacks(self) -> Mapping[str, str]:
        """No task of a cluster can be killed, and its workers are as they are."""
        return _LACKS

    @property
    def batch_seconds(self) -> float:
        """A way there and back takes a few milliseconds, of the scheduler too, which all workers share."""
        return 0.1

    def is_crowded(self) -> bool:
        """Whether a worker has several threads."""
        client = self._client()
        return client is not None and any(count > 1 for count in self._threads(client).values())

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As many batches at once as asked for; ``-1``: as many as the workers have threads now.

        A cluster of our own has as many workers as the process engine would have.

        Raises
        ------
        EngineError
            The cluster cannot be reached, or has no workers in time.
        """
        client = self._client()
        if client is None:
            return workers_for(n_jobs)
        if n_jobs > 0:
            return n_jobs
        return max(1, sum(self._threads(client).values()) + 1 + n_jobs)

    def open(self, request: SessionRequest) -> FutureSession:
        """Begin a session; starts a cluster if there is none, and waits for its workers.

        Raises
        ------
        EngineError
            The cluster cannot be reached, or has no workers in time.
        InvalidOption
            There is no option of that name.
        UnpicklableError
            The runner cannot travel.
        """
        check_options("'dask'", request)
        client = self._client() or CLUSTERS.own(request.n_jobs)
        self._threads(client)
        carrier = ScatteringCarrier(DaskDepot(client), self._wholes)
        site = DaskSite(client, carrier, self._options)
        return FutureSession(request.n_jobs, RemotePacker(request, carrier), site, engine=self)

    def shutdown(self) -> None:
        """Close the clusters and connections of our own. Safe to call twice, and to use the engine again."""
        CLUSTERS.close()

    def _client(self) -> Any:  # Any: distributed.Client
        """The client of the cluster that is there already, ``None`` if there is none."""
        if isinstance(self._given, str):
            return CLUSTERS.connected(self._given)
        if self._given is not None:
            return self._given
        try:
            return self._distributed.get_client()
        except ValueError:  # neither a task of Dask nor a client
            return None

    def _threads(self, client: Any) -> Mapping[str, int]:  # Any: as above
        """The threads of each worker, of which there is one at least."""
        if client.status in ("closing", "closed"):
            raise EngineError(f"the client {client!r} was closed: give one that is open")
        try:
            found: Mapping[str, int] = client.nthreads()
            if not found:
                client.wait_for_workers(1, timeout=self._patience)
                found = client.nthreads()
        except (OSError, TimeoutError) as error:
            raise EngineError(
                f"the cluster of {client!r} has no workers, or does not answer, within "
                f"wait_for_workers_timeout={self._patience} s: {error}"
            ) from error
        return found


class DaskSite:
    """A `Site`: functions become tasks of a cluster. In a task of Dask its place is free meanwhile."""

    def __init__(
        self,
        client: Any,  # Any: distributed.Client
        carrier: ScatteringCarrier,
        options: Mapping[str, Any],  # Any: as for Client.submit
    ) -> None:
        self._distributed = require("distributed", purpose="backend='dask'", extra="dask")
        self._client = client
        self._carrier = carrier
        self._options = options
        self._tasks = Handles()  # each a distributed.Future
        self._place = leave_place(self._distributed)

    def submit(self, function: Callable[..., Any], args: Sequence[Any]) -> Pending:
        """Submit, and have the result brought here as soon as it is there."""
        lifted = [self._lifted(argument) for argument in args]
        task = self._client.submit(function, *lifted, pure=False, **self._options)
        pending = brought(self._client, task)
        self._tasks.add(pending, task)
        return pending

    def _lifted(self, argument: Any) -> Any:  # Any: packets, parts, and futures of Dask
        """A large packet goes to a worker by itself: what is submitted lies on the scheduler for a while."""
        if isinstance(argument, Packet) and argument.nbytes() >= LARGE:
            (argument,) = self._client.scatter([argument], hash=False)
        return argument

    def withdraw(self, pending: Pending) -> bool:
        """Dask does not tell whether a task has begun."""
        return False

    def explain(self, error: BaseException) -> ParallelError | Loss:
        """Workers that were lost, or data that lay on them, are no end: there are others."""
        if isinstance(error, self._distributed.KilledWorker):
            worker = error.last_worker
            address, pid = getattr(worker, "address", worker), getattr(worker, "pid", None)
            died = WorkerDied(
                f"the worker {address} of Dask ended without an answer, as did all others that had the same "
                "tasks before (as many as the cluster's allowed-failures says): killed, out of memory, or a "
                "crash in C code",
                pid=int(pid or 0),
            )
            return Loss(died, is_innocent=True)  # Dask blames all that lay on the worker
        cancelled = on_demand("concurrent.futures").CancelledError
        if isinstance(error, cancelled) and self._client.status == "running":
            # That the data are gone is perhaps not known here yet.
            self._carrier.forget()
            lost = WorkerDied("workers of Dask were lost, and with them data that this task needs", pid=0)
            return Loss(lost, is_innocent=True)
        return explained("cluster of Dask", error)

    def leave(self, pendings: Sequence[Pending], *, abort: bool) -> None:
        """Cancel what has not begun. What runs goes on to its end, unheard."""
        tasks = self._tasks.take(pendings)
        if tasks and self._client.status == "running":
            self._client.cancel(tasks)
        self._place()
