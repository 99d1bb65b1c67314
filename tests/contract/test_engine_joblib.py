"""Backends that were written for joblib pass the exam that every engine has to pass."""

from collections.abc import Iterator

import joblib
import pytest

from lightwork.compat.joblib.parallel import ParallelBackendBase
from lightwork.engines.joblib_protocol import JoblibEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite
from tests.unit.engines.joblib_backends import BareBackend, Workers, process_backend, thread_backend


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One pool for all tests."""
    workers = Workers()
    yield workers
    workers.end()


class TestBackendOnProcesses(EngineSuite):
    @pytest.fixture(
        params=[joblib.parallel.ParallelBackendBase, ParallelBackendBase], ids=["joblib's", "ours"]
    )
    def engine(self, request: pytest.FixtureRequest, workers: Workers) -> Engine:
        make = process_backend(request.param, workers, [])
        return JoblibEngine(make(), name="noted", make=make)


class TestBackendOnThreads(EngineSuite):
    @pytest.fixture
    def engine(self) -> Engine:
        make = thread_backend(joblib.parallel.ParallelBackendBase)
        return JoblibEngine(make(), name="sharing", make=make)


class TestBackendWithoutBase(EngineSuite):
    @pytest.fixture
    def engine(self) -> Engine:
        return JoblibEngine(BareBackend(), name="bare", make=BareBackend)
