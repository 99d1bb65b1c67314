import os
from pathlib import Path

import pytest

from lightwork.errors import InvalidOption
from lightwork.system.computing import SHARE
from lightwork.system.cpu import cgroup_limit, cores_within, cpu_count, share_of, workers_for


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("max 100000\n", None),
        ("150000 100000\n", 2),
        ("50000 100000", 1),
        ("", None),
        ("4 0", None),
        ("x y", None),
    ],
)
def test_quota_of_version_2_is_rounded_up(tmp_path: Path, text: str, expected: int | None) -> None:
    """A quota of one and a half cores counts as two; no, empty and unreadable quotas are no limit."""
    (tmp_path / "cpu.max").write_text(text)
    assert cgroup_limit(tmp_path) == expected


@pytest.mark.parametrize(("quota", "expected"), [("-1", None), ("250000", 3), ("10", 1)])
def test_quota_of_version_1_is_read(tmp_path: Path, quota: str, expected: int | None) -> None:
    """The older two files say the same; -1 is no limit."""
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota)
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000")
    assert cgroup_limit(tmp_path) == expected


OLD = "4:memory:/box\n2:cpu,cpuacct:/box/inner\n0::/\n"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("0::/user.slice/app.scope\n", {"user.slice/app.scope/cpu.max": "300000 100000"}, 3),
        ("0::/user.slice/app.scope\n", {"user.slice/cpu.max": "200000 100000"}, 2),
        (
            "0::/user.slice/app.scope\n",
            {"user.slice/cpu.max": "200000 100000", "user.slice/app.scope/cpu.max": "max 100000"},
            2,
        ),
        ("0::/a/b\n", {"cpu.max": "100000 100000", "a/cpu.max": "400000 100000"}, 1),
        ("0::/a/b\n", {"a/c/cpu.max": "100000 100000"}, None),
        ("0::/../../other\n", {"cpu.max": "500000 100000"}, 5),
        (OLD, {"cpu,cpuacct/box/inner/cpu.cfs_quota_us": "250000"}, 3),
        (OLD, {"cpu/box/cpu.cfs_quota_us": "150000"}, 2),
        (OLD, {"memory/box/cpu.cfs_quota_us": "150000"}, None),
        ("nonsense\n:::\n", {"cpu.max": "700000 100000"}, 7),
    ],
)
def test_the_least_quota_above_the_process_counts(
    tmp_path: Path, groups: str, files: dict[str, str], expected: int | None
) -> None:
    """The quotas of the own group and of all above it hold, in either version; those of others do not."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if name.endswith("quota_us"):
            (path.parent / "cpu.cfs_period_us").write_text("100000")
    assert cgroup_limit(tmp_path, groups) == expected


def test_no_control_group_is_no_limit(tmp_path: Path) -> None:
    """A machine without control groups is not limited by one."""
    assert cgroup_limit(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("groups", "files", "variable", "expected"),
    [
        ("", {}, "", 64),
        ("0::/\n", {}, "", 64),
        ("0::/\n", {"cpu.max": ""}, "", 64),
        ("0::/\n", {"cpu.max": "max 100000\n"}, "", 64),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, "", 4),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, "", 3),
        ("0::/\n", {"cpu.max": "10000 100000\n"}, "", 1),
        ("0::/\n", {"cpu.max": "100000000 100000\n"}, "", 64),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, "2", 2),
        ("0::/\n", {"cpu.max": "400000 100000\n"}, "8", 4),
        ("0::/a/b\n", {"a/cpu.max": "800000 100000\n", "a/b/cpu.max": ""}, "", 8),
        ("0::/a/b\n", {"a/cpu.max": "", "a/b/cpu.max": "max 100000\n"}, "", 64),
        ("0::/a/b\n", {"a/cpu.max": "150000 100000\n", "a/b/cpu.max": "800000 100000\n"}, "", 2),
        ("0::/a/b\n", {"a/cpu.max": "max 100000\n", "a/b/cpu.max": "75000 50000\n"}, "", 2),
        ("0::/a/b\n", {"cpu.max": "700000 100000\n", "a/b/cpu.max": "900000 100000\n"}, "", 7),
        ("0::/a\n", {"a/below/cpu.max": "100000 100000\n"}, "", 64),
    ],
)
def test_quotas_and_all_other_limits_are_weighed_together(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    groups: str,
    files: dict[str, str],
    variable: str,
    expected: int,
) -> None:
    """On a machine of 64 cores: groups that are empty, unlimited, of a part of a core, inside each other."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setenv("LIGHTWORK_MAX_CPU_COUNT", variable)
    own = tmp_path / "own"
    own.write_text(groups)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cores_within(tmp_path / "root", own) == expected


@pytest.mark.parametrize("name", ["LIGHTWORK_MAX_CPU_COUNT", "LOKY_MAX_CPU_COUNT"])
def test_the_user_can_lower_the_count_but_not_raise_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The variable is an upper bound, never below one core and never above the machine."""
    real = cpu_count()
    for text, expected in [("1", 1), ("0", 1), ("-3", 1), ("100000", real)]:
        monkeypatch.setenv(name, text)
        assert cpu_count() == expected


def test_what_slurm_has_promised_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job is not always confined to it. What is no number there is not the user's mistake."""
    real = cpu_count()
    for text, expected in [("1", 1), ("100000", real), ("", real), ("2(x4)", real)]:
        monkeypatch.setenv("SLURM_CPUS_PER_TASK", text)
        assert cpu_count() == expected


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As shells clear them."""
    real = cpu_count()
    monkeypatch.setenv("LIGHTWORK_MAX_CPU_COUNT", "")
    assert cpu_count() == real


def test_a_variable_that_is_no_number_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing error is not ignored."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "four")
    with pytest.raises(InvalidOption, match=r"LOKY_MAX_CPU_COUNT is 'four'"):
        cpu_count()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no scheduler affinity")
def test_affinity_counts() -> None:
    """A process bound to one core has one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert cpu_count() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_physical_cores_are_at_most_the_logical_ones() -> None:
    """Leaving out second hardware threads never adds cores."""
    assert 1 <= cpu_count(only_physical_cores=True) <= cpu_count()


def test_shares_and_workers() -> None:
    """Outside of tasks a number is taken as it is; in a task its share is all that there is."""
    assert workers_for(1000) == 1000
    assert workers_for(-1) == cpu_count()
    assert workers_for(-1000) == 1
    assert share_of(1) == cpu_count()
    token = SHARE.set(6)
    try:
        assert [workers_for(n) for n in (1, 4, 1000, -1, -3, -1000)] == [1, 4, 6, 6, 4, 1]
        assert [share_of(n) for n in (1, 2, 4, 6, 100)] == [6, 3, 1, 1, 1]
    finally:
        SHARE.reset(token)
