"""`Executor.map`: calls that are submitted one by one, results in the order of the input."""

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from ..errors import InvalidOption
from ..system.figures import whole
from .options import parse_timeout

__all__ = ["mapped", "run_chunk"]

T = TypeVar("T")


def mapped(
    submit: Callable[..., "Future[Any]"],
    function: Callable[..., T],
    iterables: tuple[Iterable[Any], ...],  # Any: arguments of the user's function
    *,
    timeout: float | None,
    chunksize: int,
    buffersize: int | None,
) -> Iterator[T]:
    """What `Executor.map` promises. The input is read in the caller's thread."""
    chunk, buffered = whole(chunksize), whole(buffersize)
    if chunk is None or chunk < 1:
        raise InvalidOption(
            f"chunksize={chunksize!r}: give the number of calls that travel together, 1 or more"
        )
    if buffersize is not None and (buffered is None or buffered < 1):
        raise InvalidOption(f"buffersize={buffersize!r}: give a number of results, 1 or more, or None")
    seconds = parse_timeout(timeout)
    end = None if seconds is None else time.monotonic() + seconds
    calls = zip(*iterables, strict=False)
    if chunk == 1:
        futures = (submit(function, *args) for args in calls)
        return _results(deque(itertools.islice(futures, buffered)), futures, end)
    chunks = iter(lambda: list(itertools.islice(calls, chunk)), [])
    futures = (submit(run_chunk, function, part) for part in chunks)
    results = _results(deque(itertools.islice(futures, buffered)), futures, end)
    return itertools.chain.from_iterable(results)


def run_chunk(function: Callable[..., T], chunk: list[tuple[Any, ...]]) -> list[T]:
    """In a worker: the results of several calls."""
    return [function(*args) for args in chunk]


def _results(
    waiting: "deque[Future[Any]]",  # Any: results of the user's function
    more: "Iterator[Future[Any]]",
    end: float | None,
) -> Iterator[Any]:
    """The results of futures, in the place of each of which the next call is submitted."""
    try:
        while waiting:
            # Taken out before it is waited for: what has been given away is not kept.
            future = waiting.popleft()
            try:
                value = future.result(None if end is None else max(0.0, end - time.monotonic()))
            finally:
                future.cancel()
                del future
            waiting.extend(itertools.islice(more, 1))
            yield value
            del value
    finally:
        for future in waiting:
            future.cancel()
