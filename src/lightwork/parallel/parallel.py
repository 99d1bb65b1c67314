"""`Parallel`: a loop over all cores, by changing one line."""

import os
import threading
import warnings
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, SupportsInt

from .. import parallel  # its `driver`, `flow` and so on are loaded by the first call
from ..errors import AlreadyRunning, ParallelError, ParallelWarning
from ..protocols import Call, Engine, ForeignWorkers, SupportsSubmit, SupportsWarmUp, supports
from ..system import log
from ..system.cpu import share_of
from ..system.optional import loaded
from .calls import LIST, RAISE, E_co, TypedCalls, W_co
from .config import (
    INNER,
    MAX_NBYTES,
    MMAP_MODE,
    PREFER,
    REQUIRE,
    TEMP_FOLDER,
    VERBOSE,
    active_settings,
    choose,
    either,
    given,
)
from .options import (
    CaptureOutput,
    ReturnAs,
    Unset,
    check_choice,
    parse_batch_size,
    parse_capture,
    parse_flag,
    parse_folder,
    parse_mmap_mode,
    parse_seed,
    parse_task_timeout,
    parse_timeout,
    parse_verbose,
    read_ahead,
    refuse_memmapping,
)

if TYPE_CHECKING:
    from datetime import timedelta

    from .around import Around
    from .calling import Job
    from .cancelling import Switch
    from .driver import Observer
    from .report import Report
    from .retrying import Retry
    from .watch import Watch
    from .workers import Environments, Workers

__all__ = ["Parallel"]


class Parallel(TypedCalls[W_co, E_co]):
    """Run calls over several workers: ``Parallel(n_jobs=2)(delayed(f)(x) for x in xs)``.

    The results are those of ``[f(x) for x in xs]``, in the same order. A worker gets copies of the arguments
    (processes) or the objects themselves (threads). Inside a task, `Parallel` uses threads unless it names a
    backend and has no option that needs processes, and inside a task of those the calls run one after the
    other. Each worker has a share of the cores, within which its tasks stay, with all their nested calls.

    Parameters
    ----------
    n_jobs
        Number of workers; ``-1``: one per core, ``-2``: all cores but one. ``None``: what `parallel_config`
        says, else 1. With 1 the calls run one after the other in the caller's thread.
    backend
        ``"processes"`` (the default), ``"threads"``, ``"sequential"``, joblib's names for them, an `Engine`.
        ``"auto"``: threads where the interpreter runs them in parallel, else processes; it is logged which.
        Workers of your own: ``"dask"``, a client of it, ``"ray"``, an executor, a backend written for joblib,
        or what was registered. All are used unless `n_jobs` says less; what they cannot do is refused.
    return_as
        ``"list"``; ``"generator"``: results in input order as soon as they are there;
        ``"generator_unordered"``: results as the tasks end. Work begins at the call. When the reader lags,
        no more tasks are begun: about ``pre_dispatch + n_jobs`` results are held at most.
    verbose
        Above 0, progress is logged (logger ``lightwork``, level INFO) once a second, above 10 at each change.
    timeout
        How long to wait for the next result, or the next failure that is left out: seconds, a `timedelta` or
        a text like ``"1 minute"``. Then `TaskTimeout` is raised and all tasks are given up. It is not kept
        with one worker, and a warning says so.
    pre_dispatch
        How far the input is read ahead, in batches: a number, an expression of ``n_jobs`` or ``"all"``.
        A list or tuple is there already and is not bounded by it.
    batch_size
        Tasks that travel together: a number, or ``"auto"`` to have it follow from how long they take. Results
        do not depend on it: each task gets arguments of its own. A result may reach the caller only after the
        next task of its batch has ended; with 1 none waits.
    temp_folder, max_nbytes
        Accepted with their defaults or ``None`` only, since no memory-mapped files are used.
    mmap_mode
        ``"c"``: arrays arrive in worker processes as private, writable copies whatever their size. ``"r"``:
        those of 64 KiB and more, in frames and models too, are read-only there. Tasks that run in this
        process, in threads or with one worker, have the caller's own objects in any case.
    prefer
        ``"processes"`` or ``"threads"``: a hint that yields to a backend that was named here or configured.
    require
        ``"sharedmem"``: tasks must see the caller's own objects.
    on_error
        ``"raise"``: the first error of a task is raised and all others are given up; it carries a note with
        the task and the worker's traceback as its cause. ``"return"``: a `Failure` stands in the place of the
        result. ``"skip"``: the result is left out. ``"group"``: all tasks run, then all errors are raised
        together as an `ExceptionGroup`.
    retries
        Further attempts for a task that fails: a number, or a `Retry` that says for which errors and after
        how long. Tasks whose worker died have as many again. The other tasks go on meanwhile.
    task_timeout
        How long one task may run, as for `timeout`, waiting not counted; then its worker is ended, in C code
        too, and the task fails with `TaskTimeout`, which says where it was. An initializer has as long; one
        that takes longer ends the call. Needs processes; with ``n_jobs=1`` the tasks run in one worker.
    checkpoint
        A folder where the results of finished tasks are kept as they arrive. A later call with the same
        folder, after a crash say, computes only what is missing. A task is found again by its function, with
        the code that it uses, and its arguments, not by its place. Failures are not kept. The arguments of
        each task are hashed and its result is written by this process; see ``docs/checkpoints.md``.
    save_failures
        A folder for tasks that failed for good: files, which ``lightwork replay FILE`` runs again.
    inner_max_num_threads
        Cores that each worker may keep busy: threads of BLAS and OpenMP, and workers of nested calls. By
        default the cores are shared out. In threads, and with one worker, BLAS and OpenMP are limited if
        threadpoolctl is installed; naming a number without it is an error.
    progress
        ``True``: a bar on standard error (in Jupyter below the cell; a line now and then where nobody sees a
        bar). ``"rich"``: one that `rich` draws. A function is called with ``(done, total, failed)`` once for
        each task that has ended; `total` is ``None`` while it is not known. Its errors end the call.
    trace
        Path of a file that tells what ran where and when, in the Chrome trace format (for Perfetto). It is
        written when a call ends, also one that fails, in place of that of the call before.
    initializer, initargs
        ``initializer(*initargs)`` runs once in each worker, replaced ones too, before its first task. A
        worker process whose last call had the same initializer does not run it again. Its error ends the
        call, whatever `on_error` says.
    preload
        Names of modules that workers import before their first task, so that no task takes longer for it:
        ``["numpy", "mypackage.models"]``. They are all imported at once by each new worker, and before an
        initializer runs; they take no part of `task_timeout`. One that cannot be imported ends the call.
    worker_env
        Environment variables of each worker process, which it has before it imports anything: a mapping, or a
        function of the number of the worker (`worker_id`), which is called in this process.
    max_worker_memory
        Bytes, or ``"2GB"``: a worker process with more memory of its own begins no further task and is
        replaced. A task that runs is never killed for it.
    max_tasks_per_worker
        A worker process is replaced after so many tasks.
    memory_budget
        Bytes, or ``"3GB"``, that all worker processes together may have of their own: a task begins only if
        that holds with as much as the neediest task so far. The first one runs alone, and so do all once one
        has needed more than the budget, with a warning. With this and the three options before, one worker
        is a process, too; threads refuse them.
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
    check_mutation
        ``True``: an argument that changes while the call runs is an error, `ArgumentChanged`, which names it
        and its task. For finding mistakes: each argument is hashed twice, and lists, tuples and dicts among
        them are kept until the end.
    **options
        Of the backend alone: ``backend="ray", num_gpus=1``; see ``docs/dask.md``, ``docs/ray.md``.

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

    return_as: ReturnAs

    def __init__(
        self,
        n_jobs: SupportsInt | str | None = None,
        backend: str | Engine | SupportsSubmit | None = None,
        return_as: W_co = LIST,
        verbose: int | Unset = VERBOSE,
        timeout: "float | str | timedelta | None" = None,
        pre_dispatch: int | float | str = "2 * n_jobs",
        batch_size: int | str = "auto",
        temp_folder: object = TEMP_FOLDER,
        max_nbytes: object = MAX_NBYTES,
        mmap_mode: str | Unset | None = MMAP_MODE,
        prefer: str | Unset | None = PREFER,
        require: str | Unset | None = REQUIRE,
        *,
        on_error: E_co = RAISE,
        retries: "int | Retry" = 0,
        task_timeout: "float | str | timedelta | None" = None,
        checkpoint: str | os.PathLike[str] | None = None,
        save_failures: str | os.PathLike[str] | None = None,
        inner_max_num_threads: int | Unset | None = INNER,
        progress: "bool | Literal['rich'] | Observer" = False,
        trace: str | os.PathLike[str] | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),  # Any: arguments of the user's function
        preload: Iterable[str] | None = None,
        worker_env: "Environments | None" = None,
        max_worker_memory: int | str | None = None,
        max_tasks_per_worker: int | None = None,
        memory_budget: int | str | None = None,
        capture_output: CaptureOutput = False,
        seed: int | None = None,
        check_mutation: bool = False,
        **options: Any,  # Any: each backend has its own
    ) -> None:
        refuse_memmapping(given(temp_folder), given(max_nbytes))
        _check_choices(return_as, on_error)
        settings = active_settings()
        wanted = parallel.workers.Wanted(
            inner_max_num_threads, initializer, initargs, worker_env, max_worker_memory, max_tasks_per_worker,
            memory_budget, preload,
        )  # fmt: skip
        alone = task_timeout is not None or capture_output == "fd" or wanted.need_processes
        self._engine, self.n_jobs = choose(backend, n_jobs, prefer, require, options, needs_processes=alone)
        self._read_only = parse_mmap_mode(either(mmap_mode, settings.mmap_mode))
        self.verbose = parse_verbose(either(verbose, settings.verbose))
        self.return_as, self.timeout = return_as, parse_timeout(timeout)
        self.pre_dispatch, self.batch_size = pre_dispatch, batch_size
        self.retries, self.progress, self.on_error = retries, progress, on_error
        self._retry = _retry(retries)
        self.task_timeout = parse_task_timeout(task_timeout, self._engine)
        self.checkpoint, self.save_failures = _folders(checkpoint=checkpoint, save_failures=save_failures)
        self._batch = parse_batch_size(batch_size)
        read_ahead(pre_dispatch, 1)  # it is checked here, and computed when the number of workers is known
        self._workers: Workers = parallel.workers.checked(wanted, self._engine, self.n_jobs, settings)
        parallel.progress.check_progress(progress)
        self._trace = None if trace is None else parallel.trace.check_path(trace)
        self.capture_output: CaptureOutput = parse_capture(capture_output, self._engine)
        self.seed, self.check_mutation = parse_seed(seed), parse_flag("check_mutation", check_mutation)
        self._be_idle()

    def _be_idle(self) -> None:
        """The state before the first call."""
        self._lock = threading.Lock()
        self._calling = False
        self._switch: Switch | None = None
        self._watch: Watch | None = None
        self._results: weakref.ref[Generator[Any, None, None]] | None = None

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

    def _call(self, iterable: Iterable[Call]) -> Any:  # Any: a list or a generator, as `return_as` says
        tasks = iterable if isinstance(iterable, list | tuple) else iter(iterable)
        switch = self._claim()
        watch: Watch | None = None
        result: object = None
        try:
            workers = 1 if self.n_jobs == 1 else self._engine.effective_n_jobs(self.n_jobs)
            is_here = workers == 1 and self._may_run_here()
            if not is_here and supports(self._engine, SupportsWarmUp):
                self._engine.warm_up()  # before anything else is imported here
            title = repr(self)
            observer = parallel.progress.observers(self.progress, self.verbose, title)
            subject = parallel.watch.Subject(
                title,
                "sequential" if is_here else self._engine.name,
                skips=self.on_error == "skip",
                waits_for_reader=self.return_generator,
            )
            watch = parallel.watch.watch(observer, workers, trace=self._trace, subject=subject)
            if self.save_failures is not None:
                watch.sheet.capsules = parallel.capsules.Capsules(self.save_failures, self.seed)
            self._watch = watch
            total = parallel.driver.total_of(iterable)
            path, copies = self.checkpoint, not (is_here or self._engine.shares_memory)
            recall = (
                None
                if path is None
                else parallel.checkpoint.open_checkpoint(
                    path, tasks, self.seed, watch.sheet, parallel.given.Given(copies=copies)
                )
            )
            check = parallel.mutations.MutationCheck(copies=copies) if self.check_mutation else None
            job = parallel.calling.Job(switch, total, watch, recall, check)
            result = self._run_here(tasks, job) if is_here else self._share_out(tasks, job, workers)
            if isinstance(result, Generator):
                self._results = weakref.ref(result)
            return result
        except BaseException as error:
            del iterable, tasks  # whoever keeps the traceback shall not keep the input
            if isinstance(error, KeyboardInterrupt) and self.checkpoint is not None:
                error.add_note(
                    f"results so far are kept in {self.checkpoint!r}: the same call goes on from there"
                )
            raise
        finally:
            if watch is not None and not isinstance(result, Generator):
                watch.close()
            self._calling = False

    def cancel(self) -> None:
        """Give up the call that runs, from any thread; without effect if none does.

        It raises `CallCancelled` (a generator at its next value) as soon as tasks that run were killed; with
        threads and ``n_jobs=1``, which cannot be killed, they are abandoned or end first. Closing the
        generator gives a call up as well, without an error.
        """
        switch = self._switch
        if switch is not None:
            switch.cancel()

    def report(self) -> "Report":
        """Where the time of the last call went, or of the one that goes on: ``print``, show or ``save`` it.

        Nothing has to be switched on: times are noted per batch (about 2 µs each), not per task.

        Raises
        ------
        ParallelError
            There was no call yet.
        """
        if self._watch is None:
            raise ParallelError(f"{self!r} has nothing to report: call it first")
        return self._watch.report()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        results = self._latest()
        if results is not None:
            results.close()

    def _claim(self) -> "Switch":
        with self._lock:
            results = self._latest()
            if self._calling or (results is not None and parallel.calling.goes_on(results)):
                raise AlreadyRunning(
                    f"This Parallel instance is already running: let the call of {self!r} end first, "
                    "exhaust or close its generator, or make another Parallel"
                )
            self._calling = True
            self._switch = switch = parallel.cancelling.Switch()
            return switch

    def _latest(self) -> Generator[Any, None, None] | None:
        """The generator of the last call, if somebody still holds it."""
        return None if self._results is None else self._results()

    def _may_run_here(self) -> bool:
        """Whether one worker may be the caller's thread."""
        # In a task a call may have fewer workers than it asked for, and its timeout holds all the same.
        is_bounded = self.timeout is not None and self.n_jobs != 1 and self._engine.name != "sequential"
        needs_process = self.task_timeout is not None or self.capture_output == "fd"
        is_foreign = supports(self._engine, ForeignWorkers)
        return not (is_bounded or needs_process or self._workers.need_processes or is_foreign)

    def _run_here(self, tasks: Iterable[Call], job: "Job") -> Any:
        if self.timeout is not None:
            warnings.warn(
                f"timeout={self.timeout} is not kept with one worker: the tasks run in the caller's thread, "
                "which nothing can interrupt; use n_jobs=2 or more",
                ParallelWarning,
                stacklevel=4,
            )
        chunk = self._batch or 1
        watch = job.watch
        around = (*self._workers.here(), *self._around(here=True))
        is_plain = self.on_error == "raise" and self._retry is None and not watch.is_close and not around
        is_plain = is_plain and job.recall is None and job.check is None
        if is_plain and self.return_as == "list" and chunk == 1:
            return parallel.loop.run_all(tasks, job.switch, watch.sheet)
        results = parallel.loop.run_lazily(
            tasks, job, around=around, retry=self._retry, on_error=self.on_error, chunk=chunk
        )
        if self.return_as == "list":
            return list(results)
        return parallel.loop.Lazy(results, job.switch, watch.close)

    def _around(self, *, here: bool) -> "Around":
        """What is done around each task of the next call, which runs in the caller's thread or elsewhere."""
        seeding = loaded("lightwork.parallel.seeding")
        is_seeded = self.seed is not None or (seeding is not None and seeding.has_stream())
        is_shared = loaded("lightwork.parallel.sharing") is not None
        if here and not is_seeded and self.capture_output is False and not is_shared:
            return ()
        place = parallel.features.place(self._engine, here=here)
        return parallel.features.around(place, self.capture_output, self.seed)

    def _share_out(self, tasks: Iterator[Call] | Sequence[Call], job: "Job", workers: int) -> Any:
        switch, total, watch, recall, check = job
        if self.verbose > 0:
            log.info("%r: using backend %s with %d workers", self, self._engine.name, workers)
        budget = self._workers.memory_budget
        weighing = None if budget is None else parallel.weighing.Weighing(budget)
        flow = parallel.flow.Flow(
            workers,
            read_ahead(self.pre_dispatch, workers),
            sizes=parallel.batching.sizes_for(self._engine, self._batch),
            ordered=self.return_ordered,
            bounded=self.return_generator,
            fatal=self.on_error == "raise",
            retry=self._retry,
            budget=None if weighing is None else weighing.budget,
        )
        share = self._workers.inner or share_of(workers)
        weighed = () if weighing is None else (weighing.feature,)
        around = (*weighed, *self._workers.there(self._engine, share), *self._around(here=False))
        # Only if a result that cannot be fetched would end the call anyway, and nobody else needs it.
        lazy = self.return_generator and recall is None and self.on_error == "raise" and self._retry is None
        request = parallel.requesting.request_for(
            self._engine,
            workers,
            self._workers,
            around,
            share=share,
            task_timeout=self.task_timeout,
            read_only=self._read_only,
            timed=self._trace is not None,
            lazy=lazy,
        )
        session = self._engine.open(request)
        try:
            if weighing is not None:
                weighing.begin(session)
            driver = parallel.driver.Driver(
                tasks,
                session,
                flow,
                on_error=self.on_error,
                sheet=watch.sheet,
                retry=self._retry,
                switch=switch,
                observer=watch.progress,
                listener=parallel.around.listener(around),
                recall=recall,
                asks=self._workers.initializer is None or self._engine.shares_memory,
                examine=parallel.features.refusal(),
                check=check,
                weighing=weighing,
                total=total,
            )
        except BaseException:  # an interrupt: nobody else knows of the session yet
            session.close(abort=True)
            raise
        del tasks  # as in __call__; the driver lets go of them when it has to
        if self.return_generator:
            return parallel.results.stream(driver, session, self.timeout, watch.close)
        return parallel.calling.collect(driver, session, self.timeout)


def _check_choices(return_as: object, on_error: object) -> None:
    check_choice("return_as", return_as, ("list", "generator", "generator_unordered"))
    check_choice("on_error", on_error, ("raise", "return", "skip", "group"))


def _retry(retries: "int | Retry") -> "Retry | None":
    """What `retries` says, ``None`` for no further attempt: most calls need not load how those are made."""
    is_single = type(retries) is int and retries == 0
    return None if is_single else parallel.retrying.parse_retries(retries)


def _folders(**paths: object) -> list[str | None]:
    """The folders that options name, if they do."""
    return [None if path is None else parse_folder(path, name) for name, path in paths.items()]
