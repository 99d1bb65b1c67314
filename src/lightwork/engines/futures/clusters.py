"""What this process has opened of Dask itself: a cluster on this machine, and connections to schedulers."""

import threading
from typing import Any

from ...errors import EngineError
from ...system.forks import after_fork_in_child
from ...system.optional import on_demand, require

__all__ = ["CLUSTERS"]


class _Clusters:
    """One cluster, and one client for each address. Safe to use from several threads.

    They are closed at exit at the latest. A forked child has none: those of its parent are not its own.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cluster: Any = None  # Any: distributed.LocalCluster
        self._clients: dict[str, Any] = {}  # Any: distributed.Client; by address, "" of the cluster
        after_fork_in_child(self._forget)

    def own(self, workers: int) -> Any:  # Any: distributed.Client
        """The client of a cluster on this machine, with at least so many workers of one thread each.

        Raises
        ------
        EngineError
            This process may have no children.
        """
        distributed = _distributed()
        if on_demand("multiprocessing").current_process().daemon:
            raise EngineError(
                "backend='dask': there is no client here, and this process, which is daemonic, can start no "
                "cluster: give client="
            )
        with self._lock:
            if self._cluster is None:
                # A batch whose worker dies is not run again by Dask: which of its tasks are, the call
                # decides.
                self._cluster = distributed.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address=":0",
                    scheduler_kwargs={"allowed_failures": 0},
                )
                self._clients[""] = distributed.Client(self._cluster, set_as_default=False)
            elif len(self._cluster.workers) < workers:
                self._cluster.scale(workers)
            client = self._clients[""]
        client.wait_for_workers(workers)
        return client

    def connected(self, address: str, *, loop: Any = None) -> Any:  # Any: as above; an event loop
        """The client of a scheduler. `loop` is for a new one, by default its own.

        Raises
        ------
        EngineError
            There is none at this address.
        """
        with self._lock:
            client = self._clients.get(address)
            if client is None or client.status != "running":
                try:
                    client = _distributed().Client(address, set_as_default=False, loop=loop)
                except (OSError, TimeoutError, ValueError) as error:
                    raise EngineError(f"client={address!r}: no scheduler answers there: {error}") from error
                self._clients[address] = client
            return client

    def close(self) -> None:
        """Close all. Safe to call twice."""
        with self._lock:
            clients, cluster = list(self._clients.values()), self._cluster
            self._clients.clear()
            self._cluster = None
        for each in [*clients, cluster]:
            if each is not None:
                each.close()

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._clients, self._cluster = {}, None


CLUSTERS = _Clusters()


def _distributed() -> Any:  # Any: the module
    return require("distributed", purpose="backend='dask'", extra="dask")
