"""How many cores this process may use: the smallest of what the machine, its owner and the user allow."""

import functools
import math
import os

from ..errors import InvalidOption

__all__ = ["cgroup_limit", "cpu_count"]

_USER_LIMITS = ("LIGHTWORK_MAX_CPU_COUNT", "LOKY_MAX_CPU_COUNT")
_CGROUP_ROOT = "/sys/fs/cgroup"
_PROCESSORS = "/sys/devices/system/cpu"


def cpu_count(only_physical_cores: bool = False) -> int:
    """The number of cores that this process may use, ``>= 1``.

    The smallest of: the cores of the machine, the scheduler affinity of the process, the quota of its
    control group (v2 and v1, rounded up; as it was at the first call) and the environment variables
    ``LIGHTWORK_MAX_CPU_COUNT`` and ``LOKY_MAX_CPU_COUNT``.

    Parameters
    ----------
    only_physical_cores
        Leave out the second and later hardware threads of a core, where Linux tells which those are.

    Raises
    ------
    InvalidOption
        An environment variable is not a whole number.
    """
    logical = os.cpu_count() or 1
    limits = [logical, _affinity(logical), _user_limit()]
    quota = _own_quota()
    if quota is not None:
        limits.append(quota)
    allowed = max(1, min(limit for limit in limits if limit is not None))
    if only_physical_cores and allowed == logical:
        return _physical_cores() or allowed
    return allowed


@functools.cache
def _own_quota() -> int | None:
    # Read once: three files of the kernel's take up to a tenth of a millisecond, which each parallel call
    # would pay, and a group whose quota changes while its processes run is rare.
    return cgroup_limit(_CGROUP_ROOT)


def cgroup_limit(root: str | os.PathLike[str]) -> int | None:
    """The processor quota of the control group mounted at `root`, in whole cores, or ``None`` without one."""
    v2 = _words(root, "cpu.max")
    if len(v2) == 2:
        return _cores(v2[0], v2[1])
    quota, period = _words(root, "cpu", "cpu.cfs_quota_us"), _words(root, "cpu", "cpu.cfs_period_us")
    if len(quota) == len(period) == 1:
        return _cores(quota[0], period[0])
    return None


def _cores(quota: str, period: str) -> int | None:
    """Cores for a quota and period in microseconds; ``"max"``, ``-1`` and nonsense mean no limit."""
    if not quota.isdecimal() or not period.isdecimal() or int(period) == 0:
        return None
    return max(1, math.ceil(int(quota) / int(period)))


def _words(root: str | os.PathLike[str], *parts: str) -> list[str]:
    """The words of a small file of the kernel's, none if it cannot be read."""
    try:
        with open(os.path.join(root, *parts), encoding="ascii", errors="replace") as file:
            return file.read().split()
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
        if text is None:
            continue
        try:
            limits.append(int(text))
        except ValueError:
            raise InvalidOption(f"the environment variable {name} is {text!r}: give a whole number") from None
    return min(limits, default=None)


def _physical_cores() -> int | None:
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
