"""The engines that run in this process pass the exam that every engine has to pass."""

import pytest

from lightwork.engines.sequential import SequentialEngine
from lightwork.engines.threads import ThreadEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite, ScriptedEngine


class TestThreadEngine(EngineSuite):
    @pytest.fixture
    def engine(self) -> Engine:
        return ThreadEngine()


class TestSequentialEngine(EngineSuite):
    @pytest.fixture
    def engine(self) -> Engine:
        return SequentialEngine()


class TestScriptedEngine(EngineSuite):
    @pytest.fixture
    def engine(self) -> Engine:
        return ScriptedEngine()


class TestScriptedEngineAtRandom(EngineSuite):
    @pytest.fixture(params=range(3))
    def engine(self, request: pytest.FixtureRequest) -> Engine:
        return ScriptedEngine(request.param)
