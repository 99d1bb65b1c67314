"""``n_jobs=1``: the tasks run one after the other in the caller's thread, as a loop would run them."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ..protocols import Call, Known
from .around import Around, entered
from .driver import Observer, OnError
from .failures import Failure, add_note, describe, not_a_call
from .recall import Recall, asked

__all__ = ["run_all", "run_lazily"]

_SKIPPED = object()


def run_all(tasks: Iterable[Call]) -> list[Any]:  # Any: results of users' functions
    """The results of all tasks, each of which is taken from the input when the one before has ended.

    The error of a task passes through, with a note that names the task; errors of the input pass as they are.
    """
    results: list[Any] = []
    append = results.append
    for call in tasks:
        try:
            function, args, kwargs = call
            append(function(*args, **kwargs))
        except BaseException as error:
            _explain(error, len(results), call)
            raise
    return results


def run_lazily(
    tasks: Iterable[Call],
    *,
    around: Around,
    on_error: OnError,
    observer: Observer | None,
    total: int | None,
    chunk: int,
    recall: Recall | None = None,
) -> Iterator[Any]:
    """The results one by one; task i runs when result i is asked for.

    Parameters
    ----------
    around
        What is done around each task.
    chunk
        Tasks are taken from the input so many at a time.
    recall
        Asked for the result of each task before it runs, and told of it afterwards.
    """
    with entered(around) as run:
        source = iter(tasks)
        index = failed = 0
        while calls := list(islice(source, chunk)):
            for call in calls:
                known = None if recall is None else asked(recall, index, call)
                try:
                    result = known.value if type(known) is Known else run(index, call)
                except BaseException as error:
                    _explain(error, index, call)
                    # What is no Exception (Ctrl-C, sys.exit) is meant for the caller: it runs in his thread.
                    if on_error == "raise" or not isinstance(error, Exception):
                        raise
                    failed += 1
                    result = Failure(index, error, 1) if on_error == "return" else _SKIPPED
                else:
                    if recall is not None and type(known) is not Known:
                        recall.keep(index, [result])
                index += 1
                if observer is not None:
                    observer(index, total, failed)
                if result is not _SKIPPED:
                    yield result
                result = known = (
                    None  # the caller's from now on: do not keep it alive until the next one is there
                )


def _explain(error: BaseException, index: int, call: object) -> None:
    if isinstance(call, tuple) and len(call) == 3:
        add_note(error, describe(index, call))
    else:
        raise not_a_call(index, call) from None
