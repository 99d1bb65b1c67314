"""Share out: `Parallel` runs a loop over workers, `delayed` writes down one call of it.

=================  ==========================================================================================
`flow`             the pure state machine: which tasks are read, sent, taken back, emitted, given up
`batching`         the pure policy of batch sizes
`driver`           carries out what the flow decides, against a session of an engine
`results`          the generator that a call returns, and its pump thread; `awaiting`: in an event loop
`retrying`         the pure policy of further attempts; `cancelling`: how a call is given up
`loop`             ``n_jobs=1``: a plain loop in the caller's thread
`parallel`         the class `Parallel`; `config`, `options`: what it was asked to do
`task`             what travels to the workers, and the only module of this package that they load
`watch`            who watches a call: `progress` and its `displays`, the times (`sheet`), `report`, `trace`
`workers`          what a call asks of its workers; `initializing`, `limiting`: layers for it
`recall`           results that are known before a task is sent
`checkpoint`       those that an earlier run has kept
`sharing`          objects that are sent to each worker once
`around`           what a call does around its tasks: layers that `task` enters, and who hears them
=================  ==========================================================================================

The names, and the parts that only a call needs, are imported on first use: a worker imports
`lightwork.parallel.task`, hence this module, for each pool that it joins, and must not pay for the rest.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import (
        around,
        awaiting,
        batching,
        cancelling,
        carried,
        checkpoint,
        displays,
        driver,
        flow,
        loop,
        progress,
        recall,
        report,
        results,
        retrying,
        sharing,
        trace,
        watch,
        workers,
    )
    from .calls import delayed
    from .config import effective_n_jobs, parallel_config
    from .failures import Failure
    from .parallel import Parallel
    from .retrying import Retry
    from .sharing import share

__all__ = [
    "Failure",
    "Parallel",
    "Retry",
    "around",
    "awaiting",
    "batching",
    "cancelling",
    "carried",
    "checkpoint",
    "delayed",
    "displays",
    "driver",
    "effective_n_jobs",
    "flow",
    "loop",
    "parallel_config",
    "progress",
    "recall",
    "report",
    "results",
    "retrying",
    "share",
    "sharing",
    "trace",
    "watch",
    "workers",
]

__getattr__ = on_first_use(
    __name__,
    parts=__all__,
    names={
        "Failure": "failures",
        "Parallel": "parallel",
        "Retry": "retrying",
        "delayed": "calls",
        "effective_n_jobs": "config",
        "share": "sharing",
        "parallel_config": "config",
    },
)
