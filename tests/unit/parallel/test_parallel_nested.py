"""Parallel calls inside parallel tasks."""

import os
import threading
from typing import Any

import pytest

from lightwork.errors import InvalidOption, TaskTimeout
from lightwork.parallel import Parallel, delayed, effective_n_jobs, parallel_config
from lightwork.parallel.task import nesting_level
from lightwork.system.cpu import cpu_count

BACKENDS = (None, "processes", "threads", "sequential")


def square(x: int) -> int:
    return x * x


def inner_sum(n: int, backend: str | None) -> int:
    return sum(Parallel(2, backend)(delayed(square)(i) for i in range(n)))


def look(depth: int) -> list[tuple[str, int, int]]:
    """Backend, level and default number of workers here and deeper."""
    here = (Parallel(2).backend, nesting_level(), Parallel().n_jobs)
    return [here, *(Parallel(2, inner_max_num_threads=2)([delayed(look)(depth - 1)] * 2)[0] if depth else [])]


@pytest.mark.parametrize("outer", BACKENDS)
@pytest.mark.parametrize("inner", BACKENDS)
def test_every_combination_gives_the_right_result(outer: Any, inner: Any) -> None:
    """Any backend inside any other."""
    results = Parallel(2, outer, inner_max_num_threads=2)(delayed(inner_sum)(n, inner) for n in range(5))
    assert results == [sum(i * i for i in range(n)) for n in range(5)]


def test_levels() -> None:
    """Processes, in them threads, in those nothing parallel; without a number one worker at each level."""
    assert look(3) == [
        ("processes", 0, 1),
        ("threads", 1, 1),
        ("sequential", 2, 1),
        ("sequential", 2, 1),
    ]


def test_a_sequential_call_is_no_level() -> None:
    """Tasks of ``n_jobs=1`` see what their caller sees."""
    with parallel_config("threads", n_jobs=3):
        assert Parallel(1)([delayed(lambda: (Parallel().n_jobs, nesting_level()))()]) == [(3, 0)]


def test_tasks_do_not_see_the_callers_configuration() -> None:
    """In a task the settings around the call that runs it do not hold, not even in threads."""
    with parallel_config("threads", n_jobs=3, verbose=0):
        assert set(Parallel(2)(delayed(lambda: Parallel().n_jobs)() for _ in range(4))) == {1}
        assert Parallel().n_jobs == 3


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_a_task_has_a_share_of_the_cores(backend: str) -> None:
    """``n_jobs=-1`` in a task means its share, and no more than that can be had."""
    for n_jobs in (-1, 1000):
        assert Parallel(2, backend)([delayed(effective_n_jobs)(n_jobs)] * 2) == [max(1, cpu_count() // 2)] * 2
    assert effective_n_jobs(1000) == 1000


@pytest.mark.parametrize("backend", ["processes", "threads", "sequential"])
def test_the_share_can_be_named(backend: str) -> None:
    """``inner_max_num_threads`` says how much each worker may keep busy, nested calls too."""
    call = Parallel(2, backend, inner_max_num_threads=6)
    assert call([delayed(shares)()] * 2) == [(6, 5, 3, 4, 1)] * 2


def shares() -> tuple[int, ...]:
    """What can be had here, and one level deeper in calls with two workers and with five."""
    here = [effective_n_jobs(-1), effective_n_jobs(-2)]
    ask = [delayed(all_cores)()]
    deeper = [
        Parallel(2, "threads")(ask),
        Parallel(2, "threads", inner_max_num_threads=4)(ask),
        Parallel(5, "threads")(ask),
    ]
    return (*here, *[found for (found,) in deeper])


def test_a_nested_call_keeps_its_timeout() -> None:
    """Also where its share leaves it one worker only."""

    def wait() -> None:
        with pytest.raises(TaskTimeout, match=r"timeout=0.05"):
            Parallel(2, "threads", timeout=0.05)([delayed(stop.wait)(20)])

    stop = threading.Event()
    Parallel(1000, "threads")([delayed(wait)()])
    stop.set()


NEEDS_PROCESSES: list[dict[str, Any]] = [
    {"task_timeout": 20},
    {"max_worker_memory": "4GB"},
    {"memory_budget": "4GB"},
    {"max_tasks_per_worker": 5},
    {"worker_env": {"LIGHTWORK_TEST": "nested"}},
    {"capture_output": "fd"},
]


def call_with(n_jobs: int, options: dict[str, Any]) -> tuple[str, bool, list[int]]:
    """What such a call in a task runs on, whether in other processes, and what it gives."""
    call = Parallel(n_jobs, **options)
    pids = call(delayed(os.getpid)() for _ in range(3))
    return call.backend, os.getpid() not in pids, call(delayed(square)(i) for i in range(3))


@pytest.mark.parametrize("outer", ["processes", "threads"])
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("options", NEEDS_PROCESSES, ids=lambda options: next(iter(options)))
def test_options_of_processes_work_in_tasks(outer: str, n_jobs: int, options: dict[str, Any]) -> None:
    """Where a call would get threads by itself, such an option has it run in processes."""
    found = Parallel(2, outer, inner_max_num_threads=2)([delayed(call_with)(n_jobs, options)] * 2)
    assert found == [("processes", True, [0, 1, 4])] * 2


def test_options_of_processes_work_deeper() -> None:
    """Also where nothing would be parallel."""
    deep = delayed(Parallel(2))([delayed(call_with)(2, {"task_timeout": 20})] * 2)
    assert Parallel(2, "threads")([deep]) == [[("processes", True, [0, 1, 4])] * 2]


@pytest.mark.parametrize("options", NEEDS_PROCESSES, ids=lambda options: next(iter(options)))
def test_threads_that_were_chosen_refuse_options_of_processes(options: dict[str, Any]) -> None:
    """By the call, a hint, or the configuration; ``"auto"`` has chosen nothing."""
    name = next(iter(options))
    choices: list[dict[str, Any]] = [{"backend": "threads"}, {"prefer": "threads"}, {"require": "sharedmem"}]
    for chosen in choices:
        with pytest.raises(InvalidOption, match=name):
            Parallel(2, **chosen, **options)
    with parallel_config("threads"), pytest.raises(InvalidOption, match=name):
        Parallel(2, **options)
    assert Parallel(2, "auto", **options).backend == "processes"


def all_cores() -> int:
    """What a call that names threads would have."""
    with parallel_config("threads"):
        return effective_n_jobs(-1)


def test_threads_do_not_multiply_without_end() -> None:
    """However deep calls are nested, threads are made on the first two levels only."""
    most = 0
    lock = threading.Lock()

    def recurse(depth: int) -> int:
        nonlocal most
        with lock:
            most = max(most, threading.active_count())
        return 1 if depth == 0 else sum(Parallel(2)([delayed(recurse)(depth - 1)] * 2))

    before = threading.active_count()
    assert Parallel(2, "threads")([delayed(recurse)(5)] * 2) == [32, 32]
    assert most - before <= 2 + 2 * 2


def test_calls_from_a_thread_run_in_parallel() -> None:
    """A call from a thread that is not the main one uses processes like any other."""
    pids: list[set[int]] = []
    thread = threading.Thread(
        target=lambda: pids.append(set(Parallel(2)(delayed(os.getpid)() for _ in range(4))))
    )
    thread.start()
    thread.join()
    assert os.getpid() not in pids[0]
