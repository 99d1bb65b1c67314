"""What to say of a worker that is gone."""

import os
import signal

from ...errors import RemoteTraceback, TaskTimeout, WorkerDied
from ..workers.control import Message

__all__ = ["describe_death", "describe_late"]


def describe_death(
    pid: int,
    ended: Message | None,
    running: int | None,
    *,
    out_of_memory: bool | None = None,
    preparing: str = "",
) -> WorkerDied:
    """The error for a worker `pid` whose end the template reported as `ended` (``None``: it could not).

    `running` is the task that it ran, ``None`` if it ran none; `out_of_memory`: whether the kernel ended
    processes for want of memory meanwhile, ``None`` if it does not tell. `preparing`: what it was prepared
    with when it ended, if it was.
    """
    doing = f"while running task {running}" if running is not None else "between two tasks"
    if preparing:
        doing = f"while running {preparing}"
    if ended is None:
        return WorkerDied(f"worker {pid} ended {doing}; how it ended is not known", pid=pid, task=running)
    code = os.waitstatus_to_exitcode(ended.status)
    peak = ended.peak_bytes or None
    if code >= 0:
        text = f"worker {pid} exited with code {code} {doing}"
        return WorkerDied(text, pid=pid, exitcode=code, task=running, peak_bytes=peak)
    text = f"worker {pid} was killed by {_signal_name(-code)} ({-code}) {doing}"
    if -code != signal.SIGKILL:
        return WorkerDied(text, pid=pid, signal=-code, task=running, peak_bytes=peak)
    text += _memory_hint(peak, out_of_memory)
    return WorkerDied(text, pid=pid, signal=-code, task=running, peak_bytes=peak, out_of_memory=out_of_memory)


def describe_late(what: str, limit: float, stack: str) -> TaskTimeout:
    """The error for what was ended after `limit` seconds; `stack` is what `faulthandler` wrote."""
    error = TaskTimeout(f"{what} ran for longer than task_timeout={limit:g} s and was ended")
    own = f'  File "{os.path.dirname(os.path.dirname(__file__))}'
    # The last block, if it was looked at before; the frames below are those of the worker itself.
    lines = stack.rpartition("(most recent call first):\n")[2].splitlines()
    calls = [line for line in lines if line.startswith("  File ") and not line.startswith(own)]
    if calls:
        error.__cause__ = RemoteTraceback(
            "Where it was (most recent call first):\n" + "\n".join(calls) + "\n"
        )
    return error


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal"


def _memory_hint(peak: int | None, out_of_memory: bool | None) -> str:
    used = f"; it had used up to {peak / (1 << 20):,.0f} MiB" if peak else ""
    if out_of_memory:
        return f"{used}. The kernel ended a process for want of memory: use fewer workers or smaller tasks"
    if out_of_memory is False:
        return f"{used}. The kernel says that memory did not run out, so somebody killed it"
    return f"{used}. If nobody killed it, the system ran out of memory: use fewer workers or smaller tasks"
