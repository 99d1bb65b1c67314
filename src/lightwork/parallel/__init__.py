"""Share out: `Parallel` runs a loop over workers, `delayed` writes down one call of it.

=================  ==========================================================================================
`flow`             the pure state machine: which tasks are read, sent, taken back, emitted, given up
`batching`         the pure policy of batch sizes
`driver`           carries out what the flow decides, against a session of an engine
`results`          the generator that a call returns, and its pump thread
`loop`             ``n_jobs=1``: a plain loop in the caller's thread
`parallel`         the class `Parallel`; `config`, `options`: what it was asked to do
`task`             what travels to the workers, and the only module of this package that they load
`around`           what a call does around its tasks: layers that `task` enters, and who hears them
`features`         which layers a call gets: context (`taken`, `surroundings`, `contexts`), output (`output`,
                   `routed_output`, `descriptors`, `records`; heard by `hearing`), randomness (`seeding`,
                   `global_seeding`; `shared_generators` refuses)
=================  ==========================================================================================

The names, and the parts that only a call needs, are imported on first use: a worker imports
`lightwork.parallel.task`, hence this module, for each pool that it joins, and must not pay for the rest.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import (
        around,
        batching,
        carried,
        descriptors,
        driver,
        features,
        flow,
        global_seeding,
        hearing,
        loop,
        output,
        progress,
        records,
        results,
        routed_output,
        seeding,
        shared_generators,
        surroundings,
        taken,
    )
    from .calls import delayed
    from .config import effective_n_jobs, parallel_config
    from .contexts import register_context
    from .failures import Failure
    from .parallel import Parallel
    from .seeding import task_rng

__all__ = [
    "Failure",
    "Parallel",
    "around",
    "batching",
    "carried",
    "delayed",
    "descriptors",
    "driver",
    "effective_n_jobs",
    "features",
    "flow",
    "global_seeding",
    "hearing",
    "loop",
    "output",
    "parallel_config",
    "progress",
    "records",
    "register_context",
    "results",
    "routed_output",
    "seeding",
    "shared_generators",
    "surroundings",
    "taken",
    "task_rng",
]

__getattr__ = on_first_use(
    __name__,
    parts=__all__,
    names={
        "Failure": "failures",
        "Parallel": "parallel",
        "delayed": "calls",
        "effective_n_jobs": "config",
        "parallel_config": "config",
        "register_context": "contexts",
        "task_rng": "seeding",
    },
)
