"""The options of a session of the process engine, and what follows from them for its workers."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from ...errors import InvalidOption
from ...protocols import SessionRequest
from ...system.computing import SHARE
from ...system.cpu import share_of
from ...system.figures import whole
from ...system.units import parse_seconds
from ..workers.environment import THREAD_LIMITS

__all__ = ["ProcessOptions", "births", "parse", "shared_limits"]

_IDLE: Final = 300.0


class ProcessOptions(NamedTuple):
    """See `ProcessEngine`."""

    idle_worker_timeout: float = _IDLE
    task_timeout: float | None = None
    max_tasks_per_worker: int | None = None
    max_worker_memory: int | None = None
    max_kept_memory: int | None = None
    worker_env: Sequence[Mapping[str, str]] = ()
    read_only: bool = False


def parse(request: SessionRequest) -> ProcessOptions:
    """The options of a session.

    Raises
    ------
    InvalidOption
        One is not known or cannot be right, or what else is asked for; the message names it.
    """
    options: Mapping[str, Any] = request.options  # Any: what users give
    slots = request.n_jobs
    if slots < 1:
        raise InvalidOption(f"n_jobs={slots!r} is not a number of slots: give 1 or more")
    if request.inner_threads is not None and request.inner_threads < 1:
        raise InvalidOption(f"inner_threads={request.inner_threads!r}: give 1 or more, or None")
    unknown = sorted(options.keys() - set(ProcessOptions._fields))
    if unknown:
        raise InvalidOption(
            f"the engine 'processes' does not know the option(s) {', '.join(unknown)}: "
            f"it takes {', '.join(ProcessOptions._fields)}"
        )
    parsed = ProcessOptions(**options)
    for name in ("max_tasks_per_worker", "max_worker_memory", "max_kept_memory"):
        bound = getattr(parsed, name)
        number = whole(bound)
        if bound is not None and (number is None or number < 1):
            raise InvalidOption(f"{name}={bound!r}: give a whole number of 1 or more, or None")
    if parsed.worker_env and len(parsed.worker_env) != slots:
        raise InvalidOption(
            f"worker_env has {len(parsed.worker_env)} items for {slots} workers: give one each"
        )
    patience, limit = parsed.idle_worker_timeout, parsed.task_timeout
    return parsed._replace(
        idle_worker_timeout=parse_seconds(patience, name="idle_worker_timeout"),
        task_timeout=None if limit is None else parse_seconds(limit, name="task_timeout"),
    )


def births(request: SessionRequest, options: ProcessOptions) -> list[dict[str, str]]:
    """For each slot, the variables that its worker has before it imports anything."""
    if request.inner_threads is not None:
        limits = dict.fromkeys(THREAD_LIMITS, str(request.inner_threads))
    else:
        limits = shared_limits(os.environ, share_of(request.n_jobs), is_task=SHARE.get() is not None)
    return [{**limits, **variables} for variables in options.worker_env or [{}] * request.n_jobs]


def shared_limits(variables: Mapping[str, str], share: int, *, is_task: bool) -> dict[str, str]:
    """The thread limits of workers with `share` cores each, where nobody named any.

    A variable that the user has set stays as it is. In a task (``is_task``) it may have come from the call
    that runs the task, which meant the task with all its workers: there the smaller of the two holds.
    """
    limits = {}
    for name in THREAD_LIMITS:
        own = variables.get(name, "")
        if is_task:
            limits[name] = str(min(share, int(own)) if own.isdecimal() else share)
        elif not own:
            limits[name] = str(share)
    return limits
