"""The workers of other systems than Linux pass the exam that every engine has to pass. They run here too."""

from collections.abc import Iterator

import pytest

from lightwork.engines.spawned import SpawnedEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite


@pytest.fixture(scope="module")
def shared() -> Iterator[SpawnedEngine]:
    """One for all tests, as in life."""
    engine = SpawnedEngine()
    yield engine
    engine.shutdown()


class TestSpawned(EngineSuite):
    @pytest.fixture
    def engine(self, shared: SpawnedEngine) -> Engine:
        return shared
