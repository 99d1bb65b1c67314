"""joblib's pools of `multiprocessing`: calls that cannot be pickled by it, and large arrays as files."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...engines.workers.environment import look
from ...system.optional import installed
from ._memmapping_reducer import ArrayFiles, has_shareable_memory
from ._multiprocessing_helpers import mp
from .externals.loky.backend.reduction import dumps
from .externals.loky.process_executor import run_pickled

__all__ = ["MemmappingPool", "PicklingPool", "has_shareable_memory"]

# Where Python was built without `_multiprocessing` there is no such module, and no pool is made.
_pools = installed("multiprocessing.pool")
Pool: Any = _pools.Pool if _pools else object  # Any: a base class


class PicklingPool(Pool):  # type: ignore[misc]  # one of two classes
    """A pool whose calls are pickled with reducers of their own. Any: calls and results are users'.

    Its base class may be exchanged for a pool of somebody else's, which then gets the calls as they are.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        forward_reducers: Mapping[type, Any] | None = None,
        backward_reducers: Mapping[type, Any] | None = None,
        context: Any = None,
        **kwargs: Any,
    ) -> None:
        self._forward_reducers = dict(forward_reducers or {})
        if backward_reducers:
            raise ValueError("backward_reducers: results are pickled by multiprocessing itself")
        options = {**kwargs, "processes": processes}
        if not self._is_of_others():
            options["context"] = context if context is not None else (mp and mp.get_context())
            options |= {"initializer": _start, "initargs": (initializer, tuple(initargs), look().finders)}
        else:
            options |= {"initializer": initializer, "initargs": tuple(initargs)}
        super().__init__(**options)

    def _is_of_others(self) -> bool:
        """Whether somebody has put a pool of his own in the place of the base class."""
        bases = type(self).__mro__
        return bases[bases.index(PicklingPool) + 1] is not Pool

    def reducers(self) -> Mapping[type, Any]:
        """How calls are pickled, by exact type."""
        return self._forward_reducers

    def _reducers(self) -> Mapping[type, Any]:
        """As `reducers`. None for pools of others, whose workers need not find files of this machine."""
        return {} if self._is_of_others() else self.reducers()

    def apply_async(
        self, func: Any, args: Any = (), kwds: Any = None, callback: Any = None, error_callback: Any = None
    ) -> Any:
        """As that of `multiprocessing.pool.Pool`. A call that cannot be pickled is an error at once."""
        reducers = self._reducers()
        if reducers:
            args, kwds, func = (dumps((func, tuple(args), dict(kwds or {})), reducers),), {}, run_pickled
        return super().apply_async(func, args, kwds or {}, callback, error_callback)

    def map(self, func: Any, iterable: Any, chunksize: Any = None) -> list[Any]:
        """As that of `multiprocessing.pool.Pool`, each item by itself."""
        if not self._reducers():
            return list(super().map(func, iterable, chunksize))
        waiting = [self.apply_async(func, (item,)) for item in iterable]
        return [each.get() for each in waiting]


class MemmappingPool(PicklingPool):
    """Sends arrays of more than `max_nbytes` as files that workers map; see `ArrayFiles`."""

    def __init__(
        self,
        processes: int | None = None,
        temp_folder: str | None = None,
        max_nbytes: float | str | None = 1e6,
        mmap_mode: str | None = "r",
        forward_reducers: Mapping[type, Any] | None = None,
        backward_reducers: Mapping[type, Any] | None = None,
        verbose: int = 0,
        prewarm: bool | str = False,
        **kwargs: Any,
    ) -> None:
        self._files = ArrayFiles(max_nbytes, temp_folder, mmap_mode)
        super().__init__(
            processes=processes,
            forward_reducers=forward_reducers,
            backward_reducers=backward_reducers,
            **kwargs,
        )

    @property
    def _temp_folder(self) -> str:
        """Where the files are."""
        return self._files.folder()

    def reducers(self) -> Mapping[type, Any]:
        """Those of the files too."""
        return {**self._files.reducers(), **super().reducers()}

    def terminate(self) -> None:
        """As in the base class, and the files are removed."""
        super().terminate()
        self._files.remove()


def _start(
    initializer: Callable[..., object] | None, initargs: tuple[Any, ...], finders: tuple[str, ...]
) -> None:
    """In a worker: what is found by import hooks in the parent is found here, joblib's name among it."""
    for name in finders:
        importlib.import_module(name).install()
    if initializer is not None:
        initializer(*initargs)
