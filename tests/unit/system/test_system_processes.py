"""Families of processes: found, killed, reaped."""

import os
import select
import signal
import subprocess
import sys
import time

import pytest

from lightwork.system.processes import children, kill_group, open_pidfd


def sleeper(*, own_group: bool = False) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(["sleep", "60"], process_group=0 if own_group else None)


def test_children_are_found() -> None:
    """A child is listed as long as nobody has reaped it."""
    child = sleeper()
    assert child.pid in children()
    child.kill()
    child.wait()
    assert child.pid not in children()


def test_a_group_is_killed() -> None:
    """All members of the group that a process leads get SIGKILL; a group that is gone is no error."""
    child = sleeper(own_group=True)
    kill_group(child.pid)
    assert child.wait(10) == -signal.SIGKILL
    kill_group(child.pid)


def test_a_pidfd_tells_of_the_end() -> None:
    """It becomes readable when the process has ended."""
    child = sleeper()
    descriptor = open_pidfd(child.pid)
    assert descriptor is not None
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    assert poller.poll(0) == []
    child.kill()
    assert poller.poll(10_000) != []
    child.wait()
    os.close(descriptor)


def test_a_pidfd_of_nobody_is_refused() -> None:
    """A process that is gone raises at once."""
    child = sleeper()
    child.kill()
    child.wait()
    with pytest.raises(ProcessLookupError):
        open_pidfd(child.pid)


SCRIPT = """
import os, subprocess, sys
from lightwork.system.processes import become_subreaper, kill_descendants, reap
become_subreaper()
shell = subprocess.Popen(
    ["sh", "-c", "setsid sleep 60 & sleep 60 & echo ready; exit 3"], stdout=subprocess.PIPE, process_group=0
)
assert shell.stdout.readline() == b"ready\\n"
while (ended := reap()) is None or ended.pid != shell.pid:
    pass
print(os.waitstatus_to_exitcode(ended.status), ended.peak_bytes > 0, kill_descendants(seconds=5))
sys.stdout.flush()
os._exit(0)
"""


def test_a_subreaper_ends_daemons_too() -> None:
    """`reap` tells how a child ended; `kill_descendants` leaves none, in whatever session it is."""
    before = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )
    assert done.stdout == "3 True True\n", done.stderr
    assert time.monotonic() - before < 30


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_memory_of_its_own_is_what_a_process_shares_with_nobody() -> None:
    """What is mapped from a shared segment does not count. In a process of its own, with no freed memory."""
    code = """if True:
        import mmap, os
        from lightwork.system.processes import own_bytes
        nbytes = 32 << 20
        before = own_bytes()
        shared = mmap.mmap(-1, nbytes)
        shared.write(b"x" * nbytes)
        mine = bytearray(b"x") * nbytes
        assert nbytes * 0.9 < own_bytes() - before < nbytes * 1.5
        assert own_bytes(os.getpid()) > nbytes
        assert own_bytes(1 << 30) == 0
    """
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="the peak is reset in /proc")
def test_the_peak_is_seen_after_it_and_can_be_forgotten() -> None:
    """What was shared meanwhile does not count."""
    code = """if True:
        import mmap
        from lightwork.system.processes import forget_peak, own_bytes, peak_own_bytes
        nbytes = 32 << 20
        forget_peak()
        before = own_bytes()
        assert abs(peak_own_bytes() - before) < nbytes / 4
        shared = mmap.mmap(-1, nbytes)
        shared.write(b"x" * nbytes)
        mine = bytearray(b"x") * nbytes
        del mine
        assert own_bytes() - before < nbytes / 4
        assert nbytes * 0.9 < peak_own_bytes() - before < nbytes * 1.5
        forget_peak()
        assert abs(peak_own_bytes() - before) < nbytes / 4
    """
    subprocess.run([sys.executable, "-c", code], check=True)
