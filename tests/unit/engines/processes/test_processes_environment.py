"""Workers look like their parent: folder, path, variables, limits, and the user's code of today."""

import os
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lightwork
from lightwork.engines.processes import ProcessEngine
from lightwork.engines.workers.environment import THREAD_LIMITS
from lightwork.protocols import Batch
from tests.unit.engines.processes.driving import collect, open_session, results, running_engine, task

SOURCE = Path(lightwork.__path__[0]).parent
ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def engine() -> Iterator[ProcessEngine]:
    with running_engine() as engine:
        yield engine


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def flags() -> tuple[str, str, list[str]]:
    return sys.prefix, sys.base_prefix, sys.argv


def draw(_: int) -> float:
    return random.random()


def pid_and_draw() -> tuple[int, float, float]:
    import numpy as np

    return os.getpid(), random.random(), float(np.random.random())


def call_helper() -> str:
    import lightwork_test_helper  # type: ignore[import-not-found]  # made by the test

    answer: str = lightwork_test_helper.answer()
    return answer


def test_folder_and_variables_follow_the_parent(
    engine: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What changes between two sessions is changed in kept workers too."""
    monkeypatch.setenv("LIGHTWORK_TEST", "one")
    assert results(engine, [task(variables, "LIGHTWORK_TEST")], slots=1) == [["one"]]
    monkeypatch.setenv("LIGHTWORK_TEST", "two")
    monkeypatch.chdir(tmp_path)
    assert results(engine, [task(variables, "LIGHTWORK_TEST")], slots=1) == [["two"]]
    assert results(engine, [task(os.getcwd)], slots=1) == [str(tmp_path)]
    monkeypatch.delenv("LIGHTWORK_TEST")
    assert results(engine, [task(variables, "LIGHTWORK_TEST")], slots=1) == [[None]]


def test_interpreter_looks_the_same(engine: ProcessEngine) -> None:
    """Prefixes and arguments are those of the parent."""
    assert results(engine, [task(flags)], slots=1) == [(sys.prefix, sys.base_prefix, sys.argv)]


def test_thread_limits_are_set_before_any_import(engine: ProcessEngine) -> None:
    """All variables hold the limit, and a session with another limit has other workers."""
    for limit in (1, 3, 1):
        session = open_session(engine, inner_threads=limit)
        session.send(0, Batch(0, [task(variables, *THREAD_LIMITS)]))
        assert collect(session, 1).values[0] == [str(limit)] * len(THREAD_LIMITS)
        session.close(abort=False)


def test_workers_draw_different_random_numbers() -> None:
    """Neither `random` nor numpy's legacy state is the same in two workers."""
    with running_engine() as engine:
        session = open_session(engine, slots=3)
        for slot in range(3):
            session.send(slot, Batch(slot, [task(pid_and_draw)]))
        drawn = list(collect(session, 3).values.values())
        session.close(abort=False)
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == 3


def test_an_edited_module_is_not_run_in_its_old_form(
    engine: ProcessEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that loaded the old file is not used again."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    helper = tmp_path / "lightwork_test_helper.py"
    for text in ("old", "newer"):
        helper.write_text(f"def answer(): return {text!r}\n")
        assert results(engine, [task(call_helper)], slots=1) == [text]


def run_script(text: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    environment = {**os.environ, "PYTHONPATH": f"{SOURCE}{os.pathsep}{ROOT}"}
    return subprocess.run(
        [sys.executable, *options, str(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


MAIN = """
    import os, sys
    from lightwork.engines.processes import ProcessEngine
    from tests.unit.engines.processes.driving import results, task

    FACTOR = 2

    class Point:
        def __init__(self, x):
            self.x = x

    class Trouble(Exception):
        pass

    def scale(point):
        return Point(point.x * FACTOR)

    def fail():
        raise Trouble("here")

    engine = ProcessEngine()
    (point,) = results(engine, [task(scale, Point(4))])
    print(type(point) is Point, point.x)
    FACTOR = 3
    print(results(engine, [task(scale, Point(4))])[0].x)
    try:
        results(engine, [task(fail)])
    except Trouble as error:
        print("caught", error)
    print(results(engine, [task(lambda: sys.modules["__main__"].__dict__.get("FACTOR"))]))
"""


def test_functions_and_classes_of_main_work_without_a_guard(tmp_path: Path) -> None:
    """Their globals are sent anew in each session; classes come back as the caller's own."""
    done = run_script(MAIN, tmp_path, "-W", "error")
    assert done.stdout.splitlines() == ["True 8", "12", "caught here", "[None]"], done.stderr
    assert done.stderr == ""
    assert done.returncode == 0


def test_files_that_shadow_the_standard_library_do_no_harm_to_the_pool(tmp_path: Path) -> None:
    """The user's ``selectors.py`` and ``signal.py`` lie in the current folder."""
    for name in ("selectors", "signal", "socket", "pickle", "select"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('shadow')\n")
    text = """
        import sys
        folder = sys.path.pop(0)
        import selectors, signal, socket, pickle, select
        from lightwork.engines.processes import ProcessEngine
        from tests.unit.engines.processes.driving import results, task
        sys.path.insert(0, folder)
        print(results(ProcessEngine(), [task(abs, -3)]))
    """
    done = run_script(text, tmp_path)
    assert done.stdout == "[3]\n", done.stderr


@pytest.mark.parametrize("when", ["idle", "running", "before the results are read"])
def test_the_interpreter_ends_quietly(tmp_path: Path, when: str) -> None:
    """No message, no hang, exit code 0, whatever the pool was doing."""
    text = f"""
        import time
        from lightwork.engines.processes import ProcessEngine
        from lightwork.protocols import Batch
        from tests.unit.engines.processes.driving import open_session, results, task
        engine = ProcessEngine()
        print(results(engine, [task(abs, -3)]))
        if {when!r} != "idle":
            session = open_session(engine, slots=2)
            session.send(0, Batch(0, [task(time.sleep, 30 if {when!r} == "running" else 0)]))
            session.send(1, Batch(1, [task(bytes, 10_000_000)]))
    """
    done = run_script(text, tmp_path)
    assert (done.stdout, done.stderr, done.returncode) == ("[3]\n", "", 0)


@pytest.mark.parametrize("missing", [(1,), (1, 2), (0, 1, 2)])
def test_a_program_without_standard_streams_has_workers(tmp_path: Path, missing: tuple[int, ...]) -> None:
    """What tasks print is lost then; it never reaches a descriptor that was given the same number."""
    text = f"""
        import os, sys
        for number in {missing!r}:
            os.close(number)
        sys.stdout = None
        from lightwork.engines.processes import ProcessEngine
        from tests.unit.engines.processes.driving import results, task
        found = results(ProcessEngine(), [task(print, "x" * 100), task(os.write, 1, b"y"), task(abs, -3)])
        with open("found", "w") as file:
            file.write(repr(found))
    """
    done = run_script(text, tmp_path)
    assert (done.stdout, done.stderr) == ("", "")
    assert (tmp_path / "found").read_text() == "[None, 1, 3]"


def test_printed_lines_come_before_the_result(tmp_path: Path) -> None:
    """What a task prints is written out before its result is delivered, also into a pipe."""
    text = """
        from lightwork.engines.processes import ProcessEngine
        from tests.unit.engines.processes.driving import results, task
        engine = ProcessEngine()
        for k in range(3):
            results(engine, [task(print, "line", k)])
            print("result", k, flush=True)
    """
    done = run_script(text, tmp_path)
    expected: list[Any] = [line for k in range(3) for line in (f"line {k}", f"result {k}")]
    assert done.stdout.splitlines() == expected
