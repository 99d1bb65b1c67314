"""``lightwork bench``: two minutes of comparison with the peers that are installed here."""

import math
import os
import pickle
import statistics
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from typing import Any, NamedTuple

from ..hashing import hash
from ..memory import Memory
from ..parallel import Parallel, delayed
from ..persistence import dump, load
from ..system.optional import installed
from ..system.units import duration
from .command import OK, USAGE, Command, Refusal, add_json
from .tables import Column
from .terminal import Terminal

__all__ = ["BENCH"]

DETAILS = """\
Each theme does the same with lightwork and with what is installed of joblib, diskcache and the standard
library, in turns, and shows medians. Figures of a busy machine mean little; ratios mean more than seconds.

examples:
  lightwork bench
  lightwork bench --only hash --only file --seconds 10 --json
"""

_LEAST_ROUNDS = 3
_CALLS = 300
_TASKS = 5000
_LARGE = 50 << 20


class Contender(NamedTuple):
    """One way to do what a theme is about."""

    name: str
    run: Callable[[], object]


class Theme(NamedTuple):
    """Something that several can do."""

    name: str
    what: str
    make: Callable[[str, ExitStack], list[Contender]]
    """Gets an empty folder, and a stack for what is to be closed. Lightwork comes first."""


class Timed(NamedTuple):
    """How one contender did."""

    theme: str
    what: str
    contender: str
    seconds: float
    """The median of its rounds."""

    ratio: float
    """Its median as a multiple of lightwork's."""

    rounds: int


# ---------------------------------------------------------------------------------------------------------
# What is measured. Any: modules of peers, and what they make.
# ---------------------------------------------------------------------------------------------------------


def _square(number: int) -> int:
    return number * number


def _hits(folder: str, stack: ExitStack) -> list[Contender]:
    kinds: dict[str, Any] = {"lightwork": Memory(os.path.join(folder, "lightwork")).cache(_square)}
    joblib: Any = installed("joblib")
    if joblib is not None:
        kinds["joblib"] = joblib.Memory(os.path.join(folder, "joblib"), verbose=0).cache(_square)
    diskcache: Any = installed("diskcache")
    if diskcache is not None:
        kinds["diskcache"] = stack.enter_context(
            diskcache.Cache(os.path.join(folder, "diskcache"))
        ).memoize()(_square)

    def calls(cached: Any) -> Callable[[], object]:
        return lambda: [cached(number) for number in range(_CALLS)]

    return [Contender(name, calls(cached)) for name, cached in kinds.items()]


def _processes(folder: str, stack: ExitStack) -> list[Contender]:
    numbers = range(_TASKS)
    shared = Parallel(n_jobs=2)
    found = [Contender("lightwork", lambda: shared(delayed(abs)(number) for number in numbers))]
    joblib: Any = installed("joblib")
    if joblib is not None:
        theirs = joblib.Parallel(n_jobs=2)
        found.append(Contender("joblib", lambda: theirs(joblib.delayed(abs)(number) for number in numbers)))
    pool = stack.enter_context(ProcessPoolExecutor(2, get_context("spawn")))  # there are threads here
    found.append(Contender("concurrent.futures", lambda: list(pool.map(abs, numbers, chunksize=100))))
    return found


def _threads(folder: str, stack: ExitStack) -> list[Contender]:
    numbers = range(_TASKS)
    shared = Parallel(n_jobs=2, backend="threads")
    found = [Contender("lightwork", lambda: shared(delayed(abs)(number) for number in numbers))]
    joblib: Any = installed("joblib")
    if joblib is not None:
        theirs = joblib.Parallel(n_jobs=2, backend="threading")
        found.append(Contender("joblib", lambda: theirs(joblib.delayed(abs)(number) for number in numbers)))
    pool = stack.enter_context(ThreadPoolExecutor(2))
    found.append(Contender("concurrent.futures", lambda: list(pool.map(abs, numbers))))
    return found


def _files(folder: str, value: object) -> list[Contender]:
    """Write a value to a file and read it again."""

    def ours() -> object:
        return load(dump(value, os.path.join(folder, "lightwork"))[0])

    def plain() -> object:
        path = os.path.join(folder, "pickle")
        with open(path, "wb") as file:
            pickle.dump(value, file, 5)
            file.flush()
            os.fsync(file.fileno())  # as dump does it
        with open(path, "rb") as file:
            return pickle.load(file)

    found = [Contender("lightwork", ours)]
    joblib: Any = installed("joblib")
    if joblib is not None:
        path = os.path.join(folder, "joblib")
        found.append(Contender("joblib (no fsync)", lambda: joblib.load(joblib.dump(value, path)[0])))
    return [*found, Contender("pickle", plain)]


def _array() -> Any:
    numpy: Any = installed("numpy")
    return bytearray(_LARGE) if numpy is None else numpy.arange(_LARGE // 8, dtype=float)


def _table() -> dict[str, list[object]]:
    return {f"key {number}": [number, number / 3, str(number)] for number in range(50_000)}


def _hash(value: object) -> list[Contender]:
    found = [Contender("lightwork", lambda: hash(value))]
    joblib: Any = installed("joblib")
    return found if joblib is None else [*found, Contender("joblib", lambda: joblib.hash(value))]


THEMES = (
    Theme("cache", f"{_CALLS} hits of a cached call", _hits),
    Theme("processes", f"{_TASKS:,} tiny tasks, 2 processes", _processes),
    Theme("threads", f"{_TASKS:,} tiny tasks, 2 threads", _threads),
    Theme("file", "50 MB array to a file and back", lambda folder, stack: _files(folder, _array())),
    Theme("objects", "50,000 entries to a file and back", lambda folder, stack: _files(folder, _table())),
    Theme("hash", "key of a 50 MB array", lambda folder, stack: _hash(_array())),
    Theme("keys", "key of 50,000 entries", lambda folder, stack: _hash(_table())),
)


# ---------------------------------------------------------------------------------------------------------
# How it is measured
# ---------------------------------------------------------------------------------------------------------


def _measure(theme: Theme, seconds: float) -> list[Timed]:
    """Rounds of all contenders in turns, for so many seconds, and three at least."""
    with tempfile.TemporaryDirectory(prefix="lightwork-bench-") as folder, ExitStack() as stack:
        contenders = theme.make(folder, stack)
        for contender in contenders:
            contender.run()  # starts workers, fills caches
        times: list[list[float]] = [[] for _ in contenders]
        end = time.perf_counter() + seconds
        while len(times[0]) < _LEAST_ROUNDS or time.perf_counter() < end:
            for contender, row in zip(contenders, times, strict=True):
                begin = time.perf_counter()
                contender.run()
                row.append(time.perf_counter() - begin)
    medians = [statistics.median(row) for row in times]
    return [
        Timed(theme.name, theme.what, contender.name, median, median / medians[0], len(times[0]))
        for contender, median in zip(contenders, medians, strict=True)
    ]


_COLUMNS = (
    Column("what"),
    Column("who"),
    Column("median", is_number=True),
    Column("of lightwork's", is_number=True),
)


def _row(timed: Timed) -> tuple[str, ...]:
    return timed.what, timed.contender, duration(timed.seconds), f"{timed.ratio:.2f}"


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--seconds", type=float, default=120.0, metavar="N", help="in all (default: 120)")
    parser.add_argument(
        "--only",
        action="append",
        choices=[theme.name for theme in THEMES],
        default=[],
        help="this theme; may be repeated",
    )
    add_json(parser, "a list with an object per theme and contender")


def _run(given: Namespace, terminal: Terminal) -> int:
    if not 0 <= given.seconds < math.inf:
        raise Refusal(f"--seconds={given.seconds}: give a number of seconds, 0 or more", USAGE)
    themes = [theme for theme in THEMES if not given.only or theme.name in given.only]
    found: list[Timed] = []
    for theme in themes:
        if terminal.width is not None and not given.json:
            terminal.report(f"measuring: {theme.what} ...")
        # Half of the time goes into what comes before the first round: workers, arrays, caches.
        found += _measure(theme, given.seconds / len(themes) / 2)
    if given.json:
        terminal.write_json([timed._asdict() for timed in found])
    else:
        terminal.write_table(_COLUMNS, [_row(timed) for timed in found])
    return OK


BENCH = Command("bench", "compare with the peers that are installed here", DETAILS, _add_arguments, _run)
