"""What happens when tasks fail: by an exception, by a death, by something that cannot travel."""

import gc
import os
import signal
import sys
import threading
import weakref
from functools import partial
from pickle import PicklingError
from typing import Any

import pytest

from lightwork.errors import RemoteTraceback, UnpicklableError, WorkerDied
from lightwork.parallel import Failure, Parallel, Retry, delayed
from lightwork.testing.engines import ScriptedEngine


class Odd(Exception):
    """An exception whose arguments are not those of its constructor."""

    def __init__(self, one: int, *, two: int) -> None:
        super().__init__(f"{one} and {two}")
        self.one, self.two = one, two


def fail_at(index: int, bad: int) -> int:
    if index == bad:
        raise ValueError(f"no {index}")
    return index


def die_at(index: int, bad: int) -> int:
    if index == bad:
        os.kill(os.getpid(), signal.SIGKILL)
    return index


def raise_odd(_: int) -> None:
    raise Odd(1, two=2)


class OddFile(OSError):
    """The same, with a number that a builtin class keeps for itself."""

    def __init__(self, path: str) -> None:
        super().__init__(2, "not there", path)
        self.path = path

    def __reduce__(self) -> Any:
        return type(self), (self.path, "one too many")


class Closed(Exception):
    """Cannot be built again by any means: its own `__new__` takes something else than ``args``."""

    def __new__(cls, *, value: int) -> "Closed":
        return super().__new__(cls, f"closed at {value}")

    def __init__(self, *, value: int) -> None:
        super().__init__(f"closed at {value}")


class Locked(Exception):
    """Cannot be pickled."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.lock = threading.Lock()


def raise_from(make: Any) -> None:
    raise make()


def closed() -> Closed:
    return Closed(value=1)


def locked() -> Locked:
    return Locked("held")


def give(value: Any) -> Any:
    return value


def give_lock(_: int) -> Any:
    return threading.Lock()


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
def test_an_error_says_which_task_it_was(backend: str) -> None:
    """The exception of a task keeps its type and arguments and carries a note with index and call."""
    with pytest.raises(ValueError, match="no 5") as caught:
        Parallel(2, backend)(delayed(fail_at)(i, bad=5) for i in range(20))
    assert type(caught.value) is ValueError
    assert caught.value.__notes__ == ["task 5: fail_at(5, bad=5)"]


def test_an_error_from_a_process_has_its_traceback() -> None:
    """The cause of an exception from a worker process is the text of its traceback there."""
    with pytest.raises(ValueError, match="no 5") as caught:
        Parallel(2)(delayed(fail_at)(i, 5) for i in range(20))
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert "in fail_at" in caught.value.__cause__.text


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
def test_failures_are_returned_in_place(backend: str) -> None:
    """With ``on_error="return"`` a `Failure` stands where the result would be."""
    results = Parallel(2, backend, on_error="return")(delayed(fail_at)(i, 5) for i in range(20))
    failure = results[5]
    assert isinstance(failure, Failure)
    assert (failure.index, failure.attempts) == (5, 1)
    assert str(failure.error) == "no 5"
    assert failure.error.__notes__ == ["task 5: fail_at(5, 5)"]
    assert results[:5] + results[6:] == [*range(5), *range(6, 20)]


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
def test_failures_are_skipped(backend: str) -> None:
    """With ``on_error="skip"`` failed tasks leave no trace in the results."""
    results = Parallel(2, backend, on_error="skip")(delayed(fail_at)(i, i - i % 3) for i in range(20))
    assert results == [i for i in range(20) if i % 3]


def test_one_error_object_gets_one_note() -> None:
    """An error that is raised by several tasks (threads) is not covered with the same note again."""
    error = KeyError("always the same")

    def fail() -> None:
        raise error

    for _ in range(3):
        with pytest.raises(KeyError):
            Parallel(2, "threads")([delayed(fail)()])
    assert error.__notes__ == ["task 0: test_one_error_object_gets_one_note.<locals>.fail()"]


def test_odd_exceptions_come_through() -> None:
    """An exception that pickle cannot rebuild by its arguments is raised all the same."""
    with pytest.raises(Exception, match="1 and 2"):
        Parallel(2)(delayed(raise_odd)(i) for i in range(2))


def test_an_error_whose_constructor_takes_other_arguments_keeps_its_class() -> None:
    """What `except` names is caught, with all attributes, those of builtin classes as well."""
    with pytest.raises(Odd, match="1 and 2") as odd:
        Parallel(2)([delayed(raise_odd)(0)])
    assert (odd.value.one, odd.value.two) == (1, 2)
    assert isinstance(odd.value.__cause__, RemoteTraceback)
    with pytest.raises(OddFile) as file:
        Parallel(2)([delayed(raise_from)(partial(OddFile, "a.csv"))])
    assert (file.value.errno, file.value.filename, file.value.path) == (2, "a.csv", "a.csv")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            closed,
            r"raised Closed: closed at 1; .*can be pickled, but loading it failed with TypeError.*__reduce__",
        ),
        (locked, r"raised Locked: held; .*cannot pickle error\.lock.*__reduce__"),
    ],
)
def test_an_error_that_cannot_travel_says_why_and_what_helps(make: Any, reason: str) -> None:
    """Loading and pickling are told apart."""
    with pytest.raises(UnpicklableError, match=reason):
        Parallel(2)([delayed(raise_from)(make)])


@pytest.mark.parametrize("make", [partial(Odd, 1, two=2), closed, locked])
def test_retries_are_decided_by_the_class_that_was_raised(make: Any) -> None:
    """Also where the error itself does not arrive; what stands for it is no reason of its own."""
    kind = type(make())
    cases: list[tuple[Any, int]] = [
        (kind, 3),
        ((OSError, kind), 3),
        (Exception, 3),
        (OSError, 1),
        (PicklingError, 1),
    ]
    for on, attempts in cases:
        parallel = Parallel(2, on_error="return", retries=Retry(2, on=on))
        (failure,) = parallel([delayed(raise_from)(make)])
        assert isinstance(failure, Failure)
        assert failure.attempts == attempts


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_errors_that_are_no_exceptions_pass_from_threads(stop: type[BaseException]) -> None:
    """`KeyboardInterrupt` and `SystemExit` of a task reach the caller."""

    def leave() -> None:
        raise stop

    with pytest.raises(stop):
        Parallel(2, "threads")([delayed(leave)()])


@pytest.mark.parametrize("tasks", [20, 1000])
def test_a_killed_worker_fails_its_own_task_only(tasks: int) -> None:
    """The task that ran is a `Failure` with pid, signal and index; all others end well."""
    bad = tasks // 2
    results = Parallel(2, on_error="return")(delayed(die_at)(i, bad) for i in range(tasks))
    failure = results[bad]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, WorkerDied)
    assert (failure.error.task, failure.error.signal) == (bad, signal.SIGKILL)
    assert failure.error.pid != os.getpid()
    assert [r for r in results if not isinstance(r, Failure)] == [i for i in range(tasks) if i != bad]


def test_a_killed_worker_raises_by_default() -> None:
    """Without `on_error` a death is raised with the task, and the next call works."""
    with pytest.raises(WorkerDied, match="SIGKILL") as caught:
        Parallel(2)(delayed(die_at)(i, 3) for i in range(10))
    assert caught.value.task == 3
    assert caught.value.__notes__ == ["task 3: die_at(3, 3)"]
    assert Parallel(2)(delayed(give)(i) for i in range(10)) == list(range(10))


def test_an_argument_that_cannot_travel_is_the_error_of_its_task() -> None:
    """A lock as argument fails one task, names the argument, and leaves the pool alone."""
    calls = [delayed(give)(1), delayed(give)(threading.Lock()), delayed(give)(3)]
    results = Parallel(2, on_error="return")(calls)
    assert (results[0], results[2]) == (1, 3)
    assert isinstance(results[1].error, UnpicklableError)
    assert "args" in str(results[1].error)


class Leaves:
    """Leaves the program when it is taken apart, or when it is put together again."""

    def __init__(self, *, rebuilt: bool) -> None:
        self.rebuilt = rebuilt

    def __reduce__(self) -> Any:
        return (sys.exit, (3,)) if self.rebuilt else sys.exit(3)


def make_leaving(rebuilt: bool) -> Leaves:
    return Leaves(rebuilt=rebuilt)


@pytest.mark.parametrize("return_as", ["list", "generator"])
@pytest.mark.parametrize("rebuilt", [True, False])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_sys_exit_while_something_travels_is_the_error_of_its_task(
    batch_size: int, rebuilt: bool, return_as: Any
) -> None:
    """Of arguments and results, on either side. It means neither the worker nor the caller."""
    calls = [delayed(give)(1), delayed(give)(Leaves(rebuilt=rebuilt)), delayed(make_leaving)(rebuilt)] * 2
    results = list(Parallel(2, return_as=return_as, on_error="return", batch_size=batch_size)(calls))
    failures = {value.index: value.error for value in results if isinstance(value, Failure)}
    assert sorted(failures) == [1, 2, 4, 5]
    assert all("3" in str(error) for error in failures.values())
    assert [value for value in results if not isinstance(value, Failure)] == [1, 1]
    with pytest.raises((UnpicklableError, SystemExit)) as caught:
        list(Parallel(2, return_as=return_as)(calls[1:2]))
    assert any("task 0" in note for note in caught.value.__notes__)


def test_ctrl_c_while_an_argument_is_pickled_ends_the_call() -> None:
    """It is meant for the caller, in whose thread it arrives."""
    with pytest.raises(KeyboardInterrupt):
        Parallel(2, on_error="return")([delayed(give)(Interrupts())] * 2)
    assert Parallel(2)(delayed(give)(i) for i in range(4)) == [0, 1, 2, 3]


class Interrupts:
    def __reduce__(self) -> Any:
        raise KeyboardInterrupt


def test_a_result_that_cannot_travel_is_the_error_of_its_task() -> None:
    """A lock as result fails one task, and the others have theirs."""
    results = Parallel(2, on_error="return")([delayed(give)(1), delayed(give_lock)(0), delayed(give)(3)])
    assert (results[0], results[2]) == (1, 3)
    assert "result" in str(results[1].error)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_forgotten_delayed_is_explained(n_jobs: int) -> None:
    """Tasks that are no calls give a `TypeError` that shows the right form."""
    with pytest.raises(TypeError) as caught:
        Parallel(n_jobs)([give(3)])
    text = str(caught.value)
    assert "task 0 is of type int, not a call: write delayed(f)(x), not f(x)" in text
    with pytest.raises(TypeError, match="task 0 is of type int, not a call"):
        Parallel(n_jobs, seed=1)([give(3)])


@pytest.mark.parametrize("seed", range(20))
def test_deaths_at_random_cost_only_the_deadly_tasks(seed: int) -> None:
    """Whatever was queued at a dying worker is run elsewhere, on any schedule."""
    engine = ScriptedEngine(seed, deadly={3, 17}, unknown={8})
    results = Parallel(3, engine, on_error="return")(delayed(give)(i) for i in range(30))
    failures = {result.index: result.attempts for result in results if isinstance(result, Failure)}
    assert set(failures) == {3, 8, 17}
    assert [r for r in results if not isinstance(r, Failure)] == [i for i in range(30) if i not in failures]


class Argument:
    """Something that can be watched being let go."""


def fail_with(_: object, index: int) -> None:
    if index == 4:
        raise ValueError(f"no {index}")


def test_an_error_keeps_no_arguments_of_other_tasks() -> None:
    """Whoever holds on to the error of a call does not hold on to the call's input."""
    arguments = [Argument() for _ in range(30)]
    watched = [weakref.ref(argument) for argument in arguments]
    with pytest.raises(ValueError, match="no 4") as caught:
        Parallel(2, "threads", batch_size=1)([delayed(fail_with)(a, i) for i, a in enumerate(arguments)])
    del arguments
    gc.collect()
    assert [i for i, reference in enumerate(watched) if reference() is not None] in ([], [4])
    assert caught.value.args == ("no 4",)


@pytest.mark.parametrize("seed", range(5))
def test_the_first_error_ends_the_session(seed: int) -> None:
    """After an error the session was aborted."""
    engine = ScriptedEngine(seed)
    with pytest.raises(ValueError, match="no 4"):
        Parallel(2, engine)(delayed(fail_at)(i, 4) for i in range(30))
    assert engine.sessions[0].closed == "aborted"


def test_a_failing_observer_ends_the_call() -> None:
    """An error of the progress function passes to the caller and stops the work."""

    def observe(done: int, total: int | None, failed: int) -> None:
        raise LookupError("no progress")

    with pytest.raises(LookupError, match="no progress"):
        Parallel(2, "threads", progress=observe)([delayed(give)(1)])
    assert Parallel(2, "threads")([delayed(give)(1)]) == [1]


class _Exiting:
    """Ends the process that unpickles it, if it is let."""

    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, (3,)


def test_an_argument_that_exits_while_it_is_built_ends_nothing() -> None:
    """Neither the program nor the worker: it is an error of its task."""
    parallel = Parallel(2, on_error="return")
    results = parallel(delayed(type)(_Exiting() if number == 2 else number) for number in range(5))
    failed = [result for result in results if isinstance(result, Failure)]
    assert [(failure.index, type(failure.error)) for failure in failed] == [(2, UnpicklableError)]
