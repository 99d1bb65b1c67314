"""What travels to workers of Dask: a function that is named after its tasks, and the tasks.

::

    client.submit(Batch, Calls, future of data, ...)  ──►  Batch(Calls, data, ...)  ──►  list of results

The function holds no arguments: workers keep the last functions by their pickles, and would hand the same
arguments, changed by one batch, to the next one.
"""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, NamedTuple

from ...engines.workers.environment import install_finders
from ._utils import _ExceptionWithTraceback, _TracebackCapturingWrapper
from .parallel import BatchedCalls

__all__ = ["Batch", "Calls", "Place", "Task"]

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


class Calls:
    """Tasks on their way.

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
    """

    def __init__(
        self, tasks: Sequence[Task], nested: tuple[Any, Any], finders: Sequence[str], is_retried: bool
    ) -> None:
        self._tasks = tasks
        self._nested = nested
        self._finders = finders
        self.is_retried = is_retried

    def run(self, data: Sequence[Any]) -> list[Any]:
        """The results of all tasks; raises the first error."""
        return BatchedCalls([_with(data, task) for task in self._tasks], self._nested)()

    def __reduce__(self) -> tuple[Any, ...]:
        # In this order: a pickle is read from its beginning.
        return _arrived, (_Finders(self._finders), self._tasks, self._nested, self._finders, self.is_retried)


class _Finders:
    """Unpickled it is ``None``, and the finders are there."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = modules

    def __reduce__(self) -> tuple[Any, ...]:
        return _installed, (self._modules,)


def _installed(modules: Sequence[str]) -> None:
    try:
        install_finders(modules)
    except ImportError as error:
        raise ImportError(
            f"a worker of Dask cannot import as the caller does ({', '.join(modules)}): {error}. Restart the "
            "workers (`client.restart()`), and let nothing that they load at their start import joblib"
        ) from error


def _arrived(_: None, *parts: Any) -> Calls:
    return Calls(*parts)


def _with(data: Sequence[Any], task: Task) -> Task:
    function, args, kwargs = task
    if not data:
        return task
    return (
        function,
        tuple(data[value.number] if type(value) is Place else value for value in args),
        {name: data[value.number] if type(value) is Place else value for name, value in kwargs.items()},
    )


def _name_of(function: Any) -> str:
    while isinstance(function, partial):
        function = function.func
    return str(getattr(function, "__name__", type(function).__name__))
