"""`Parallel(checkpoint=...)`: what is kept, how it is found again, and what kills may do to it."""

import functools
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from lightwork import File, Memory, Parallel, delayed, task_rng
from lightwork.errors import InvalidOption, ParallelWarning, StoreUnavailable, UnhashableError
from lightwork.parallel import Failure
from lightwork.parallel.checkpoint import Checkpoint
from lightwork.parallel.given import Given
from lightwork.protocols import Call, Known
from lightwork.stores import TransientStore
from lightwork.testing.engines import ScriptedEngine

BACKENDS = ("processes", "threads", "sequential")


def note(path: str, x: Any) -> Any:
    with open(path, "a") as file:
        print(x, file=file)
    return x


def ran(path: Path) -> list[str]:
    """What ran since the last look."""
    text = path.read_text().split() if path.exists() else []
    path.unlink(missing_ok=True)
    return sorted(text)


def draw(_: int) -> float:
    return random.random()


def fail_at_three(path: str, x: int) -> int:
    note(path, x)
    if x == 3:
        raise ValueError("three")
    return x


def fill(size: int, value: int) -> Any:
    return np.full(size, value)


class Point:
    def __init__(self, x: int) -> None:
        self.x = x

    def shifted(self, by: int) -> int:
        return self.x + by


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("return_as", ["list", "generator", "generator_unordered"])
@pytest.mark.parametrize("kind", [list, iter])
def test_only_what_is_missing_runs(tmp_path: Path, backend: str, return_as: Any, kind: Any) -> None:
    """A second call finds what the first has kept, wherever it stands in the input; the rest is computed."""
    log = tmp_path / "log"

    def run(xs: Any) -> Any:
        parallel = Parallel(2, backend, return_as=return_as, checkpoint=tmp_path / "kept")
        return list(parallel(kind([delayed(note)(str(log), x) for x in xs])))

    assert sorted(run(range(10))) == list(range(10))
    assert ran(log) == sorted(map(str, range(10)))
    again = run([12, *reversed(range(8)), 11])
    assert sorted(again) == sorted([12, *range(8), 11])
    if return_as != "generator_unordered":
        assert again == [12, *reversed(range(8)), 11]
    assert ran(log) == ["11", "12"]


def test_one_worker_and_all_backends_share_what_is_kept(tmp_path: Path) -> None:
    """How a result was computed plays no part."""
    log = tmp_path / "log"
    calls = [delayed(note)(str(log), x) for x in range(6)]
    for n_jobs, backend in ((1, "processes"), (2, "processes"), (2, "threads"), (1, "sequential")):
        assert Parallel(n_jobs, backend, checkpoint=tmp_path / "kept")(calls) == list(range(6))
    assert ran(log) == sorted(map(str, range(6)))


def test_tasks_that_are_the_same_are_told_apart_by_their_order(tmp_path: Path) -> None:
    """Three equal tasks have three results, each of which is kept; a fourth is computed."""
    parallel = Parallel(2, checkpoint=tmp_path)
    first = parallel(delayed(draw)(0) for _ in range(3))
    assert len(set(first)) == 3
    again = parallel(delayed(draw)(0) for _ in range(4))
    assert again[:3] == first
    assert again[3] not in first


def test_a_seed_is_part_of_the_key() -> None:
    """The same call with another seed is another task."""
    store = TransientStore()
    call: Call = (draw, (0,), {})

    def checkpoint(seed: bytes) -> Checkpoint:
        return Checkpoint(store, Given(copies=False), seed=lambda index: seed + b"%d" % index)

    first = checkpoint(b"1")
    assert first.ask(0, call) is call
    first.keep(0, [0.25], 0.0)
    assert checkpoint(b"1").ask(0, call) == Known(0.25)
    assert checkpoint(b"2").ask(0, call) is call
    assert checkpoint(b"1").ask(1, call) is call


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_is_kept_can_be_told(tmp_path: Path, n_jobs: int) -> None:
    """Function, call and time of each task, and nothing else counts as a result."""
    Parallel(n_jobs, checkpoint=tmp_path)(delayed(slow)(x) for x in range(3))
    entries = list(Memory(tmp_path).entries())
    assert {entry.call for entry in entries} == {"slow(0)", "slow(1)", "slow(2)"}
    assert {entry.function for entry in entries} == {f"{__name__}:slow"}
    assert sum(entry.seconds for entry in entries) >= 0.06
    assert Memory(tmp_path).stats().records == 3


def slow(x: int) -> int:
    """Takes 20 ms, whatever the machine does."""
    end = time.perf_counter() + 0.02
    while time.perf_counter() < end:
        pass
    return x


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("on_error", ["return", "skip"])
def test_failures_are_not_kept(tmp_path: Path, n_jobs: int, on_error: Literal["return"]) -> None:
    """They are tried again by the next call; all else is known."""
    log = tmp_path / "log"
    parallel = Parallel(n_jobs, on_error=on_error, checkpoint=tmp_path / "kept")
    for expected in (["0", "1", "2", "3", "4"], ["3"]):
        results = parallel(delayed(fail_at_three)(str(log), i) for i in range(5))
        assert [value for value in results if not isinstance(value, Failure)] == [0, 1, 2, 4]
        assert ran(log) == expected


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_what_ended_before_an_error_is_kept(tmp_path: Path, n_jobs: int) -> None:
    """The first error ends the call, and nothing that had arrived is lost."""
    log = tmp_path / "log"
    parallel = Parallel(n_jobs, batch_size=1, pre_dispatch=1, checkpoint=tmp_path / "kept")
    for _ in range(2):
        with pytest.raises(ValueError, match="three"):
            parallel(delayed(fail_at_three)(str(log), i) for i in range(5))
    assert ran(log).count("0") == 1


def test_an_argument_that_cannot_be_identified_is_an_error_at_the_start(tmp_path: Path) -> None:
    """The task and the argument are named, and no task has run."""
    log = tmp_path / "log"
    with open(os.devnull) as handle:
        tasks = [delayed(note)(str(log), x) for x in (1, 2, [handle])]
        for n_jobs in (1, 2):
            with pytest.raises(UnhashableError, match=r"task 2: note\(.*checkpoint: .*x\[0\]"):
                Parallel(n_jobs, on_error="return", checkpoint=tmp_path / "kept")(tasks)
            assert ran(log) == []
        for n_jobs in (1, 2):
            with pytest.raises(UnhashableError, match="task 2"):
                Parallel(n_jobs, on_error="return", checkpoint=tmp_path / "kept")(iter(tasks))


def test_a_file_that_cannot_be_read_names_its_task(tmp_path: Path) -> None:
    """The content of a `File` is part of what the task is."""
    with pytest.raises(FileNotFoundError) as caught:
        Parallel(2, checkpoint=tmp_path / "kept")([delayed(len)([File(tmp_path / "none")])])
    assert "task 0: len" in caught.value.__notes__[-1]


def test_a_call_that_does_not_fit_fails_as_it_always_does(tmp_path: Path) -> None:
    """It has no key since it cannot be made; that is the task's own error."""
    call: Any = delayed(draw)
    results = Parallel(2, "threads", on_error="return", checkpoint=tmp_path)([call(), call(1, 2), call(3)])
    assert [type(result) for result in results] == [Failure, Failure, float]


@pytest.mark.parametrize(
    "function",
    [
        abs,
        math.floor,
        np.negative,
        functools.partial(max, 3),
        Point(2).shifted,
        lambda x: x + 1,
        str,
        "cached",
    ],
)
def test_any_callable_is_found_again(tmp_path: Path, function: Any) -> None:
    """Builtins, partials, bound methods, lambdas, classes and cached functions have keys."""
    if function == "cached":
        function = Memory(tmp_path / "cache").cache(draw)
    engine = ScriptedEngine()
    first = Parallel(2, engine, checkpoint=tmp_path / "kept")(delayed(function)(x) for x in (1, 2))
    assert Parallel(2, engine, checkpoint=tmp_path / "kept")(delayed(function)(x) for x in (1, 2)) == first
    assert [len(session.sent) for session in engine.sessions] == [2, 0]


def test_captured_values_and_objects_count(tmp_path: Path) -> None:
    """A closure or an object with another content is another function."""

    def adding(n: int) -> Any:
        return lambda x: x + n

    parallel = Parallel(2, "threads", checkpoint=tmp_path)
    for n in (1, 10, 1):
        assert parallel([delayed(adding(n))(5), delayed(Point(n).shifted)(5)]) == [5 + n, 5 + n]


def test_arrays_come_back_writable_and_equal(tmp_path: Path) -> None:
    """Small and large ones; a change of one is seen by nobody else."""
    for _ in range(2):
        for size in (10, 1_000_000):
            (array,) = Parallel(2, checkpoint=tmp_path)([delayed(fill)(size, 7)])
            assert (array == 7).all()
            array += 1


def test_a_damaged_record_is_computed_again(tmp_path: Path) -> None:
    """A blob that was cut short is as good as none."""
    tasks = [delayed(fill)(400_000, i) for i in range(3)]
    Parallel(2, checkpoint=tmp_path)(tasks)
    blobs = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size > 1_000_000]
    assert len(blobs) >= 3
    for blob in blobs:
        os.chmod(blob, 0o600)
        os.truncate(blob, 1000)
    for i, array in enumerate(Parallel(2, checkpoint=tmp_path)(tasks)):
        assert (array == i).all()


def test_a_result_that_cannot_be_kept_is_returned_with_one_warning(tmp_path: Path) -> None:
    """The run is worth more than its checkpoint."""
    make: Any = delayed(open)
    with pytest.warns(ParallelWarning, match="not kept in the checkpoint") as caught:
        results = Parallel(2, "threads", checkpoint=tmp_path)([make(os.devnull), make(os.devnull)])
    for file in results:
        file.close()
    assert len(caught) == 1


def test_a_value_that_cannot_be_built_again_is_computed(tmp_path: Path) -> None:
    """Its class is gone, say: one warning, and the task runs."""
    store = TransientStore()
    call: Call = (draw, (0,), {})
    first = Checkpoint(store, Given(copies=False))
    first.ask(0, call)
    first.keep(0, [Fragile()], 0.0)
    Fragile.is_whole = False
    try:
        with pytest.warns(ParallelWarning, match="computed again: ValueError: gone"):
            assert Checkpoint(store, Given(copies=False)).ask(0, call) is call
    finally:
        Fragile.is_whole = True


class Fragile:
    is_whole = True

    def __reduce__(self) -> Any:
        return _mend, ()


def _mend() -> Fragile:
    if not Fragile.is_whole:
        raise ValueError("gone")
    return Fragile()


@pytest.mark.parametrize("path", ["", 3, b"", "a\0b"])
def test_what_is_no_path_is_refused(path: Any) -> None:
    """Before anything happens."""
    with pytest.raises(InvalidOption, match="checkpoint="):
        Parallel(checkpoint=path)


def test_a_path_that_cannot_be_used_is_refused_at_once(tmp_path: Path) -> None:
    """A file is refused when the object is made, a folder that cannot be made before the first task."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(InvalidOption, match="is a file"):
        Parallel(checkpoint=file)
    log = tmp_path / "log"
    with pytest.raises(StoreUnavailable) as caught:
        Parallel(2, checkpoint=file / "below")([delayed(note)(str(log), 1)])
    assert str(caught.value).count("Errno") == 1
    assert "cache" not in str(caught.value)
    assert ran(log) == []


def test_a_lagging_reader_stops_the_looking_up(tmp_path: Path) -> None:
    """Of known results no more are read than of others: a list of them may be larger than the memory."""
    calls = [delayed(fill)(10, i) for i in range(200)]
    Parallel(2, "threads", checkpoint=tmp_path)(calls)
    taken: list[int] = []

    def tasks() -> Iterator[Any]:
        for i, call in enumerate(calls):
            taken.append(i)
            yield call

    results = Parallel(2, "threads", return_as="generator", checkpoint=tmp_path)(tasks())
    assert next(results)[0] == 0
    assert len(taken) < 20
    assert [int(array[0]) for array in results] == list(range(1, 200))


SCRIPT = """
    import os, sys
    import numpy as np
    from lightwork import Parallel, delayed

    def work(x):
        with open("ran", "a") as file:
            print(x, file=file)
        return np.full(300_000 if x % 5 == 0 else 3, x), {"x": x}

    def results(n):
        tasks = (delayed(work)(i) for i in range(n))
        return Parallel(2, batch_size=1, return_as="generator", checkpoint="kept")(tasks)

    if __name__ == "__main__":
        n, stop = map(int, sys.argv[1:])
        for i, (array, other) in enumerate(results(n)):
            assert (array == i).all() and other == {"x": i}
            print(i, flush=True)
            if i == stop:
                sys.stdin.read()
"""


def script(folder: Path, n: int, *, stop: int = -1) -> "subprocess.Popen[str]":
    """`n` tasks; the script halts after result `stop`."""
    (folder / "script.py").write_text(textwrap.dedent(SCRIPT))
    return subprocess.Popen(
        [sys.executable, "-W", "error", "script.py", str(n), str(stop)],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(folder: Path, n: int) -> None:
    """SIGKILL at 50 %."""
    with script(folder, n, stop=n // 2) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == n // 2:
                process.kill()
    assert process.returncode == -signal.SIGKILL


def finished(folder: Path, n: int) -> None:
    """A run to the end, with all results."""
    with script(folder, n) as process:
        out, _ = process.communicate(timeout=50)
    assert process.returncode == 0
    assert [int(line) for line in out.split()] == list(range(n))


@pytest.mark.slow
def test_a_run_that_was_killed_half_way_is_taken_up_again(tmp_path: Path) -> None:
    """The next run computes what is missing, at most what was on its way runs twice."""
    count = 40
    killed(tmp_path, count)
    before = ran(tmp_path / "ran")
    assert count // 2 < len(before) < count
    finished(tmp_path, count)
    after = ran(tmp_path / "ran")
    assert len(after) < count - count // 2
    assert set(before) | set(after) == set(map(str, range(count)))
    finished(tmp_path, count)
    assert ran(tmp_path / "ran") == []


@pytest.mark.slow
@pytest.mark.parametrize("lost", [1, 3000, 100_000])
def test_a_torn_end_is_dropped(tmp_path: Path, lost: int) -> None:
    """What was written last may be cut anywhere: those results are computed again."""
    killed(tmp_path, 30)
    (wal,) = tmp_path.rglob("records.sqlite-wal")
    os.truncate(wal, max(wal.stat().st_size - lost, 0))
    finished(tmp_path, 30)


@pytest.mark.slow
def test_two_runs_at_once_do_no_harm(tmp_path: Path) -> None:
    """Both give all results, and what they kept serves a third run."""
    runs = [script(tmp_path, 40) for _ in range(2)]
    for run in runs:
        out, _ = run.communicate(timeout=50)
        assert run.returncode == 0
        assert len(out.split()) == 40
    ran(tmp_path / "ran")
    finished(tmp_path, 40)
    assert ran(tmp_path / "ran") == []


def test_a_changed_function_finds_nothing(tmp_path: Path) -> None:
    """Results of other code are those of other tasks."""
    for text, expected in (("x + 1", [1, 2, 3]), ("x + 2", [2, 3, 4]), ("x + 1", [1, 2, 3])):
        space: dict[str, Any] = {"__name__": "made"}
        exec(f"def change(x): return {text}", space)
        assert Parallel(1, checkpoint=tmp_path)(delayed(space["change"])(i) for i in range(3)) == expected


def test_a_seed_is_part_of_what_is_kept(tmp_path: Path) -> None:
    """Another seed gives other numbers, the same one those that were kept; and equal tasks differ."""

    def draw() -> float:
        return float(task_rng().random())

    def run(seed: int) -> list[float]:
        found: list[float] = Parallel(2, seed=seed, checkpoint=tmp_path / "kept")([delayed(draw)()] * 4)
        return found

    first = run(1)
    assert len(set(first)) == 4
    assert run(2) != first
    assert run(1) == first


def interrupt_at(x: int) -> int:
    if x == 2:
        raise KeyboardInterrupt
    return x


@pytest.mark.parametrize("backend", ["threads", "sequential"])
def test_ctrl_c_says_that_results_are_kept(tmp_path: Path, backend: str) -> None:
    """A note on the interrupt names the folder."""
    with pytest.raises(KeyboardInterrupt) as caught:
        Parallel(2, backend, checkpoint=tmp_path / "kept").map(interrupt_at, range(4))
    assert any(str(tmp_path / "kept") in note for note in caught.value.__notes__)
