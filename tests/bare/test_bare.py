"""All four services with nothing installed but what lightwork requires: no numpy, no pandas, no test tools.

``make wheel`` runs these tests in such an environment; here they run like any others.
"""

import asyncio
import os
from pathlib import Path

import lightwork
from lightwork import Failure, Memory, Parallel, delayed, dump, load, share, task_rng
from lightwork.persistence import inspect


def square(x: int) -> int:
    return x * x


def inverse(x: int) -> float:
    return 1 / x


def look_up(table: dict[str, int], word: str) -> int:
    return table[word]


def draw() -> float:
    return task_rng().random()  # of `random.Random` where numpy is missing


def test_equal_values_have_equal_keys() -> None:
    """Whatever the order of a dictionary."""
    assert (
        lightwork.hash({"a": 1, "b": [2]}) == lightwork.hash({"b": [2], "a": 1}) != lightwork.hash({"a": 1})
    )


def test_files_hold_what_was_dumped(tmp_path: Path) -> None:
    """Compressed or not, as a whole or in parts, trusted or not."""
    value = {"rows": list(range(1000)), "name": "north"}
    for compress in (False, True):
        dump(value, tmp_path / "x.lw", compress=compress)
        assert load(tmp_path / "x.lw") == load(tmp_path / "x.lw", safe=True) == value
        assert load(tmp_path / "x.lw", keys=["name"]) == {"name": "north"}
        assert inspect(tmp_path / "x.lw").lightwork == lightwork.__version__


def test_results_are_remembered(tmp_path: Path) -> None:
    """Of functions and of async ones."""
    ran: list[int] = []
    memory = Memory(tmp_path)

    @memory.cache
    def double(x: int) -> int:
        return 2 * x

    @memory.cache(ignore=["log"])
    async def triple(x: int, log: list[int]) -> int:
        log.append(x)
        return 3 * x

    assert [double(2), double(2)] == [4, 4]
    assert double.stats().hits == 1
    assert [asyncio.run(triple(2, ran)) for _ in range(2)] == [6, 6]
    assert ran == [2]


def test_loops_are_shared_out(tmp_path: Path) -> None:
    """Over processes and threads, with failures, checkpoints, streams and shared objects."""
    for backend in ("processes", "threads"):
        parallel = Parallel(n_jobs=2, backend=backend, on_error="return")
        results = parallel(delayed(inverse)(x) for x in (1, 0, 2))
        assert [isinstance(each, Failure) for each in results] == [False, True, False]
    pids = Parallel(n_jobs=2)(delayed(os.getpid)() for _ in range(10))
    assert os.getpid() not in pids
    for _ in range(2):
        kept = Parallel(n_jobs=2, checkpoint=tmp_path / "kept")(delayed(square)(x) for x in range(5))
        assert kept == [0, 1, 4, 9, 16]
    with share({"many": 4, "hands": 5}) as shared:
        assert Parallel(n_jobs=2).map(look_up, [shared] * 2, ["many", "hands"]) == [4, 5]
    assert sum(Parallel(n_jobs=2, return_as="generator")(delayed(square)(x) for x in range(5))) == 30


def test_random_numbers_do_not_depend_on_workers() -> None:
    """One generator for each task."""
    drawn = [Parallel(n_jobs=n, seed=1)(delayed(draw)() for _ in range(4)) for n in (1, 2)]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 4


def test_a_trace_becomes_a_page(tmp_path: Path) -> None:
    """The report draws itself with nothing but the standard library."""
    parallel = Parallel(n_jobs=2, trace=tmp_path / "run.json")
    parallel(delayed(square)(i) for i in range(10))
    parallel.report().save(tmp_path / "run.html")
    assert "</script>" in (tmp_path / "run.html").read_text()
