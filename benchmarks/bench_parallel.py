"""What a parallel call costs: the first one, a warm one, a task, a large argument, a large result.

All pools have two workers. Those that can be kept are kept warm, except where the first call is the point.
"""

import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
from harness import Case, Side

from lightwork import Parallel, delayed

try:
    import joblib
except ImportError:
    joblib = None
try:
    from mpire import WorkerPool
except ImportError:
    WorkerPool = None

JOBS = 2


def empty(x: object) -> object:
    return x


def spin(rounds: int) -> None:
    for _ in range(rounds):
        pass


def total(array: np.ndarray[Any, Any], index: int) -> float:
    return float(array[index])


def block(index: int) -> np.ndarray[Any, Any]:
    return np.full(1_250_000, float(index))


def read(arrays: Any) -> list[float]:
    """Touch each page of each result once, as a user would."""
    return [float(array[::512].sum()) for array in arrays]


FIRST = {
    "lightwork": "from lightwork import Parallel, delayed\n"
    "def call(): Parallel(2)(delayed(abs)(i) for i in (1, 2))",
    "joblib": "from joblib import Parallel, delayed\n"
    "def call(): Parallel(2)(delayed(abs)(i) for i in (1, 2))",
    "executor": "from concurrent.futures import ProcessPoolExecutor\n"
    "def call():\n    with ProcessPoolExecutor(2) as pool: list(pool.map(abs, (1, 2)))",
    "mp.Pool": "import multiprocessing, multiprocessing.pool\n"
    "def call():\n    with multiprocessing.Pool(2) as pool: pool.map(abs, (1, 2))",
    "mpire": "from mpire import WorkerPool\n"
    "def call():\n    with WorkerPool(2) as pool: pool.map(abs, (1, 2))",
    "yardstick: two forks": "import os\n"
    "def call():\n    pids = [os.fork() for _ in range(2) if os.getpid() == parent]\n"
    "    if os.getpid() != parent: os._exit(0)\n    [os.waitpid(pid, 0) for pid in pids]\n"
    "parent = os.getpid()",
}


def _first(text: str) -> Side:
    code = f"{text}\nimport time; t = time.perf_counter(); call(); print(time.perf_counter() - t)"

    def run() -> float:
        command = [sys.executable, "-c", code]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    return Side(run)


def _ours(function: Callable[..., Any], *columns: Any, **options: Any) -> Side:
    return Side(lambda: Parallel(**{"n_jobs": JOBS, **options})(map(delayed(function), *columns)))


def _joblib(function: Callable[..., Any], *columns: Any, **options: Any) -> Side | None:
    if joblib is None:
        return None
    parallel, wrapped = joblib.Parallel, joblib.delayed(function)
    return Side(lambda: parallel(**{"n_jobs": JOBS, **options})(map(wrapped, *columns)))


class Pools:
    """The peers' pools, warm; closed with the stack."""

    def __init__(self, stack: ExitStack) -> None:
        self.executor = stack.enter_context(ProcessPoolExecutor(JOBS))
        self.pool = stack.enter_context(multiprocessing.Pool(JOBS))
        self.mpire = stack.enter_context(WorkerPool(JOBS, keep_alive=True)) if WorkerPool else None

    def sides(self, function: Callable[..., Any], *columns: Any, chunk: int) -> dict[str, Side | None]:
        def by_executor() -> object:
            return list(self.executor.map(function, *columns, chunksize=chunk))

        def by_pool() -> object:
            return self.pool.starmap(function, zip(*columns, strict=False), chunk)

        def by_mpire() -> object:
            return self.mpire.map(function, list(zip(*columns, strict=False)), chunk_size=chunk)

        return {
            f"executor (chunks of {chunk})": Side(by_executor),
            f"mp.Pool (chunks of {chunk})": Side(by_pool),
            "mpire": Side(by_mpire) if self.mpire else None,
        }


def cases(scratch: Path) -> Iterator[Case]:
    yield Case(
        "first parallel call, two processes",
        {
            name: _first(text) if name not in ("joblib", "mpire") or find_spec(name) else None
            for name, text in FIRST.items()
        },
        target="≤ 60 ms",
        met=lambda m: m["lightwork"] <= 60e-3,
    )
    with ExitStack() as stack:
        pools = Pools(stack)
        yield from _small(pools)
        yield from _busy(pools)
        yield from _large(pools)


def _small(pools: Pools) -> Iterator[Case]:
    two = range(2)
    yield Case(
        "warm parallel call, two tasks",
        {"lightwork": _ours(empty, two), "joblib": _joblib(empty, two), **pools.sides(empty, two, chunk=1)},
        target="≤ 0.3 ms",
        met=lambda m: m["lightwork"] <= 0.3e-3,
    )
    many = range(100_000)
    yield Case(
        "empty task, automatic batches, scalar argument",
        {
            "lightwork": _ours(empty, many),
            "joblib": _joblib(empty, many),
            **pools.sides(empty, many, chunk=100),
        },
        per=len(many),
        target="≤ 1.2 µs",
        met=lambda m: m["lightwork"] <= 1.2e-6,
        note="with `delayed` and the input generator included.",
    )
    pairs = [(i, str(i)) for i in range(50_000)]
    yield Case(
        "empty task, automatic batches, tuple argument",
        {"lightwork": _ours(empty, pairs), "joblib": _joblib(empty, pairs)},
        per=len(pairs),
        target="≤ 2.5 µs",
        met=lambda m: m["lightwork"] <= 2.5e-6,
    )
    few = range(2_000)
    yield Case(
        "empty task, one at a time",
        {
            "lightwork": _ours(empty, few, batch_size=1, pre_dispatch="all"),
            "joblib": _joblib(empty, few, batch_size=1, pre_dispatch="all"),
            **pools.sides(empty, few, chunk=1),
        },
        per=len(few),
        target="≤ 12 µs",
        met=lambda m: m["lightwork"] <= 12e-6,
    )
    some = range(10_000)
    with ThreadPoolExecutor(JOBS) as threads, ThreadPool(JOBS) as pool:
        yield Case(
            "empty task, threads",
            {
                "lightwork": _ours(empty, some, backend="threads"),
                "joblib": _joblib(empty, some, backend="threading"),
                "ThreadPoolExecutor": Side(lambda: list(threads.map(empty, some))),
                "ThreadPool (chunks of 100)": Side(lambda: pool.map(empty, some, 100)),
            },
            per=len(some),
            target="≤ 2 µs",
            met=lambda m: m["lightwork"] <= 2e-6,
        )
    yield Case(
        "empty task, n_jobs=1",
        {
            "lightwork": _ours(empty, many, n_jobs=1),
            "joblib": _joblib(empty, many, n_jobs=1),
            "yardstick: plain loop": Side(lambda: [empty(i) for i in many]),
        },
        per=len(many),
        target="≤ 0.5 µs over the loop",
        met=lambda m: m["lightwork"] - m["yardstick: plain loop"] <= 0.5e-6,
        note="with `delayed` included.",
    )


def _rounds_of(seconds: float) -> int:
    """Rounds of `spin` that take so long here and now."""
    best = float("inf")
    for _ in range(20):
        start = time.perf_counter()
        spin(100_000)
        best = min(best, time.perf_counter() - start)
    return round(100_000 * seconds / best)


def _busy(pools: Pools) -> Iterator[Case]:
    work = [_rounds_of(50e-6)] * 20_000

    def half_a_loop() -> float:
        start = time.perf_counter()
        for rounds in work:
            spin(rounds)
        return (time.perf_counter() - start) / JOBS

    yield Case(
        "20,000 tasks of 50 µs, two processes",
        {
            "lightwork": _ours(spin, work),
            "joblib": _joblib(spin, work),
            **pools.sides(spin, work, chunk=100),
            "yardstick: half the loop": Side(half_a_loop),
        },
        per=len(work),
        target="≤ 1.08 × yardstick (27 of 25 µs)",
        met=lambda m: m["lightwork"] <= 1.08 * m["yardstick: half the loop"],
        rounds=5,
    )


def _large(pools: Pools) -> Iterator[Case]:
    for nbytes, name, target, limit in (
        (100_000_000, "100 MB", "≤ 45 ms", 45e-3),
        (800_000, "0.8 MB", "≤ 8 ms", 8e-3),
    ):
        array, indices = np.random.default_rng(0).random(nbytes // 8), range(200)
        peers = pools.sides(total, [array] * 200, indices, chunk=50) if nbytes < 10**6 else {}
        yield Case(
            f"200 tasks that share one array of {name}",
            {
                "lightwork": _ours(total, [array] * 200, indices),
                "joblib": _joblib(total, [array] * 200, indices),
                **peers,
            },
            target=target,
            met=partial(_within, limit),
            rounds=5,
        )
        del array
    forty = range(40)
    yield Case(
        "40 results of 10 MB, each read once",
        {
            "lightwork": Side(lambda: read(Parallel(JOBS)(map(delayed(block), forty)))),
            "joblib": Side(lambda: read(joblib.Parallel(JOBS)(map(joblib.delayed(block), forty))))
            if joblib
            else None,
            "executor": Side(lambda: read(pools.executor.map(block, forty))),
            "mp.Pool": Side(lambda: read(pools.pool.map(block, forty, 1))),
            "mpire": Side(lambda: read(pools.mpire.map(block, forty, concatenate_numpy_output=False)))
            if pools.mpire
            else None,
        },
        target="≤ 190 ms",
        met=partial(_within, 190e-3),
        rounds=5,
    )


def _within(limit: float, medians: Any) -> bool:
    return bool(medians["lightwork"] <= limit)
