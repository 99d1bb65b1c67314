"""How a store grows: what it takes of the disk, and how long a put and a get take, at several sizes.

What is too large to be measured in every run is read off the curve: bytes and inodes grow with the number of
entries, times with its logarithm, as the depth of a tree does. The line is that of least squares.
"""

import math
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["Point", "disk_of", "extrapolate", "measure_point"]

ROUNDS = 7


class Point(NamedTuple):
    """A store of so many entries; times are seconds per operation."""

    entries: int
    nbytes: float
    inodes: float
    put: float
    get: float


def measure_point(
    folder: Path, entries: int, *, put: Callable[[], object], get: Callable[[], object], per: int
) -> Point:
    """A store as it is now. `put` and `get` do `per` operations each."""
    nbytes, inodes = disk_of(folder)
    times: dict[str, list[float]] = {"get": [], "put": []}
    get()
    for _ in range(ROUNDS):
        for name, run in (("get", get), ("put", put)):
            start = time.perf_counter()
            run()
            times[name].append((time.perf_counter() - start) / per)
    return Point(entries, nbytes, inodes, statistics.median(times["put"]), statistics.median(times["get"]))


def disk_of(folder: Path) -> tuple[int, int]:
    """What a folder takes of the disk: bytes in whole blocks, and inodes, folders too."""
    nbytes = inodes = 0
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            status = os.lstat(os.path.join(parent, name))
            nbytes, inodes = nbytes + 512 * status.st_blocks, inodes + 1
    return nbytes, inodes


def extrapolate(points: Sequence[Point], entries: int) -> Point:
    """The store of `entries`, as the `points` let expect."""
    last = points[-1]
    factor = entries / last.entries
    logs = [math.log(point.entries) for point in points]
    put, get = (
        slope * math.log(entries) + intercept
        for slope, intercept in (
            statistics.linear_regression(logs, [point.put for point in points]),
            statistics.linear_regression(logs, [point.get for point in points]),
        )
    )
    inodes = last.inodes if last.inodes == points[0].inodes else last.inodes * factor
    return Point(entries, last.nbytes * factor, inodes, put, get)
