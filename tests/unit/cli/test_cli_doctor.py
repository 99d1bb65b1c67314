"""``lightwork doctor``: what is judged, and the command as a real process."""

import json
import os
from pathlib import Path

import pytest

from lightwork.cli.doctor.findings import FINE, PROBLEM, WARNING, judge
from lightwork.cli.doctor.measuring import Folder, Measured, Speeds, measure
from tests.unit.cli.command import refused, run

GB = 1 << 30
DISK = Folder("/data", True, "ext4", True, 100 * GB, 1_000_000, True, "")
WELL = Measured(
    python="3.11.7",
    platform="Linux 6 x86_64",
    packages={"numpy": "2.0", "rich": None},
    logical=8,
    physical=8,
    affinity=8,
    quota=None,
    usable=8,
    environment={},
    memory=32 * GB,
    available=20 * GB,
    memory_limit=None,
    blas={"openblas": 8},
    open_files=4096,
    shared_memory=(16 * GB, 16 * GB),
    temporary=DISK,
    cache=DISK,
    speeds=Speeds(0.1, 0.001, "", 2e9, 5e8, 1e9, ""),
)


def test_a_good_machine_needs_nothing() -> None:
    """Every finding is fine, and none gives advice."""
    findings = judge(WELL)
    assert {finding.level for finding in findings} == {FINE}
    assert [finding.advice for finding in findings if finding.advice] == []
    topics = [
        "software",
        "cores",
        "memory",
        "BLAS",
        "/dev/shm",
        "temporary",
        "cache",
        "workers",
        "hashing",
        "disk",
    ]
    assert [finding.topic for finding in findings] == topics


@pytest.mark.parametrize(
    ("changes", "topic", "level", "words"),
    [
        ({"usable": 2, "quota": 2}, "cores", FINE, "n_jobs=-1 means 2"),
        ({"open_files": 256}, "files", WARNING, "ulimit"),
        ({"available": GB // 4}, "memory", WARNING, "max_worker_memory"),
        ({"memory_limit": 2 * GB}, "memory", WARNING, "per core"),
        ({"blas": None}, "BLAS", WARNING, "lightwork[threads]"),
        ({"usable": 2}, "BLAS", WARNING, "OMP_NUM_THREADS=2"),
        ({"shared_memory": (64 << 20, 64 << 20)}, "/dev/shm", WARNING, "--shm-size"),
        ({"shared_memory": None}, "/dev/shm", WARNING, "needs none"),
        ({"temporary": DISK._replace(free=1000)}, "temporary", WARNING, "TMPDIR"),
        ({"temporary": DISK._replace(writable=False)}, "temporary", PROBLEM, "TMPDIR"),
        ({"cache": DISK._replace(is_local=False, file_system="nfs4")}, "cache", WARNING, "local disk"),
        ({"cache": DISK._replace(writable=False)}, "cache", PROBLEM, "another location"),
        ({"cache": DISK._replace(free=1000)}, "cache", WARNING, "max_bytes"),
        ({"cache": DISK._replace(inodes=10)}, "cache", WARNING, "max_bytes"),
        ({"cache": DISK._replace(distrust="it belongs to user 7")}, "cache", PROBLEM, ""),
        ({"speeds": Speeds(worker_error="OSError: no")}, "workers", PROBLEM, "threads"),
        ({"speeds": Speeds(first_result=9.0, next_result=1.0)}, "workers", WARNING, "busy"),
        ({"speeds": Speeds(hashing=1e8)}, "hashing", WARNING, "Keys"),
        ({"speeds": Speeds(writing=1e6, reading=1e6)}, "disk", WARNING, "compress=True"),
        ({"speeds": Speeds(disk_error="Permission denied")}, "disk", WARNING, ""),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(
    changes: dict[str, object], topic: str, level: str, words: str
) -> None:
    """One machine that is good but for one thing."""
    (finding,) = [found for found in judge(WELL._replace(**changes)) if found.topic == topic]  # type: ignore[arg-type]  # fields of it
    assert finding.level == level
    assert words in finding.advice


def test_looking_makes_no_folder(tmp_path: Path) -> None:
    """The nearest one that exists is measured."""
    found = measure(str(tmp_path / "a" / "b"), quick=True).cache
    assert (found.path, found.exists, found.writable) == (str(tmp_path), False, True)
    (tmp_path / "file").write_text("x")
    assert not measure(str(tmp_path / "file"), quick=True).cache.writable
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.slow
def test_all_is_measured_and_nothing_left_behind(tmp_path: Path) -> None:
    """Workers, hashing and the disk; one line per finding."""
    done = run("doctor", str(tmp_path), "--json")
    assert done.returncode == 0, done.stdout
    told = json.loads(done.stdout)
    speeds = told["measured"]["speeds"]
    assert all(speeds[name] > 0 for name in ("first_result", "next_result", "hashing", "writing", "reading"))
    assert told["measured"]["usable"] >= 1
    assert os.listdir(tmp_path) == []


@pytest.mark.slow
def test_a_place_that_cannot_be_used_is_a_problem(tmp_path: Path) -> None:
    """Exit code 1; a variable that is no number is one line and 2."""
    (tmp_path / "file").write_text("x")
    done = run("doctor", "--quick", "file", cwd=tmp_path)
    assert done.returncode == 1
    assert b"cannot be written" in done.stdout
    assert "four" in refused(run("doctor", "--quick", env={"LIGHTWORK_MAX_CPU_COUNT": "four"}), 2)
