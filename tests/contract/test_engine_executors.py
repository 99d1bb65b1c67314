"""Executors of others pass the exam that every engine has to pass."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from lightwork.engines.futures.executor import ExecutorEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite


@pytest.fixture(scope="module")
def threads() -> Iterator[Executor]:
    """One executor for all tests, as in life."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    """Likewise. A server forks its processes, so that they have nothing of the other tests."""
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("forkserver")) as executor:
        yield executor


class TestThreadPoolExecutor(EngineSuite):
    @pytest.fixture
    def engine(self, threads: Executor) -> Engine:
        return ExecutorEngine(threads)


class TestProcessPoolExecutor(EngineSuite):
    @pytest.fixture
    def engine(self, processes: Executor) -> Engine:
        return ExecutorEngine(processes)
