"""Random numbers that depend on the seed and the task alone."""

import functools
import os
import random
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import numpy
import pytest

from lightwork import Failure, Memory, Parallel, delayed, task_rng
from lightwork.errors import InvalidOption, ParallelError
from tests.unit.parallel.scripts import run

pytestmark = pytest.mark.slow

PLACES = [
    {"n_jobs": 1},
    {"n_jobs": 2},
    {"n_jobs": 4, "batch_size": 3},
    {"n_jobs": 2, "backend": "threads"},
    {"n_jobs": 3, "backend": "threads", "batch_size": 2},
]


def draw() -> list[float]:
    rng = task_rng()
    assert task_rng() is rng
    return [float(value) for value in rng.random(2)] + [float(task_rng().random())]


def draw_globals() -> tuple[float, float, float]:
    return random.random(), float(numpy.random.random()), float(task_rng().random())


def many(function: Any, count: int = 7, **options: Any) -> list[Any]:
    return list(Parallel(**options)(delayed(function)() for _ in range(count)))


@functools.cache
def spawned(seed: int, count: int = 7) -> list[list[float]]:
    children = numpy.random.SeedSequence(seed).spawn(count)
    return [[float(value) for value in numpy.random.default_rng(child).random(3)] for child in children]


@pytest.mark.parametrize("options", PLACES)
def test_a_task_has_the_generator_of_its_place(options: dict[str, Any]) -> None:
    """The one that numpy spawns for it, wherever and in whatever company it runs."""
    assert many(draw, seed=0, **options) == spawned(0)
    assert many(draw, seed=2**200, **options) == spawned(2**200)


@pytest.mark.parametrize("options", PLACES[:3])
def test_global_states_are_seeded_where_tasks_have_them_alone(options: dict[str, Any]) -> None:
    """In processes and in the caller's thread; a generator that is left early changes nothing."""
    expected = many(draw_globals, n_jobs=1, seed=5)
    assert len(set(expected)) == 7
    assert many(draw_globals, seed=5, **options) == expected
    assert many(draw_globals, seed=6, **options) != expected


def test_the_caller_keeps_his_own_states() -> None:
    """After the call and between the results of a generator."""
    random.seed(1)
    numpy.random.seed(1)
    expected = [(random.random(), numpy.random.random()) for _ in range(4)]
    random.seed(1)
    numpy.random.seed(1)
    found = []
    for _ in Parallel(n_jobs=1, seed=3, return_as="generator")(delayed(draw_globals)() for _ in range(3)):
        found.append((random.random(), numpy.random.random()))
    found.append((random.random(), numpy.random.random()))
    assert found == expected


def draw_or_die(index: int) -> tuple[float, float, float]:
    values = draw_globals()
    if index == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return values


def test_tasks_that_run_again_draw_the_same_numbers() -> None:
    """Those that were in the batch of one that has killed its worker."""
    expected = many(draw_globals, n_jobs=1, seed=5)
    parallel = Parallel(n_jobs=2, seed=5, batch_size=7, on_error="return")
    found = parallel(delayed(draw_or_die)(index) for index in range(7))
    assert isinstance(found[3], Failure)
    assert [*found[:3], *found[4:]] == [*expected[:3], *expected[4:]]


def globals_only() -> tuple[float, float]:
    return random.random(), float(numpy.random.random())


def test_workers_are_random_again_after_a_seeded_call() -> None:
    """Two seeded calls around an unseeded one have nothing in common with it."""
    seeded = many(globals_only, count=4, n_jobs=2, seed=1, batch_size=1)
    unseeded = [many(globals_only, count=4, n_jobs=2, batch_size=1) for _ in range(2)]
    assert many(globals_only, count=4, n_jobs=2, seed=1, batch_size=1) == seeded
    values = [value for call in (seeded, *unseeded) for value in call]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_library_that_a_task_imports_is_seeded_too(tmp_path: Path, n_jobs: int) -> None:
    """Neither the caller nor the worker has numpy before the first task asks for it."""
    lines = run(
        tmp_path,
        f"""
        import sys
        from lightwork import Parallel, delayed

        def task():
            import numpy
            return float(numpy.random.random())

        first = Parallel(n_jobs={n_jobs}, seed=1, batch_size=1)(delayed(task)() for _ in range(4))
        again = Parallel(n_jobs={n_jobs}, seed=1, batch_size=1)(delayed(task)() for _ in range(4))
        print(first == again, len(set(first)), ["Watch" for one in sys.meta_path if "Watch" in repr(one)])
        """,
    )
    assert lines == ["True 4 []"]


def test_without_numpy_there_is_a_generator_of_python(tmp_path: Path) -> None:
    """The same everywhere too."""
    lines = run(
        tmp_path,
        """
        import sys
        sys.modules["numpy"] = None  # as if it were not installed
        from lightwork import Parallel, delayed, task_rng

        def task():
            return type(task_rng()).__name__, task_rng().random()

        def call(n_jobs):
            return Parallel(n_jobs=n_jobs, backend="threads", seed=1)(delayed(task)() for _ in range(4))

        one, two = call(1), call(2)
        print(one == two, len(set(one)), one[0][0])
        """,
    )
    assert lines == ["True 4 Random"]


def inner() -> Any:
    return many(draw, count=2, n_jobs=2, backend="threads", seed=int(task_rng().integers(2**63)))


def unseeded_inner() -> Any:
    return many(draw, count=2, n_jobs=2, backend="threads")


@pytest.mark.parametrize("options", PLACES)
def test_calls_of_tasks_have_seeds_of_their_own(options: dict[str, Any]) -> None:
    """Handed on they give the same numbers everywhere; without one there is no generator."""
    assert many(inner, count=2, seed=1, **options) == many(inner, count=2, seed=1, n_jobs=1)
    with pytest.raises(ParallelError, match=r"task_rng\(\) is for tasks of Parallel\(seed=\.\.\.\)"):
        many(unseeded_inner, count=2, seed=1, **options)


def draw_cached(path: str, again: int | None) -> object:
    @Memory(path).cache
    def draw(again: int | None) -> object:
        if again is None:
            return float(task_rng().normal())
        return Parallel(2, "threads", seed=again)(delayed(first_number)() for _ in range(2))

    return draw(again)


def first_number() -> float:
    return float(task_rng().normal())


@pytest.mark.parametrize("options", PLACES)
def test_a_cached_function_has_no_generator_of_the_task(options: dict[str, Any], tmp_path: Path) -> None:
    """Its result would be kept for all tasks and all seeds. Calls that it makes with a seed have theirs."""
    with pytest.raises(ParallelError, match="cached function"):
        Parallel(seed=1, **options)(delayed(draw_cached)(str(tmp_path), None) for _ in range(4))
    expected = Parallel(seed=5)(delayed(first_number)() for _ in range(2))
    assert Parallel(seed=1, **options)([delayed(draw_cached)(str(tmp_path), 5)]) == [expected]


def test_without_a_seed_there_is_no_generator() -> None:
    """Outside of calls, in unseeded ones, and in a thread of a task."""
    for ask in (task_rng, lambda: many(draw, n_jobs=2), lambda: many(draw, n_jobs=1)):
        with pytest.raises(ParallelError, match="there is no seed here"):
            ask()


@pytest.mark.parametrize("seed", [-1, 1.5, "1", True, numpy.random.default_rng(0)])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    """Before any effect, by value."""
    with pytest.raises(InvalidOption, match="seed="):
        Parallel(seed=seed)


def test_threads_are_told_once_what_is_not_seeded(tmp_path: Path) -> None:
    """One log line per process."""
    lines = run(
        tmp_path,
        """
        import logging, sys
        from lightwork import Parallel, delayed

        logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
        for _ in range(2):
            Parallel(n_jobs=2, backend="threads", seed=1)(delayed(abs)(i) for i in range(3))
        """,
    )
    assert len(lines) == 1
    assert "threads share the global random states" in lines[0]


def use(rng: Any, other: Any = None) -> float:
    return float(rng.random())


@pytest.mark.parametrize("backend", ["processes", "threads"])
@pytest.mark.parametrize("make", [numpy.random.default_rng, numpy.random.RandomState])
def test_one_generator_for_several_tasks_is_refused(backend: str, make: Any) -> None:
    """With advice, and before any task runs; by position, by keyword, and however the input is read."""
    rng = make(1)
    parallel = Parallel(n_jobs=2, backend=backend)
    for tasks in (
        [delayed(use)(rng) for _ in range(3)],
        [delayed(use)(make(2)), delayed(use)(rng), delayed(use)(make(2), other=rng)],
        (delayed(use)(rng) for _ in range(3)),
    ):
        with pytest.raises(InvalidOption, match=r"tasks \d and \d got the same .* Give the call a seed"):
            parallel(tasks)
    state = rng.bit_generator.state if make is numpy.random.default_rng else rng.get_state(legacy=False)
    again = make(1)
    expected = (
        again.bit_generator.state if make is numpy.random.default_rng else again.get_state(legacy=False)
    )
    assert str(state) == str(expected)


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_a_generator_for_each_task_is_fine(backend: str) -> None:
    """Also one that a task gets twice, and one for all tasks of a plain loop."""
    parent = numpy.random.default_rng(1)
    expected = [float(rng.random()) for rng in numpy.random.default_rng(1).spawn(3)]
    tasks = [delayed(use)(rng, other=rng) for rng in parent.spawn(3)]
    assert Parallel(n_jobs=2, backend=backend)(tasks) == expected
    rng = numpy.random.default_rng(1)
    loop = [use(rng) for _ in range(3)]
    rng = numpy.random.default_rng(1)
    assert Parallel(n_jobs=1)(delayed(use)(rng) for _ in range(3)) == loop


def in_a_thread() -> str:
    found: list[str] = []

    def ask() -> None:
        try:
            task_rng()
        except ParallelError:
            found.append("none")

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    return "".join(found)


@pytest.mark.skipif(
    getattr(sys.flags, "thread_inherit_context", False),
    reason="threads inherit the context of who starts them",
)
def test_a_thread_of_a_task_has_no_generator_of_its_own() -> None:
    """It would share the task's: what each of them gets would depend on who comes first."""
    assert many(in_a_thread, n_jobs=2, seed=1) == ["none"] * 7


def draw_torch() -> float:
    torch = pytest.importorskip("torch")
    return float(torch.rand(1))


def test_torch_is_seeded_for_each_task() -> None:
    """And the caller's state is what it was."""
    torch = pytest.importorskip("torch")
    before = torch.get_rng_state()
    expected = many(draw_torch, n_jobs=1, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert many(draw_torch, n_jobs=2, seed=1) == expected
    assert len(set(expected)) == 7
