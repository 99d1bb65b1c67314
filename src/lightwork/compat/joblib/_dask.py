"""joblib's backend on a cluster of Dask, registered when ``parallel_config("dask")`` first asks for it."""

import contextlib
import copy
import inspect
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, Final

from ...engines.futures.clusters import CLUSTERS
from ...engines.futures.dask_client import leave_place
from ...system.figures import real
from ...system.optional import installed
from ._dask_batches import Batch
from ._dask_scattering import Wholes
from ._dask_sending import Sending
from ._parallel_backends import AutoBatchingMixin, Callback, FallbackToBackend, ParallelBackendBase
from ._utils import _retrieve_traceback_capturing_wrapped_call

__all__ = ["Batch", "DaskDistributedBackend"]

# Any throughout: clients and futures are those of `distributed`, options and results are users'.

_OURS: Final = frozenset({"self", "func", "args", "kwargs", "key", "pure", "actor", "actors"})
"""Parameters of ``Client.submit`` that are not for users here: each batch has its own key and is an ordinary
task."""


class DaskDistributedBackend(AutoBatchingMixin, ParallelBackendBase):
    """Runs batches as tasks of a cluster. In one of its tasks calls run on the same cluster.

    Parameters
    ----------
    scheduler_host
        The address of a scheduler, if there is no client.
    scatter
        A list or tuple of large objects. Each is sent to all workers once; a task that gets one of these
        objects itself as an argument gets the one of its worker.
    client
        A ``distributed.Client``. By default the current one; in a task of Dask that of its worker.
    loop
        The event loop of the client that is made for `scheduler_host`.
    wait_for_workers_timeout
        Seconds to wait for the first worker of a cluster that has none; 0 or ``None``: do not wait.
    nesting_level
        As in the base class.
    submit_kwargs
        For ``Client.submit``: ``workers``, ``resources``, ``priority``, ``retries``, ``allow_other_workers``,
        ``fifo_timeout``. Calls in tasks do not have them.

    Raises
    ------
    ValueError
        There is no client, or no Dask.
    TypeError
        `scatter` is no list, `client` no client, or ``Client.submit`` has no such option.
    EngineError
        No scheduler answers at `scheduler_host`.

    Notes
    -----
    Arguments of more than 1 kB that several tasks get, and those of 1 MiB and more, are scattered, if they
    can be referred to weakly. The tasks of a worker share them.
    """

    MIN_IDEAL_BATCH_DURATION = 0.2
    MAX_IDEAL_BATCH_DURATION = 1.0
    supports_retrieve_callback = True
    default_n_jobs = -1

    def __init__(
        self,
        scheduler_host: str | None = None,
        scatter: Sequence[Any] | None = None,
        client: Any = None,
        loop: Any = None,
        wait_for_workers_timeout: float | None = 10,
        *,
        nesting_level: int | None = None,
        **submit_kwargs: Any,
    ) -> None:
        super().__init__(nesting_level=nesting_level)
        distributed = _distributed()
        if scatter is not None and not isinstance(scatter, list | tuple):
            raise TypeError(f"scatter must be a list or a tuple of objects, got {type(scatter).__name__}")
        _check_options(distributed, submit_kwargs)
        self._patience = _patience(wait_for_workers_timeout)
        self._wholes = Wholes(scatter or ())
        self._options = submit_kwargs
        self._claiming = threading.Lock()
        self._sending: Sending | None = None
        self._client = _client(distributed, client, scheduler_host, loop)

    @property
    def client(self) -> Any:
        """The client. In a worker it is found when it is first needed: it connects to the scheduler."""
        if self._client is None:
            self._client = _current_client(_distributed())
        return self._client

    def effective_n_jobs(self, n_jobs: int | None) -> int:
        """The threads of all workers now, whatever was asked for; 0 if there are none.

        Raises
        ------
        ValueError
            `n_jobs` is 0.
        TimeoutError
            There is no worker, nor is there one in time.
        """
        if n_jobs == 0:
            raise ValueError("n_jobs == 0 in Parallel has no meaning")
        found = self._threads()
        if not found and self._patience:
            self._wait_for_workers(self._patience)
            found = self._threads()
        return found

    def configure(
        self,
        n_jobs: int = 1,
        parallel: Any = None,
        prefer: Any = None,
        require: Any = None,
        **backend_kwargs: Any,
    ) -> int:
        """As in the base class. A second `Parallel` at the same time gets a backend of its own."""
        found = self.effective_n_jobs(n_jobs)
        with self._claiming:
            if self._sending is not None and self.parallel is not parallel:
                raise FallbackToBackend(self._twin())
            if found:
                self._sending = self._sending or Sending(self.client, self._wholes, self._options)
                self.parallel = parallel
        return found

    def start_call(self) -> None:
        """Arguments are looked at anew in each call."""
        self._sender().begin()

    def submit(self, func: Callable[[], Any], callback: Callback | None = None) -> Any:
        """Send a batch to the cluster."""
        return self._sender().submit(func, callback or _unheard)

    def retrieve_result_callback(self, out: "Future[Any]") -> Any:
        """Its results, or the error of its task or of Dask."""
        return _retrieve_traceback_capturing_wrapped_call(out.result())

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel what has not begun. What runs goes on to its end, unheard: Dask ends no task."""
        if self._sending is not None:
            self._sending.drop()

    def stop_call(self) -> None:
        """Let go of what lies on the workers for this call."""
        if self._sending is not None:
            self._sending.drop()

    def terminate(self) -> None:
        """Be free for the next call. The cluster and the client are others'."""
        sending, self._sending = self._sending, None
        if sending is not None:
            sending.close()
        self.parallel = None
        self.reset_batch_stats()

    def get_nested_backend(self) -> tuple[ParallelBackendBase, int | None]:
        """The same cluster, all of it."""
        return self, -1

    @contextlib.contextmanager
    def retrieval_context(self) -> Iterator[None]:
        """In a task of Dask: another task has its place while this one waits."""
        come_back = leave_place(_distributed())
        try:
            yield
        finally:
            come_back()

    def __getstate__(self) -> dict[str, Any]:
        """In a worker there is another client; the caller's options and objects stay with the caller."""
        mine = {"_claiming", "_sending", "parallel"}
        state = {name: value for name, value in self.__dict__.items() if name not in mine}
        return state | {"_client": None, "_wholes": Wholes(()), "_options": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._claiming = threading.Lock()
        self._sending = None
        self.reset_batch_stats()

    def _twin(self) -> "DaskDistributedBackend":
        """Another one on the same client, with the same options."""
        twin = copy.copy(self)
        twin._client, twin._wholes, twin._options = self._client, self._wholes, self._options
        return twin

    def _sender(self) -> Sending:
        if self._sending is None:
            raise RuntimeError("the backend is not configured")
        return self._sending

    def _threads(self) -> int:
        return sum(self.client.nthreads().values())

    def _wait_for_workers(self, patience: float) -> None:
        """Wait for a task that a worker runs: an adaptive cluster starts workers for tasks alone."""
        probe = self.client.submit(_nothing, pure=False)
        try:
            probe.result(timeout=patience)
        except TimeoutError as error:
            raise TimeoutError(
                f"{type(self).__name__} has no worker after {patience} seconds. Make sure that workers are "
                "started and can reach the scheduler, or give them more time: "
                f"parallel_config(backend='dask', wait_for_workers_timeout={max(10, 2 * patience)})"
            ) from error
        finally:
            probe.cancel()


def _distributed() -> Any:
    found = installed("distributed")
    if found is None:
        raise ValueError("Please install dask to use backend='dask'.")
    return found


def _patience(seconds: Any) -> float:
    """Seconds to wait for workers; 0: none."""
    found = 0.0 if seconds is None else real(seconds)
    if found is None or not found >= 0:
        raise ValueError(f"wait_for_workers_timeout={seconds!r}: give seconds, or 0 or None to not wait")
    return found


def _check_options(distributed: Any, options: dict[str, Any]) -> None:
    known = inspect.signature(distributed.Client.submit).parameters.keys() - _OURS
    unknown = sorted(options.keys() - known)
    if unknown:
        raise TypeError(
            f"backend='dask' has no option {', '.join(unknown)}: beside its own it takes those of "
            f"Client.submit, {', '.join(sorted(known))}"
        )


def _client(distributed: Any, client: Any, address: str | None, loop: Any) -> Any:
    if client is not None:
        if not isinstance(client, distributed.Client) or client.asynchronous:
            raise TypeError(f"client={client!r}: give a distributed.Client that is not asynchronous")
        return client
    if address is not None:
        return CLUSTERS.connected(address, loop=loop)
    return _current_client(distributed)


def _current_client(distributed: Any) -> Any:
    try:
        return distributed.get_client()
    except ValueError as error:
        raise ValueError(
            "backend='dask' runs on a client, and there is none: create a Dask client first "
            "(`from distributed import Client; client = Client()`), or give client= or scheduler_host="
        ) from error


def _nothing() -> None:
    """A task for workers that are to come."""


def _unheard(_: Any) -> None:
    """The callback of a batch of which nobody wants to hear."""
