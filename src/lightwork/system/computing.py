"""What the running code is inside of: cached calls, a worker, its share of the cores, and calls given up.

The variables follow `contextvars`: whoever runs part of a call in another thread or process carries them
there.
"""

from contextvars import ContextVar

__all__ = ["CANCELLATION", "COMPUTING", "SHARE", "WORKER", "Cancellation", "is_cancelled", "worker_id"]

COMPUTING: ContextVar[frozenset[bytes]] = ContextVar("lightwork_computing", default=frozenset())
"""The keys of the cached calls that run. One of them that is asked for again would wait for itself, so it
computes at once."""

SHARE: ContextVar[int | None] = ContextVar("lightwork_share", default=None)
"""Cores that a task and all that it starts may keep busy, ``>= 1``; ``None`` outside of tasks."""

WORKER: ContextVar[int] = ContextVar("lightwork_worker", default=0)
"""The number of the worker, see `worker_id`."""


class Cancellation:
    """Whether a call was given up. Belongs to who runs its tasks in threads of this process.

    It knows the call that it was made in: who gives that up gives up this one too.
    """

    __slots__ = ("on", "outer")

    def __init__(self) -> None:
        self.on = False
        self.outer = CANCELLATION.get()


CANCELLATION: ContextVar[Cancellation | None] = ContextVar("lightwork_cancellation", default=None)
"""That of the call that the running code is a task of, see `is_cancelled`."""


def is_cancelled() -> bool:
    """Whether the parallel call that this task belongs to was given up, so that the task may end early.

    For tasks in threads and in the caller's own thread, which nobody can end: a long one asks now and then,
    in a loop say. It is true once the call was cancelled, closed or interrupted, has failed or has passed its
    `timeout`; also if that happened to a call that this call is made in. What the task returns or raises
    then is dropped. Worker processes are ended at once in all these cases, and by `task_timeout`, so there
    it is always false; so it is outside of tasks, and in threads that a task starts itself.

    Notes
    -----
    A look at a variable for each call that this one is made in: no lock, no system call.
    """
    place = CANCELLATION.get()
    while place is not None:
        if place.on:
            return True
        place = place.outer
    return False


def worker_id() -> int:
    """The number of the worker that runs this code, ``0 .. n_jobs - 1``; 0 outside of parallel calls.

    No two workers of a call have the same number at the same time, and one that replaces another takes over
    its number. Within a nested call it is the number in that call; with one worker, which is the caller's own
    thread, it is the caller's.
    """
    return WORKER.get()
