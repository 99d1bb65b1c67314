"""`Parallel(save_failures=...)`: what is kept of tasks that failed, and that keeping never fails a call."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lightwork
from lightwork import Memory, Parallel, Retry, delayed, share, task_rng
from lightwork.errors import CorruptFileError, InvalidOption, ParallelWarning, UnknownFormatError, WorkerDied
from lightwork.parallel import Failure, read_capsule

BACKENDS = ("processes", "threads", "sequential")


def work(array: Any, x: int, *, factor: int = 1) -> float:
    """Fails for every third one."""
    if x % 3 == 1:
        raise ValueError(f"no {x} with {array.sum() * factor}")
    return float(x)


def draw(x: int) -> None:
    raise ValueError(f"{task_rng().integers(2**60)}")


def kill(x: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Odd(Exception):
    """One that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("odd")
        self.lock = threading.Lock()


def raise_odd(x: int) -> None:
    raise Odd


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_each_task_that_failed_can_be_run_again(tmp_path: Path, backend: str) -> None:
    """With its arguments, whatever engine ran it; its error names the file."""
    array = np.arange(10_000)
    parallel = Parallel(2, backend=backend, on_error="return", save_failures=tmp_path / "new" / "folder")
    results = parallel(delayed(work)(array, x, factor=2) for x in range(6))
    failed = [found for found in results if isinstance(found, Failure)]
    assert [found.index for found in failed] == [1, 4]
    capsules = {read_capsule(path).index: path for path in (tmp_path / "new" / "folder").iterdir()}
    assert sorted(capsules) == [1, 4]
    assert f"kept for `lightwork replay {capsules[1]}`" in failed[0].error.__notes__
    capsule = read_capsule(capsules[4])
    assert capsule.call == "task 4: work(ndarray(int64, (10000,)), 4, factor=2)"
    assert capsule.error == "ValueError: no 4 with 99990000"
    assert "no 4 with" in capsule.traceback
    assert capsule.versions["numpy"] == np.__version__
    function, args, kwargs = capsule.task()
    assert (function, args[1], kwargs) == (work, 4, {"factor": 2})
    args[0][0] = 5  # as writable as any argument
    assert isinstance(capsule.exception(), ValueError)
    with pytest.raises(ValueError, match="no 4 with 99990000"):
        capsule.run()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_error_that_ends_a_call_is_kept_too(tmp_path: Path, n_jobs: int) -> None:
    """``on_error="raise"`` leaves one file; what went well leaves none."""
    with pytest.raises(ValueError, match="no 1"):
        Parallel(n_jobs, save_failures=tmp_path)(delayed(work)(np.arange(3), x) for x in range(3))
    (path,) = tmp_path.iterdir()
    assert read_capsule(path).index == 1
    folder = tmp_path / "none"
    Parallel(n_jobs, save_failures=folder)(delayed(abs)(x) for x in range(3))
    assert not folder.exists()


@pytest.mark.slow
def test_a_task_has_its_random_numbers_again(tmp_path: Path) -> None:
    """Those of its place in the input."""
    Parallel(2, seed=7, on_error="skip", save_failures=tmp_path)(delayed(draw)(x) for x in range(3))
    for path in tmp_path.iterdir():
        capsule = read_capsule(path)
        with pytest.raises(ValueError, match=capsule.error.partition(": ")[2]):
            capsule.run()


@pytest.mark.slow
def test_only_the_last_attempt_is_kept(tmp_path: Path) -> None:
    """A worker that died is a failure like others."""
    parallel = Parallel(2, on_error="return", retries=Retry(1), save_failures=tmp_path)
    (failure, well) = parallel([delayed(kill)(1), delayed(abs)(2)])
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, WorkerDied)
    assert well == 2
    (path,) = tmp_path.iterdir()
    assert read_capsule(path).error.startswith("lightwork.errors.WorkerDied")


@pytest.mark.slow
def test_shared_and_cached_functions_are_kept_as_the_user_wrote_them(tmp_path: Path) -> None:
    """The object in the place of its handle, the call without its key."""
    cached = Memory(tmp_path / "cache").cache(work)
    with share(np.arange(5)) as shared:
        tasks = [delayed(work)(shared, 4), delayed(cached)(np.arange(5), 7)]
        Parallel(2, on_error="skip", save_failures=tmp_path / "failures")(tasks)
    for path in (tmp_path / "failures").iterdir():
        capsule = read_capsule(path)
        _, args, _ = capsule.task()
        assert args[0].tolist() == [0, 1, 2, 3, 4]
        with pytest.raises(ValueError, match=f"no {args[1]} with 10"):
            capsule.run()


def test_what_cannot_be_kept_costs_one_warning(tmp_path: Path) -> None:
    """The call goes on, and its error is the one of the task."""
    (tmp_path / "file").write_text("in the way")
    parallel = Parallel(1, on_error="return", save_failures=tmp_path / "file" / "below")
    with pytest.warns(ParallelWarning, match="task 0 failed, and cannot be kept") as caught:
        results = parallel(delayed(draw)(x) for x in range(3))
    assert len(caught) == 1
    assert [type(found) for found in results] == [Failure] * 3
    parallel = Parallel(2, backend="threads", on_error="return", save_failures=tmp_path / "failures")
    with pytest.warns(ParallelWarning, match=r"cannot pickle task 0\[1\]\[0\]"):
        parallel([delayed(work)(threading.Lock(), 1)])


def test_an_error_that_cannot_be_pickled_is_kept_as_text(tmp_path: Path) -> None:
    """Its task is there all the same."""
    Parallel(1, on_error="skip", save_failures=tmp_path)([delayed(raise_odd)(3)])
    (path,) = tmp_path.iterdir()
    capsule = read_capsule(path)
    assert capsule.error.endswith("Odd: odd")
    assert capsule.exception() is None
    assert capsule.task()[1] == (3,)


def test_a_call_that_fails_throughout_does_not_fill_the_disk(tmp_path: Path) -> None:
    """A hundred are kept, and one warning tells of it."""
    with pytest.warns(ParallelWarning, match="more than 100 tasks failed"):
        Parallel(1, on_error="skip", save_failures=tmp_path)(delayed(draw)(x) for x in range(120))
    assert len(list(tmp_path.iterdir())) == 100


@pytest.mark.slow
def test_functions_of_a_script_travel_with_their_code(tmp_path: Path) -> None:
    """Another process runs them without the script; texts are read without building anything."""
    script = (
        "from lightwork import Parallel, delayed\n"
        "class Mine:\n    pass\n"
        "def fail(x):\n    raise KeyError(type(x).__name__)\n"
        "Parallel(2, save_failures='failures')([delayed(fail)(Mine())])\n"
    )
    (tmp_path / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(lightwork.__file__).parents[1])},
        capture_output=True,
        timeout=50,
    )
    assert b"KeyError: 'Mine'" in done.stderr
    (path,) = (tmp_path / "failures").iterdir()
    capsule = read_capsule(path)
    assert capsule.folders == (str(tmp_path),)
    document = lightwork.load(path)
    assert (document["error"], document["call"]) == ("KeyError: 'Mine'", "task 0: fail(<Mine>)")
    with pytest.raises(KeyError, match="Mine"):
        capsule.run()


def test_what_is_no_capsule_is_refused(tmp_path: Path) -> None:
    """By name; nothing in it is built."""
    lightwork.dump({"format": "another"}, tmp_path / "x")
    with pytest.raises(UnknownFormatError, match="no capsule"):
        read_capsule(tmp_path / "x")
    lightwork.dump(["lightwork capsule 1", Path("x")], tmp_path / "y")
    with pytest.raises(UnknownFormatError, match="as no capsule does"):
        read_capsule(tmp_path / "y")
    Parallel(1, on_error="skip", save_failures=tmp_path / "f")([delayed(draw)(3)])
    (path,) = (tmp_path / "f").iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(CorruptFileError, match="cut short"):
        read_capsule(path)
    for folder in (7, "", str(tmp_path / "x")):
        with pytest.raises(InvalidOption, match="save_failures="):
            Parallel(save_failures=folder)  # type: ignore[arg-type]  # this is the test
