"""Maps over cached functions: the cache is asked first, only misses are sent, each with its key."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightwork import Memory, Parallel, delayed
from lightwork.errors import UnhashableError
from lightwork.hashing.calls import CallKeys
from lightwork.parallel import Failure
from lightwork.testing.engines import ScriptedEngine
from tests.unit.parallel.scripts import run


def square(x: int) -> int:
    return x * x


def where(x: int) -> tuple[int, int]:
    return os.getpid(), x


def note(path: str, x: int) -> int:
    with open(path, "a") as file:
        print(x, file=file)
    return x


def total(array: Any) -> float:
    return float(array.sum())


def fail_at_three(x: int) -> int:
    if x == 3:
        raise ValueError("three")
    return x


class Model:
    def __init__(self, factor: int) -> None:
        self.factor = factor

    def times(self, x: int) -> int:
        return self.factor * x


def sent(engine: ScriptedEngine) -> list[int]:
    """The indices of all tasks that were sent in the last session, in order."""
    batches = [batch for _, batch in engine.sessions[-1].sent]
    # Some were taken back and sent again.
    return sorted({batch.start + place for batch in batches for place in range(len(batch.calls))})


@pytest.mark.parametrize("kind", [list, iter])
@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
def test_only_misses_are_sent(tmp_path: Path, kind: Any, return_as: Any) -> None:
    """Results are those of the loop; what was kept before is not sent, and a second run sends nothing."""
    cached = Memory(tmp_path).cache(square)
    for x in (2, 3, 11):
        cached(x)
    engine = ScriptedEngine()
    for expected in ([i for i in range(20) if i not in (2, 3, 11)], []):
        results = list(
            Parallel(2, engine, return_as=return_as)(kind([delayed(cached)(i) for i in range(20)]))
        )
        assert sorted(results) == [i * i for i in range(20)]
        if return_as != "generator_unordered":
            assert results == [i * i for i in range(20)]
        assert sent(engine) == expected


def test_a_second_run_starts_no_worker(tmp_path: Path) -> None:
    """With processes too: all was computed by workers, and is found here."""
    cached = Memory(tmp_path).cache(where)
    first = Parallel(2)(delayed(cached)(i) for i in range(50))
    assert os.getpid() not in {pid for pid, _ in first}
    hits = cached.stats().hits
    assert Parallel(2)(delayed(cached)(i) for i in range(50)) == first
    assert cached.stats().hits == hits + 50


@pytest.mark.parametrize("backend", ["processes", "threads"])
def test_the_key_of_a_miss_is_made_once(tmp_path: Path, backend: str) -> None:
    """The caller's key travels with the task: nobody makes it again."""
    log = tmp_path / "keys"

    def key(x: int) -> int:
        return note(str(log), x)

    cached = Memory(tmp_path / "cache").cache(square, key=key)
    assert Parallel(2, backend)(delayed(cached)(i) for i in range(12)) == [i * i for i in range(12)]
    assert sorted(map(int, log.read_text().split())) == list(range(12))


def test_a_task_that_is_there_twice_is_computed_once(tmp_path: Path) -> None:
    """Both are sent before either is known: the second one waits for the first in its worker."""
    log = tmp_path / "log"
    cached = Memory(tmp_path / "cache").cache(note)
    results = Parallel(2, batch_size=1)(delayed(cached)(str(log), i % 3) for i in range(24))
    assert results == [i % 3 for i in range(24)]
    assert sorted(log.read_text().split()) == ["0", "1", "2"]


def test_large_arguments_are_hashed_by_workers(tmp_path: Path) -> None:
    """Over 256 KiB nothing is asked here: hashing one array after the other would hold up all workers."""
    cached = Memory(tmp_path).cache(total)
    arrays = [np.full(100_000, i, float) for i in range(4)]
    engine = ScriptedEngine()
    for _ in range(2):
        results = Parallel(2, engine)(delayed(cached)(array) for array in arrays)
        assert results == [100_000.0 * i for i in range(4)]
        assert sent(engine) == [0, 1, 2, 3]


def test_small_arrays_are_asked_for_here(tmp_path: Path) -> None:
    """Up to 256 KiB hashing is quicker than sending."""
    cached = Memory(tmp_path).cache(total)
    engine = ScriptedEngine()
    for expected in ([0, 1], []):
        Parallel(2, engine)(delayed(cached)(np.full(1000, i)) for i in range(2))
        assert sent(engine) == expected


def test_an_argument_without_a_key_fails_its_task_alone(tmp_path: Path) -> None:
    """What the key cannot be made of is the error of the task, as in a loop; the others are computed."""
    cached = Memory(tmp_path).cache(str)
    with open(os.devnull) as handle:
        results = Parallel(2, "threads", on_error="return")(delayed(cached)(x) for x in (1, handle, 3))
    assert [results[0], results[2]] == ["1", "3"]
    assert isinstance(results[1], Failure)
    assert isinstance(results[1].error, UnhashableError)


def test_errors_name_the_call_and_not_its_key(tmp_path: Path) -> None:
    """The note of an error shows the arguments that the user gave."""
    cached = Memory(tmp_path).cache(fail_at_three)
    with pytest.raises(ValueError, match="three") as caught:
        Parallel(2)(delayed(cached)(i) for i in range(5))
    assert caught.value.__notes__[-1] == "task 3: fail_at_three(3)"


def test_hits_count_as_progress(tmp_path: Path) -> None:
    """The observer hears of each task that was known, as of any other."""
    cached = Memory(tmp_path).cache(square)
    seen: list[tuple[int, int | None, int]] = []
    for _ in range(2):
        seen.clear()
        tasks = [delayed(cached)(i) for i in range(30)]
        Parallel(2, progress=lambda *at: seen.append(at))(tasks)
        assert seen == [(count, 30, 0) for count in range(1, 31)]


def test_cached_methods_are_asked_and_their_objects_stay_values(tmp_path: Path) -> None:
    """Hits are found here; for misses the object travels with each task as it always does."""

    class Times(Model):
        times = Memory(tmp_path).cache(Model.times)

    model = Times(3)
    engine = ScriptedEngine()
    for expected in ([0, 1, 2, 3], []):
        assert Parallel(2, engine)(delayed(model.times)(i) for i in range(4)) == [0, 3, 6, 9]
        assert sent(engine) == expected


def test_cached_and_other_calls_may_be_mixed(tmp_path: Path) -> None:
    """Each task is what it is, whichever comes first."""
    cached = Memory(tmp_path).cache(square)
    for _ in range(2):
        for turn in (0, 1):
            calls = [delayed(cached if i % 2 == turn else square)(i) for i in range(20)]
            assert Parallel(2)(calls) == [i * i for i in range(20)]


def test_what_is_no_call_is_told_by_its_index(tmp_path: Path) -> None:
    """Among cached calls as well."""
    cached = Memory(tmp_path).cache(square)
    tasks: list[Any] = [delayed(cached)(1), delayed(cached)(2), 7]
    for kind in (list, iter):
        with pytest.raises(TypeError, match="task 2 is of type int"):
            Parallel(2, "threads")(kind(tasks))


def test_a_key_from_other_code_is_not_used() -> None:
    """A worker that imported another version of the function makes its own key."""
    keys = CallKeys(square, version="1")
    call = keys.call((3,), {})
    made: tuple[Any, ...] = tuple(call[:-1])
    assert keys.carried(made) == call
    other = call._replace(code=bytes(32))
    assert keys.carried(tuple(other[:-1])) is None


_RATED = """
    from lightwork import Memory
    RATE = 1
    memory = Memory("kept")

    @memory.cache
    def job(x):
        return x * RATE

    class Job:
        @memory.cache
        def job(self, x):
            return x * RATE

    def set_rate(rate):
        global RATE
        RATE = rate
"""


@pytest.mark.parametrize("job", ["rated.job", "rated.Job().job"])
def test_a_function_that_is_another_one_in_workers_is_an_error(tmp_path: Path, job: str) -> None:
    """Workers import its module anew: some results would be of this program's function, some of theirs."""
    script = f"""
        import rated
        from lightwork import Parallel, delayed
        from lightwork.errors import ParallelError
        rated.set_rate(7)
        job = {job}
        for _ in range(2):
            try:
                print(Parallel(2)(delayed(job)(x) for x in (1, 2, 3)))
            except ParallelError as error:
                print(error)
            print(job(1), Parallel(2)([delayed(job)(1)]))
    """
    lines = run(tmp_path, script, rated=_RATED)
    assert lines[1] == lines[3] == "7 [7]"
    for line in (lines[0], lines[2]):
        assert line.startswith(f"{job.replace('()', '')}, whose results are kept, is another function")
        assert "RATE differ there" in line


def test_what_an_initializer_sets_is_told_by_the_workers(tmp_path: Path) -> None:
    """They have what results depend on, so none of what this process knows is taken for theirs."""
    script = """
        import rated
        from lightwork import Parallel, delayed
        rated.job(1)
        for rate in (7, 1, 7):
            run = Parallel(2, initializer=rated.set_rate, initargs=(rate,))
            print(run(delayed(rated.job)(x) for x in (1, 2, 3)))
    """
    assert run(tmp_path, script, rated=_RATED) == ["[7, 14, 21]", "[1, 2, 3]", "[7, 14, 21]"]


def test_functions_that_travel_by_value_are_the_same_in_workers(tmp_path: Path) -> None:
    """Whatever they name, hold or are given: nothing is refused, and the next run finds all results."""
    script = """
        import dataclasses, functools, math
        import numpy as np
        from lightwork import Memory, Parallel, delayed
        memory = Memory("kept")
        RATE, TABLE, SEEN = 2, {"a": [1, 2]}, []

        def helper(x):
            return x * RATE

        @dataclasses.dataclass
        class Point:
            x: int
            def scaled(self, by):
                return helper(self.x) * by

        class Model:
            def __init__(self, by):
                self.by = by
            @memory.cache
            def times(self, x):
                return helper(x) * self.by

        @memory.cache
        def plain(x):
            SEEN.append(x)
            return helper(x) + len(TABLE["a"]) + int(np.sum([x])) + math.floor(1.5)

        @memory.cache
        def given(x, what):
            return what(x) if callable(what) else what.scaled(x)

        def closed(by):
            seen = []
            @memory.cache
            def inner(x):
                seen.append(x)
                return x * by
            return inner

        if __name__ == "__main__":
            functions = {
                "plain": plain,
                "method": Model(3).times,
                "lambda": functools.partial(memory.cache(lambda x, y: x + y * RATE), y=1),
                "closed": closed(4),
                "twice": memory.cache(functools.partial(helper)),
            }
            for name, function in functions.items():
                first = Parallel(2)(delayed(function)(x) for x in range(6))
                again = Parallel(2)(delayed(function)(x) for x in range(6))
                print(name, first == again)
            for what in (helper, lambda x: x + RATE, Point(3), functools.partial(helper), math.floor):
                calls = [delayed(given)(x, what) for x in range(6)]
                print(Parallel(2)(calls) == Parallel(2)(calls), given.check_call_in_cache(5, what))
            print(plain.check_call_in_cache(5), Model.times.check_call_in_cache(Model(3), 5))
    """
    lines = run(tmp_path, script)
    assert lines[:5] == [f"{name} True" for name in ("plain", "method", "lambda", "closed", "twice")]
    assert lines[5:] == ["True True"] * 6
