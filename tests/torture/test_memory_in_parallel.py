"""Cached functions in workers: sent once, and never waiting for themselves."""

import os
from pathlib import Path

import pytest

from lightwork import Memory, Parallel, delayed


def _pid_and(value: int) -> tuple[int, int]:
    return os.getpid(), value


@pytest.mark.parametrize("backend", ["threads", "processes"])
def test_a_call_that_shares_out_itself_does_not_wait_for_itself(tmp_path: Path, backend: str) -> None:
    """A cached call whose tasks ask for the same key computes there, where waiting would last for ever."""

    def leader(depth: int) -> int:
        if calls_inside():
            return depth
        marker.touch()
        return sum(Parallel(n_jobs=2, backend=backend)(delayed(cached)(depth) for _ in range(2)))

    def calls_inside() -> bool:
        return marker.exists()

    marker = tmp_path / "inside"
    cached = Memory(tmp_path / "cache").cache(leader)
    assert cached(7) == 14


def test_a_cached_function_works_in_workers_and_leaves_hits_behind(tmp_path: Path) -> None:
    """What workers computed is found by the caller, and is not computed again by other workers."""
    cached = Memory(tmp_path).cache(_pid_and)
    first = Parallel(n_jobs=2)(delayed(cached)(i) for i in range(20))
    assert {value for _, value in first} == set(range(20))
    assert os.getpid() not in {pid for pid, _ in first}
    assert Parallel(n_jobs=2)(delayed(cached)(i) for i in range(20)) == first
    assert [cached(i) for i in range(20)] == first
