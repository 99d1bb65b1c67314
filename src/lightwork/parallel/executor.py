"""`Executor`: single calls, submitted while others run. The workers are a `Crew`."""

import concurrent.futures
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextvars import copy_context
from datetime import timedelta
from types import TracebackType
from typing import Any, NoReturn, ParamSpec, SupportsInt, TypeVar

from ..arrays.snapshots import Snapshots
from ..engines.registry import engine
from ..errors import EngineError, UnpicklableError
from ..protocols import Call, Engine, SupportsSubmit, SupportsWarmUp, supports
from ..system.cpu import share_of
from . import features
from .around import listener
from .config import INNER, MMAP_MODE, active_settings, choose, either
from .crew import DEPTH, Crew, Member
from .jobs import Answer
from .mapping import mapped
from .options import CaptureOutput, Unset, parse_capture, parse_mmap_mode, parse_task_timeout
from .requesting import request_for
from .retrying import Retry, parse_retries
from .sealing import Unsealing, seal
from .task import Layer
from .workers import Environments, Wanted, checked

__all__ = ["Executor", "Prioritized"]

P = ParamSpec("P")
T = TypeVar("T")


class Executor(concurrent.futures.Executor):
    """Single calls on several workers, submitted at any time: ``future = executor.submit(f, x)``.

    It is a `concurrent.futures.Executor`: `wait`, `as_completed`, ``asyncio.wrap_future`` and the event
    loop's ``run_in_executor`` know what to do with it. A worker process gets each call as it was when it
    was submitted, whatever happens to the arguments afterwards. Functions of scripts and notebooks, lambdas
    and closures work.

    Workers are started for the first call and leave with `shutdown`, which the end of a ``with`` block calls.
    Without either, a program that ends waits for what was submitted and for nothing else.

    Parameters
    ----------
    n_jobs
        Number of workers, as for `Parallel`; with 1 that is one worker, never the caller's own thread.
    backend
        As for `Parallel`: processes by default, inside of tasks threads. ``"sequential"`` is one thread.
    mmap_mode
        As for `Parallel`.
    retries
        Further attempts for a call that fails, as for `Parallel`; its future waits for the last one. Other
        calls go on meanwhile, also beside one that ran out of memory.
    task_timeout
        How long one call may run, as for `Parallel`; then its worker is ended, and the call fails with
        `TaskTimeout`. Needs processes.
    inner_max_num_threads, initializer, initargs, preload, worker_env, max_worker_memory, max_tasks_per_worker
        As for `Parallel`. When an initializer or an import fails, all calls fail with its error and no other
        is taken.
    capture_output
        As for `Parallel`. The index is the number of the call, from 0, in the order in which they came.

    Raises
    ------
    InvalidOption
        An argument that cannot be right.

    Notes
    -----
    Safe to use from several threads, from tasks that run in threads and from callbacks of its futures.

    A task in a thread that asks for the `result` (without a timeout) of a call of the same executor runs
    that call itself if it has not begun: so calls that wait for others need no free worker. `wait` and
    `as_completed` cannot do that. A callback cannot wait for calls of its executor: it gets a
    `RuntimeError`. A task in a worker process makes an executor of its own, since this one cannot be
    pickled; it has workers within the share of that worker, however deep.

    Context variables in tasks are those of the place where the executor was made; warning filters and log
    levels those of the moment when the first call was submitted.

    When a worker dies the call that it ran fails with `WorkerDied`, and no other.
    """

    def __init__(
        self,
        n_jobs: SupportsInt | str | None = None,
        backend: str | Engine | SupportsSubmit | None = None,
        *,
        mmap_mode: str | Unset | None = MMAP_MODE,
        retries: int | Retry = 0,
        task_timeout: float | str | timedelta | None = None,
        inner_max_num_threads: int | Unset | None = INNER,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),  # Any: arguments of the user's function
        preload: Iterable[str] | None = None,
        worker_env: Environments | None = None,
        max_worker_memory: int | str | None = None,
        max_tasks_per_worker: int | None = None,
        capture_output: CaptureOutput = False,
    ) -> None:
        settings = active_settings()
        wanted = Wanted(
            inner_max_num_threads,
            initializer,
            initargs,
            worker_env,
            max_worker_memory,
            max_tasks_per_worker,
            preload=preload,
        )
        alone = task_timeout is not None or capture_output == "fd" or wanted.need_processes
        place = choose(backend, n_jobs, None, None, needs_processes=alone)
        self._engine = engine("threads") if place.engine.name == "sequential" else place.engine
        self.n_jobs = 1 if place.engine.name == "sequential" else place.n_jobs
        self._read_only = parse_mmap_mode(either(mmap_mode, settings.mmap_mode))
        self._retry = parse_retries(retries)
        self._task_timeout = parse_task_timeout(task_timeout, self._engine)
        # Of two or more workers none is the caller's own thread; here the only one is not, either.
        self._asked = checked(wanted, self._engine, 2, settings)
        self._capture: CaptureOutput = parse_capture(capture_output, self._engine)
        self._context = copy_context()
        self._lock = threading.RLock()
        self._crew: Crew | None = None
        self._snapshots = Snapshots()
        self._is_shut = False

    @property
    def backend(self) -> str:
        """The name of the engine that runs the calls."""
        return self._engine.name

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Run ``fn(*args, **kwargs)`` in a worker.

        Returns
        -------
        Future
            Has the result, or the error: that of `fn`, with the worker's traceback as its cause;
            `WorkerDied`, `TaskTimeout`; `UnpicklableError` if the call cannot travel. It can be cancelled
            before it has begun; a worker process has the next call at hand, which counts as begun.

        Raises
        ------
        RuntimeError
            `shutdown` was called.
        EngineError
            An initializer failed, or the executor belongs to the process that this one was forked from.
        """
        return self._submit(0, (fn, args, kwargs))

    def prioritized(self, priority: int) -> "Prioritized":
        """What submits calls that go before those of lower priority; those of `submit` have 0.

        They go behind what runs, and behind the next call of each worker process, which is there already.
        """
        return Prioritized(self._submit, priority)

    def map(
        self,
        fn: Callable[..., T],
        *iterables: Iterable[Any],  # Any: arguments of `fn`
        timeout: float | None = None,
        chunksize: int = 1,
        buffersize: int | None = None,
    ) -> Iterator[T]:
        """The results of ``fn(*args)`` for the items of all iterables together, in order.

        Parameters
        ----------
        timeout
            Seconds from now on after which a result that is not there raises `TimeoutError`.
        chunksize
            Calls that travel together.
        buffersize
            Calls (chunks of them) that are submitted at once; each result that is taken makes room for one
            more. ``None``: the whole input is read at once, however long it is.

        Notes
        -----
        Work begins at the call. To close the iterator cancels what has not begun.
        """
        return mapped(self.submit, fn, iterables, timeout=timeout, chunksize=chunksize, buffersize=buffersize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls, and let the workers go when all that came have ended. Safe to call twice.

        Parameters
        ----------
        wait
            Return when that is so. A task or a callback of this executor never waits for it.
        cancel_futures
            Cancel the calls that have not begun.
        """
        with self._lock:
            self._is_shut = True
            crew = self._crew
        if crew is not None:
            if cancel_futures:
                crew.cancel_waiting()
            crew.dismiss(abort=False, wait=wait)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """As `shutdown`; but what is no `Exception`, such as Ctrl-C, ends the calls as well."""
        try:
            if error is None or isinstance(error, Exception):
                self.shutdown()
        except BaseException:
            self._abort()
            raise
        if error is not None and not isinstance(error, Exception):
            self._abort()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an Executor cannot be sent to another process: make one in the task (it has the cores of that "
            "worker), or submit from callbacks of futures"
        )

    def __repr__(self) -> str:
        return f"Executor(n_jobs={self.n_jobs}, backend={self.backend!r})"

    def _abort(self) -> None:
        with self._lock:
            self._is_shut = True
            crew = self._crew
        if crew is not None:
            crew.dismiss(abort=True)

    def _submit(self, priority: int, call: Call) -> "Answer[Any]":  # Any: the result of the user's function
        crew = self._hired()
        if not self._engine.shares_memory:
            try:
                call = seal(call, self._snapshots)
            except UnpicklableError as error:
                failed: Answer[Any] = Answer()
                failed.set_exception(error)
                return failed
        return crew.submit(call, priority=priority)

    def _hired(self) -> Crew:
        crew = self._crew
        if crew is None:
            with self._lock:
                if self._crew is None and not self._is_shut:
                    self._crew = self._context.copy().run(self._hire)
                    weakref.finalize(self, self._crew.dismiss, abort=False, wait=False)
                crew = self._crew
        if self._is_shut or crew is None:
            raise RuntimeError("cannot schedule new futures after shutdown of this executor: make a new one")
        if crew.error is not None:
            raise EngineError(
                f"{self!r} is broken: its workers could not go on. Make a new one"
            ) from crew.error
        return crew

    def _hire(self) -> Crew:
        place, asked = self._engine, self._asked
        workers = place.effective_n_jobs(self.n_jobs)
        if supports(place, SupportsWarmUp):
            place.warm_up()
        share = asked.inner or share_of(workers)
        found = features.around(features.place(place, here=False), self._capture, None)
        around = (*asked.there(place, share), *found)
        member = Member() if place.shares_memory else None
        layers: list[Layer] = [Unsealing() if member is None else member]
        request = request_for(
            place,
            workers,
            asked,
            around,
            share=share,
            task_timeout=self._task_timeout,
            read_only=self._read_only,
            layers=layers,
        )
        return Crew(
            place,
            request,
            explain=_as_it_is,
            hear=listener(around),
            retry=self._retry,
            member=member,
            # In threads the next call is at hand anyway, and can be cancelled, or run by who waits for it.
            depth=DEPTH if member is None else 1,
            context=self._context,
            daemon=False,
        )


class Prioritized:
    """Submits calls of one priority, see `Executor.prioritized`."""

    def __init__(self, submit: "Callable[[int, Call], Future[Any]]", priority: int) -> None:
        self._submit = submit
        self._priority = priority

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """As that of `Executor`."""
        return self._submit(self._priority, (fn, args, kwargs))


def _as_it_is(error: BaseException) -> BaseException:
    return error
