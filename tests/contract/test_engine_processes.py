"""The process pool passes the exam that every engine has to pass."""

from collections.abc import Iterator

import pytest

from lightwork.engines.processes import ProcessEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessEngine]:
    """One pool for all tests, as in life."""
    pool = ProcessEngine()
    yield pool
    pool.shutdown()


class TestProcessEngine(EngineSuite):
    @pytest.fixture
    def engine(self, pool: ProcessEngine) -> Engine:
        return pool
