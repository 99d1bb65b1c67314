"""The helper threads: results in order, errors handed on, one thread when there is but one."""

import threading

import pytest

from lightwork.system.threads import HelperThreads


@pytest.mark.parametrize("count", [1, 3])
def test_submitted_work_gives_its_result_or_its_error(count: int) -> None:
    """Whether a thread did it or the caller: `result` tells."""
    helpers = HelperThreads()
    helpers.limit(count)
    assert helpers.submit(abs, -3).result() == 3
    with pytest.raises(ZeroDivisionError):
        helpers.submit(lambda number: 1 / number, 0).result()


def test_a_single_thread_is_the_callers_own() -> None:
    """With one core nothing is handed over."""
    helpers = HelperThreads()
    helpers.limit(1)
    assert helpers.submit(lambda _: threading.get_ident(), 0).result() == threading.get_ident()


def test_the_limit_is_heeded_and_lifted() -> None:
    """``None`` goes back to the number of cores."""
    helpers = HelperThreads()
    helpers.limit(5)
    assert helpers.count == 5
    helpers.limit(None)
    assert helpers.count >= 1
