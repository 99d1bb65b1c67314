"""The executor that all of a process share."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .....engines.registry import engine
from .process_executor import ProcessPoolExecutor

__all__ = ["get_reusable_executor"]


class _ReusablePoolExecutor(ProcessPoolExecutor):
    """The shared executor. Its end is that of idle workers of `Parallel` too."""

    def shutdown(
        self, wait: bool = True, kill_workers: bool = False, *, cancel_futures: bool = False
    ) -> None:
        """As in its base class; afterwards no worker is kept for later."""
        super().shutdown(wait=wait, kill_workers=kill_workers)
        engine("processes").shutdown()


class _Shared:
    """The shared executor of this process, and what it was made with."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._made_with: dict[str, Any] = {}  # Any: arguments of an executor

    def get(self, reuse: bool | str, kill_workers: bool, wanted: dict[str, Any]) -> ProcessPoolExecutor:
        with self._lock:
            found = self._executor
            same = {**wanted, "max_workers": None} == {**self._made_with, "max_workers": None}
            same = same and wanted["max_workers"] in (None, self._made_with.get("max_workers"))
            if found is not None and not found.is_over() and (reuse is True or (same and reuse == "auto")):
                return found
            if found is not None:
                found.shutdown(wait=True, kill_workers=kill_workers)
            self._executor, self._made_with = _ReusablePoolExecutor(**wanted), wanted
            return self._executor


_SHARED = _Shared()


def get_reusable_executor(
    max_workers: int | None = None,
    context: Any = None,  # Any: contexts of multiprocessing
    timeout: float | None = 10,
    kill_workers: bool = False,
    reuse: bool | str = "auto",
    job_reducers: Mapping[type, Any] | None = None,
    result_reducers: Mapping[type, Any] | None = None,
    initializer: Callable[..., object] | None = None,
    initargs: Iterable[Any] = (),
    env: Mapping[str, str] | None = None,
) -> ProcessPoolExecutor:
    """The executor that all of this process share, made anew if it ended or was made with other arguments.

    With ``reuse=True`` the one that is there is returned, whatever it was made with. Calls of `Parallel` have
    sessions of their own on the same workers; to shut this executor down ends idle ones of theirs.
    """
    wanted = {
        "max_workers": max_workers,
        "context": context,
        "timeout": timeout,
        "job_reducers": job_reducers,
        "result_reducers": result_reducers,
        "initializer": initializer,
        "initargs": tuple(initargs),
        "env": env,
    }
    return _SHARED.get(reuse, kill_workers, wanted)
