"""The course of one call: tasks out to a backend, results back. `Parallel` is this with its options.

::

    caller ── _start ──► dispatch_one_batch ── submit ──► backend
    backend ── callback (any thread) ──► _arrived ──► dispatch_next ── submit ──► backend
    caller ◄── _news (condition) ── _arrived

Two locks. `_lock` is held while the input is read and batches are submitted: the user's iterator is never in
two threads, and may take its time. `_news` is held for moments only, so results that are there can be taken
meanwhile.
"""

import itertools
import math
import multiprocessing
import queue
import sys
import threading
import time
import uuid
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sized
from typing import Any

from ...system.signals import at_a_time
from ...system.tally import TALLY
from ._utils import eval_expr
from .logger import Logger, short_format_time

__all__ = ["DONE", "ERROR", "PENDING", "Dispatcher", "TaskTimeout"]

PENDING, DONE, ERROR = "Pending", "Done", "Error"

# Any throughout: tasks, batches and results are users', backends are others'.


class TaskTimeout(multiprocessing.TimeoutError, TimeoutError):
    """A batch took longer than ``timeout=``: what joblib raises, and Python's own too."""


class Dispatcher(Logger):
    """Runs calls. Its attributes are those that backends and subclasses of others read and set."""

    _backend: Any
    _backend_kwargs: dict[str, Any]
    n_jobs: int
    verbose: float
    timeout: float | None
    pre_dispatch: Any
    batch_size: Any
    return_generator: bool
    return_ordered: bool

    def __init__(self) -> None:
        super().__init__()
        self._id = uuid.uuid4().hex
        self._call_id: object = None
        self._lock = threading.RLock()
        self._news = threading.Condition(threading.Lock())
        self._managed_backend = False
        self._running = False
        self._calling = False
        self._iterating = False
        self._aborting = False
        self._aborted = False
        self._exception = False
        self._original_iterator: Iterator[Any] | None = None
        self._jobs: deque[Any] = deque()
        self._failed: Any = None
        self._ready_batches: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._pickle_cache: dict[Any, Any] | None = None
        self._reducer_callback: Any = None
        self._pre_dispatch_amount: float = 0
        self._cached_effective_n_jobs = 1
        self._start_time = 0.0
        self._said_all = False
        self.n_tasks: int | None = None
        self.n_dispatched_batches = 0
        self.n_dispatched_tasks = 0
        self.n_completed_tasks = 0

    # -- what `Parallel` adds ---------------------------------------------------------------------------

    def _make_batch(self, tasks: list[Any]) -> Any:
        raise NotImplementedError

    def _make_callback(self, size: int) -> Any:
        raise NotImplementedError

    def _initialize_backend(self) -> int:
        raise NotImplementedError

    def _effective_n_jobs(self) -> int:
        return int(self._backend.effective_n_jobs(self.n_jobs)) if self._backend is not None else 1

    # -- a call -----------------------------------------------------------------------------------------

    def __enter__(self) -> "Dispatcher":
        self._managed_backend = True
        self._calling = False
        self._initialize_backend()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._managed_backend = False
        if self.return_generator and self._calling:
            self._abort()
        self._terminate_and_reset()

    def __call__(self, iterable: Iterable[Any]) -> Any:
        """Run the tasks; a list of their results, or a generator of them."""
        self._claim()
        try:
            output = self._prepare(iterable)
            next(output)
        except BaseException:
            self._running = False
            raise
        return output if self.return_generator else list(output)

    def _claim(self) -> None:
        with self._news:
            if self._running:
                raise RuntimeError(
                    "This Parallel instance is already running !"
                    + (
                        " Before submitting new tasks, you must wait for the completion of all the previous "
                        "tasks, or clean all references to the output generator."
                        if self.return_generator
                        else ""
                    )
                )
            self._running = True

    def _prepare(self, iterable: Iterable[Any]) -> Generator[Any, None, None]:
        self._jobs = deque()
        self._ready_batches = queue.SimpleQueue()
        self._failed = None
        self._exception = self._aborting = self._aborted = self._said_all = False
        self._iterating = False
        self._original_iterator = None
        self.n_dispatched_batches = self.n_dispatched_tasks = self.n_completed_tasks = 0
        self._start_time = time.time()
        self._call_id = uuid.uuid4().hex
        self.n_tasks = len(iterable) if isinstance(iterable, Sized) else None
        n_jobs = self._effective_n_jobs() if self._managed_backend else self._initialize_backend()
        if n_jobs == 1:
            return self._get_sequential_output(iterable)
        if n_jobs == 0:
            raise RuntimeError(f"{type(self._backend).__name__} has no active worker.")
        self._print_start(n_jobs)
        self._cached_effective_n_jobs = n_jobs
        self._pickle_cache = {}
        if hasattr(self._backend, "start_call"):
            self._backend.start_call()
        self._calling = True
        return self._get_outputs(self._limited(iter(iterable)))

    def _limited(self, iterator: Iterator[Any]) -> Iterator[Any]:
        """What is sent before the first result is waited for."""
        # Read once more from the attribute: backends set it in `start_call`, and the number of workers too.
        if self.pre_dispatch == "all":
            self._original_iterator = None
            self._pre_dispatch_amount = 0
            return iterator
        self._original_iterator = iterator
        amount = self.pre_dispatch
        if hasattr(amount, "endswith"):
            amount = eval_expr(amount.replace("n_jobs", str(self._cached_effective_n_jobs)))
        # None at all would be an empty result for any input.
        self._pre_dispatch_amount = max(1, int(amount))
        return itertools.islice(iterator, self._pre_dispatch_amount)

    def _get_outputs(self, iterator: Iterator[Any]) -> Generator[Any, None, None]:
        try:
            self._start(iterator)
            yield
            with self._backend.retrieval_context():
                yield from self._retrieve()
            with self._lock:  # the last callback may still be printing
                self._print_end()
        except GeneratorExit:
            self._exception = True
            self._warn_unconsumed()
            raise
        except BaseException:
            self._exception = True
            raise
        finally:
            if self._exception:
                self._abort()
            self._jobs = deque()
            self._failed = None
            self._terminate_and_reset()
            self._tell(self._cached_effective_n_jobs)
            self._running = False

    def _get_sequential_output(self, iterable: Iterable[Any]) -> Generator[Any, None, None]:
        try:
            self._iterating = True
            self._original_iterator = iterator = iter(iterable)
            size = self._get_batch_size()
            tasks = iterator if size == 1 else _in_chunks(iterator, size)
            yield
            for function, args, kwargs in tasks:
                self.n_dispatched_batches += 1
                self.n_dispatched_tasks += 1
                result = function(*args, **kwargs)
                self.n_completed_tasks += 1
                self.print_progress()
                yield result
                del result
            self._iterating = False
            self._original_iterator = None
            self._print_end()
        except BaseException:
            self._exception = True
            self._aborting = True
            self._aborted = True
            raise
        finally:
            self._iterating = False
            self._original_iterator = None
            self._running = False
            self._terminate_and_reset()
            self._tell(1)

    def _tell(self, workers: int) -> None:
        seconds, failed = time.time() - self._start_time, int(bool(self._exception))
        TALLY.call(str(self), workers=workers, tasks=self.n_completed_tasks, failed=failed, seconds=seconds)

    # -- tasks out --------------------------------------------------------------------------------------

    def _start(self, iterator: Iterator[Any]) -> None:
        with self._lock:
            self._iterating = True
            while self.dispatch_one_batch(iterator):
                pass
            if self._original_iterator is None or not self.n_dispatched_tasks:  # of nothing, nothing arrives
                self._iterating = False

    def _get_batch_size(self) -> int:
        return int(self._backend.compute_batch_size() if self.batch_size == "auto" else self.batch_size)

    def dispatch_one_batch(self, iterator: Iterator[Any]) -> bool:
        """Submit the next tasks; whether there were any."""
        if self._aborting:
            return False
        size = self._get_batch_size()
        with self._lock:
            if self._ready_batches.empty():
                self._read(iterator, size)
            if self._ready_batches.empty():
                return False
            self._dispatch(self._ready_batches.get_nowait())
            return True

    def _read(self, iterator: Iterator[Any], size: int) -> None:
        n_jobs = self._cached_effective_n_jobs
        found = list(itertools.islice(iterator, size * n_jobs))
        if not found:
            return
        # At the very end small batches let all workers end at about the same time.
        is_end = iterator is self._original_iterator and len(found) < size * n_jobs
        length = max(1, len(found) // ((10 if is_end else 1) * n_jobs))
        for start in range(0, len(found), length):
            self._ready_batches.put(self._make_batch(found[start : start + length]))

    def dispatch_next(self) -> None:
        """Submit more of the input, which is at its end if there is none."""
        if not self.dispatch_one_batch(self._original_iterator):  # type: ignore[arg-type]  # asked before
            self._iterating = False
            self._original_iterator = None

    def _dispatch(self, batch: Any) -> None:
        if self._aborting:
            return
        size = len(batch)
        self.n_dispatched_tasks += size
        self.n_dispatched_batches += 1
        callback = self._make_callback(size)
        if self.return_ordered or not self._backend.supports_retrieve_callback:
            with self._news:
                self._jobs.append(callback)
        job = self._backend.submit(batch, callback=callback)
        callback.register_job(job)

    # -- results back -----------------------------------------------------------------------------------

    def _arrived(self, job: Any) -> None:
        """A batch is done: its results are in `job`. From any thread."""
        if job.status == ERROR:
            self._fail(job)
            return
        with self._news:
            if not self.return_ordered:
                self._jobs.append(job)
            if not self.return_ordered or (self._jobs and self._jobs[0] is job):
                self._news.notify_all()

    def _fail(self, job: Any) -> None:
        with self._news:
            self._exception = True
            if self._failed is None:
                self._failed = job
            self._news.notify_all()

    def _continue(self, job: Any) -> None:
        """After a batch that ended well: count it, and send the next one."""
        with self._lock:
            if job.call_id != self._call_id or self._aborting:
                return
            self._backend.batch_completed(job.batch_size, time.time() - job.dispatch_timestamp)
            self.n_completed_tasks += job.batch_size
            self.print_progress()
            if self._original_iterator is not None:
                self.dispatch_next()
            is_last = not self._iterating
        if is_last:
            with self._news:
                self._news.notify_all()

    def _is_completed(self) -> bool:
        return self.n_completed_tasks == self.n_dispatched_tasks and not (self._iterating or self._aborting)

    def _retrieve(self) -> Iterator[Any]:
        with_callback = self._backend.supports_retrieve_callback
        while True:
            job = self._next_job(with_callback)
            if job is None:
                return
            results = job.get_result(self.timeout)
            del job
            results.reverse()
            while results:  # each is the consumer's alone once it has it
                yield results.pop()

    def _next_job(self, with_callback: bool) -> Any:
        """The next batch that is done, or that shall be waited for; ``None`` at the end."""
        deadline = None if self.timeout is None else time.monotonic() + self.timeout
        with self._news:
            while True:
                if self._failed is not None:
                    return self._failed
                if self._jobs and (not with_callback or self._jobs[0].status != PENDING):
                    return self._jobs.popleft()
                if self._aborted:
                    raise RuntimeError("the call was given up when its block was left")
                if not self._jobs and (self._is_completed() or (not with_callback and not self._iterating)):
                    return None
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TaskTimeout
                self._news.wait(at_a_time(left))

    # -- the end ----------------------------------------------------------------------------------------

    def _abort(self) -> None:
        self._aborting = True
        if not self._aborted and hasattr(self._backend, "abort_everything"):
            self._backend.abort_everything(ensure_ready=self._managed_backend)
        self._aborted = True
        with self._news:
            self._news.notify_all()

    def _terminate_and_reset(self) -> None:
        if hasattr(self._backend, "stop_call") and self._calling:
            self._backend.stop_call()
        self._calling = False
        if not self._managed_backend:
            self._backend.terminate()

    def _warn_unconsumed(self) -> None:
        done = self.n_completed_tasks
        taken = done - sum(job.batch_size for job in self._jobs if job.status == DONE)
        running = self.n_dispatched_tasks - done
        if done - taken <= 0 and running <= 0:
            return
        parts = []
        if done - taken > 0:
            parts.append(f"{done - taken} tasks have been successfully executed but not used.")
        if running > 0:
            parts.append(
                f"{running} tasks which were still being processed by the workers have been cancelled."
            )
        parts.append(
            "You could benefit from adjusting the input task iterator to limit unnecessary computation time."
        )
        warnings.warn(" ".join(parts), stacklevel=4)

    def _warn_timeout(self) -> None:
        warnings.warn(
            f"The backend class {type(self._backend).__name__!r} does not support timeout. You have set "
            f"'timeout={self.timeout}' in Parallel but the 'timeout' parameter will not be used.",
            stacklevel=5,
        )

    # -- what is printed --------------------------------------------------------------------------------

    def _print(self, msg: str) -> None:
        if self.verbose:
            writer = sys.stderr if self.verbose < 50 else sys.stdout
            writer.write(f"[{self}]: {msg}\n")

    def _print_start(self, n_jobs: int) -> None:
        self._print(f"Using backend {type(self._backend).__name__} with {n_jobs} concurrent workers.")

    def _print_end(self) -> None:
        self.print_progress()

    def print_progress(self) -> None:
        """Print how far the call is, more often with a larger `verbose`."""
        if not self.verbose:
            return
        width = math.floor(math.log10(self.n_tasks)) + 1 if self.n_tasks else 3
        elapsed = time.time() - self._start_time
        done, sent = self.n_completed_tasks, self.n_dispatched_tasks
        spent = f"| elapsed: {short_format_time(elapsed)}"
        if self._is_completed():
            if not self._said_all:
                self._said_all = True
                self._print(f"Done {done:{width}d} out of {done:{width}d} {spent} finished")
        elif self._original_iterator is not None:
            if _is_quiet(self.n_dispatched_batches, self.verbose):
                return
            if self.n_tasks is not None:
                self._print(f"Done {done:{width}d} out of {self.n_tasks:{width}d} {spent}")
            else:
                pad = " " * (len("out of ") + width - len("tasks"))
                self._print(f"Done {done:{width}d} tasks {pad}{spent}")
        else:
            if done != 0:
                cursor = sent - done + 1 - self._pre_dispatch_amount
                if done + 1 == sent or cursor % (sent // self.verbose + 1):
                    return
            left = short_format_time(elapsed / max(done, 1) * (sent - done))
            self._print(f"Done {done:{width}d} out of {sent:{width}d} {spent} remaining: {left}")


def _is_quiet(index: int, verbose: float) -> bool:
    """Whether nothing is printed after so many batches: the more there were, the rarer a line."""
    if verbose > 10 or not index:
        return False
    scale = 0.5 * (11 - verbose) ** 2
    return math.floor(math.sqrt(index / scale)) == math.floor(math.sqrt((index + 1) / scale))


def _in_chunks(iterator: Iterator[Any], size: int) -> Iterator[Any]:
    while chunk := list(itertools.islice(iterator, size)):
        yield from chunk
