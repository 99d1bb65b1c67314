"""How many processes the kernel has ended for want of memory, where it tells."""

from .cpu import kernel_lines

__all__ = ["oom_kills"]


def oom_kills(proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> int | None:
    """Processes that were ended so far in our control group, or on the machine; ``None`` if nobody counts.

    A number that has grown tells that memory ran out in between, not whose.

    Parameters
    ----------
    proc, cgroups
        Where the two file systems are mounted.
    """
    for path in (*_of_our_group(proc, cgroups), f"{proc}/vmstat"):
        count = _count(path)
        if count is not None:
            return count
    return None


def _of_our_group(proc: str, cgroups: str) -> list[str]:
    """Where the control groups that we are in keep the count: version 2, then version 1."""
    paths = []
    for line in kernel_lines(f"{proc}/self/cgroup"):
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0":
            paths.append(f"{cgroups}{group.rstrip('/')}/memory.events")
        elif "memory" in controllers.split(","):
            paths.append(f"{cgroups}/memory{group.rstrip('/')}/memory.oom_control")
    return paths


def _count(path: str) -> int | None:
    for line in kernel_lines(path):
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.isdigit():
            return int(value)
    return None
