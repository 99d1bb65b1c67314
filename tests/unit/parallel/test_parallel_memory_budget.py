"""``memory_budget=``: what all workers have together stays below it."""

import warnings
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from lightwork.engines.processes import ProcessEngine
from lightwork.engines.sequential import SequentialEngine
from lightwork.errors import InvalidOption, ParallelWarning
from lightwork.parallel import Failure, Parallel, delayed
from lightwork.parallel.budgeting import MemoryBudget
from lightwork.protocols import SessionRequest
from tests.unit.parallel.memory_tasks import fill, keep, kept, meet

MiB = 1 << 20


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    """Workers that nobody else has used, and that nobody uses meanwhile."""
    engine = ProcessEngine()
    yield engine
    engine.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("as_input", [list, iter])
@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
def test_eight_tasks_never_exceed_a_budget_of_three(
    engine: ProcessEngine, as_input: Any, return_as: Any
) -> None:
    """Eight workers could have them all at once. The first round holds as well."""
    call = Parallel(8, engine, return_as, memory_budget=400 * MiB)
    told = list(call(as_input([delayed(fill)(100 * MiB) for _ in range(8)])))
    assert len(told) == 8
    assert max(seen for _, _, seen in told) <= 400 * MiB
    assert len({worker for worker, _, _ in told}) <= 3


@pytest.mark.slow
def test_without_a_budget_they_would(engine: ProcessEngine) -> None:
    """So the test above can fail."""
    told = Parallel(8, engine, batch_size=1)(delayed(fill)(100 * MiB) for _ in range(16))
    assert max(seen for _, _, seen in told) > 400 * MiB


@pytest.mark.slow
def test_tasks_that_fit_run_at_once(engine: ProcessEngine, gate: str) -> None:
    """A budget costs the first round and nothing else: two tasks that wait for each other both go on."""
    call = Parallel(2, engine, memory_budget="4GB", batch_size=1, timeout=60)
    assert call([delayed(abs)(-1), delayed(meet)(gate, "rb"), delayed(meet)(gate, "wb")]) == [1, "rb", "wb"]


@pytest.mark.slow
def test_what_a_later_task_needs_counts_from_then_on(engine: ProcessEngine) -> None:
    """The needs of a task are those of the neediest one so far."""
    call = Parallel(4, engine, memory_budget=400 * MiB, batch_size=1)
    sizes = [5] * 8 + [180] + [180] * 6
    told = call(delayed(fill)(size * MiB) for size in sizes)
    # Up to four of the large ones may run at once, those that were begun before anybody knew.
    assert max(seen for _, _, seen in told[-3:]) <= 400 * MiB


@pytest.mark.slow
def test_a_task_above_the_budget_runs_alone_and_is_warned_of_once(engine: ProcessEngine) -> None:
    """It is not refused: nobody knew before, and it may fit the machine all the same."""
    call = Parallel(4, engine, memory_budget=80 * MiB, batch_size=1)
    with pytest.warns(ParallelWarning, match=r"memory_budget: the worker of task 0 had 1\d\d MB") as caught:
        told = call(delayed(fill)(size * MiB) for size in (100, 120, 140, 100))
    assert len(caught) == 1
    assert max(seen for _, _, seen in told) < 200 * MiB


@pytest.mark.slow
def test_no_worker_is_used_that_has_kept_much(engine: ProcessEngine) -> None:
    """What it has of earlier calls would come on top of what tasks were seen to need."""
    full = Parallel(2, engine, batch_size=1)
    full(delayed(keep)(100 * MiB) for _ in range(8))
    assert max(Parallel(2, engine, batch_size=1)(delayed(kept)(i) for i in range(8))) >= 100 * MiB
    call = Parallel(2, engine, memory_budget="150MB", batch_size=1)
    assert call(delayed(kept)(i) for i in range(8)) == [0] * 8


@pytest.mark.slow
def test_one_worker_is_a_process(engine: ProcessEngine) -> None:
    """And told of if its task needs more than the budget."""
    with pytest.warns(ParallelWarning, match="memory_budget"):
        ((worker, _, _),) = Parallel(1, engine, memory_budget="50MB")([delayed(fill)(100 * MiB)])
    assert worker == 0


def refuse(nbytes: int) -> None:
    memory = bytearray(b"x") * nbytes
    raise ValueError(len(memory))


@pytest.mark.slow
def test_tasks_that_fail_teach_as_well(engine: ProcessEngine) -> None:
    """They have needed what they needed."""
    call = Parallel(4, engine, on_error="return", memory_budget="80MB", batch_size=1)
    with pytest.warns(ParallelWarning, match="memory_budget"):
        assert all(
            isinstance(result, Failure) for result in call(delayed(refuse)(100 * MiB) for _ in range(4))
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"memory_budget": "much"}, "memory_budget='much' is not a size"),
        ({"memory_budget": 0}, "memory_budget=0: give more than nothing"),
        ({"memory_budget": -1}, "memory_budget=-1"),
        ({"memory_budget": True}, "memory_budget=True"),
        ({"memory_budget": "1GB", "backend": "threads"}, "memory_budget=.* is for worker processes"),
        ({"memory_budget": "1GB", "backend": "sequential"}, "memory_budget=.* is for worker processes"),
    ],
)
def test_what_cannot_be_kept_is_refused(options: dict[str, Any], message: str) -> None:
    """By name, before anything happens."""
    with pytest.raises((InvalidOption, TypeError), match=message):
        Parallel(2, **options)


class Silent(SequentialEngine):
    """An engine of processes, as far as anybody can tell, which does not say what those have."""

    name = "silent"
    shares_memory = False

    def open(self, request: SessionRequest) -> Any:  # Any: its session
        return super().open(request._replace(options={}))


def test_an_engine_that_does_not_tell_is_refused() -> None:
    """Before any task runs."""
    ran: list[int] = []
    with pytest.raises(InvalidOption, match=r"memory_budget=.*does not tell"):
        Parallel(2, Silent(), memory_budget="1GB")([delayed(ran.append)(1)] * 3)
    assert not ran


# -- the rule -----------------------------------------------------------------------------------------------


def test_nothing_is_known_of_the_first_task() -> None:
    """So one worker has tasks, however large the budget is."""
    assert MemoryBudget(1 << 60).workers([0] * 8, [False] * 8) == 1


def test_as_many_workers_as_fit() -> None:
    """Three times the peak, not four; and all if all fit."""
    budget = MemoryBudget(310)
    assert budget.learn(100)
    assert not budget.learn(90)
    assert budget.workers([0] * 8, [False] * 8) == 3
    assert budget.workers([0] * 2, [False] * 2) == 2


def test_what_others_have_counts() -> None:
    """Idle workers by what they have, those with tasks by what they will have, or have if that is more."""
    budget = MemoryBudget(310)
    budget.learn(100)
    assert budget.workers([0, 0, 0, 50], [False] * 4) == 2
    assert budget.workers([10, 0, 0, 50], [True, False, False, True]) == 2
    assert budget.workers([250, 0], [True, False]) == 1
    assert budget.workers([0, 200, 200], [False, True, True]) == 0, "those that run have it all"
    assert budget.workers([0, 0, 0, 900], [False] * 4) == 1, "something must run"


def test_more_budget_never_means_fewer_workers() -> None:
    """For the same workers."""
    own, busy = [20, 90, 0, 30, 0], [True, False, False, True, False]
    counts = []
    for nbytes in range(50, 700, 10):
        budget = MemoryBudget(nbytes)
        budget.learn(80)
        counts.append(budget.workers(own, busy))
    assert all(left <= right for left, right in pairwise(counts))
    assert (counts[0], counts[-1]) == (0, 5)


@pytest.mark.slow
def test_warnings_are_errors_if_the_caller_says_so(engine: ProcessEngine) -> None:
    """Then the call ends, as with any other warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ParallelWarning)
        with pytest.raises(ParallelWarning, match="memory_budget"):
            Parallel(2, engine, memory_budget="50MB")(delayed(fill)(100 * MiB) for _ in range(4))
