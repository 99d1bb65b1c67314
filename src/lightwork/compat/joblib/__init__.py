"""joblib's face: its names, defaults and corner cases, on lightwork.

``import lightwork.compat.joblib as joblib`` is the one word to change; `lightwork.compat.install` changes it
for a whole process. The 20 public names and the modules are found on first use (PEP 562), so that a worker
that inherits the alias pays only for what its tasks need. A name is looked up in its module each time: what
somebody puts there for a while, such as a mock, is seen while it is there and never kept.

Importing it has no effect outside of it; joblib itself sets ``KMP_INIT_AT_FORK``.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._cloudpickle_wrapper import wrap_non_picklable_objects
    from ._parallel_backends import ParallelBackendBase
    from ._store_backends import StoreBackendBase, register_store_backend
    from .compressor import register_compressor
    from .hashing import hash
    from .logger import Logger, PrintTime
    from .memory import MemorizedResult, Memory, expires_after
    from .numpy_pickle import dump, load
    from .parallel import (
        Parallel,
        cpu_count,
        delayed,
        effective_n_jobs,
        parallel_backend,
        parallel_config,
        register_parallel_backend,
    )

__version__ = "1.6.0"
"""Of joblib, whose interface this is: others compare it. lightwork's own is `lightwork.__version__`."""

_HOMES = {
    "Logger": "logger",
    "MemorizedResult": "memory",
    "Memory": "memory",
    "Parallel": "parallel",
    "ParallelBackendBase": "_parallel_backends",
    "PrintTime": "logger",
    "StoreBackendBase": "_store_backends",
    "cpu_count": "parallel",
    "delayed": "parallel",
    "dump": "numpy_pickle",
    "effective_n_jobs": "parallel",
    "expires_after": "memory",
    "hash": "hashing",
    "load": "numpy_pickle",
    "parallel_backend": "parallel",
    "parallel_config": "parallel",
    "register_compressor": "compressor",
    "register_parallel_backend": "parallel",
    "register_store_backend": "_store_backends",
    "wrap_non_picklable_objects": "_cloudpickle_wrapper",
}

_MODULES = frozenset(
    (
        *("_cloudpickle_wrapper", "_memmapping_reducer", "_multiprocessing_helpers", "_parallel_backends"),
        *("_store_backends", "_utils", "backports", "compressor", "disk", "executor", "externals"),
        *("func_inspect", "hashing", "logger", "memory", "numpy_pickle", "numpy_pickle_compat"),
        *("numpy_pickle_utils", "parallel", "pool"),
    )
)
"""Used after ``import joblib`` alone. `testing` and `_dask` want to be imported, as in joblib."""

__all__ = [
    "Logger",
    "MemorizedResult",
    "Memory",
    "Parallel",
    "ParallelBackendBase",
    "PrintTime",
    "StoreBackendBase",
    "cpu_count",
    "delayed",
    "dump",
    "effective_n_jobs",
    "expires_after",
    "hash",
    "load",
    "parallel_backend",
    "parallel_config",
    "register_compressor",
    "register_parallel_backend",
    "register_store_backend",
    "wrap_non_picklable_objects",
]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        value: object = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__) | _MODULES)
