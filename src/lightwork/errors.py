"""Every exception and warning of lightwork, in one tree.

::

    LightworkError
    ├── InvalidOption        (ValueError)      an argument that cannot be right, found before any effect
    ├── MissingDependency    (ImportError)     an optional library is needed and not installed
    ├── UnhashableError      (TypeError)       a value has no key; names the path inside it
    ├── UnpicklableError     (PicklingError)   a value cannot be taken apart; names the path inside it
    ├── FileFormatError      (ValueError)
    │   ├── CorruptFileError                   damaged or truncated bytes
    │   ├── UnknownFormatError                 bytes that are not ours, or from a newer release
    │   └── UnsafeFileError                    what ``safe=True`` does not build; names the types
    ├── StoreError
    │   ├── EntryMissing     (KeyError)        the record was there once and is gone
    │   └── StoreUnavailable (OSError)         the store cannot be opened or written
    └── ParallelError        (RuntimeError)
        ├── EngineError                        workers cannot be started, or the engine lost its footing
        ├── WorkerDied                         the process that ran a task ended; names pid, signal, task
        ├── TaskTimeout      (TimeoutError)    a task or a call took longer than it was given
        ├── CallCancelled                      the call was given up by `Parallel.cancel`
        ├── AlreadyRunning                     one `Parallel` object was called twice at once
        └── ArgumentChanged                    an argument changed while the call ran; names both

    RemoteTraceback          the worker's traceback as text, the ``__cause__`` of an error that travelled

    LightworkWarning         (UserWarning)
    ├── CacheWarning                           a result could not be kept or read
    ├── FileWarning                            a file is not what its name or its checksums promise
    └── ParallelWarning                        a call runs otherwise than it was asked to

Each error is also the built-in a caller would expect, so ``except OSError`` goes on working.
Errors of users' own functions pass through unchanged.
"""

import pickle

__all__ = [
    "AlreadyRunning",
    "ArgumentChanged",
    "CacheWarning",
    "CallCancelled",
    "CorruptFileError",
    "EngineError",
    "EntryMissing",
    "FileFormatError",
    "FileWarning",
    "InvalidOption",
    "LightworkError",
    "LightworkWarning",
    "MissingDependency",
    "ParallelError",
    "ParallelWarning",
    "RemoteTraceback",
    "StoreError",
    "StoreUnavailable",
    "TaskTimeout",
    "UnhashableError",
    "UnknownFormatError",
    "UnpicklableError",
    "UnsafeFileError",
    "WorkerDied",
]


class LightworkError(Exception):
    """The root: everything that lightwork raises on its own account."""


class InvalidOption(LightworkError, ValueError):
    """An argument that cannot be right. Raised before any effect; names the value and the way out."""


class MissingDependency(LightworkError, ImportError):
    """An optional library is needed for what was asked and is not installed."""


class UnhashableError(LightworkError, TypeError):
    """A value has no key, such as an open file. The message names where it sits: ``args[1].conn``."""


class UnpicklableError(LightworkError, pickle.PicklingError):
    """A value cannot be taken apart into bytes. The message names where it sits: ``result[1].model``.

    Attributes
    ----------
    kinds
        Where this stands for an error of a task that could not travel itself: the qualified names of its
        class and of all bases. Empty otherwise.
    """

    kinds: tuple[str, ...] = ()

    def stands_for(self, kind: type[BaseException]) -> bool:
        """Whether it stands for an error of this class."""
        return f"{kind.__module__}.{kind.__qualname__}" in self.kinds


class FileFormatError(LightworkError, ValueError):
    """A file that cannot be read as what it should be. The message names the file and the reason."""


class CorruptFileError(FileFormatError):
    """The file is ours, and its bytes are damaged or cut short."""


class UnknownFormatError(FileFormatError):
    """The file is not one of ours, or was written by a newer release."""


class UnsafeFileError(FileFormatError):
    """The file asks for what is not built under ``safe=True``. Nothing of it was imported or called."""


class StoreError(LightworkError):
    """A store of records could not do what it was asked."""


class EntryMissing(StoreError, KeyError):
    """A record that is referred to is gone: cleared, evicted, or its folder was deleted."""

    # KeyError prints the repr of its argument; a sentence should be printed as it is.
    __str__ = Exception.__str__


class StoreUnavailable(StoreError, OSError):
    """The store cannot be opened or written: a full disk, missing permission, an unsupported file system."""


class ParallelError(LightworkError, RuntimeError):
    """A parallel call could not do what it was asked."""


class EngineError(ParallelError):
    """Workers could not be started, or the engine that runs them failed."""


class WorkerDied(ParallelError):
    """The process that ran a task ended without an answer.

    Attributes
    ----------
    pid
        Process number of the dead worker, 0 where the engine does not tell.
    signal
        Number of the signal that ended it, or ``None`` if it exited by itself.
    exitcode
        Its exit code (0 to 255), or ``None`` if a signal ended it.
    task
        Index of the task that ran, or ``None`` if none did.
    peak_bytes
        Largest resident memory of the worker (bytes), or ``None`` where it cannot be read.
    out_of_memory
        Whether the kernel ended processes for want of memory while this one died, or ``None`` where it does
        not tell.
    """

    def __init__(
        self,
        message: str,
        *,
        pid: int,
        signal: int | None = None,
        exitcode: int | None = None,
        task: int | None = None,
        peak_bytes: int | None = None,
        out_of_memory: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.pid = pid
        self.signal = signal
        self.exitcode = exitcode
        self.task = task
        self.peak_bytes = peak_bytes
        self.out_of_memory = out_of_memory

    def __reduce__(self) -> tuple[object, ...]:
        names = ("pid", "signal", "exitcode", "task", "peak_bytes", "out_of_memory")
        keywords = {name: getattr(self, name) for name in names}
        return _rebuild_worker_died, (str(self), keywords)


def _rebuild_worker_died(message: str, keywords: dict[str, int | None]) -> WorkerDied:
    return WorkerDied(message, **keywords)  # type: ignore[arg-type]  # pid is an int by construction


class TaskTimeout(ParallelError, TimeoutError):
    """A task, or the wait for one, took longer than it was given.

    Where a task was ended for it (``task_timeout=``), a `RemoteTraceback` is its cause: where the task was.
    """


class CallCancelled(ParallelError):
    """A parallel call was given up by `Parallel.cancel`. Its tasks do not run any more."""


class AlreadyRunning(ParallelError):
    """One `Parallel` object was asked to run while a call of it, or its generator, was still going on."""


class ArgumentChanged(ParallelError):
    """An argument of a task changed while the call ran; the message names both. See ``check_mutation=``."""


class RemoteTraceback(Exception):
    """The traceback of a worker, as text. It stands as ``__cause__`` of the error that travelled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class LightworkWarning(UserWarning):
    """The root of all warnings: each tells of something that the user can change."""


class CacheWarning(LightworkWarning):
    """A result could not be kept or read; the value that was returned is right all the same."""


class FileWarning(LightworkWarning):
    """A file is not what its name or its checksums promise; it was read or written all the same."""


class ParallelWarning(LightworkWarning):
    """A call runs otherwise than it was asked to, for instance with fewer workers."""
