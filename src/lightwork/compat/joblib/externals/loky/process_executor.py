"""loky's executor, on lightwork's worker processes, and the errors that users catch."""

import concurrent.futures
import itertools
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from multiprocessing import current_process
from typing import Any, Final

from .....engines.registry import engine
from .....errors import EngineError, RemoteTraceback, WorkerDied
from .....hashing.digests import BLAKE3
from .....parallel.crew import Answer, Crew
from .....parallel.initializing import RemoteInitializer
from .....parallel.task import Layer, TaskRunner
from .....parcel.parcels import split
from .....protocols import Buffer, Run, SessionRequest, Tell
from .....system.cpu import share_of
from .....system.optional import installed
from ..._memmapping_reducer import Results
from ..._utils import _ExceptionWithTraceback
from .backend.context import cpu_count
from .backend.reduction import Beside, dumps

__all__ = [
    "BrokenProcessPool",
    "LokyRecursionError",
    "ProcessPoolExecutor",
    "TerminatedWorkerError",
    "_ExceptionWithTraceback",
]

MAX_DEPTH = int(os.environ.get("LOKY_MAX_DEPTH", "10"))

_MAX_MEMORY_LEAK_SIZE = int(3e8)
_INITIALIZED: Final = "LIGHTWORK_INITIALIZER"
"""A variable of workers that have run an initializer, so that no call without it gets one of them."""

_MAPPED: Final = b"_strided_from_memmap"
"""In pickles with arrays that are mapped from files."""

_RemoteTraceback = RemoteTraceback


# Where Python was built without `_multiprocessing` there is no such module, and no process to lose.
_futures = installed("concurrent.futures.process")
_Broken: Any = (
    _futures.BrokenProcessPool if _futures else concurrent.futures.BrokenExecutor
)  # Any: a base class


class BrokenProcessPool(_Broken):  # type: ignore[misc]  # one of two classes
    """The workers cannot go on."""


class TerminatedWorkerError(BrokenProcessPool):
    """A worker died while it ran a task, or before it could."""


class ShutdownExecutorError(RuntimeError):
    """The executor was shut down before it was done."""


class LokyRecursionError(RuntimeError):
    """Workers start workers that start workers, deeper than ``LOKY_MAX_DEPTH``."""


class _Place:
    """How deep this process is below the first one."""

    def __init__(self) -> None:
        self.depth = 0


PLACE = _Place()


class _Deeper:
    """A layer that tells a worker how deep it is, and the key by which managers know their own processes."""

    def __init__(self, depth: int) -> None:
        self._depth = depth
        self._key = bytes(current_process().authkey)

    def enter(self, inner: Run, tell: Tell) -> Run:
        """Note both."""
        PLACE.depth = self._depth
        current_process().authkey = self._key
        return inner

    def leave(self) -> None:
        """The process stays what it is."""


def run_pickled(data: bytes, *buffers: Buffer) -> Any:  # Any: what users' functions return
    """In a worker: the result of a pickled call, given what was beside the pickle."""
    try:
        function, args, kwargs = pickle.loads(data, buffers=buffers)
    except Exception as error:
        raise BrokenProcessPool(
            "A task has failed to un-serialize. Please ensure that the arguments of the function are all "
            "picklable."
        ) from error
    result = function(*args, **kwargs)
    return _Pickled(dumps(result, Results().reducers())) if _MAPPED in data else result


class _Pickled:
    """A value that was pickled already. It arrives as that value."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self._data,)


def explain(error: BaseException) -> BaseException:
    """The error of loky's for one of the engine's."""
    if isinstance(error, WorkerDied):
        code = "UNKNOWN"
        if error.exitcode is not None:
            code = f"EXIT({error.exitcode})"
        elif error.signal is not None:
            code = f"{signal.Signals(error.signal).name}(-{error.signal})"
        return _caused(
            TerminatedWorkerError(
                "A worker process managed by the executor was unexpectedly terminated. This could be caused "
                "by a segmentation fault while calling the function or by excessive memory usage that made "
                "the system kill the worker.\n\n"
                f"The exit codes of the workers are {{{code}}}: {error}"
            ),
            error,
        )
    if isinstance(error, EngineError):
        return _caused(BrokenProcessPool(str(error)), error)
    if isinstance(error, BrokenProcessPool):
        return error
    return _caused(BrokenProcessPool(f"the initializer of a worker failed: {error!r}"), error)


def _caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


class ProcessPoolExecutor(concurrent.futures.Executor):
    """Runs calls in worker processes. Nothing is started before the first `submit`.

    Parameters
    ----------
    max_workers
        ``>= 1``; ``None``: one per core.
    job_reducers
        How calls are pickled, by exact type.
    timeout
        Seconds after which an idle worker leaves; ``None``: 300.
    initializer, initargs
        Called once in each worker before its first task.
    env
        Variables that the workers have before they import anything.
    """

    def __init__(
        self,
        max_workers: int | None = None,
        job_reducers: Mapping[type, Any] | None = None,  # Any: as `copyreg.pickle` takes them
        result_reducers: Mapping[type, Any] | None = None,
        timeout: float | None = None,
        context: Any = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        if max_workers is None:
            max_workers = cpu_count()
        if max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None and not callable(initializer):
            raise TypeError("initializer must be a callable")
        if result_reducers:
            raise ValueError("result_reducers: results have reducers of lightwork's own")
        if 0 < MAX_DEPTH <= PLACE.depth:
            raise LokyRecursionError(
                f"Could not spawn extra nested processes at depth superior to MAX_DEPTH={MAX_DEPTH}. If this "
                "is intended, set the environment variable LOKY_MAX_DEPTH."
            )
        self._max_workers = max_workers
        self._reducers = dict(job_reducers or {})
        self._timeout = timeout
        self._initializer = initializer
        self._initargs = tuple(initargs)
        self._env = dict(env or {})
        self._lock = threading.Lock()
        self._crew: Crew | None = None
        self._is_shut = False

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Run a call in a worker. What cannot be pickled fails the future with `pickle.PicklingError`.

        Raises
        ------
        ShutdownExecutorError
            `shutdown` was called.
        """
        crew = self._open()
        beside = Beside()
        try:
            data = dumps((fn, args, kwargs), self.reducers(), beside)
        except Exception as error:  # noqa: BLE001 - pickling runs users' code; it is the result of this call
            failed: Answer[Any] = Answer()
            problem = pickle.PicklingError("Could not pickle the task to send to the workers.")
            failed.set_exception(_caused(problem, error))
            return failed
        return crew.submit((run_pickled, (data, *beside.buffers), {}))

    def map(
        self,
        fn: Callable[..., Any],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Any]:
        """As that of `concurrent.futures`; `chunksize` calls travel together."""
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        calls = zip(*iterables, strict=False)
        chunks = iter(lambda: list(itertools.islice(calls, chunksize)), [])
        return itertools.chain.from_iterable(
            super().map(_run_chunk, itertools.repeat(fn), chunks, timeout=timeout)
        )

    def shutdown(
        self, wait: bool = True, kill_workers: bool = False, *, cancel_futures: bool = False
    ) -> None:
        """Take no more calls. With `kill_workers` those that run are ended too."""
        with self._lock:
            self._is_shut = True
            crew, self._crew = self._crew, None
        if crew is not None:
            if wait or kill_workers:
                crew.dismiss(abort=kill_workers)
            else:
                threading.Thread(target=crew.dismiss, kwargs={"abort": False}, daemon=True).start()

    def reducers(self) -> Mapping[type, Any]:
        """How calls are pickled, by exact type."""
        return self._reducers

    def is_over(self) -> bool:
        """Whether it takes no more calls."""
        return self._is_shut or (self._crew is not None and self._crew.is_broken())

    def _open(self) -> Crew:
        with self._lock:
            if self._is_shut:
                raise ShutdownExecutorError("cannot schedule new futures after shutdown")
            if self._crew is None:
                self._crew = self._hire()
            return self._crew

    def _hire(self) -> Crew:
        layers: list[Layer] = [_Deeper(PLACE.depth + 1)]  # the last is entered first
        env = dict(self._env)
        if self._initializer is not None:
            parcel = split((self._initializer, self._initargs), by_value=True, path="initializer")
            buffers = [bytearray(buffer) for buffer in parcel.buffers]
            digest = BLAKE3.of(b"".join([parcel.skeleton, *buffers]))
            layers.insert(0, RemoteInitializer(parcel.skeleton, buffers, digest))
            env[_INITIALIZED] = digest.hex()
        options: dict[str, Any] = {}
        if env:
            options["worker_env"] = [env] * self._max_workers
        if self._timeout is not None:
            options["idle_worker_timeout"] = self._timeout
        runner = TaskRunner(0, layers=layers, share=share_of(self._max_workers))
        request = SessionRequest(self._max_workers, runner, None, options)
        return Crew(engine("processes"), request, explain=explain)


def _run_chunk(fn: Callable[..., Any], chunk: list[tuple[Any, ...]]) -> list[Any]:
    return [fn(*args) for args in chunk]
