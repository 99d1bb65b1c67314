"""What is asked of an engine for a call of `Parallel`, or for an executor."""

from collections.abc import Sequence

from .. import parallel  # its `carried` is loaded by the first request
from ..protocols import Engine, SessionRequest
from ..system.computing import COMPUTING
from .around import Around
from .task import Layer, TaskRunner, nesting_level
from .workers import Workers

__all__ = ["request_for"]


def request_for(
    engine: Engine,
    n_jobs: int,
    asked: Workers,
    around: Around,
    *,
    share: int,
    task_timeout: float | None,
    read_only: bool,
    timed: bool = False,
    lazy: bool = False,
    layers: Sequence[Layer] = (),
) -> SessionRequest:
    """A session with `n_jobs` workers, each of which has `share` cores.

    Parameters
    ----------
    asked
        Of the workers.
    around
        What is done around each task; `layers` are around that.
    read_only
        Whether large arrays cannot be written to in tasks. Threads have the caller's own objects, whatever it
        says.
    lazy
        Whether results may stay with the workers until they are handed out.
    """
    rules = {} if engine.shares_memory else parallel.carried.hash_rules()
    inside = [feature.layer for feature in around if feature.layer is not None]
    runner = TaskRunner(nesting_level() + 1, COMPUTING.get(), rules, [*layers, *inside], share)
    given = {"task_timeout": task_timeout, "read_only": read_only and not engine.shares_memory}
    options = {name: value for name, value in given.items() if value}
    options |= asked.options(n_jobs)
    return SessionRequest(n_jobs, runner, asked.inner, options, timed, lazy)
