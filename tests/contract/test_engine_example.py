"""The engine of ``examples/own_engine.py`` passes the exam that every engine has to pass."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from lightwork import Parallel, delayed
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_engine.py"


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("own_engine", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class TestOwnEngine(EngineSuite):
    @pytest.fixture
    def engine(self) -> Engine:
        engine: Engine = example().FuturesEngine()
        return engine


def test_a_call_runs_on_it() -> None:
    """With the options of calls, which no engine has to know."""
    module = example()
    call = Parallel(3, module.FuturesEngine(), retries=1, seed=1, on_error="return")
    assert call(delayed(pow)(i, 2) for i in range(50)) == [i * i for i in range(50)]
    module.main()
