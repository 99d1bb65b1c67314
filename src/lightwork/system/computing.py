"""What the running code is inside of: cached calls, a worker, and that worker's share of the cores.

The variables follow `contextvars`: whoever runs part of a call in another thread or process carries them
there.
"""

from contextvars import ContextVar

__all__ = ["COMPUTING", "SHARE", "WORKER", "worker_id"]

COMPUTING: ContextVar[frozenset[bytes]] = ContextVar("lightwork_computing", default=frozenset())
"""The keys of the cached calls that run. One of them that is asked for again would wait for itself, so it
computes at once."""

SHARE: ContextVar[int | None] = ContextVar("lightwork_share", default=None)
"""Cores that a task and all that it starts may keep busy, ``>= 1``; ``None`` outside of tasks."""

WORKER: ContextVar[int] = ContextVar("lightwork_worker", default=0)
"""The number of the worker, see `worker_id`."""


def worker_id() -> int:
    """The number of the worker that runs this code, ``0 .. n_jobs - 1``; 0 outside of parallel calls.

    No two workers of a call have the same number at the same time, and one that replaces another takes over
    its number. Within a nested call it is the number in that call; with one worker, which is the caller's own
    thread, it is the caller's.
    """
    return WORKER.get()
