"""Counts of processes that the kernel ended for want of memory, from trees that look like its own."""

from pathlib import Path

import pytest

from lightwork.system.oom import oom_kills


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("membership", "file", "text", "count"),
    [
        ("0::/jobs/7\n", "cg/jobs/7/memory.events", "low 0\noom 3\noom_kill 2\noom_group_kill 0\n", 2),
        ("0::/\n", "cg/memory.events", "oom_kill 5\n", 5),
        (
            "4:memory:/box\n3:cpu,cpuacct:/box\n",
            "cg/memory/box/memory.oom_control",
            "under_oom 0\noom_kill 1\n",
            1,
        ),
    ],
)
def test_the_count_of_our_control_group(
    tmp_path: Path, membership: str, file: str, text: str, count: int
) -> None:
    """Version 2, at its root too, and version 1."""
    write(tmp_path / "proc/self/cgroup", membership)
    write(tmp_path / "proc/vmstat", "oom_kill 99\n")
    write(tmp_path / file, text)
    assert oom_kills(str(tmp_path / "proc"), str(tmp_path / "cg")) == count


def test_else_the_count_of_the_machine(tmp_path: Path) -> None:
    """A control group that does not count leaves the machine's own number."""
    write(tmp_path / "proc/self/cgroup", "0::/jobs\n")
    write(tmp_path / "proc/vmstat", "nr_free_pages 12\noom_kill 7\n")
    assert oom_kills(str(tmp_path / "proc"), str(tmp_path / "cg")) == 7


def test_nobody_counts(tmp_path: Path) -> None:
    """Old kernels and other systems: not known, which is not zero."""
    assert oom_kills(str(tmp_path / "proc"), str(tmp_path / "cg")) is None
