"""``n_jobs=1``: the tasks run one after the other in the caller's thread, as a loop would run them."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ..protocols import Call
from .around import Around, entered
from .driver import Observer, OnError
from .failures import Failure, add_note, describe, not_a_call
from .sheet import Sheet

__all__ = ["run_all", "run_lazily"]

_SKIPPED = object()

_WORTHWHILE = 2e-4
"""Seconds. Timing a task by itself costs 1 µs: done once in this time it is half a percent."""

_LONG = 1e-3
"""Seconds for which tasks that were timed together are named together."""

_MOST = 1024  # tasks between two looks


def run_all(tasks: Iterable[Call], sheet: Sheet) -> list[Any]:  # Any: results of users' functions
    """The results of all tasks, each of which is taken from the input when the one before has ended.

    The error of a task passes through, with a note that names the task; errors of the input pass as they are.
    Tasks that take 0.2 ms or longer are timed one by one, shorter ones many together.
    """
    results: list[Any] = []
    source = iter(tasks)
    account, clock = sheet.accounts[0], time.monotonic
    size = 1
    while True:
        before, begin = len(results), clock()
        more = _run_one(source, results, sheet) if size == 1 else _run_some(source, size, results, sheet)
        seconds, count = clock() - begin, len(results) - before
        if size > 1:
            account.tasks += count
            account.here += seconds
            if seconds > _LONG:
                sheet.note_slow(seconds, before, f"one of the {count} calls from here on")
        if not more:
            return results
        size = min(int(_WORTHWHILE * count / seconds) + 1, 4 * size, _MOST) if seconds else 4 * size


def _run_one(source: Iterator[Call], results: list[Any], sheet: Sheet) -> bool:
    """Run the next task, if there is one, and note how long reading and running it took."""
    begin = sheet.clock()
    calls = tuple(islice(source, 1))
    now = sheet.clock()
    sheet.input += now - begin
    if not calls:
        return False
    _run_some(iter(calls), 1, results, sheet)
    sheet.ran(len(results) - 1, calls[0], now)
    return True


def _run_some(source: Iterator[Call], count: int, results: list[Any], sheet: Sheet) -> bool:
    """Run the next tasks, at most so many; whether there may be more."""
    append, before = results.append, len(results)
    for call in islice(source, count):
        try:
            function, args, kwargs = call
            append(function(*args, **kwargs))
        except BaseException as error:
            sheet.failed.append(len(results))
            _explain(error, len(results), call)
            raise
    return len(results) - before == count


def run_lazily(
    tasks: Iterable[Call],
    *,
    around: Around,
    on_error: OnError,
    sheet: Sheet,
    observer: Observer | None,
    total: int | None,
    chunk: int,
) -> Iterator[Any]:
    """The results one by one; task i runs when result i is asked for.

    Parameters
    ----------
    around
        What is done around each task.
    chunk
        Tasks are taken from the input so many at a time.
    """
    with entered(around) as run:
        source = iter(tasks)
        account, clock, recorded = sheet.accounts[0], sheet.clock, sheet.recording is not None
        index = failed = 0
        if observer is not None:
            observer(0, total, 0)
        while calls := _read(source, index, chunk, sheet):
            for call in calls:
                begin = clock()
                try:
                    result = run(index, call)
                except BaseException as error:
                    sheet.ran(index, call, begin, error)
                    _explain(error, index, call)
                    # What is no Exception (Ctrl-C, sys.exit) is meant for the caller: it runs in his thread.
                    if on_error == "raise" or not isinstance(error, Exception):
                        raise
                    failed += 1
                    result = Failure(index, error, 1) if on_error == "return" else _SKIPPED
                else:
                    seconds = clock() - begin
                    if seconds > sheet.floor or recorded:
                        sheet.ran(index, call, begin)
                    else:  # the same, at a third of the price
                        account.tasks += 1
                        account.here += seconds
                index += 1
                if observer is not None:
                    observer(index, total, failed)
                if result is not _SKIPPED:
                    yield result
                result = None  # the caller's from now on: do not keep it alive until the next one is there


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
