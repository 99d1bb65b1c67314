"""Backends that were written for joblib, as an engine.

::

    session ── submit ──► Submission, a batch of one call ── backend.submit ──► its workers
            ◄── future ── callback(out), in any thread ◄───────────────────────────┘

Only the protocol is used: what joblib documents and hands to others, under the names that it has there.
Nothing of joblib is imported, so a class derived from joblib's base, from that of the face in
`lightwork.compat`, or from none will do. What a backend returns for a batch are the answers of
`futures.remote.run`.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from queue import SimpleQueue
from types import MappingProxyType
from typing import Any, Final

from ..errors import EngineError, ParallelError
from ..protocols import Event, Session, SessionRequest
from ..system.optional import on_demand
from .futures.executor import check_options
from .futures.local import LocalPacker
from .futures.packing import RemotePacker
from .futures.session import FutureSession, Pending
from .sequential import SequentialEngine

__all__ = ["JoblibEngine", "missing_methods"]

# Any throughout: the protocol has no types.

_NO_HOLD: Final = "joblib's protocol gives no hold on single workers"
_LACKS: Final = MappingProxyType(
    {
        "task_timeout": f"{_NO_HOLD}, so no task can be stopped",
        "max_worker_memory": f"{_NO_HOLD}, so none can be replaced",
        "max_tasks_per_worker": f"{_NO_HOLD}, so none can be replaced",
        "memory_budget": "joblib's protocol does not tell how much memory workers have",
        "worker_env": "its workers have the environment that the backend has given them",
        "capture_output='fd'": "the descriptors of its workers are not ours to redirect; True captures what "
        "Python prints",
    }
)
_LACKS_IN_THREADS: Final = MappingProxyType(
    {**_LACKS, "initializer": "its threads are the backend's to prepare"}
)

_SETTINGS: Final = MappingProxyType(
    {
        "max_nbytes": None,
        "temp_folder": None,
        "mmap_mode": "r",
        "prefer": None,
        "require": None,
        "verbose": 0,
    }
)
"""What joblib gives to `configure` beside the number of jobs. Arrays travel in batches: none go to files."""

_FALLBACKS: Final = 4
"""How often one backend may name another one in its place."""


class JoblibEngine:
    """Runs tasks on backends with joblib's protocol. A `ForeignWorkers`.

    Each session configures a backend of its own and terminates it. The sizes of batches are lightwork's, and
    so is what nested calls run on: `compute_batch_size`, `batch_completed` and `get_nested_backend` are not
    asked.

    Parameters
    ----------
    backend
        Answers questions, and runs sessions if there is no `make`.
    name
        What ``backend=`` calls it.
    make
        Makes one backend per session.
    """

    def __init__(self, backend: Any, *, name: str, make: Callable[..., Any] | None = None) -> None:
        self._backend = backend
        self._name = name
        self._make = make
        self._taken = threading.Lock()  # the backend, by a session

    @property
    def name(self) -> str:
        """What it was registered as, or the name of its class."""
        return self._name

    @property
    def shares_memory(self) -> bool:
        """What the backend says: ``supports_sharedmem``."""
        return bool(getattr(self._backend, "supports_sharedmem", False))

    @property
    def lacks(self) -> Mapping[str, str]:
        """What nobody can ask of such a backend."""
        return _LACKS_IN_THREADS if self.shares_memory else _LACKS

    @property
    def batch_seconds(self) -> float:
        """Short in threads; else what joblib thinks a batch should take at least."""
        return 5e-3 if self.shares_memory else 0.2

    def is_crowded(self) -> bool:
        """No: known backends run one task at a time in a process, but Dask's, which has an engine here."""
        return False

    def effective_n_jobs(self, n_jobs: int) -> int:
        """What the backend says.

        Raises
        ------
        EngineError
            It has no worker.
        """
        return self._active(self._backend.effective_n_jobs(n_jobs))

    def open(self, request: SessionRequest) -> Session:
        """Configure a backend, and begin a session on it.

        Raises
        ------
        InvalidOption
            Options were given: a backend gets its own when it is made.
        EngineError
            The backend has no worker, or there is one only and it is taken by another call.
        """
        check_options(self._name, request)
        heard: SimpleQueue[Event | None] = SimpleQueue()
        packer = LocalPacker(request, heard) if self.shares_memory else RemotePacker(request)
        with ExitStack() as stack:
            if self._make is None:
                if not self._taken.acquire(blocking=False):
                    raise EngineError(
                        f"the backend {self._name!r} is used by another call: a single one serves one call "
                        "at a time; register what makes them with register_parallel_backend"
                    )
                stack.callback(self._taken.release)
            backend = self._backend if self._make is None else self._make()
            configured = self._configure(backend, request)
            if configured is None:
                return SequentialEngine().open(request._replace(options=MappingProxyType({})))
            site = BackendSite(configured, self._name, stack.pop_all())
        return FutureSession(request.n_jobs, packer, site, heard=heard, engine=self)

    def shutdown(self) -> None:
        """Nothing: a backend ends with its session."""

    def _configure(self, backend: Any, request: SessionRequest) -> Any:
        """The backend that is ready, this or one it names. ``None``: the caller's thread."""
        for _ in range(_FALLBACKS):
            if getattr(backend, "nesting_level", None) is None:
                backend.nesting_level = 0
            if request.inner_threads is not None and getattr(
                backend, "supports_inner_max_num_threads", False
            ):
                backend.inner_max_num_threads = request.inner_threads
            caller = Caller(backend, request.n_jobs)
            try:
                self._active(backend.configure(n_jobs=request.n_jobs, parallel=caller, **caller.settings))
            except Exception as fallback:
                other = getattr(fallback, "backend", None)
                if other is None or missing_methods(other):
                    raise
                backend = other
                if int(backend.effective_n_jobs(request.n_jobs)) == 1:
                    return None  # as in joblib, where such a backend is never submitted to
            else:
                return backend
        raise EngineError(f"the backend {self._name!r} names one backend after the other in its place")

    def _active(self, workers: Any) -> int:
        number = int(workers)
        if number < 1:
            raise EngineError(f"the backend {self._name!r} has no active worker")
        return number


class Caller:
    """What `configure` gets as ``parallel``: what backends read or set of joblib's `Parallel`."""

    timeout = None
    verbose = 0
    pre_dispatch: Any = "2 * n_jobs"
    batch_size: Any = "auto"
    return_as = "list"
    return_generator = False
    return_ordered = True

    def __init__(self, backend: Any, n_jobs: int) -> None:
        self.n_jobs = n_jobs
        self.settings = {**_SETTINGS, "context": on_demand("multiprocessing").get_context()}
        # As they are called there. Both: the older one is still read.
        self._backend = backend
        self._backend_kwargs = self._backend_args = self.settings


class Submission:
    """What is submitted: a batch of one call, as joblib makes them. Any pickler can take it."""

    def __init__(self, function: Callable[..., Any], args: Sequence[Any]) -> None:
        self.items = [(function, tuple(args), dict[str, Any]())]

    def __call__(self) -> list[Any]:
        return [function(*args, **kwargs) for function, args, kwargs in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def __reduce__(self) -> tuple[Any, ...]:
        ((function, args, _),) = self.items
        return Submission, (function, args)


class BackendSite:
    """A `Site` of one configured backend. `ending` is what is done when the backend was terminated."""

    def __init__(self, backend: Any, name: str, ending: ExitStack) -> None:
        self._backend = backend
        self._name = name
        self._submit = _submit_method(backend)
        self._calls_back = bool(getattr(backend, "supports_retrieve_callback", False))
        with ending as stack:
            stack.callback(_method(backend, "terminate"))
            _method(backend, "start_call")()
            stack.callback(_method(backend, "stop_call"))
            if hasattr(backend, "retrieval_context"):
                stack.enter_context(backend.retrieval_context())
            self._stack = stack.pop_all()

    def submit(self, function: Callable[..., Any], args: Sequence[Any]) -> Pending:
        """Submit a batch of one call."""
        future = on_demand("concurrent.futures").Future()
        submission = Submission(function, args)
        if self._calls_back:
            retrieve = self._backend.retrieve_result_callback
            self._submit(submission, callback=lambda out: _settle(future, retrieve, out))
        else:
            job = self._submit(submission, callback=_ignore)
            # Whoever asks for a result waits, and for ever if the worker is gone: so it must be a daemon. Its
            # callback is of no use, since pools keep it from calls that failed.
            args = (future, self._backend.retrieve_result, job)
            threading.Thread(target=_settle, args=args, name="lightwork-helper-retrieve", daemon=True).start()
        pending: Pending = future
        return pending

    def withdraw(self, pending: Pending) -> bool:
        """The protocol cannot take back what was submitted."""
        return False

    def explain(self, error: BaseException) -> ParallelError:
        """No task raises: it is the backend that failed, and there is no telling what is left of it."""
        return EngineError(
            f"the backend {self._name!r} could not run a batch of tasks ({type(error).__name__}: {error})"
        )

    def leave(self, pendings: Sequence[Pending], *, abort: bool) -> None:
        """End the call at the backend, in joblib's order."""
        with self._stack:
            if abort:
                _method(self._backend, "abort_everything")(ensure_ready=False)


def missing_methods(backend: object) -> str:
    """What an object lacks of joblib's protocol, in words; empty if nothing."""
    calls_back = getattr(backend, "supports_retrieve_callback", False)
    retrieve = "retrieve_result_callback" if calls_back else "retrieve_result"
    missing = [name for name in ("effective_n_jobs", "configure", retrieve) if not _has(backend, name)]
    if not (_has(backend, "submit") or _has(backend, "apply_async")):
        missing.append("submit")
    return ", ".join(missing)


def _has(backend: object, name: str) -> bool:
    return callable(getattr(backend, name, None))


def _method(backend: Any, name: str) -> Callable[..., Any]:
    """A method that backends need not have."""
    found: Callable[..., Any] = getattr(backend, name, _ignore)
    return found


def _ignore(*args: object, **kwargs: object) -> None:
    """What nobody asked for."""


def _submit_method(backend: Any) -> Callable[..., Any]:
    """`submit`, or its older name where the class of the backend has only that: joblib's base warns of it."""
    for kind in type(backend).__mro__:
        for name in ("submit", "apply_async"):
            if name in vars(kind):
                return _method(backend, name)
    return _method(backend, "submit")


def _settle(future: Any, retrieve: Callable[[Any], Any], out: Any) -> None:
    """Pass on what became of a submission. Some backends call twice, or after they were told to give up."""
    try:
        (answer,) = retrieve(out)
    except BaseException as error:  # noqa: BLE001 - it is the error of whoever waits
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(answer)
