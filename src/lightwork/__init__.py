"""lightwork: remember results, share out loops, keep objects in files, identify values.

==================================  =====================================================================
`Memory`                            a function's results kept on disk; a call made before costs microseconds
`Parallel`, `delayed`               a loop over all cores, by changing one line
`Executor`                          single calls, submitted while others run
`dump`, `load`, `open`              any object in a file, as fast as the disk; or parts of it
`hash`                              one key for one value, the same in every process
==================================  =====================================================================

The names are imported on first use (PEP 562), so that ``import lightwork`` costs next to nothing.
"""

from importlib import import_module

from ._version import __version__

TYPE_CHECKING = False  # type checkers know this name; `typing` itself would triple the cost of the façade
if TYPE_CHECKING:
    from .engines.registry import register_parallel_backend
    from .hashing import File, explain_hash, hash, register_hash
    from .memory import MemorizedResult, Memory, expires_after, register_store_backend
    from .parallel import (
        Executor,
        Failure,
        Parallel,
        Retry,
        delayed,
        effective_n_jobs,
        parallel_backend,
        parallel_config,
        register_context,
        share,
        task_rng,
        wrap_non_picklable_objects,
    )
    from .persistence import dump, dumps, inspect, load, loads, register_compressor, register_safe
    from .persistence import open as open
    from .system.computing import is_cancelled, worker_id
    from .system.cpu import cpu_count

_HOMES = {
    "Executor": "parallel",
    "Failure": "parallel",
    "File": "hashing",
    "MemorizedResult": "memory",
    "Memory": "memory",
    "Parallel": "parallel",
    "Retry": "parallel",
    "cpu_count": "system.cpu",
    "delayed": "parallel",
    "dump": "persistence",
    "dumps": "persistence",
    "effective_n_jobs": "parallel",
    "expires_after": "memory",
    "explain_hash": "hashing",
    "hash": "hashing",
    "inspect": "persistence",
    "is_cancelled": "system.computing",
    "load": "persistence",
    "loads": "persistence",
    "open": "persistence",
    "parallel_backend": "parallel",
    "parallel_config": "parallel",
    "register_compressor": "persistence",
    "register_context": "parallel",
    "register_hash": "hashing",
    "register_parallel_backend": "engines.registry",
    "register_safe": "persistence",
    "register_store_backend": "memory",
    "share": "parallel",
    "task_rng": "parallel",
    "worker_id": "system.computing",
    "wrap_non_picklable_objects": "parallel",
}

__all__ = [
    "Executor",
    "Failure",
    "File",
    "MemorizedResult",
    "Memory",
    "Parallel",
    "Retry",
    "__version__",
    "cpu_count",
    "delayed",
    "dump",
    "dumps",
    "effective_n_jobs",
    "expires_after",
    "explain_hash",
    "hash",
    "inspect",
    "is_cancelled",
    "load",
    "loads",
    "parallel_backend",
    "parallel_config",
    "register_compressor",
    "register_context",
    "register_hash",
    "register_parallel_backend",
    "register_safe",
    "register_store_backend",
    "share",
    "task_rng",
    "worker_id",
    "wrap_non_picklable_objects",
]  # not `open`: after ``from lightwork import *`` the built-in one must still be there


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__) | set(_HOMES))
