"""How many cores this process may use: the smallest of what the machine, its owner and the user allow.

Inside a task that is less: each worker of a call has a *share* of what the call had (`share_of`), and a
nested call has no more workers than the share of the task that makes it (`workers_for`). So however deep
calls are nested, no more cores are kept busy than the outermost call was given. Shares are numbers, no tokens
that are taken and given back: none is below one, so nobody waits for one, and nested calls cannot deadlock.
"""

import functools
import math
import os

from ..errors import InvalidOption
from .computing import SHARE

__all__ = [
    "cgroup_limit",
    "cores_within",
    "cpu_count",
    "kernel_lines",
    "physical_cores",
    "share_of",
    "workers_for",
]

_USER_LIMITS = ("LIGHTWORK_MAX_CPU_COUNT", "LOKY_MAX_CPU_COUNT")
_SLURM = "SLURM_CPUS_PER_TASK"  # Slurm does not always confine a job to the cores that it was promised
_CGROUP_ROOT = "/sys/fs/cgroup"
_OWN_GROUPS = "/proc/self/cgroup"
_PROCESSORS = "/sys/devices/system/cpu"


def cpu_count(only_physical_cores: bool = False) -> int:
    """The number of cores that this process may use, ``>= 1``.

    The smallest of: the cores of the machine, the scheduler affinity of the process, the quota of its
    control group (v2 and v1, rounded up; as it was at the first call) and the environment variables
    ``LIGHTWORK_MAX_CPU_COUNT``, ``LOKY_MAX_CPU_COUNT`` and ``SLURM_CPUS_PER_TASK``.

    Parameters
    ----------
    only_physical_cores
        Leave out the second and later hardware threads of a core, where Linux tells which those are.

    Raises
    ------
    InvalidOption
        An environment variable is not a whole number.
    """
    return cores_within(_CGROUP_ROOT, _OWN_GROUPS, only_physical_cores=only_physical_cores)


def cores_within(
    root: str | os.PathLike[str], groups: str | os.PathLike[str], *, only_physical_cores: bool = False
) -> int:
    """As `cpu_count`, with control groups that are mounted at `root` and a file that tells the own one."""
    logical = os.cpu_count() or 1
    limits = [logical, _affinity(logical), _user_limit()]
    quota = _own_quota(os.fspath(root), os.fspath(groups))
    if quota is not None:
        limits.append(quota)
    allowed = max(1, min(limit for limit in limits if limit is not None))
    if only_physical_cores and allowed == logical:
        return physical_cores() or allowed
    return allowed


def share_of(workers: int) -> int:
    """The cores for each of so many workers of a call that is made here, ``>= 1``."""
    own = SHARE.get()
    return max(1, (cpu_count() if own is None else own) // workers)


def workers_for(n_jobs: int) -> int:
    """The workers for a request, ``>= 1``: negative numbers count back from the number of cores.

    Outside of tasks a positive number is taken as it is. A task may have its share of the cores and no more.
    """
    own = SHARE.get()
    if own is None:
        return n_jobs if n_jobs > 0 else max(1, cpu_count() + 1 + n_jobs)
    return min(own, n_jobs) if n_jobs > 0 else max(1, own + 1 + n_jobs)


@functools.cache
def _own_quota(root: str, groups: str) -> int | None:
    # Read once: these files of the kernel's take up to a tenth of a millisecond, which each parallel call
    # would pay, and a group whose quota changes while its processes run is rare.
    return cgroup_limit(root, "\n".join(kernel_lines(groups)))


def cgroup_limit(root: str | os.PathLike[str], groups: str = "") -> int | None:
    """The processor quota of control groups, in whole cores, or ``None`` without one.

    Parameters
    ----------
    root
        Where the groups are mounted.
    groups
        The content of ``/proc/self/cgroup``: which group the process is in. The quotas of that group and of
        all above it hold, the least of them counts. In a container the groups above cannot be seen, and often
        the own one neither: the root is it.
    """
    limits = []
    for mount, path in [("", "/"), ("cpu", "/"), *_own_groups(groups)]:
        parts = [part for part in path.split("/") if part not in ("", "..")]
        for depth in range(len(parts) + 1):
            limits.append(_quota(os.path.join(root, mount, *parts[:depth])))
    return min((limit for limit in limits if limit is not None), default=None)


def _own_groups(groups: str) -> list[tuple[str, str]]:
    """Mount and path of the groups that may limit processors: of version 2, and those of 1 with ``cpu``."""
    found = []
    for line in groups.splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3 and fields[:2] == ["0", ""]:
            found.append(("", fields[2]))
        elif len(fields) == 3 and "cpu" in fields[1].split(","):
            found += [("cpu", fields[2]), (fields[1], fields[2])]
    return found


def _quota(folder: str) -> int | None:
    v2 = _words(folder, "cpu.max")
    if len(v2) == 2:
        return _cores(v2[0], v2[1])
    quota, period = _words(folder, "cpu.cfs_quota_us"), _words(folder, "cpu.cfs_period_us")
    if len(quota) == len(period) == 1:
        return _cores(quota[0], period[0])
    return None


def _cores(quota: str, period: str) -> int | None:
    """Cores for a quota and period in microseconds; ``"max"``, ``-1`` and nonsense mean no limit."""
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return max(1, math.ceil(int(quota) / int(period)))


def _words(root: str, *parts: str) -> list[str]:
    """The words of a small file of the kernel's, none if it cannot be read."""
    return " ".join(kernel_lines(os.path.join(root, *parts))).split()


def kernel_lines(path: str) -> list[str]:
    """The lines of a small file of the kernel's, none if it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _affinity(logical: int) -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return logical


def _user_limit() -> int | None:
    limits = []
    for name in _USER_LIMITS:
        text = os.environ.get(name)
        if not text:
            continue
        try:
            limits.append(int(text))
        except ValueError:
            raise InvalidOption(f"the environment variable {name} is {text!r}: give a whole number") from None
    scheduled = os.environ.get(_SLURM, "")
    if scheduled.isdecimal() and int(scheduled) > 0:
        limits.append(int(scheduled))
    return min(limits, default=None)


def physical_cores() -> int | None:
    """Distinct (package, core) pairs in sysfs; ``None`` where there is no sysfs."""
    cores = set()
    try:
        names = os.listdir(_PROCESSORS)
    except OSError:
        return None
    for name in names:
        if name.startswith("cpu") and name[3:].isdecimal():
            topology = os.path.join(_PROCESSORS, name, "topology")
            core = (*_words(topology, "physical_package_id"), *_words(topology, "core_id"))
            cores.add(core)
    cores.discard(())  # switched off: it has a folder and no topology
    return len(cores) or None
