"""loky's counting of cores, and its start methods."""

import functools
import multiprocessing
import os
import warnings
from typing import Any

from ......system import cpu
from ......system.cpu import cpu_count as _usable

__all__ = ["cpu_count", "get_context", "set_start_method"]

_DEFAULT_START_METHOD: str | None = None
physical_cores_cache: int | None = None


def cpu_count(only_physical_cores: bool = False) -> int:
    """Cores that this process may use, ``>= 1``: affinity, control groups and ``LOKY_MAX_CPU_COUNT`` count.

    Parameters
    ----------
    only_physical_cores
        Count a core once, however many hardware threads it has; nothing changes where fewer than all of
        the machine may be used.
    """
    allowed = _usable()
    if not only_physical_cores or allowed < (os.cpu_count() or 1):
        return allowed
    cores, problem = _count_physical_cores()
    if problem is not None:
        _warn_once(str(problem))
    return allowed if cores == "not found" else int(cores)


@functools.cache
def _warn_once(problem: str) -> None:
    warnings.warn(
        f"Could not find the number of physical cores: {problem}. The number of logical cores is used; set "
        "LOKY_MAX_CPU_COUNT to the number of cores to use.",
        stacklevel=3,
    )


def _count_physical_cores() -> tuple[int | str, Exception | None]:
    """The number, or ``"not found"`` and why."""
    if physical_cores_cache is not None:  # assigned by those who know better
        return physical_cores_cache, None
    found = cpu.physical_cores()
    if found is None:
        return "not found", OSError("the system does not tell")
    return found, None


def get_context(method: str | None = None) -> Any:  # Any: contexts of multiprocessing
    """A context of multiprocessing. ``"loky"`` is that of new interpreters."""
    name = method or _DEFAULT_START_METHOD or "loky"
    return multiprocessing.get_context("spawn" if name in ("loky", "loky_init_main") else name)


def set_start_method(method: str | None, force: bool = False) -> None:
    """Name the context that `get_context` gives; what lightwork's workers are started by stays as it is.

    Raises
    ------
    RuntimeError
        One was named before, and `force` is not set.
    """
    global _DEFAULT_START_METHOD  # the name that others read and assign
    if _DEFAULT_START_METHOD is not None and not force:
        raise RuntimeError("context has already been set")
    if method is not None:
        get_context(method)
    _DEFAULT_START_METHOD = method
