"""The exam for mpi4py's executor, run by `test_engine_executors` under ``mpiexec`` and not collected."""

from collections.abc import Iterator
from concurrent.futures import Executor

import pytest

from lightwork.engines.futures.executor import ExecutorEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite

futures = pytest.importorskip("mpi4py.futures", reason="mpi4py is not installed")


@pytest.fixture(scope="module")
def ranks() -> Iterator[Executor]:
    with futures.MPIPoolExecutor() as executor:
        yield executor


class TestMPIPoolExecutor(EngineSuite):
    @pytest.fixture
    def engine(self, ranks: Executor) -> Engine:
        return ExecutorEngine(ranks)
