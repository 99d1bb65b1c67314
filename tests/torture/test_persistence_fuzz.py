"""200,000 mutated files, read with little memory and a watchdog; then what atheris makes of skeletons."""

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

pytestmark = pytest.mark.torture

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("LIGHTWORK_TORTURE") == "long"
BATCH = 10_000 if LONG else 100
COUNTS = {"skeleton": 120_000, "container": 50_000, "file": 40_000} if LONG else {"skeleton": 100}
GUIDED = 300  # seconds


def fuzz(script: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", f"tests.torture.{script}", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("kind", COUNTS)
def test_mutated_files_are_read_or_refused(kind: str, tmp_path: Path) -> None:
    """Never a crash, a hang, a gigabyte, or an error that is not ours."""
    firsts = range(0, COUNTS[kind], BATCH)
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        runs = list(
            threads.map(
                lambda first: fuzz("fuzz_reading", kind, str(first), str(BATCH), str(tmp_path)), firsts
            )
        )
    failed = [run.stderr.decode()[-2000:] for run in runs if run.returncode]
    assert failed == []


@pytest.mark.skipif(not LONG, reason="takes five minutes")
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
def test_skeletons_that_reach_new_code_are_read_or_refused(tmp_path: Path) -> None:
    """Guided by coverage: inputs are kept and mutated further if they get to where none has been."""
    run = fuzz("fuzz_guided", str(GUIDED), str(tmp_path))
    assert run.returncode == 0, run.stderr.decode()[-3000:]
