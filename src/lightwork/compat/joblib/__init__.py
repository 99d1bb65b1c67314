"""joblib's face: its names, defaults and corner cases, on lightwork."""

from . import _cloudpickle_wrapper, _memmapping_reducer, _multiprocessing_helpers, _parallel_backends, _utils
from . import executor, externals, parallel, pool
from ._cloudpickle_wrapper import wrap_non_picklable_objects
from ._parallel_backends import ParallelBackendBase
from .logger import Logger, PrintTime
from .hashing import hash
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
