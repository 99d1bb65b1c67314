"""joblib's folders, from both sides: what the installed joblib has stored is found here, and ours there."""

import asyncio
import importlib.util
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from lightwork.compat.joblib.hashing import hash
from lightwork.compat.joblib.memory import (
    AsyncMemorizedFunc,
    CacheWarning,
    MemorizedResult,
    Memory,
    NotMemorizedResult,
    expires_after,
)

# Any: joblib has no types, and results are anything.

CALLS: list[Any] = []


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """As in a new process: joblib stores a source only once in each, whatever the folder."""
    joblib.memory._FUNCTION_HASHES.clear()
    CALLS.clear()
    yield
    CALLS.clear()


def same(x: Any, y: Any = None, *more: Any, scale: int = 2, **named: Any) -> Any:
    CALLS.append((x, y, more, named))
    return x


HELD: list[Any] = []


def holding(location: str) -> Any:
    CALLS.append(location)
    return HELD[-1](Path(location), verbose=0)


ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1.5, "b"), {"scale": 3}),
    (("é", 1, 2, 3), {"other": [1, 2]}),
    ((np.arange(10_000.0).reshape(100, 100),), {}),
    ((np.asfortranarray(np.ones((3, 4), "f4")),), {}),
    ((np.array(["a", None, 3], dtype=object),), {"scale": 1}),
    ((pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),), {"y": {"k": (1, 2)}}),
]


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of all files in a folder, by their paths."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("options", [{}, {"compress": True}, {"compress": ("zlib", 9)}, {"mmap_mode": "r"}])
@pytest.mark.parametrize(
    ("first", "second"), [(joblib.Memory, Memory), (Memory, joblib.Memory)], ids=["old", "new"]
)
def test_what_the_one_has_stored_the_other_finds(
    tmp_path: Path, first: Any, second: Any, options: dict[str, Any]
) -> None:
    """A folder that joblib filled gives hits and stays as it is, and so does one of ours in joblib."""
    store = first(str(tmp_path), verbose=0, **options).cache(same)
    expected = [store(*args, **kwargs) for args, kwargs in ARGUMENTS]
    count, before = len(CALLS), files(tmp_path)
    find = second(str(tmp_path), verbose=0, **options).cache(same)
    for (args, kwargs), value in zip(ARGUMENTS, expected, strict=True):
        assert find.check_call_in_cache(*args, **kwargs)
        found = find(*args, **kwargs)
        assert type(found) is type(value)
        assert joblib.hash(found) == joblib.hash(value)
    assert len(CALLS) == count
    assert files(tmp_path) == before


def test_folder_holds_only_what_joblib_expects(tmp_path: Path) -> None:
    """The same calls leave files of the same names in both."""
    for kind in (joblib.Memory, Memory):
        cached = kind(str(tmp_path / kind.__module__.partition(".")[0]), verbose=0).cache(same)
        for args, kwargs in ARGUMENTS:
            cached(*args, **kwargs)
    assert files(tmp_path / "joblib").keys() == files(tmp_path / "lightwork").keys()


def test_metadata_are_joblib_s(tmp_path: Path) -> None:
    """What is known of a result reads the same in joblib."""
    cached = Memory(tmp_path, verbose=0).cache(same)
    cached(1, scale=3)
    theirs = joblib.Memory(tmp_path, verbose=0).cache(same).call_and_shelve(1, scale=3)
    ours = cached.call_and_shelve(1, scale=3)
    assert theirs.metadata == ours.metadata
    assert ours.metadata["input_args"] == {"y": "None", "scale": "3", "x": "1", "*": "[]", "**": "{}"}
    assert str(theirs) == str(ours)


def test_state_of_a_memory_is_joblib_s(tmp_path: Path) -> None:
    """Pickled estimators hold a `Memory`: its attributes are those of joblib, in the same order."""
    ours, theirs = Memory(str(tmp_path)), joblib.Memory(str(tmp_path))
    assert list(vars(ours)) == list(vars(theirs))
    assert vars(ours.store_backend).keys() == vars(theirs.store_backend).keys()


def test_digests_of_memories_are_joblib_s(tmp_path: Path) -> None:
    """Estimators hold a `Memory`, and are arguments of cached functions."""
    ours, theirs = Memory(str(tmp_path)), joblib.Memory(str(tmp_path))
    assert hash([ours, ours.cache(same)]) == joblib.hash([theirs, theirs.cache(same)])
    assert hash(NotMemorizedResult(1)) == joblib.hash(joblib.memory.NotMemorizedResult(1))


def test_memories_in_results_are_read_by_both(tmp_path: Path) -> None:
    """A fitted pipeline holds its `Memory`: it is stored under joblib's names, and found under either."""
    for first, second in ((Memory, joblib.Memory), (joblib.Memory, Memory)):
        location = str(tmp_path / first.__module__)
        HELD[:] = [first]
        first(Path(location), verbose=0).cache(holding)(location)
        found = second(Path(location), verbose=0).cache(holding)(location)
        assert type(found) is second
        assert found.store_backend.location == location
    assert len(CALLS) == 2


def test_foreign_files_survive_a_clear(tmp_path: Path) -> None:
    """`clear` removes folders of results, not a file that somebody has put beside them."""
    memory = Memory(tmp_path, verbose=0)
    memory.cache(same)(1)
    (tmp_path / "notes.txt").write_text("mine")
    memory.clear(warn=False)
    assert sorted(os.listdir(tmp_path)) == [".gitignore", "notes.txt"]


# A value that tells when it is being pickled, after many bytes, and then waits to be killed.
STORING = """
import sys, signal
import numpy as np
from lightwork.compat.joblib.hashing import hash
from lightwork.compat.joblib.memory import Memory

class Slow:
    def __reduce__(self):
        print("storing", flush=True)
        signal.pause()

def slow(x):
    return [np.ones(1_000_000), Slow()] if sys.argv[2] == "die" else x + 1

memory = Memory(sys.argv[1], verbose=0)
print(memory.cache(slow).check_call_in_cache(1), memory.cache(slow)(1), flush=True)
"""


@pytest.mark.slow
def test_a_kill_while_storing_leaves_no_entry(tmp_path: Path) -> None:
    """SIGKILL in the middle of a result: the next process computes, and nothing broken is found."""
    script = tmp_path / "storing.py"
    script.write_text(STORING)
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    with subprocess.Popen([*command, "die"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "storing\n"
        process.send_signal(signal.SIGKILL)
    left = [Path(name).name for name in files(tmp_path / "cache")]
    assert "output.pkl" not in left
    assert any(name.startswith("output.pkl.") for name in left), "it was not killed in the middle"
    for expected in ("False 2\n", "True 2\n"):
        done = subprocess.run([*command, "go"], capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == (expected, "")


def test_what_cannot_be_stored_leaves_no_file(tmp_path: Path) -> None:
    """A value that fails halfway is returned, with a warning, and no part of it is kept."""
    memory = Memory(tmp_path, verbose=0)
    cached = memory.cache(unstorable)
    with pytest.warns(CacheWarning, match="not today") as warned:
        assert len(cached(1)) == 2
    assert [warning.filename for warning in warned] == [__file__]
    with pytest.warns(CacheWarning):
        shelved = cached.call_and_shelve(1)
    assert isinstance(shelved, NotMemorizedResult)
    with pytest.warns(CacheWarning):
        assert len(memory.cache(unstorable, mmap_mode="r")(1)) == 2
    assert [name for name in files(tmp_path) if "output" in name] == []


class Unstorable:
    def __reduce__(self) -> Any:
        raise RuntimeError("not today")


def unstorable(x: int) -> list[Any]:
    return [np.ones(100_000), Unstorable()]


def version(path: Path, name: str, value: str) -> ModuleType:
    """A module of this name whose function `answer` returns `value`."""
    path.mkdir(exist_ok=True)
    file = path / "versions.py"
    file.write_text(f"def answer(x, inside=None):\n    if inside:\n        inside(x)\n    return {value!r}\n")
    spec = importlib.util.spec_from_file_location("versions", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = before
    return module


def test_an_older_version_does_not_find_results_of_a_newer_one(tmp_path: Path) -> None:
    """Two versions that run at the same time each get their own results, whoever stored last."""
    memory = Memory(tmp_path / "cache", verbose=0)
    old = memory.cache(version(tmp_path / "1", "versions", "old").answer)
    new = memory.cache(version(tmp_path / "2", "versions", "new").answer)
    assert [old(1), new(1), old(1), new(1)] == ["old", "new", "old", "new"]


def test_a_result_is_not_stored_under_a_source_that_came_meanwhile(tmp_path: Path) -> None:
    """While an old version computes, a new one takes the folder over: the old result is not kept there."""
    memory = Memory(tmp_path / "cache", verbose=0)
    new = memory.cache(version(tmp_path / "2", "versions", "new").answer, ignore=["inside"])
    old = memory.cache(version(tmp_path / "1", "versions", "old").answer, ignore=["inside"])
    assert old(2, inside=lambda _: new(3)) == "old"
    assert new.check_call_in_cache(3)
    assert not new.check_call_in_cache(2)
    assert new(2) == "new"


class Meddler:
    """Lets another version of the function take the folder over while it is stored."""

    def __init__(self, other: Callable[[int], object]) -> None:
        self.other = other

    def __reduce__(self) -> Any:
        self.other(3)
        return int, ()


def test_a_result_is_removed_if_another_source_came_while_it_was_stored(tmp_path: Path) -> None:
    """The other version does not find it."""
    memory = Memory(tmp_path / "cache", verbose=0)
    new = memory.cache(version(tmp_path / "2", "versions", "new").answer, ignore=["inside"])
    module = version(tmp_path / "1", "versions", "old")
    module.__dict__["Meddler"], module.__dict__["new"] = Meddler, new
    source = tmp_path / "1" / "versions.py"
    source.write_text("def answer(x, inside=None):\n    return Meddler(new)\n")
    exec(compile(source.read_text(), str(source), "exec"), module.__dict__)
    assert isinstance(memory.cache(module.answer)(2), Meddler)
    assert new.check_call_in_cache(3)
    assert not new.check_call_in_cache(2)


def test_a_source_is_stored_in_each_folder(tmp_path: Path) -> None:
    """A function that two memories of one process keep is compared in both."""
    for name in "ab":
        Memory(tmp_path / name, verbose=0).cache(same)(1)
    assert len(list(tmp_path.rglob("func_code.py"))) == 2


def test_damaged_result_is_computed_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A result that cannot be read is told, computed and stored again."""
    cached = Memory(tmp_path, verbose=0).cache(same)
    cached(np.ones(3))
    [path] = tmp_path.rglob("output.pkl")
    whole = path.read_bytes()
    for content in (b"", whole[:20], whole[:-5], b"\x80garbage"):
        path.write_bytes(content)
        assert cached(np.ones(3)).sum() == 3
        assert "Exception while loading results" in caplog.text
        caplog.clear()
        assert path.read_bytes() == whole
        path.write_bytes(content)
        with pytest.raises(KeyError, match="corrupted"):
            cached.call_and_shelve(np.ones(3)).get()


def slow_call(folder: Path, gate: threading.Event) -> Callable[[int], int]:
    """A cached function that waits for the gate."""

    def waiting(x: int) -> int:
        CALLS.append(x)
        assert gate.wait(30)
        return x + 1

    cached: Callable[[int], int] = Memory(folder, verbose=0).cache(waiting)
    return cached


def test_threads_compute_a_call_once(tmp_path: Path) -> None:
    """Of four threads that ask at the same time one computes, and all get the result."""
    gate, results = threading.Event(), []
    cached = slow_call(tmp_path, gate)
    threads = [threading.Thread(target=lambda: results.append(cached(1))) for _ in range(4)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert results == [2] * 4
    assert CALLS == [1]


# Tells when it computes, and ends when a line arrives.
WAITING = """
import sys
from lightwork.compat.joblib.hashing import hash
from lightwork.compat.joblib.memory import Memory

def waiting(x):
    print("computing", flush=True)
    return sys.stdin.readline()

print(Memory(sys.argv[1], verbose=0).cache(waiting)(1).strip(), flush=True)
"""


def start(tmp_path: Path) -> "subprocess.Popen[str]":
    script = tmp_path / "waiting.py"
    script.write_text(WAITING)
    command = [sys.executable, str(script), str(tmp_path / "cache")]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_processes_compute_a_call_once(tmp_path: Path) -> None:
    """A process that asks for what another computes waits and takes its result."""
    with start(tmp_path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "computing\n"
        with start(tmp_path) as second:
            first.communicate("done\n")
            output, _ = second.communicate("its own\n")
    assert output == "done\n"


@pytest.mark.slow
def test_who_waits_takes_over_from_the_dead(tmp_path: Path) -> None:
    """The process that computes is killed: the one that waited computes."""
    with start(tmp_path) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "computing\n"
        with start(tmp_path) as second:
            first.kill()
            output, _ = second.communicate("mine\n")
    assert output == "computing\nmine\n"


def test_a_function_that_calls_itself_does_not_wait_for_itself(tmp_path: Path) -> None:
    """A cached function may call itself through the cache, with other arguments and with the same."""
    memory = Memory(tmp_path, verbose=0)
    depth = []

    def factorial(n: int) -> int:
        depth.append(n)
        if len(depth) == 2:
            assert cached(n) == 2  # the same call again, while it runs
        return 1 if n < 1 else n * int(cached(n - 1))

    cached = memory.cache(factorial)
    depth.append(-1)
    assert cached(2) == 2


def test_pickled_function_finds_results(tmp_path: Path) -> None:
    """A cached function and a reference travel to another process, by value where they must."""
    cached = Memory(tmp_path, verbose=0).cache(same)
    reference = cached.call_and_shelve(4)
    assert isinstance(reference, MemorizedResult)
    there = pickle.loads(pickle.dumps([cached, reference]))
    assert there[0].check_call_in_cache(4)
    assert there[1].get() == 4
    assert there[0].timestamp is None


def test_positional_only_parameters_are_named(tmp_path: Path) -> None:
    """joblib refuses calls of such functions; here they are kept."""

    def ratio(a: float, b: float, /, **named: float) -> tuple[float, dict[str, float]]:
        CALLS.append((a, b))
        return a / b, named

    cached = Memory(tmp_path, verbose=0).cache(ratio)
    assert cached(1.0, 2.0) == cached(1.0, 2.0) == (0.5, {})
    assert cached(1.0, 2.0, a=3.0) == (0.5, {"a": 3.0})
    assert CALLS == [(1.0, 2.0)] * 2


def test_compressed_results_are_not_mapped(tmp_path: Path) -> None:
    """What was stored compressed is loaded, where `mmap_mode` cannot map it."""
    Memory(tmp_path, verbose=0, compress=True).cache(same)(np.ones(1000))
    found = Memory(tmp_path, verbose=0, mmap_mode="r").cache(same)
    with pytest.raises(ValueError, match="'q'"):
        Memory(tmp_path / "none", mmap_mode="q")
    assert not (tmp_path / "none").exists()
    assert found.check_call_in_cache(np.ones(1000))
    assert found(np.ones(1000)).sum() == 1000
    assert len(CALLS) == 1


def test_expired_results_are_computed_anew(tmp_path: Path) -> None:
    """A result is valid while it is younger than it may become."""
    memory = Memory(tmp_path, verbose=0)
    for _ in range(2):
        memory.cache(same, cache_validation_callback=expires_after(hours=1))(1)
    assert len(CALLS) == 1
    memory.cache(same, cache_validation_callback=expires_after(seconds=-1))(1)
    assert len(CALLS) == 2


def test_coroutines_are_kept(tmp_path: Path) -> None:
    """A coroutine function gives one whose results are kept, in the folder where joblib finds them."""

    async def later(x: int) -> int:
        CALLS.append(x)
        await asyncio.sleep(0)
        return x + 1

    cached = Memory(tmp_path, verbose=0).cache(later)
    assert isinstance(cached, AsyncMemorizedFunc)
    assert [asyncio.run(cached(1)), asyncio.run(cached(1))] == [2, 2]
    assert asyncio.run(joblib.Memory(tmp_path, verbose=0).cache(later)(1)) == 2
    assert CALLS == [1]


def test_a_removed_folder_is_made_again(tmp_path: Path) -> None:
    """Somebody removes the whole cache between two calls, or while one computes: it is computed, and kept."""
    memory = Memory(tmp_path / "cache", verbose=0)

    def removing(x: int) -> int:
        CALLS.append(x)
        memory.store_backend.clear()
        os.rename(tmp_path / "cache", tmp_path / f"gone-{time.time_ns()}")
        return x

    cached = memory.cache(removing)
    assert [cached(1), cached(1)] == [1, 1]
    assert 1 <= len(CALLS) <= 2


# Calls of few arguments, while everybody clears now and then.
CROWD = """
import random, sys
import numpy as np
from lightwork.compat.joblib.memory import Memory

def filled(x):
    return np.full(2000, x), str(x)

dice = random.Random(int(sys.argv[2]))
cached = Memory(sys.argv[1], verbose=0).cache(filled)
for _ in range(100):
    x = dice.randrange(10)
    array, text = cached(x)
    assert (array == x).all() and text == str(x)
    if dice.random() < 0.1:
        cached.clear(warn=False)
    if dice.random() < 0.1:
        cached.store_backend.enforce_store_limits(0)
"""


@pytest.mark.slow
def test_a_crowd_that_clears_never_fails(tmp_path: Path) -> None:
    """Three processes store, load and remove at the same time: no error, no warning, no log line."""
    script = tmp_path / "crowd.py"
    script.write_text(CROWD)
    command = [sys.executable, "-W", "error", str(script), str(tmp_path / "cache")]
    crowd = [
        subprocess.Popen([*command, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for seed in range(3)
    ]
    assert [(process.communicate()[0], process.returncode) for process in crowd] == [("", 0)] * 3
