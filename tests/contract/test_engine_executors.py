"""Executors of others pass the exam that every engine has to pass."""

import multiprocessing
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lightwork.engines.futures.executor import ExecutorEngine
from lightwork.protocols import Engine
from lightwork.testing.engines import EngineSuite

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.fixture(scope="module")
def loky_processes() -> Iterator[Executor]:
    loky = pytest.importorskip("loky", reason="loky is not installed")
    executor = loky.ProcessPoolExecutor(2)
    yield executor
    executor.shutdown(kill_workers=True)


@pytest.fixture(scope="module")
def executorlib_processes() -> Iterator[Executor]:
    """Of the machine itself, which start as those of a Slurm allocation do, with another command."""
    executorlib = pytest.importorskip("executorlib", reason="executorlib is not installed")
    with executorlib.SingleNodeExecutor(max_workers=2, block_allocation=True) as executor:
        yield executor


class TestThreadPoolExecutor(EngineSuite):
    @pytest.fixture
    def engine(self, threads: Executor) -> Engine:
        return ExecutorEngine(threads)


class TestProcessPoolExecutor(EngineSuite):
    @pytest.fixture
    def engine(self, processes: Executor) -> Engine:
        return ExecutorEngine(processes)


class TestLoky(EngineSuite):
    @pytest.fixture
    def engine(self, loky_processes: Executor) -> Engine:
        return ExecutorEngine(loky_processes)


class Untold(ExecutorEngine):
    """Over an executor that does not tell its number of workers; the exam asks for one."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        return super().effective_n_jobs(n_jobs if n_jobs > 0 else 2)


class TestExecutorlib(EngineSuite):
    @pytest.fixture
    def engine(self, executorlib_processes: Executor) -> Engine:
        return Untold(executorlib_processes)


@pytest.mark.slow
def test_mpi4py(tmp_path: Path) -> None:
    """The exam again, in a program that ``mpiexec`` has started, whose other ranks are the workers."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    mpiexec: Any = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("there is no mpiexec (mpich)")
    exam = [sys.executable, "-m", "mpi4py.futures", "-m", "pytest", "-q", "tests/contract/mpi_exam.py"]
    result = subprocess.run([mpiexec, "-n", "3", *exam], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout
