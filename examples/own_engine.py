"""An engine of your own: tasks go to any executor of `concurrent.futures`, one executor for each slot.

What follows is all that `Parallel` needs: it takes an object of this class as ``backend=``. Order, batches,
retries, back-pressure and errors are decided by `Parallel`; an engine takes batches and reports what became
of them. See ``docs/testing.md`` for the exam that it passes, and run this file for a demonstration.

::

    Parallel ── send ──► executor of the slot ──► run the batch ──► events (queue) ── wait ──► Parallel
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from queue import Empty, SimpleQueue

from lightwork import Parallel, delayed
from lightwork.errors import EngineError, InvalidOption
from lightwork.protocols import Batch, Done, Event, Failed, Returned, Run, SessionRequest, Told


def one_thread() -> Executor:
    """The executor of a slot. It must run one batch at a time, in the order in which they were submitted."""
    return ThreadPoolExecutor(max_workers=1)


class FuturesEngine:
    """A `lightwork.protocols.Engine`.

    Parameters
    ----------
    make_executor
        Makes the executor of a slot. This engine tells `Parallel` that tasks see the caller's own objects, so
        the executor must run them in threads of this process.
    """

    name = "futures"
    shares_memory = True

    def __init__(self, make_executor: Callable[[], Executor] = one_thread) -> None:
        self._make_executor = make_executor

    def effective_n_jobs(self, n_jobs: int) -> int:
        """As many as asked for; two for a negative number."""
        return n_jobs if n_jobs > 0 else 2

    def open(self, request: SessionRequest) -> "FuturesSession":
        """Begin a session. What the engine does not know it refuses."""
        if request.options:
            raise InvalidOption(f"the engine 'futures' has no option {', '.join(request.options)}")
        return FuturesSession(request, self._make_executor)

    def shutdown(self) -> None:
        """Executors belong to sessions, so there is nothing to end."""


class FuturesSession:
    """A `lightwork.protocols.Session`: everything but `wake` is called by one thread at a time."""

    def __init__(self, request: SessionRequest, make_executor: Callable[[], Executor]) -> None:
        self._request = request
        self._make_executor = make_executor
        self._slots: dict[int, _Slot] = {}
        self._events: SimpleQueue[Event | None] = SimpleQueue()  # None: somebody called `wake`
        self._closed = False

    def send(self, slot: int, batch: Batch) -> None:
        """Queue a batch. The executor is made for the first one."""
        if self._closed:
            raise EngineError("the session is closed")
        if slot not in self._slots:
            self._slots[slot] = _Slot(slot, self._request, self._make_executor(), self._events)
        self._slots[slot].submit(batch)

    def take_back(self, slot: int) -> None:
        """Take back the last batch, if it has not begun. Either way there is one answer."""
        start, stop = self._slots[slot].cancel_last() if slot in self._slots else (0, 0)
        self._events.put(Returned(slot, start, stop))

    def wait(self, timeout: float | None) -> Sequence[Event]:
        """All that has happened, after waiting for something to happen."""
        found: list[Event | None] = []
        try:
            found.append(self._events.get(timeout=timeout))
            while True:
                found.append(self._events.get_nowait())
        except Empty:
            return [event for event in found if event is not None]

    def wake(self) -> None:
        """Let `wait` return."""
        self._events.put(None)

    def close(self, *, abort: bool) -> None:
        """Let the executors end. Threads cannot be killed: with `abort` nobody waits for tasks that run."""
        self._closed = True
        for slot in self._slots.values():
            slot.end(abort=abort)


class _Slot:
    """One worker: the executor, and what was submitted to it."""

    def __init__(
        self, number: int, request: SessionRequest, executor: Executor, events: "SimpleQueue[Event | None]"
    ) -> None:
        self._number = number
        self._runner = request.runner
        self._executor = executor
        self._events = events
        self._submitted: list[tuple[Batch, Future[None]]] = []
        self._run: Run | None = None
        self._ended = False

    def submit(self, batch: Batch) -> None:
        self._submitted = [(sent, future) for sent, future in self._submitted if not future.done()]
        self._submitted.append((batch, self._executor.submit(self._work, batch)))

    def cancel_last(self) -> tuple[int, int]:
        """The range of tasks of the last batch, an empty one if it has begun."""
        if not self._submitted or not self._submitted[-1][1].cancel():
            return 0, 0
        batch, _ = self._submitted.pop()
        return batch.start, batch.start + len(batch.calls)

    def end(self, *, abort: bool) -> None:
        if not self._ended:
            self._ended = True
            for _, future in self._submitted:
                future.cancel()
            self._executor.submit(self._leave)
            self._executor.shutdown(wait=not abort)

    def _work(self, batch: Batch) -> None:
        """Run a batch. In the executor's thread, and so is all that follows."""
        for index, call in enumerate(batch.calls, batch.start):
            if self._ended:
                return
            began = time.monotonic()
            try:
                if self._run is None:  # the runner brings what `Parallel` wants done around tasks
                    self._run = self._runner.start(self._tell)
                value = self._run(index, call)
            except BaseException as error:  # noqa: BLE001 - whatever a task raises is its result
                self._events.put(Failed(self._number, index, error, time.monotonic() - began, began))
            else:
                self._events.put(Done(self._number, index, [value], time.monotonic() - began, began))

    def _tell(self, index: int, what: object) -> None:
        self._events.put(Told(self._number, index, what))

    def _leave(self) -> None:
        if self._run is not None:
            self._runner.stop()


def main() -> None:
    """Run a call on the engine."""
    parallel = Parallel(n_jobs=2, backend=FuturesEngine())
    assert parallel(delayed(pow)(i, 2) for i in range(10)) == [i * i for i in range(10)]
    print(parallel.report())


if __name__ == "__main__":
    main()
