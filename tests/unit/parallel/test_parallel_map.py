"""`Parallel.map`: the built-in `map`, in parallel."""

import operator
from typing import Any

import pytest

from lightwork import Parallel, delayed
from lightwork.testing.engines import ScriptedEngine


def add(x: int, y: int = 10) -> int:
    return x + y


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
@pytest.mark.parametrize("kind", [list, tuple, iter])
def test_results_are_those_of_the_builtin_map(backend: str, kind: Any) -> None:
    """One iterable or several; the shortest one ends it."""
    parallel = Parallel(2, backend)
    assert parallel.map(add, kind([1, 2, 3])) == [11, 12, 13]
    assert parallel.map(add, kind([1, 2, 3]), range(2)) == [1, 3]
    assert parallel.map(operator.neg, kind([])) == []


def test_the_generator_is_lazy_and_in_order() -> None:
    """``return_as`` holds as for any other call, and an endless input is read as needed."""
    endless = iter(int, 1)
    results = Parallel(2, "threads", return_as="generator").map(add, endless, iter([5, 6, 7]))
    assert list(results) == [5, 6, 7]


def test_lists_are_sent_in_shares() -> None:
    """With lists the number of tasks is known, as for a list of calls."""
    seen: list[tuple[int, int | None, int]] = []
    Parallel(2, ScriptedEngine(), progress=lambda *at: seen.append(at)).map(add, [1, 2], (3, 4))
    assert {total for _, total, _ in seen} == {2}


@pytest.mark.parametrize("iterables", [(), (3,)])
def test_what_cannot_be_iterated_is_refused(iterables: Any) -> None:
    """As by the built-in `map`."""
    with pytest.raises(TypeError, match="itera"):
        Parallel(2).map(add, *iterables)


def test_a_delayed_function_is_refused() -> None:
    """It would give the calls that it writes down, and run none."""
    with pytest.raises(TypeError, match=r"parallel\.map\(f, xs\), not delayed\(f\)"):
        Parallel(2).map(delayed(add), [1, 2])
