"""The batches of one `Parallel` on a cluster of Dask: out to its workers, results back to callbacks.

::

    submit (any thread) ── client.submit ──► Dask ── future, in the client's thread ──► heard (SimpleQueue)
                 ▲                                                                         │
                 └──── callback, which may submit ◄──── a thread of our own ◄──────────────┘

Callbacks read the user's iterator, which may take its time or wait for calls of its own: they must have
neither the client's thread nor the one that Dask has for callbacks of all its clients.
"""

import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue
from typing import Any, Final, NamedTuple

from ...engines.futures.dask_client import brought, cancel
from ...engines.futures.handles import Handles
from ...engines.workers.environment import told_finders
from ._dask_batches import Batch, Calls
from ._dask_scattering import Scattered, Wholes

__all__ = ["Sending"]

# Any throughout: clients and futures are those of `distributed`, batches are `BatchedCalls`.
_Pending = Any
"""A ``concurrent.futures.Future``."""

_ATTEMPTS: Final = 3
"""How often a batch is sent whose arguments were lost with a worker. A guess: one more than two workers."""


class _Flight(NamedTuple):
    """A batch under way."""

    batch: Any
    callback: Callable[[_Pending], object]
    scattered: Scattered
    """Of the call that it belongs to."""

    attempts: int
    """How often it may be sent."""

    data: Sequence[Any] = ()
    """The futures of what it needs beside itself, which the cluster keeps as long as these are held."""


class Sending:
    """What one `Parallel` has under way. Safe to use from several threads; closed by its backend.

    Parameters
    ----------
    client
        A ``distributed.Client``, not closed here.
    wholes
        The objects of ``scatter=``.
    options
        For ``client.submit``.
    """

    def __init__(self, client: Any, wholes: Wholes, options: Mapping[str, Any]) -> None:
        self._client = client
        self._wholes = wholes
        self._options = dict(options)
        self._lock = threading.Lock()
        self._handles = Handles()
        self._heard: SimpleQueue[tuple[Sending, _Flight, _Pending] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._finders = told_finders()
        self._scattered = Scattered(client, wholes, self._finders)

    def begin(self) -> None:
        """A call begins: arguments are looked at anew, since they may have changed.

        Raises
        ------
        EngineError
            No worker takes an object of ``scatter=``.
        """
        self._finders = told_finders()
        self._scattered = Scattered(self._client, self._wholes, self._finders)
        self._scattered.begin()

    def submit(self, batch: Any, callback: Callable[[_Pending], object]) -> _Pending:
        """Send a batch; `callback` gets a future of its results, in a thread of its own.

        Raises
        ------
        pickle.PicklingError
            A task cannot travel.
        EngineError
            No worker takes an argument that is to be scattered.
        """
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_hear, args=(self._heard,), name="lightwork-dask-callbacks", daemon=True
                )
                self._thread.start()
        return self._launch(_Flight(batch, callback, self._scattered, _ATTEMPTS))

    def drop(self) -> None:
        """The call is over: cancel what has not begun, let go of what lies on the workers."""
        self._scattered = Scattered(self._client, self._wholes, self._finders)
        tasks = self._handles.take(self._handles.pendings())
        if tasks and self._client.status == "running":
            cancel(self._client, tasks)

    def close(self) -> None:
        """Nothing is heard any more."""
        self.drop()
        self._heard.put(None)

    def _launch(self, flight: _Flight) -> _Pending:
        with self._lock:  # a batch that was lost is sent again while others are sent
            tasks, data = flight.scattered.lift(flight.batch.items)
            flight = flight._replace(attempts=flight.attempts - 1, data=data)
            task = self._send(flight.batch, tasks, data)
        pending = brought(self._client, task)
        self._handles.add(pending, task)
        pending.add_done_callback(lambda done: self._heard.put((self, flight, done)))
        return pending

    def _send(self, batch: Any, tasks: Any, data: Any) -> Any:
        function = Batch(batch.items)
        is_retried = bool(self._options.get("retries"))
        calls = Calls(tasks, (batch._backend, batch._n_jobs), self._finders, is_retried)
        key = f"{function!r}-{uuid.uuid4().hex}"  # two calls of a function may give two results
        return self._client.submit(function, calls, *data, key=key, pure=False, **self._options)

    def _land(self, flight: _Flight, pending: _Pending) -> None:
        """A batch has ended: its callback hears of it, unless what it needs was lost with a worker."""
        is_current = flight.scattered is self._scattered and self._client.status == "running"
        if is_current and flight.data and flight.attempts and _was_cancelled(pending):
            # That its data is gone is perhaps not known here yet. Other batches may have sent it anew.
            with self._lock:
                flight.scattered.forget(flight.data)
            try:
                self._launch(flight)
            except Exception as error:  # noqa: BLE001 - whatever it is, the call gets it
                pending = Future()
                pending.set_exception(error)
            else:
                return
        pending.add_done_callback(flight.callback)  # it has ended: called here, and an error of it is logged


def _hear(heard: "SimpleQueue[tuple[Sending, _Flight, _Pending] | None]") -> None:
    while (item := heard.get()) is not None:
        sending, flight, pending = item
        sending._land(flight, pending)
        del item, sending, flight, pending  # nothing is kept while nothing is heard


def _was_cancelled(pending: _Pending) -> bool:
    return pending.cancelled() or isinstance(pending.exception(), CancelledError)
