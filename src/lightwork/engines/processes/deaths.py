"""What to say of a worker that is gone."""

import os
import signal

from ...errors import WorkerDied
from ..workers.control import Message

__all__ = ["describe_death"]


def describe_death(pid: int, ended: Message | None, running: int | None) -> WorkerDied:
    """The error for a worker `pid` whose end the template reported as `ended` (``None``: it could not).

    `running` is the task that it ran, ``None`` if it ran none.
    """
    doing = f"while running task {running}" if running is not None else "between two tasks"
    if ended is None:
        return WorkerDied(f"worker {pid} ended {doing}; how it ended is not known", pid=pid, task=running)
    code = os.waitstatus_to_exitcode(ended.status)
    peak = ended.peak_bytes or None
    if code >= 0:
        text = f"worker {pid} exited with code {code} {doing}"
        return WorkerDied(text, pid=pid, exitcode=code, task=running, peak_bytes=peak)
    text = f"worker {pid} was killed by {_signal_name(-code)} ({-code}) {doing}"
    if -code == signal.SIGKILL:
        text += _memory_hint(peak)
    return WorkerDied(text, pid=pid, signal=-code, task=running, peak_bytes=peak)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal"


def _memory_hint(peak: int | None) -> str:
    used = f"; it had used up to {peak / (1 << 20):,.0f} MiB" if peak else ""
    return f"{used}. If nobody killed it, the system ran out of memory: use fewer workers or smaller tasks"
