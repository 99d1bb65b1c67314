"""Maps whose results are known, results that are kept as they arrive, and objects that are sent once."""

import multiprocessing
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from harness import Case, Side

from lightwork import Memory, Parallel, delayed, share

try:
    import joblib
except ImportError:
    joblib = None

JOBS = 2
HITS = 10_000
KEPT = 2_000
TASKS = 1_000


def double(x: int) -> int:
    return 2 * x


def ask(function: Any, x: int) -> Any:
    """Asks the cache in the worker: `Parallel` does not see what it is."""
    return function(x)


def look(table: dict[Any, Any], i: int) -> int:
    return len(table[i % 1000]) + int(table["array"][i])


def look_at_global(i: int) -> int:
    return look(GLOBAL, i)


GLOBAL: dict[Any, Any] = {}


def cases(scratch: Path) -> Iterator[Case]:
    yield _hits(scratch / "hits")
    yield from _kept(scratch)
    yield _shared()


def _hits(folder: Path) -> Case:
    cached = Memory(folder / "ours").cache(double)
    theirs = joblib.Memory(folder / "theirs", verbose=0).cache(double) if joblib else None
    for x in range(HITS):
        cached(x)
        if theirs is not None:
            theirs(x)

    def by_joblib() -> object:
        return joblib.Parallel(JOBS)(joblib.delayed(theirs)(x) for x in range(HITS))

    return Case(
        f"a map of {HITS:,} calls over a cached function, all kept",
        {
            "lightwork": Side(lambda: Parallel(JOBS)(delayed(cached)(x) for x in range(HITS))),
            "lightwork, asked in workers": Side(
                lambda: Parallel(JOBS)(delayed(ask)(cached, x) for x in range(HITS))
            ),
            "joblib": Side(by_joblib) if joblib else None,
            "yardstick: the loop": Side(lambda: [cached(x) for x in range(HITS)]),
        },
        per=HITS,
        note="no worker is started; asked in workers the function travels with each task",
    )


def _kept(scratch: Path) -> Iterator[Case]:
    folder = scratch / "kept"
    theirs = joblib.Memory(scratch / "by hand", verbose=0) if joblib else None

    def run(path: Path | None) -> object:
        return Parallel(JOBS, checkpoint=path)(delayed(double)(x) for x in range(KEPT))

    def by_hand() -> object:
        cached = theirs.cache(double)
        return joblib.Parallel(JOBS)(joblib.delayed(cached)(x) for x in range(KEPT))

    def forget() -> None:
        shutil.rmtree(folder, ignore_errors=True)

    yield Case(
        "empty task with a checkpoint, nothing known",
        {
            "lightwork": Side(lambda: run(folder), setup=forget),
            "lightwork, no checkpoint": Side(lambda: run(None)),
            "joblib": Side(by_hand, setup=lambda: theirs.clear(warn=False)) if theirs is not None else None,
        },
        per=KEPT,
        target="< 1 ms",
        met=lambda m: m["lightwork"] < 1e-3,
        note="joblib has no checkpoints: its function is cached by hand",
    )
    yield Case(
        "empty task with a checkpoint, all known",
        {
            "lightwork": Side(lambda: run(folder)),
            "joblib": Side(by_hand) if theirs is not None else None,
        },
        per=KEPT,
        target="< 1 ms",
        met=lambda m: m["lightwork"] < 1e-3,
    )


def _shared() -> Case:
    table: dict[Any, Any] = {i: f"{i:050}" for i in range(200_000)}
    table["array"] = np.arange(2_000_000)
    GLOBAL.update(table)
    shared: Any = share(table)
    pool = multiprocessing.get_context("fork").Pool(JOBS)

    def by_joblib() -> object:
        return joblib.Parallel(JOBS, batch_size=100)(joblib.delayed(look)(table, i) for i in range(TASKS))

    return Case(
        f"{TASKS:,} tasks that look into one dict of 200,000 texts and 16 MB",
        {
            "lightwork": Side(lambda: Parallel(JOBS)(delayed(look)(shared, i) for i in range(TASKS))),
            "joblib": Side(by_joblib) if joblib else None,
            "mp.Pool, forked with it as a global": Side(lambda: pool.map(look_at_global, range(TASKS), 100)),
        },
        per=TASKS,
        target="≤ 2 × a forked global",
        met=lambda m: m["lightwork"] <= 2 * m["mp.Pool, forked with it as a global"],
        note="shared once, workers warm; joblib in batches of 100, each of which carries the dict once",
        rounds=5,
    )
