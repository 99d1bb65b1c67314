import inspect
import pickle

import pytest

from lightwork import errors
from lightwork.errors import EntryMissing, LightworkError, LightworkWarning, RemoteTraceback, WorkerDied

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if cls.__module__ == errors.__name__]


def test_every_class_is_public_and_in_the_tree() -> None:
    """The docstring draws the tree; no class is missing from it, from ``__all__`` or from the two roots."""
    tree = errors.__doc__ or ""
    for cls in CLASSES:
        assert cls.__name__ in errors.__all__
        assert cls.__name__ in tree
        assert issubclass(cls, LightworkError | LightworkWarning | RemoteTraceback)
    assert len(CLASSES) == len(errors.__all__)


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (errors.InvalidOption, ValueError),
        (errors.UnhashableError, TypeError),
        (errors.UnpicklableError, pickle.PicklingError),
        (errors.CorruptFileError, ValueError),
        (errors.EntryMissing, KeyError),
        (errors.StoreUnavailable, OSError),
        (errors.WorkerDied, RuntimeError),
        (errors.TaskTimeout, TimeoutError),
        (errors.MissingDependency, ImportError),
        (errors.CacheWarning, UserWarning),
    ],
)
def test_each_error_is_the_builtin_that_callers_expect(ours: type, expected: type) -> None:
    """Code that catches the built-in goes on working."""
    assert issubclass(ours, expected)


def test_a_missing_entry_prints_its_sentence_as_it_is() -> None:
    """A KeyError would print quotes around it."""
    assert str(EntryMissing("the entry is gone")) == "the entry is gone"


def test_a_dead_workers_error_travels_whole() -> None:
    """Pickling keeps the message and all facts."""
    error = WorkerDied("worker 7 died", pid=7, signal=9, task=3, peak_bytes=100)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert (copy.pid, copy.signal, copy.exitcode, copy.task, copy.peak_bytes) == (7, 9, None, 3, 100)
