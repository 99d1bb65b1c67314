"""``n_jobs=1``: the tasks run one after the other in the caller's thread, as a loop would run them."""

import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from .. import parallel  # its `awaiting` is loaded by the first `async for`
from ..errors import CallCancelled
from ..protocols import Call, Known, Run
from ..system.computing import CANCELLATION
from .around import Around, entered
from .cancelling import Switch
from .driver import OnError, checked
from .failures import Failure, add_note, all_of, describe, no_end, not_a_call
from .recall import Recall, asked
from .retrying import Retry, chance
from .sheet import Sheet
from .stream import Stream

if TYPE_CHECKING:
    from .calling import Job
    from .mutations import MutationCheck

__all__ = ["Lazy", "run_all", "run_lazily"]

_SKIPPED = object()
_NO_MORE = object()

_WORTHWHILE = 2e-4
"""Seconds. Timing a task by itself costs 1 µs: done once in this time it is half a percent."""

_LONG = 1e-3
"""Seconds for which tasks that were timed together are named together."""

_MOST = 1024  # tasks between two looks


def run_all(
    tasks: Iterable[Call], switch: Switch, sheet: Sheet
) -> list[Any]:  # Any: results of users' functions
    """The results of all tasks, each of which is taken from the input when the one before has ended.

    The error of a task passes through, with a note that names the task; errors of the input pass as they are.
    Tasks that take 0.2 ms or longer are timed one by one, shorter ones many together.
    """
    place = CANCELLATION.set(switch.token)
    try:
        return _run_in_groups(iter(tasks), switch, sheet)
    finally:
        CANCELLATION.reset(place)


def _run_in_groups(source: Iterator[Call], switch: Switch, sheet: Sheet) -> list[Any]:
    results: list[Any] = []
    clock = time.monotonic
    size = 1
    while True:
        before, begin = len(results), clock()
        more = (
            _run_one(source, results, switch, sheet)
            if size == 1
            else _run_some(source, size, results, switch, sheet)
        )
        seconds, count = clock() - begin, len(results) - before
        if size > 1:
            sheet.ran_some(begin, begin + seconds, count, before)
            if seconds > _LONG:
                sheet.note_slow(seconds, before, f"one of the {count} calls from here on")
        if not more:
            return results
        size = min(int(_WORTHWHILE * count / seconds) + 1, 4 * size, _MOST) if seconds else 4 * size


def _run_one(source: Iterator[Call], results: list[Any], switch: Switch, sheet: Sheet) -> bool:
    """Run the next task, if there is one, and note how long reading and running it took."""
    begin = sheet.clock()
    calls = tuple(islice(source, 1))
    now = sheet.clock()
    sheet.input += now - begin
    if not calls:
        return False
    _run_some(iter(calls), 1, results, switch, sheet)
    sheet.ran(len(results) - 1, calls[0], now)
    return True


def _run_some(source: Iterator[Call], count: int, results: list[Any], switch: Switch, sheet: Sheet) -> bool:
    """Run the next tasks, at most so many; whether there may be more."""
    append, before, begin = results.append, len(results), sheet.clock()
    for call in islice(source, count):
        if switch.on:
            switch.check()
        try:
            function, args, kwargs = call
            append(function(*args, **kwargs))
        except BaseException as error:
            index = len(results)
            _explain(error, index, call)
            sheet.ran_some(begin, sheet.clock(), index - before + 1, before)
            sheet.spoilt += 1
            sheet.fail(index, call, error)
            raise
    return len(results) - before == count


def run_lazily(
    tasks: Iterable[Call],
    job: "Job",
    *,
    around: Around,
    retry: Retry | None,
    on_error: OnError,
    chunk: int,
) -> Generator[Any, None, None]:
    """The results one by one; task i runs when result i is asked for.

    Parameters
    ----------
    job
        Its switch gives up the call between two tasks. Its recall is asked for the result of each task before
        it runs, and told of it afterwards. Its check looks at tasks that were read, and again at the end.
    around
        What is done around each task.
    retry
        Which errors are tried again; the pauses are slept.
    chunk
        Tasks are taken from the input so many at a time.
    """
    switch, total, watch, recall, check = job
    sheet, observer = watch.sheet, watch.progress
    index, errors = 0, list[BaseException]()
    with entered(around, switch) as run:
        attempts = _Attempts(run, retry, switch)
        if observer is not None:
            observer(0, total, 0)
        for call in _in_chunks(iter(tasks), chunk, sheet, check):
            switch.check()
            known = None if recall is None else _look(recall, index, call, sheet)
            begin = sheet.clock()
            try:
                result = known.value if type(known) is Known else attempts.run(index, call)
            except BaseException as error:
                _explain(error, index, call)
                sheet.ran(index, call, begin, error, attempts=attempts.made)
                # What is no Exception (Ctrl-C, sys.exit) is meant for the caller: it runs in his thread.
                if on_error == "raise" or not isinstance(error, Exception) or switch.on:
                    no_end(error)
                    raise
                errors.append(error)
                result = Failure(index, error, attempts.made) if on_error == "return" else _SKIPPED
            else:
                if type(known) is not Known:
                    took = sheet.passed(index, call, begin, attempts=attempts.made)
                    if recall is not None:
                        recall.keep(index, [result], took)
            index += 1
            if observer is not None:
                observer(index, total, len(errors))
            if result is not _SKIPPED:
                yield result
            result = known = None  # the caller's from now on: do not keep it alive until the next is there
        if errors and on_error == "group":
            raise all_of(errors, index)
        if check is not None:
            check.verify()


def _look(recall: Recall, index: int, call: Call, sheet: Sheet) -> "Known | Call":
    """What is known of a task. To look for it is part of reading the input."""
    begin = sheet.clock()
    known = asked(recall, index, call)
    sheet.input += sheet.clock() - begin
    sheet.known += type(known) is Known
    return known


class Lazy(Stream[Any]):  # Any: results of users' functions
    """What `run_lazily` gives, also for ``async for``: then each task runs in a thread.

    Parameters
    ----------
    results
        What `run_lazily` returned.
    switch
        That of the call.
    ended
        Called once when the call has ended, however it did; also if nobody holds this any more.
    """

    def __init__(
        self, results: Generator[Any, None, None], switch: Switch, ended: Callable[[], object]
    ) -> None:
        self._results = results
        self._switch = switch
        self._finalizer = weakref.finalize(self, ended)
        self._lock = threading.Lock()  # held while a task runs

    def __next__(self) -> Any:
        if not self._lock.acquire(blocking=False):
            raise ValueError("a task of this generator is running: ask for the next result when it has ended")
        try:
            value = next(self._results)
        except BaseException as error:
            if self._over and isinstance(error, CallCancelled):  # closed, with nobody to tell
                raise StopIteration from None
            self._over = True
            raise
        finally:
            self._lock.release()
            if self._over:
                self.close()
        if self._over:  # closed while the task ran
            raise StopIteration
        return value

    def close(self) -> None:
        """End the call; if a task runs in another thread, once that has ended. Safe to call twice."""
        self._over = True  # before looking at the lock: who holds it looks here after letting go of it
        if not self._lock.acquire(blocking=False):
            self._switch.cancel()
            return
        try:
            self._results.close()
            self._finalizer()
        finally:
            self._lock.release()

    async def __anext__(self) -> Any:
        """As `next`, without blocking the event loop. Cancelling the task that waits ends the call."""
        try:
            value = await parallel.awaiting.in_thread(lambda: next(self, _NO_MORE))
        except BaseException:
            self.close()
            raise
        if value is _NO_MORE:
            raise StopAsyncIteration
        return value

    async def aclose(self) -> None:
        """As `close`."""
        self.close()


class _Attempts:
    """Runs a task until it ends well or `retry` says that it is enough; `made` counts."""

    __slots__ = ("_retry", "_run", "_switch", "made")

    def __init__(self, run: Run, retry: Retry | None, switch: Switch) -> None:
        self._run = run
        self._retry = retry or Retry(0)
        self._switch = switch
        self.made = 0

    def run(self, index: int, call: Call) -> Any:  # Any: the result of the user's function
        self.made = 0
        while True:
            self.made += 1
            place = CANCELLATION.set(self._switch.token)  # per task: the caller goes on between two of them
            try:
                return self._run(index, call)
            except Exception as error:
                if not self._retry.allows(error, self.made, 0, crashed=False):
                    raise
            finally:
                CANCELLATION.reset(place)
            self._switch.sleep(self._retry.pause(self.made, chance()))


def _in_chunks(
    source: Iterator[Call], size: int, sheet: Sheet, check: "MutationCheck | None"
) -> Iterator[Call]:
    """The items of `source`, taken from it so many at a time."""
    start = 0
    while calls := _read(source, start, size, sheet):
        if check is not None:
            check.examine(checked(calls, start), start)
        start += len(calls)
        yield from calls


def _read(source: Iterator[Call], start: int, chunk: int, sheet: Sheet) -> list[Call]:
    begin = sheet.clock()
    calls = list(islice(source, chunk))
    now = sheet.clock()
    sheet.input += now - begin
    if sheet.recording is not None:
        sheet.recording.read(start, len(calls), begin, now)
    return calls


def _explain(error: BaseException, index: int, call: object) -> None:
    if isinstance(call, tuple) and len(call) == 3:
        add_note(error, describe(index, call))
    else:
        raise not_a_call(index, call) from None
