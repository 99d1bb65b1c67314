"""Thousands of workers in virtual time (``benchmarks/simulate.py``): what scheduling costs and holds."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "simulate.py"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulate", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["simulate"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_a_task_costs_as_much_whatever_the_number_of_workers(simulation: ModuleType) -> None:
    """A hundred times as many workers: a look at each of them per task would cost a hundred times as much."""
    few, many = [], []
    for _ in range(3):
        few.append(simulation.simulate(50, 6_000).per_task)
        many.append(simulation.simulate(5_000, 15_000).per_task)
    assert min(many) < 4 * min(few)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 7, 1000])
@pytest.mark.parametrize("batch_size", [None, 1, 20])
def test_no_more_is_read_than_may_be_on_its_way(
    simulation: ModuleType, workers: int, batch_size: int | None
) -> None:
    """The memory of a call is bounded by its read-ahead, whatever the number of tasks; workers stay busy."""
    tasks = 40 * workers * (batch_size or 1)
    for run in (simulation.simulate, simulation.simulate_flow):
        found = run(workers, tasks, batch_size=batch_size)
        assert found.unfinished <= (2 * workers + 1) * (batch_size or 1) + workers
        assert found.busy > 0.7
