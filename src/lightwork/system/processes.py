"""What Linux offers to keep a family of processes together: death signals, subreapers, reaping, groups.

Everything here acts on the calling process or on processes it names; no policy. Linux only: elsewhere the
functions that need the kernel's help raise `OSError` or return ``None``, as each one says.
"""

import contextlib
import ctypes
import os
import signal
import time
from typing import NamedTuple

__all__ = [
    "Ended",
    "become_subreaper",
    "children",
    "close_inherited",
    "die_with_parent",
    "forget_peak",
    "kill_descendants",
    "kill_group",
    "open_pidfd",
    "own_bytes",
    "peak_own_bytes",
    "reap",
]

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_MAX_DESCRIPTOR = 1 << 20
_SIZES = {"VmHWM", "RssFile", "RssShmem"}
"""Lines of ``/proc/self/status``, in KiB."""


class Ended(NamedTuple):
    """How a process ended."""

    pid: int
    status: int
    """As `os.wait` gives it; `os.waitstatus_to_exitcode` reads it."""

    peak_bytes: int
    """Largest resident memory of the process (bytes)."""


def die_with_parent() -> None:
    """Let the kernel send SIGKILL to this process when the thread that forked it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def become_subreaper() -> None:
    """Become the parent of every descendant whose own parent ends, daemons included."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def open_pidfd(pid: int) -> int | None:
    """A descriptor that is readable once process `pid` has ended; ``None`` on kernels before 5.3.

    Raises
    ------
    ProcessLookupError
        There is no such process.
    """
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        raise
    except (OSError, AttributeError):  # ENOSYS, a sandbox that forbids it, or no such call
        return None


def close_inherited(*, keep: int) -> None:
    """Close all descriptors but the three standard ones and `keep` (``>= 3``)."""
    os.closerange(3, keep)
    os.closerange(keep + 1, _MAX_DESCRIPTOR)


def reap() -> Ended | None:
    """Take leave of one child that has ended, after killing what is left of its process group.

    The group is killed while the child is still a zombie: its number cannot have been given away yet.
    ``None`` if no child has ended.
    """
    try:
        info = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if info is None:
        return None
    kill_group(info.si_pid)
    pid, status, usage = os.wait4(info.si_pid, 0)
    return Ended(pid, status, usage.ru_maxrss * 1024)


def kill_group(pid: int) -> None:
    """SIGKILL for the process group that `pid` leads, if it leads one that is left.

    `pid` must be a child that was not reaped yet.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def children() -> list[int]:
    """The children of the calling process, zombies included."""
    try:
        text = _read(f"/proc/self/task/{os.getpid()}/children")
    except OSError:  # a kernel built without CONFIG_PROC_CHILDREN
        return _children_by_search()
    return [int(word) for word in text.split()]


def own_bytes(pid: int | None = None) -> int:
    """Resident memory that a process shares with no other and with no file (bytes), 0 if it cannot be read.

    `pid`: the process, by default this one. What was mapped from a file or a shared segment does not count
    until it is written to.
    """
    try:
        _, resident, shared, *_ = _read(f"/proc/{pid or 'self'}/statm").split()
    except (OSError, ValueError):  # it has ended, or there is no such file
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def peak_own_bytes() -> int:
    """The most that `own_bytes` of this process was since `forget_peak`; 0 if it cannot be read.

    The kernel keeps the peak of all resident memory. What is shared now is taken off, as if it had been then:
    too little is said only if the process has taken more of that since its peak.
    """
    try:
        lines = _read("/proc/self/status").splitlines()
    except OSError:
        return 0
    kib = {
        name: int(value.split()[0])
        for name, _, value in (line.partition(":") for line in lines)
        if name in _SIZES
    }
    if kib.keys() < _SIZES:
        return 0
    return (kib["VmHWM"] - kib["RssFile"] - kib["RssShmem"]) * 1024


def forget_peak() -> None:
    """Let the peak of resident memory be what there is now. Where the kernel cannot, it stays as it is."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write("5")


def kill_descendants(*, seconds: float) -> bool:
    """Kill and reap every descendant; whether none is left after at most `seconds`.

    For a subreaper: the children of what is killed become its own, and are killed in the next round.
    """
    deadline = time.monotonic() + seconds
    while True:
        found = children()
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        if not _reap_all():
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.001)  # the kernel needs a moment to end them; there is no event for "any of these"


def _reap_all() -> bool:
    """Reap whatever has ended; whether children are left."""
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True


def _children_by_search() -> list[int]:
    own, found = os.getpid(), []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            # The name in parentheses may contain anything; state and parent follow its last parenthesis.
            fields = _read(f"/proc/{name}/stat").rpartition(")")[2].split()
            if int(fields[1]) == own:
                found.append(int(name))
    return found


def _read(path: str) -> str:
    with open(path, encoding="ascii", errors="replace") as file:
        return file.read()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}): {os.strerror(code)}")
