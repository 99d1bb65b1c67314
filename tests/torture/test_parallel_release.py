"""Nothing is kept longer than its task: arguments, results, segments, what errors refer to."""

import gc
import os
import resource
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from lightwork import Parallel, delayed
from lightwork.parallel import Failure

CALLS = 1000 if os.environ.get("LIGHTWORK_TORTURE") == "long" else 60
MB = 1 << 20

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="descriptors are found in /proc"),
]


class Watched:
    """An argument that tells by a weak reference whether it is gone."""


def give(_: object, i: int) -> int:
    return i


def fail_in_a_cycle(argument: object, i: int) -> None:
    try:
        raise ValueError(i)
    except ValueError as error:
        kept = error  # the frame refers to the error, whose traceback refers to the frame
        raise kept from None


def peak(_: int) -> int:
    """Bytes that this process had in memory at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def segments(_: int) -> int:
    """Segments that this process has open: of arguments, not the page by which a worker is watched."""
    names = []
    for number in os.listdir("/proc/self/fd"):
        try:
            names.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # that of the listing itself
            continue
    return sum("memfd:lightwork" in name and "page" not in name for name in names)


def resident() -> int:
    """Bytes of this process that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def watched(n: int, references: "list[weakref.ref[Watched]]", function: Any) -> Iterator[Any]:
    for i in range(n):
        argument = Watched()
        references.append(weakref.ref(argument))
        call = delayed(function)(argument, i)
        del argument
        yield call
        del call


@pytest.mark.parametrize(("n_jobs", "backend"), [(2, "processes"), (2, "threads"), (1, "processes")])
def test_arguments_are_let_go_with_their_tasks(n_jobs: int, backend: str) -> None:
    """Item 20: whoever has a result finds the arguments of its task, and of all before it, gone."""
    references: list[weakref.ref[Watched]] = []
    parallel = Parallel(n_jobs, backend, return_as="generator", batch_size=1)
    for i, result in enumerate(parallel(watched(12, references, give))):
        assert result == i
        gc.collect()
        alive = [place for place, reference in enumerate(references[:i]) if reference() is not None]
        assert alive == []
    gc.collect()
    assert not any(reference() for reference in references)


@pytest.mark.parametrize(("n_jobs", "backend"), [(2, "processes"), (2, "threads"), (1, "processes")])
def test_errors_keep_no_arguments(n_jobs: int, backend: str) -> None:
    """Item 21: errors from other processes keep none at all; others do as long as somebody has the error."""
    references: list[weakref.ref[Watched]] = []
    parallel = Parallel(n_jobs, backend, on_error="return", batch_size=1)
    failures = parallel(watched(20, references, fail_in_a_cycle))
    assert all(isinstance(failure, Failure) for failure in failures)
    if n_jobs == 1 or backend == "threads":
        failures.clear()
    gc.collect()
    assert not any(reference() for reference in references)


def highest(parallel: Parallel[Literal["list"], Literal["return"]]) -> int:
    """The peak of all workers."""
    return max(found for found in parallel(delayed(peak)(i) for i in range(8)) if isinstance(found, int))


def test_workers_let_go_of_what_failed() -> None:
    """Item 21 in the worker: the arguments of failed tasks do not pile up until a collection."""
    parallel = Parallel(2, on_error="return", batch_size=1)
    before = highest(parallel)
    failures = parallel(delayed(fail_in_a_cycle)(np.ones(20 * MB, "u1"), i) for i in range(30))
    assert all(isinstance(failure, Failure) for failure in failures)
    assert highest(parallel) < before + 150 * MB


@pytest.mark.once
def test_segments_end_with_their_call() -> None:
    """R18: fresh arrays in each of many calls of one context leave no segment, here or in a worker."""
    with Parallel(2) as parallel:
        high = 0
        for call in range(CALLS):
            array = np.full(2 * MB, call % 256, "u1")
            assert parallel(delayed(np.max)(array) for _ in range(6)) == [call % 256] * 6
            assert segments(0) == 0
            if call == 20:
                high = resident()
            del array
        assert max(parallel(delayed(segments)(i) for i in range(8))) == 0
        assert resident() < high + 30 * MB
