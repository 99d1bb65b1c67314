"""`Parallel`: a loop over all cores, by changing one line."""

import contextlib
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsInt

from .. import parallel  # its `driver`, `flow` and so on are loaded by the first call
from ..errors import AlreadyRunning, ParallelWarning, TaskTimeout
from ..protocols import Call, Engine, Session, SessionRequest
from ..system import log
from ..system.computing import COMPUTING
from ..system.cpu import cpu_count
from .config import (
    INNER,
    MAX_NBYTES,
    MMAP_MODE,
    PREFER,
    REQUIRE,
    TEMP_FOLDER,
    VERBOSE,
    active_settings,
    check_inner,
    choose,
    given,
)
from .options import (
    CaptureOutput,
    ReturnAs,
    Unset,
    check_choice,
    parse_batch_size,
    parse_capture,
    parse_seed,
    parse_timeout,
    parse_verbose,
    read_ahead,
    refuse_memmapping,
    refuse_unknown,
)
from .task import TaskRunner, nesting_level

if TYPE_CHECKING:
    from .around import Around
    from .driver import Driver, Observer, OnError
    from .progress import Progress

__all__ = ["Parallel"]


class Parallel:
    """Run calls over several workers: ``Parallel(n_jobs=2)(delayed(f)(x) for x in xs)``.

    The results are those of ``[f(x) for x in xs]``, in the same order. A worker gets copies of the arguments
    (processes) or the objects themselves (threads). Inside a task, `Parallel` uses threads unless it names a
    backend, and inside a task of those the calls run one after the other.

    Parameters
    ----------
    n_jobs
        Number of workers; ``-1``: one per core, ``-2``: all cores but one. ``None``: what `parallel_config`
        says, else 1. With 1 the calls run one after the other in the caller's thread.
    backend
        ``"processes"`` (also ``"loky"``, ``"multiprocessing"``), ``"threads"`` (``"threading"``),
        ``"sequential"``, or an `Engine`. By default processes.
    return_as
        ``"list"``; ``"generator"``: results in input order as soon as they are there;
        ``"generator_unordered"``: results as the tasks end. Work begins at the call. When the reader lags,
        no more tasks are begun: about ``pre_dispatch + n_jobs`` results are held at most.
    verbose
        Above 0, progress is logged by ``logging.getLogger("lightwork")`` at level INFO: about once a second,
        above 10 at each change.
    timeout
        Seconds to wait for the next result; then `TaskTimeout` is raised and all tasks are given up. It is
        not kept with one worker, and a warning says so.
    pre_dispatch
        How far the input is read ahead, in batches: a number, an expression of ``n_jobs`` or ``"all"``.
        A list or tuple is there already and is not bounded by it.
    batch_size
        Tasks that travel together: a number, or ``"auto"`` to have it follow from how long they take. Results
        do not depend on it: each task gets arguments of its own. A result may reach the caller only after the
        next task of its batch has ended; with 1 none waits.
    temp_folder, max_nbytes, mmap_mode
        Accepted with their defaults or ``None`` only, since no memory-mapped files are used: arrays arrive as
        private, writable copies whatever their size.
    prefer
        ``"processes"`` or ``"threads"``: a hint that yields to a backend that was named here or configured.
    require
        ``"sharedmem"``: tasks must see the caller's own objects.
    on_error
        ``"raise"``: the first error of a task is raised and all others are given up; it carries a note with
        the task and the worker's traceback as its cause. ``"return"``: a `Failure` stands in the place of the
        result. ``"skip"``: the result is left out.
    inner_max_num_threads
        Threads that BLAS and OpenMP may use in each worker process. By default the cores are shared out.
    progress
        ``True``: a bar on standard error (a line now and then if that is no terminal). A function is called
        with ``(done, total, failed)`` whenever tasks have ended; `total` is ``None`` while it is not known.
    capture_output
        ``False``: worker processes print to where this process was started. ``True``: each line that a task
        prints with Python comes here, before its result, and is printed behind ``[task 7]``. A function gets
        ``(index, stream, text)`` instead; `stream` is ``"stdout"`` or ``"stderr"``. ``"fd"``: also what C
        code and child processes print; only with processes, and ``n_jobs=1`` is one process then. Log records
        of worker processes come here in any case, if this process has log handlers.
    seed
        A whole number, 0 or more: each task gets the same random numbers from `task_rng` whatever `n_jobs`,
        `batch_size` and `backend` are, and after a retry. In worker processes and with one worker the global
        states of `random`, ``numpy.random`` and torch are seeded for each task too; threads share those.

    Raises
    ------
    InvalidOption
        An argument that cannot be right, or an option that is not known.

    Notes
    -----
    One object runs one call at a time; different ones may run at once, in different threads. ``with
    Parallel(...) as parallel:`` works as well: leaving the block ends a generator that is still running.

    Tasks run *at least once*: when a worker dies, tasks that it had ended but not reported run again.
    """

    def __init__(
        self,
        n_jobs: SupportsInt | str | None = None,
        backend: str | Engine | None = None,
        return_as: ReturnAs = "list",
        verbose: int | Unset = VERBOSE,
        timeout: float | None = None,
        pre_dispatch: int | float | str = "2 * n_jobs",
        batch_size: int | str = "auto",
        temp_folder: object = TEMP_FOLDER,
        max_nbytes: object = MAX_NBYTES,
        mmap_mode: object = MMAP_MODE,
        prefer: str | Unset | None = PREFER,
        require: str | Unset | None = REQUIRE,
        *,
        on_error: "OnError" = "raise",
        inner_max_num_threads: int | Unset | None = INNER,
        progress: "bool | Observer" = False,
        capture_output: CaptureOutput = False,
        seed: int | None = None,
        **refused: Any,  # Any: refused whatever it is
    ) -> None:
        refuse_unknown("Parallel", refused)
        refuse_memmapping(*(given(value) for value in (temp_folder, max_nbytes, mmap_mode)))
        check_choice("return_as", return_as, ("list", "generator", "generator_unordered"))
        check_choice("on_error", on_error, ("raise", "return", "skip"))
        settings = active_settings()
        self._engine, self.n_jobs = choose(
            backend,
            n_jobs,
            given(settings.prefer if isinstance(prefer, Unset) else prefer),
            given(settings.require if isinstance(require, Unset) else require),
            require_given=not isinstance(require, Unset),
        )
        self.verbose = parse_verbose(given(settings.verbose if isinstance(verbose, Unset) else verbose))
        self.return_as = return_as
        self.timeout = parse_timeout(timeout)
        self.pre_dispatch = pre_dispatch
        self.batch_size = batch_size
        self.on_error: OnError = on_error
        self.progress = progress
        self._batch = parse_batch_size(batch_size)
        read_ahead(pre_dispatch, 1)
        self._inner: int | None = settings.inner_max_num_threads
        if not isinstance(inner_max_num_threads, Unset):
            check_inner(inner_max_num_threads, self._engine)
            self._inner = inner_max_num_threads
        parallel.progress.observers(progress, 0, "")
        self.capture_output: CaptureOutput = parse_capture(capture_output, self._engine)
        self.seed = parse_seed(seed)
        self._lock = threading.Lock()
        self._calling = False
        self._results: Callable[[], Generator[Any, None, None] | None] = _nothing  # a weak reference

    @property
    def backend(self) -> str:
        """The name of the engine that runs the calls."""
        return self._engine.name

    @property
    def return_generator(self) -> bool:
        """Whether a call returns a generator."""
        return self.return_as != "list"

    @property
    def return_ordered(self) -> bool:
        """Whether results come in the order of the input."""
        return self.return_as != "generator_unordered"

    def __repr__(self) -> str:
        return f"{type(self).__name__}(n_jobs={self.n_jobs})"

    def __call__(self, iterable: Iterable[Call]) -> Any:  # Any: a list or a generator, as `return_as` says
        """Run the calls of the input, which is read by this thread (generators: by a thread of the call).

        Returns
        -------
        list or generator
            See `return_as`.

        Raises
        ------
        AlreadyRunning
            This object runs a call already, or its generator has not ended.
        WorkerDied, TaskTimeout, EngineError
            See ``errors``. Errors of tasks and of the input are raised unchanged.
        """
        tasks = iterable if isinstance(iterable, list | tuple) else iter(iterable)
        self._claim()
        try:
            workers = 1 if self.n_jobs == 1 else self._engine.effective_n_jobs(self.n_jobs)
            watching = parallel.progress.observers(self.progress, self.verbose, repr(self))
            total = parallel.driver.total_of(iterable)
            if workers == 1 and self.capture_output != "fd":
                result = self._run_here(tasks, total, watching)
            else:
                result = self._share_out(tasks, total, watching, workers)
            if isinstance(result, Generator):
                self._results = weakref.ref(result)
            return result
        except BaseException:
            del iterable, tasks  # whoever keeps the traceback shall not keep the input
            raise
        finally:
            self._calling = False

    def __enter__(self) -> "Parallel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        results = self._results()
        if results is not None:
            results.close()

    def _claim(self) -> None:
        with self._lock:
            results = self._results()
            if self._calling or (results is not None and _goes_on(results)):
                raise AlreadyRunning(
                    f"This Parallel instance is already running: let the call of {self!r} end first, "
                    "exhaust or close its generator, or make another Parallel"
                )
            self._calling = True

    def _run_here(self, tasks: Iterable[Call], total: int | None, watching: "Progress | None") -> Any:
        if self.timeout is not None:
            warnings.warn(
                f"timeout={self.timeout} is not kept with one worker: the tasks run in the caller's thread, "
                "which nothing can interrupt; use n_jobs=2 or more",
                ParallelWarning,
                stacklevel=3,
            )
        chunk = self._batch or 1
        around = self._around(here=True)
        is_plain = self.on_error == "raise" and watching is None and not around
        if is_plain and self.return_as == "list" and chunk == 1:
            return parallel.loop.run_all(tasks)
        results = parallel.loop.run_lazily(
            tasks, around=around, on_error=self.on_error, observer=watching, total=total, chunk=chunk
        )
        if watching is not None:
            results = _watched(results, watching)
        return list(results) if self.return_as == "list" else results

    def _around(self, *, here: bool) -> "Around":
        """What is done around each task of the next call, which runs in the caller's thread or elsewhere."""
        if here and self.seed is None and self.capture_output is False:
            return ()
        features, shared = parallel.features, self._engine.shares_memory
        where = features.HERE if here else features.THREADS if shared else features.PROCESSES
        return features.around(where, self.capture_output, self.seed)

    def _share_out(
        self,
        tasks: Iterator[Call] | Sequence[Call],
        total: int | None,
        watching: "Progress | None",
        workers: int,
    ) -> Any:
        if self.verbose > 0:
            log.info("%r: using backend %s with %d workers", self, self._engine.name, workers)
        inner = self._inner
        if inner is None and not self._engine.shares_memory:
            inner = max(cpu_count() // workers, 1)
        flow = parallel.flow.Flow(
            workers,
            read_ahead(self.pre_dispatch, workers),
            sizes=parallel.batching.BatchSizes(self._batch),
            ordered=self.return_ordered,
            bounded=self.return_generator,
            fatal=self.on_error == "raise",
        )
        rules = {} if self._engine.shares_memory else parallel.carried.hash_rules()
        around = self._around(here=False)
        layers = [feature.layer for feature in around if feature.layer is not None]
        runner = TaskRunner(nesting_level() + 1, COMPUTING.get(), rules, layers)
        session = self._engine.open(SessionRequest(workers, runner, inner, {}))
        driver = parallel.driver.Driver(
            tasks,
            session,
            flow,
            on_error=self.on_error,
            observer=watching,
            listener=parallel.around.listener(around),
            examine=parallel.features.refusal(),
            total=total,
        )
        del tasks  # as in __call__; the driver lets go of them when it has to
        ended = watching.close if watching is not None else _nothing
        if self.return_generator:
            return parallel.results.stream(driver, session, self.timeout, ended)
        try:
            return _collect(driver, session, self.timeout)
        finally:
            ended()


def _collect(driver: "Driver", session: Session, timeout: float | None) -> list[Any]:
    """Drive a call to its end in this thread. Whatever happens, Ctrl-C too, leaves no task running."""
    try:
        driver.start()
        if timeout is None:
            while not driver.ended:
                driver.step()
        else:
            _step_within(driver, timeout)
    except BaseException:
        session.close(abort=True)
        driver.release()
        raise
    session.close(abort=False)
    return driver.out


def _step_within(driver: "Driver", timeout: float) -> None:
    """Drive to the end, waiting at most `timeout` seconds for the result that is next in order."""
    waited_for, since = driver.emitted, time.monotonic()
    while not driver.ended:
        left = since + timeout - time.monotonic()
        if left <= 0:
            raise TaskTimeout(
                f"task {waited_for} had no result within timeout={timeout} s; all tasks were given up"
            )
        driver.step(left)
        if driver.emitted != waited_for:
            waited_for, since = driver.emitted, time.monotonic()


def _watched(results: Iterator[Any], watching: "Progress") -> Iterator[Any]:
    with contextlib.closing(watching):
        yield from results


def _goes_on(results: Generator[Any, None, None]) -> bool:
    """Whether a generator that was returned has not ended yet."""
    if isinstance(results, parallel.results.Results):
        return results.running
    return getattr(results, "gi_frame", None) is not None


def _nothing() -> None:
    """Nobody watches."""
