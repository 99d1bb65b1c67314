"""loky's names, on lightwork's worker processes."""

from concurrent.futures import (
    ALL_COMPLETED,
    FIRST_COMPLETED,
    FIRST_EXCEPTION,
    CancelledError,
    Executor,
    Future,
    TimeoutError,
    as_completed,
    wait,
)

from .backend.context import cpu_count
from .backend.reduction import set_loky_pickler
from .cloudpickle_wrapper import wrap_non_picklable_objects
from .process_executor import BrokenProcessPool, ProcessPoolExecutor
from .reusable_executor import get_reusable_executor

__version__ = "3.6.0"

__all__ = [
    "ALL_COMPLETED",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "BrokenProcessPool",
    "CancelledError",
    "Executor",
    "Future",
    "ProcessPoolExecutor",
    "TimeoutError",
    "as_completed",
    "cpu_count",
    "get_reusable_executor",
    "set_loky_pickler",
    "wait",
    "wrap_non_picklable_objects",
]
