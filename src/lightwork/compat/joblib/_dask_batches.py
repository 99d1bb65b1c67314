"""What travels to workers of Dask: a function that is named after its tasks, and the tasks.

::

    client.submit(Batch, Calls, future of data, ...)  ──►  Batch(Calls, data, ...)  ──►  list of results

The function holds no arguments: workers keep the last functions by their pickles, and would hand the same
arguments, changed by one batch, to the next one.
"""

import contextlib
import pickle
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...engines.workers.environment import install_finders
from ...system.optional import imported
from ._utils import _ExceptionWithTraceback, _TracebackCapturingWrapper
from .parallel import BatchedCalls

__all__ = ["Apart", "Batch", "Calls", "Place", "Task"]

# Any throughout: tasks, data and results are users'.
Task = tuple[Any, Sequence[Any], dict[str, Any]]


class Batch:
    """Runs `Calls`. Its ``repr`` is what Dask's dashboard and logs show of a batch.

    Parameters
    ----------
    tasks
        Of which functions, and how many; not kept.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        names = [_name_of(function) for function, _, _ in tasks]
        mixed = "mixed_" if len(set(names)) > 1 else ""
        self._name = f"{mixed}batch_of_{names[0] if names else 'nothing'}_{len(names)}_calls"

    def __repr__(self) -> str:
        return self._name

    def __call__(self, calls: "Calls", *data: Any) -> Any:
        """The results; or the first error, packed for `_retrieve_traceback_capturing_wrapped_call`."""
        found = _TracebackCapturingWrapper(calls.run)(data)
        if calls.is_retried and isinstance(found, _ExceptionWithTraceback):
            raise found.exc  # Dask tries again what fails by its own measure
        return found


class Place(NamedTuple):
    """Stands for an argument that travels by itself: the one of this number."""

    number: int


class Apart:
    """An argument that travels by itself; where it is unpickled it is the value, and finders are installed.

    Parameters
    ----------
    value
        The user's, not copied.
    finders
        As for `Calls`: unpickling an estimator imports scikit-learn.
    """

    def __init__(self, value: Any, finders: Sequence[str]) -> None:
        self.value = value
        self._finders = finders

    def __dask_tokenize__(self) -> object:
        return imported("dask.tokenize").normalize_token(self.value)

    def __sizeof__(self) -> int:
        return int(imported("dask.sizeof").sizeof(self.value))

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpacked, (_Finders(self._finders), self.value)  # read in this order


class Calls:
    """Tasks on their way, pickled here and unpickled by the batch that runs them.

    Dask reads a message as a whole: if something in it could not be unpickled, because the worker lacks a
    module for instance, the worker would lose its connection, and so would the next one that gets the batch.

    Parameters
    ----------
    tasks
        With a `Place` where an argument travels by itself.
    nested
        The backend and number of jobs for calls that tasks make.
    finders
        Modules whose `install` the worker calls first: unpickling a task imports what its function needs,
        scikit-learn for instance, and that imports ``joblib``.
    is_retried
        Whether Dask shall see errors of tasks as failures.

    Raises
    ------
    pickle.PicklingError
        A task cannot travel.
    """

    def __init__(
        self, tasks: Sequence[Task], nested: tuple[Any, Any], finders: Sequence[str], is_retried: bool
    ) -> None:
        try:
            # Dask's own, for what it knows of functions that travel by value.
            self._body: bytes = imported("distributed.protocol.pickle").dumps((tasks, nested))
        except Exception as error:  # pickling runs users' code
            raise pickle.PicklingError("Could not pickle the task to send to the workers.") from error
        self._finders = finders
        self.is_retried = is_retried

    def run(self, data: Sequence[Any]) -> list[Any]:
        """The results of all tasks; raises the first error."""
        self._install_finders()
        tasks, nested = pickle.loads(self._body)
        if data:
            tasks = [_with(data, task) for task in tasks]
        return BatchedCalls(tasks, nested)()

    def _install_finders(self) -> None:
        try:
            install_finders(self._finders)
        except ImportError as error:
            raise ImportError(
                f"a worker of Dask cannot import as the caller does ({', '.join(self._finders)}): {error}. "
                "Restart the workers (`client.restart()`), and let nothing that they load at their start "
                "import joblib"
            ) from error


class _Finders:
    """Unpickled it is nothing, and finders are installed."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules

    def __reduce__(self) -> tuple[Any, ...]:
        return _try_to_install, (self._modules,)


def _try_to_install(modules: Sequence[str]) -> None:
    # An error here would cost the worker its connection. The batch that needs the value meets it too.
    with contextlib.suppress(ImportError):
        install_finders(modules)


def _unpacked(_: None, value: Any) -> Any:
    return value


def _with(data: Sequence[Any], task: Task) -> Task:
    function, args, kwargs = task

    def found(value: Any) -> Any:
        if type(value) is not Place:
            return value
        value = data[value.number]
        return value.value if isinstance(value, Apart) else value  # it did not leave the process

    return function, tuple(map(found, args)), {name: found(value) for name, value in kwargs.items()}


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))
