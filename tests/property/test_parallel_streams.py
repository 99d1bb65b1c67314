"""Random streams of tasks: equal over workers, batch sizes and back ends, for any seed."""

import random
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightwork import Parallel, delayed, task_rng

pytestmark = pytest.mark.slow

SEEDS = st.integers(0, 2**70)
PLACES = st.tuples(
    st.sampled_from([1, 2, 4]),
    st.sampled_from(["auto", 1, 2, 7, 1000]),
    st.sampled_from(["processes", "threads"]),
)


def draw(count: int) -> tuple[list[float], float, float]:
    """Numbers of the task, and of the states that are global."""
    rng = task_rng()
    return [float(rng.random()) for _ in range(count)], random.random(), float(numpy.random.random())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SEEDS, st.lists(st.integers(0, 3), max_size=20), PLACES, st.sampled_from(["list", "generator"]))
def test_streams_do_not_depend_on_where_tasks_run(
    seed: int, counts: list[int], place: tuple[int, Any, str], return_as: Any
) -> None:
    """All that a task draws is a function of the seed and its index."""
    n_jobs, batch_size, backend = place
    expected = Parallel(n_jobs=1, seed=seed)(delayed(draw)(count) for count in counts)
    parallel = Parallel(n_jobs, backend, return_as, batch_size=batch_size, seed=seed)
    found = list(parallel(delayed(draw)(count) for count in counts))
    children = numpy.random.SeedSequence(seed).spawn(len(counts))
    for child, (mine, *_), count in zip(children, expected, counts, strict=True):
        assert mine == [float(value) for value in numpy.random.default_rng(child).random(count)]
    if backend == "threads" and n_jobs > 1:
        assert [mine for mine, *_ in found] == [mine for mine, *_ in expected]
    else:
        assert found == expected
