"""Share out: `Parallel` runs a loop over workers, `delayed` writes down one call of it.

=================  ==========================================================================================
`flow`             the pure state machine: which tasks are read, sent, taken back, emitted, given up
`batching`         the pure policy of batch sizes; `budgeting`: of a budget of memory, which `weighing` keeps
                   informed by what `peaks` tells
`driver`           carries out what the flow decides, against a session of an engine
`calling`          one call from its beginning to its end
`stream`           what all generators of calls share
`results`          the generator that a call returns, and its pump thread; `awaiting`: in an event loop
`retrying`         the pure policy of further attempts; `cancelling`: how a call is given up
`loop`             ``n_jobs=1``: a plain loop in the caller's thread
`parallel`         the class `Parallel`; `config`, `options`: what it was asked to do
`task`             what travels to the workers, and the only module of this package that they load
`watch`            who watches a call: `progress` and its `displays`, the times (`sheet`, `stretches`), the
                   memory (`gauge`), `report`, `trace` (which `traced` reads); `picture`: what they look like
`workers`          what a call asks of its workers; `initializing`, `limiting`: layers for it;
                   `preloading`: which modules they import
`recall`           results that are known before a task is sent
`checkpoint`       those that an earlier run has kept
`capsules`         tasks that failed, in files from which they can be run again
`sharing`          objects that are sent to each worker once; `given`: as what they count in keys
`executor`         the class `Executor`: single calls. `crew`: the workers that run them, `jobs`: what they
                   hold of each, `sealing`: calls as bytes, `mapping`: `Executor.map`
`requesting`       what `Parallel` and `Executor` ask of engines
`around`           what a call does around its tasks: layers that `task` enters, and who hears them
`features`         which layers a call gets: context (`taken`, `surroundings`, `contexts`), output (`output`,
                   `routed_output`, `descriptors`, `records`; heard by `hearing`), randomness (`seeding`,
                   `global_seeding`; `shared_generators` refuses)
`wrapping`         objects that travel as what cloudpickle makes of them
`mutations`        whether arguments change while a call runs
=================  ==========================================================================================

The names, and the parts that only a call needs, are imported on first use: a worker imports
`lightwork.parallel.task`, hence this module, for each pool that it joins, and must not pay for the rest.
"""

from typing import TYPE_CHECKING

from ..system.optional import on_first_use

if TYPE_CHECKING:
    from . import (
        arithmetic,
        around,
        awaiting,
        batching,
        calling,
        cancelling,
        capsules,
        carried,
        checkpoint,
        crew,
        descriptors,
        displays,
        driver,
        features,
        flow,
        gauge,
        given,
        global_seeding,
        hearing,
        loop,
        mutations,
        output,
        picture,
        preloading,
        progress,
        recall,
        records,
        report,
        requesting,
        results,
        retrying,
        routed_output,
        seeding,
        shared_generators,
        sharing,
        surroundings,
        taken,
        trace,
        traced,
        watch,
        weighing,
        workers,
    )
    from .calls import delayed
    from .capsules import Capsule, read_capsule
    from .config import effective_n_jobs, parallel_backend, parallel_config
    from .contexts import register_context
    from .executor import Executor
    from .failures import Failure
    from .parallel import Parallel
    from .retrying import Retry
    from .seeding import task_rng
    from .sharing import share
    from .wrapping import wrap_non_picklable_objects

__all__ = [
    "Capsule",
    "Executor",
    "Failure",
    "Parallel",
    "Retry",
    "arithmetic",
    "around",
    "awaiting",
    "batching",
    "calling",
    "cancelling",
    "capsules",
    "carried",
    "checkpoint",
    "crew",
    "delayed",
    "descriptors",
    "displays",
    "driver",
    "effective_n_jobs",
    "features",
    "flow",
    "gauge",
    "given",
    "global_seeding",
    "hearing",
    "loop",
    "mutations",
    "output",
    "parallel_backend",
    "parallel_config",
    "picture",
    "preloading",
    "progress",
    "read_capsule",
    "recall",
    "records",
    "register_context",
    "report",
    "requesting",
    "results",
    "retrying",
    "routed_output",
    "seeding",
    "share",
    "shared_generators",
    "sharing",
    "surroundings",
    "taken",
    "task_rng",
    "trace",
    "traced",
    "watch",
    "weighing",
    "workers",
    "wrap_non_picklable_objects",
]

__getattr__ = on_first_use(
    __name__,
    parts=__all__,
    names={
        "Capsule": "capsules",
        "Executor": "executor",
        "Failure": "failures",
        "Parallel": "parallel",
        "Retry": "retrying",
        "delayed": "calls",
        "effective_n_jobs": "config",
        "share": "sharing",
        "parallel_backend": "config",
        "parallel_config": "config",
        "read_capsule": "capsules",
        "register_context": "contexts",
        "task_rng": "seeding",
        "wrap_non_picklable_objects": "wrapping",
    },
)
