"""The process pool passes the exam that every engine has to pass."""

from collections.abc import Callable, Iterator

import pytest

from lightwork.engines.processes import ProcessEngine
from lightwork.parallel import delayed
from lightwork.protocols import Batch, Engine, Session, SupportsMemory
from lightwork.testing.engines import EngineSuite, double


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

    def test_it_tells_the_memory_of_its_workers(
        self, open_session: Callable[..., Session], slots: int
    ) -> None:
        """Of those that are there, each by itself; 0 for a slot that has none."""
        session = open_session()
        assert isinstance(session, SupportsMemory)
        assert session.memory() == [0] * slots
        session.send(0, Batch(0, [delayed(double)(2)]))
        assert self.collect(session, 1) == {0: 4}
        first, *others = session.memory()
        assert first > 1_000_000
        assert others == [0] * (slots - 1)
