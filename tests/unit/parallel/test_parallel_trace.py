"""The trace: a file in the Chrome trace format, with one slice per task."""

import json
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lightwork.errors import InvalidOption, ParallelWarning
from lightwork.parallel import Parallel, delayed

PLACES = [(1, None), (2, "threads"), (2, "processes"), (2, "sequential")]


def nap(seconds: float) -> None:
    time.sleep(seconds)


def add(a: int, b: int) -> int:
    return a + b


def fail(text: str) -> None:
    raise ValueError(text)


def die(path: str) -> str:
    """Kill this process, the first time."""
    if not os.path.exists(path):
        Path(path).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def read(path: Path) -> list[dict[str, Any]]:
    """The events of a file, each of which has the fields that the format wants."""
    content = json.loads(path.read_text())
    assert set(content) == {"displayTimeUnit", "otherData", "traceEvents"}
    assert content["displayTimeUnit"] == "ms"
    events: list[dict[str, Any]] = content["traceEvents"]
    for event in events:
        assert isinstance(event["name"], str)
        assert event["pid"] == os.getpid()
        assert isinstance(event["tid"], int)
        wanted = {
            "M": {"args"},
            "X": {"cat", "ts", "dur", "args"},
            "i": {"ts", "s", "args"},
            "C": {"ts", "args"},
        }[event["ph"]]
        assert set(event) == {"name", "ph", "pid", "tid"} | wanted
        assert event.get("ts", 0) >= 0
        assert event.get("dur", 0) >= 0
    rows: dict[int, float] = defaultdict(float)
    for event in events:
        if event["ph"] == "X":  # slices of a row follow each other: overlapping ones are drawn as nested
            assert event["ts"] >= rows[event["tid"]] - 2e-3
            rows[event["tid"]] = event["ts"] + event["dur"]
    return events


def tasks(events: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    found = [event for event in events if event.get("cat") == "task"]
    by_index = {event["args"]["index"]: event for event in found}
    assert len(by_index) == len(found)
    return by_index


def names(events: list[dict[str, Any]]) -> dict[int, str]:
    return {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_each_task_has_a_slice(n_jobs: int, backend: str | None, return_as: Any, tmp_path: Path) -> None:
    """Index, call text and time of each, in the row of its worker; the input has a row too."""
    path = tmp_path / "run.json"
    calls = [delayed(nap)(0.002) if i % 50 == 0 else delayed(add)(i, 1) for i in range(500)]
    parallel = Parallel(n_jobs, backend, return_as, trace=path)
    list(parallel(iter(calls)))
    events = read(path)
    found = tasks(events)
    assert sorted(found) == list(range(500))
    assert found[100]["name"] == "nap(0.002)"
    assert found[100]["dur"] >= 2000
    assert found[101]["name"] in ("add(...)", "add(101, 1)")
    workers = [f"worker {number}" for number in range(1 if backend == "sequential" else n_jobs)]
    assert list(names(events).values()) == ["input (parent)", "pickling (parent)", *workers]
    used = {names(events)[event["tid"]] for event in found.values()}
    assert used <= set(workers)
    assert any(event.get("cat") == "input" for event in events)
    assert any(event.get("cat") == "pickling" for event in events) == (len(workers) > 1)
    wall = parallel.report().wall * 1e6
    assert max(event["ts"] + event["dur"] for event in found.values()) <= wall * 1.01
    # A worker may begin before the parent, which has to wait for a core, has noted that it sent: the report
    # takes that for pickling.
    run, pickling = (parallel.report().phases._asdict()[name] * 1e6 for name in ("run", "pickling"))
    total = sum(event["dur"] for event in found.values())
    assert run * 0.95 - 500 <= total <= (run + pickling) * 1.05 + 500


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
def test_results_are_those_without_a_trace(n_jobs: int, backend: str | None, tmp_path: Path) -> None:
    """Plain and large results arrive as ever, whatever travels with them."""
    parallel = Parallel(n_jobs, backend, trace=tmp_path / "run.json", on_error="skip")
    calls = [
        [delayed(add)(i, 1), delayed(bytes)(200_000), delayed(list)(range(i)), delayed(fail)("x")][i % 4]
        for i in range(80)
    ]
    assert parallel(calls) == Parallel(n_jobs, backend, on_error="skip")(calls)
    found = tasks(read(tmp_path / "run.json"))
    assert sorted(found) == list(range(80))
    assert found[3]["args"] == {"index": 3, "error": "ValueError"}


@pytest.mark.parametrize(("n_jobs", "backend"), PLACES)
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_a_call_that_fails_leaves_its_trace(
    n_jobs: int, backend: str | None, return_as: Any, tmp_path: Path
) -> None:
    """With all that ended before, the failed task among it."""
    path = tmp_path / "run.json"
    parallel = Parallel(n_jobs, backend, return_as, trace=path, batch_size=1)
    with pytest.raises(ValueError):
        list(parallel([delayed(add)(1, 1), delayed(fail)("<x>")]))
    assert tasks(read(path))[1]["args"]["error"] == "ValueError"
    assert os.listdir(tmp_path) == ["run.json"]


def test_a_generator_that_is_closed_leaves_its_trace(tmp_path: Path) -> None:
    """Whatever ends a call writes the file."""
    path = tmp_path / "run.json"
    results = Parallel(2, "threads", "generator", trace=path)([delayed(add)(1, 1)] * 100)
    next(results)
    results.close()
    assert tasks(read(path))


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_generator_that_was_never_read_leaves_its_trace(n_jobs: int, tmp_path: Path) -> None:
    """It is closed all the same, and the object can be called again."""
    path = tmp_path / "run.json"
    parallel = Parallel(n_jobs, "threads", "generator", trace=path)
    results = parallel([delayed(add)(1, 1)] * 3)
    results.close()
    assert read(path)
    assert list(parallel([delayed(add)(1, 1)])) == [2]


def test_a_worker_that_died_is_marked(tmp_path: Path) -> None:
    """By an instant event in its row, which says why."""
    path = tmp_path / "run.json"
    parallel = Parallel(2, "processes", on_error="skip", trace=path)
    parallel([delayed(die)(str(tmp_path / "mark")), delayed(add)(1, 1)])
    (event,) = [event for event in read(path) if event["ph"] == "i"]
    assert event["name"] == "worker died"
    assert "SIGKILL" in event["args"]["reason"]


def test_each_call_writes_its_own_trace(tmp_path: Path) -> None:
    """The second call of one object takes the place of the first."""
    path = tmp_path / "run.json"
    parallel = Parallel(1, trace=path)
    for count in (5, 3):
        parallel([delayed(add)(1, 1)] * count)
        assert sorted(tasks(read(path))) == list(range(count))


@pytest.mark.parametrize("trace", [5, True, b"x", "no/such/folder/run.json", ".", "a\0b"])
def test_a_trace_that_cannot_be_is_refused(
    trace: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any effect, by the constructor, with the value in the message."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidOption, match="trace="):
        Parallel(1, trace=trace)
    assert os.listdir(tmp_path) == []


def test_a_trace_that_cannot_be_written_costs_no_results(tmp_path: Path) -> None:
    """The folder has gone meanwhile: a warning, and the results are there."""
    folder = tmp_path / "folder"
    folder.mkdir()
    parallel = Parallel(1, trace=folder / "run.json")
    folder.rmdir()
    with pytest.warns(ParallelWarning, match="cannot be written"):
        assert parallel([delayed(add)(1, 1)]) == [2]


def test_a_relative_path_means_the_folder_of_the_constructor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task or a hook that changes the folder does not move the file."""
    monkeypatch.chdir(tmp_path)
    parallel = Parallel(1, trace="run.json")
    monkeypatch.chdir("/")
    parallel([delayed(add)(1, 1)])
    assert tasks(read(tmp_path / "run.json"))


def boxed_nap(seconds: float) -> list[float]:
    time.sleep(seconds)
    return [seconds]


def failing_nap(seconds: float) -> None:
    time.sleep(seconds)
    raise ValueError(seconds)


@pytest.mark.parametrize("slow", [boxed_nap, failing_nap])
def test_a_slow_task_is_no_time_of_the_one_before(slow: Callable[[float], object], tmp_path: Path) -> None:
    """Results of other kinds leave in frames of their own; each has the time of its own tasks."""
    path = tmp_path / "run.json"
    calls = [delayed(slow)(0.03) if i % 2 else delayed(add)(i, 1) for i in range(20)]
    parallel = Parallel(2, trace=path, batch_size=10, on_error="return")
    parallel([delayed(add)(0, 0)] * 20)  # the workers are there
    parallel(calls)
    found = tasks(read(path))
    assert all(found[index]["dur"] >= 0.03e6 for index in range(1, 20, 2))
    quick = sorted(found[index]["dur"] for index in range(0, 20, 2))
    assert quick[5] < 0.01e6  # the median: others may be at work on this machine
