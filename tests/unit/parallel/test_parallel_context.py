"""What tasks find as it is where the call is made: variables, filters, contexts, levels, configurations."""

import decimal
import logging
import threading
import warnings
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from pathlib import Path
from typing import Any

import numpy
import pytest

from lightwork import Parallel, delayed, register_context
from lightwork.errors import InvalidOption
from tests.unit.parallel.scripts import run

pytestmark = pytest.mark.slow

BACKENDS = ["processes", "threads"]
ONE: ContextVar[str] = ContextVar("one", default="unset")
TWO: ContextVar[dict[str, int]] = ContextVar("two")
THREE: ContextVar[object] = ContextVar("three", default=None)
LOST: ContextVar[object] = ContextVar("lost")


def each(function: Any, backend: str, count: int = 3, **options: Any) -> list[Any]:
    return list(Parallel(n_jobs=2, backend=backend, **options)(delayed(function)() for _ in range(count)))


def in_a_copy(function: Any) -> Any:
    """Run in a copy of the context, so that what a test sets is not there for the next."""
    return copy_context().run(function)


def variables() -> tuple[Any, ...]:
    return ONE.get(), TWO.get(None), THREE.get(), LOST.get("lost")


@pytest.mark.parametrize("backend", BACKENDS)
def test_context_variables_reach_tasks(backend: str) -> None:
    """All that are set, with values that are pickled; those of an earlier call are gone in the next."""

    def call() -> list[Any]:
        ONE.set("here")
        TWO.set({"a": 1})
        THREE.set(numpy.arange(3))
        return each(variables, backend)

    for one, two, three, _ in in_a_copy(call):
        assert (one, two, three.tolist()) == ("here", {"a": 1}, [0, 1, 2])
    assert each(variables, backend) == [("unset", None, None, "lost")] * 3


@pytest.fixture
def said() -> Iterator[list[str]]:
    """The messages of lightwork's logger."""
    messages: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, handler = logging.getLogger("lightwork"), Keep()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield messages
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_what_cannot_travel_is_left_out_with_one_record(said: list[str]) -> None:
    """Locks, and values of more than 64 KiB; the others arrive."""

    def call() -> list[Any]:
        ONE.set("here")
        LOST.set(threading.Lock())
        THREE.set(b"x" * (65 << 10))
        return each(variables, "processes")

    assert in_a_copy(call) == [("here", None, None, "lost")] * 3
    (message,) = [text for text in said if "do not reach" in text]
    assert "LOST" in message
    assert "THREE" in message
    assert "ONE" not in message


def warn() -> str:
    try:
        warnings.warn("a task warns", UserWarning, stacklevel=1)
    except UserWarning:
        return "raised"
    return "passed"


def warn_rank() -> str:
    try:
        warnings.warn("a task warns", numpy.exceptions.RankWarning, stacklevel=1)
    except numpy.exceptions.RankWarning:
        return "raised"
    return "passed"


@pytest.mark.parametrize("backend", BACKENDS)
def test_warning_filters_reach_tasks(backend: str) -> None:
    """Also those for the warnings of a library that the worker has not loaded."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert each(warn, backend) == ["passed"] * 3
        warnings.simplefilter("error", UserWarning)
        assert each(warn, backend) == ["raised"] * 3
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", numpy.exceptions.RankWarning)
        assert each(warn, backend) == ["passed"] * 3
        assert each(warn_rank, backend) == ["raised"] * 3


def third() -> tuple[str, Any]:
    return str(decimal.Decimal(1) / 3), id(decimal.getcontext())


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_decimal_context_reaches_tasks(backend: str) -> None:
    """As a copy of their own: its flags and its precision are not the caller's to change."""
    with decimal.localcontext() as context:
        context.prec = 5
        found = each(third, backend)
        assert [text for text, _ in found] == ["0.33333"] * 3
        assert backend == "processes" or all(where != id(context) for _, where in found)
        assert not context.flags[decimal.Inexact]
    assert [text for text, _ in each(third, backend)] == ["0." + "3" * 28] * 3


def change_the_decimal_context() -> int:
    decimal.getcontext().prec += 1
    return decimal.getcontext().prec


def test_a_thread_does_not_change_the_context_of_the_caller() -> None:
    """Not even one that is as Python makes it."""
    with decimal.localcontext(decimal.Context(prec=28)) as context:
        assert each(change_the_decimal_context, "threads", count=1) == [29]
        assert context.prec == 28


def divide() -> str:
    try:
        numpy.float64(1) / numpy.float64(0)
    except FloatingPointError:
        return "raised"
    return "passed"


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_error_state_of_numpy_reaches_tasks(backend: str) -> None:
    """And is gone in the next call."""
    with numpy.errstate(divide="raise"):
        assert each(divide, backend) == ["raised"] * 3
    with numpy.errstate(divide="ignore"):
        assert each(divide, backend) == ["passed"] * 3
    seen: list[str] = []
    with numpy.errstate(divide="call", call=lambda kind, flag: seen.append(kind)):
        assert each(divide, backend) == ["passed"] * 3
    assert seen == (["divide by zero"] * 3 if backend == "threads" else [])
    lock = threading.Lock()
    with numpy.errstate(divide="ignore", call=lambda kind, flag: lock.locked()):  # cannot travel
        assert each(divide, backend) == ["passed"] * 3


def levels() -> tuple[int, bool, bool]:
    return (
        logging.root.level,
        logging.getLogger("of.the.test").isEnabledFor(logging.DEBUG),
        logging.getLogger("other").isEnabledFor(logging.INFO),
    )


def test_levels_of_loggers_reach_workers() -> None:
    """The root's, those of others, and what is disabled; all are as before in the next call."""
    logger, root = logging.getLogger("of.the.test"), logging.root.level
    try:
        logger.setLevel(logging.DEBUG)
        logging.root.setLevel(logging.ERROR)
        assert each(levels, "processes") == [(logging.ERROR, True, False)] * 3
        logging.disable(logging.DEBUG)
        assert each(levels, "processes") == [(logging.ERROR, False, False)] * 3
    finally:
        logging.disable(logging.NOTSET)
        logger.setLevel(logging.NOTSET)
        logging.root.setLevel(root)
    assert each(levels, "processes") == [(root, root <= 10, root <= 20)] * 3


def test_variables_of_a_script_are_those_of_its_functions(tmp_path: Path) -> None:
    """In ``__main__``: default, value, and the default again when the value is gone; and one of a module."""
    lines = run(
        tmp_path,
        """
        from contextvars import ContextVar, copy_context
        from lightwork import Parallel, delayed
        from beside import theirs, read

        mine = ContextVar("mine", default="default")
        bare = ContextVar("bare")

        def task():
            return mine.get(), bare.get("nothing"), theirs.get(), read()

        def call():
            print(*{*Parallel(n_jobs=2)(delayed(task)() for _ in range(4))})

        def changed():
            mine.set(1), bare.set(2), theirs.set(3)
            call()

        call()
        copy_context().run(changed)
        call()
        """,
        beside="""
        from contextvars import ContextVar
        theirs = ContextVar("theirs", default=0)

        def read():
            return theirs.get()
        """,
    )
    unset = "('default', 'nothing', 0, 0)"
    assert lines == [unset, "(1, 2, 3, 3)", unset]


def test_a_registered_context_reaches_all_workers(tmp_path: Path) -> None:
    """Anew with each call, and through processes into the threads of a call that a task makes."""
    lines = run(
        tmp_path,
        """
        import threading
        from lightwork import Parallel, delayed, register_context
        import beside

        def task():
            return beside.get()

        def outer():
            return Parallel(n_jobs=2, backend="threads")(delayed(task)() for _ in range(2))

        def setter(value):
            beside.STATE.value = value

        register_context("beside", beside.get, setter)
        for value in (1, 2):
            beside.STATE.value = value
            for backend in ("processes", "threads", "sequential"):
                print(Parallel(n_jobs=2, backend=backend)(delayed(task)() for _ in range(3)))
            print(Parallel(n_jobs=2)(delayed(outer)() for _ in range(2)))
        """,
        beside="""
        import threading
        STATE = threading.local()

        def get():
            return getattr(STATE, "value", None)
        """,
    )
    assert lines == [f"{found}" for n in (1, 2) for found in ([n] * 3, [n] * 3, [n] * 3, [[n, n], [n, n]])]


@pytest.mark.timeout(160)  # its import takes seconds where nothing is compiled yet
def test_scikit_learn_keeps_its_configuration(tmp_path: Path) -> None:
    """The example of the documentation, with the real one."""
    lines = run(
        tmp_path,
        """
        import sklearn
        from lightwork import Parallel, delayed, register_context

        def set_config(config):
            sklearn.set_config(**config)

        register_context("sklearn", sklearn.get_config, set_config)

        def task():
            return sklearn.get_config()["assume_finite"], sklearn.get_config()["working_memory"]

        with sklearn.config_context(assume_finite=True, working_memory=7):
            for backend in ("processes", "threads"):
                print(Parallel(n_jobs=2, backend=backend)([delayed(task)()]))
        print(Parallel(n_jobs=2)([delayed(task)()]))
        """,
        timeout=150,
    )
    assert lines == ["[(True, 7)]", "[(True, 7)]", "[(False, 1024)]"]


def test_a_setter_that_fails_is_the_error_of_the_call(tmp_path: Path) -> None:
    """With either backend; the workers serve later calls. A state that cannot travel is named."""
    lines = run(
        tmp_path,
        """
        import threading
        from lightwork import Parallel, delayed, register_context

        def setter(value):
            raise LookupError("not here")

        def call(backend):
            try:
                print(Parallel(n_jobs=2, backend=backend)(delayed(abs)(i) for i in range(3)))
            except Exception as error:
                print(type(error).__name__, error.args[0])

        register_context("mine", int, setter)
        call("processes"), call("threads")
        register_context("mine", threading.Lock, print)
        call("processes")
        register_context("mine", int, abs)
        call("processes"), call("threads")
        """,
    )
    assert lines[:2] == ["LookupError not here"] * 2
    assert lines[2].startswith("UnpicklableError cannot pickle the context 'mine'")
    assert lines[3:] == ["[0, 1, 2]"] * 2


@pytest.mark.parametrize("arguments", [(3, int, int), ("a", None, int), ("a", int, 7)])
def test_what_cannot_be_registered_is_refused(arguments: tuple[Any, ...]) -> None:
    """By name."""
    with pytest.raises(InvalidOption, match="register_context"):
        register_context(*arguments)
