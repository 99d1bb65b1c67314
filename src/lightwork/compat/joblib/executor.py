"""The executor of `LokyBackend`: worker processes that get large arrays as files, and smaller ones once."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from ...arrays.snapshots import Snapshots
from ._memmapping_reducer import ArrayFiles
from .externals.loky.process_executor import ProcessPoolExecutor

__all__ = ["MemmappingExecutor", "get_memmapping_executor"]


class MemmappingExecutor(ProcessPoolExecutor):
    """Sends arrays of more than `max_nbytes` as files that workers map; see `ArrayFiles`."""

    def __init__(self, n_jobs: int, files: ArrayFiles, **options: Any) -> None:
        super().__init__(n_jobs, **options)
        self._files = files

    @property
    def _temp_folder(self) -> str:
        """Where the files are."""
        return self._files.folder()

    def begin(self) -> None:
        """A call begins: arrays are written anew, since they may have changed."""
        self._files.begin()

    def reducers(self) -> Mapping[type, Any]:
        """Those of the files too."""
        return {**self._files.reducers(), **super().reducers()}

    def shutdown(
        self, wait: bool = True, kill_workers: bool = False, *, cancel_futures: bool = False
    ) -> None:
        """As in the base class, and the files are removed."""
        super().shutdown(wait=wait, kill_workers=kill_workers)
        self._files.remove()

    def terminate(self, kill_workers: bool = False) -> None:
        """Another name of `shutdown`."""
        self.shutdown(kill_workers=kill_workers)

    @classmethod
    def get_memmapping_executor(
        cls,
        n_jobs: int,
        *,
        timeout: float | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] = (),
        env: Mapping[str, str] | None = None,
        max_nbytes: int | str | None = "1M",
        temp_folder: str | None = None,
        mmap_mode: str | None = "r",
        forward_reducers: Mapping[type, Any] | None = None,
        backward_reducers: Mapping[type, Any] | None = None,
        prewarm: bool | str = False,
        verbose: int = 0,
        context: Any = None,
        context_id: str | None = None,
    ) -> "MemmappingExecutor":
        """An executor for one call, or for a block of them. Any: reducers, contexts, arguments of users.

        `prewarm` and `context` are joblib's: files are in memory when they were just written, and workers
        have their own way of being started.
        """
        return cls(
            n_jobs,
            ArrayFiles(max_nbytes, temp_folder, mmap_mode, snapshots=Snapshots()),
            job_reducers=forward_reducers,
            result_reducers=backward_reducers,
            timeout=timeout,
            initializer=initializer,
            initargs=initargs,
            env=env,
        )


class _TestingMemmappingExecutor(MemmappingExecutor):
    """An executor that looks like a pool."""

    def apply_async(self, func: Callable[..., Any], args: tuple[Any, ...]) -> "Future[Any]":
        """A future with `get`."""
        return self.submit(func, *args)

    def map(self, f: Callable[..., Any], *args: Any) -> list[Any]:  # type: ignore[override]  # as pools have it
        """The results."""
        return list(super().map(f, *args))


get_memmapping_executor = MemmappingExecutor.get_memmapping_executor
