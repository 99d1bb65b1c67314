"""``preload=``: modules that workers import before their first task."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lightwork import Executor
from lightwork.engines.processes import ProcessEngine
from lightwork.errors import InvalidOption, TaskTimeout
from lightwork.parallel import Parallel, delayed, parallel_config
from tests.unit.parallel.worker_tasks import has_module, is_imported_twice, version_of

BACKENDS: list[Any] = ["processes", "threads", "sequential"]


@pytest.fixture
def engine() -> Iterator[ProcessEngine]:
    """Workers that have imported nothing yet."""
    engine = ProcessEngine()
    yield engine
    engine.shutdown()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that can be imported."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "lw_slow.py").write_text("import time\ntime.sleep(0.8)\nVERSION = 1\n")
    (tmp_path / "lw_broken.py").write_text("raise ValueError('no licence')\n")
    (tmp_path / "lw_package").mkdir()
    (tmp_path / "lw_package" / "__init__.py").write_text("import lw_mark\n")
    (tmp_path / "lw_package" / "part.py").write_text("")
    (tmp_path / "lw_mark.py").write_text("")
    return tmp_path


@pytest.mark.parametrize("backend", BACKENDS)
def test_modules_are_there_before_the_first_task(backend: Any, project: Path) -> None:
    """Parts of packages too; wherever tasks run."""
    (project / f"lw_here_{backend}.py").write_text("")
    names = [f"lw_here_{backend}", "lw_package.part"]
    call = Parallel(2, backend, preload=names)
    assert call(delayed(has_module)(names[i % 2]) for i in range(8)) == [True] * 8


@pytest.mark.slow
def test_no_task_takes_longer_for_it(engine: ProcessEngine, project: Path) -> None:
    """The import is no part of any task, so it takes nothing of its timeout either. Without it it would."""
    call = Parallel(2, engine, preload=["lw_slow"], task_timeout=0.3)
    assert call(delayed(version_of)("lw_slow") for _ in range(4)) == [1] * 4
    engine.shutdown()
    with pytest.raises(TaskTimeout):
        Parallel(2, engine, task_timeout=0.3)(delayed(version_of)("lw_slow") for _ in range(4))


def test_workers_with_other_modules_import_what_they_lack(engine: ProcessEngine, project: Path) -> None:
    """The same worker process serves both calls, and imports nothing twice."""
    (project / "lw_counted.py").write_text(
        "import builtins\nbuiltins.lw_count = getattr(builtins, 'lw_count', 0) + 1\n"
    )
    for names in (["lw_mark"], ["lw_counted"], ["lw_mark", "lw_counted"], ["lw_counted"]):
        call = Parallel(1, engine, preload=names, max_tasks_per_worker=100)
        assert call([delayed(has_module)(names[0])]) == [True]
    assert Parallel(1, engine, max_tasks_per_worker=100)([delayed(is_imported_twice)()]) == [False]


@pytest.mark.slow
def test_an_edited_module_is_imported_anew(engine: ProcessEngine, project: Path) -> None:
    """As those that tasks import."""
    module = project / "lw_edited.py"
    module.write_text("VERSION = 1\n")
    call = Parallel(2, engine, preload=["lw_edited"], max_tasks_per_worker=100)
    assert call([delayed(version_of)("lw_edited")]) == [1]
    module.write_text("VERSION = 2000\n")
    assert call([delayed(version_of)("lw_edited")]) == [2000]


@pytest.mark.parametrize("backend", [*BACKENDS, "executor"])
def test_an_import_that_fails_ends_the_call(backend: Any, project: Path) -> None:
    """With its own error, which says what was asked for; no task runs, whatever `on_error` says."""
    ran = project / "ran"
    with ThreadPoolExecutor(2) as pool:
        call = Parallel(2, pool if backend == "executor" else backend, preload=["lw_broken"], on_error="skip")
        with pytest.raises(ValueError, match="no licence") as caught:
            call(delayed(Path.touch)(ran) for _ in range(4))
    assert any("preload='lw_broken' of the workers failed" in note for note in caught.value.__notes__)
    assert not ran.exists()


@pytest.mark.slow
def test_it_can_be_configured(engine: ProcessEngine, project: Path) -> None:
    """For calls that name none themselves; an empty list is one."""
    with parallel_config(preload=["lw_mark"]):
        assert Parallel(2, engine)(delayed(has_module)("lw_mark") for _ in range(2)) == [True] * 2
        with parallel_config(n_jobs=2):
            assert Parallel(2, ProcessEngine())([delayed(has_module)("lw_mark")]) == [True]
        other = Parallel(2, ProcessEngine(), preload=[])
        assert other([delayed(has_module)("lw_mark")] * 2) == [False] * 2


@pytest.mark.slow
def test_initializers_find_them(engine: ProcessEngine, project: Path) -> None:
    """They run afterwards."""
    call = Parallel(2, engine, preload=["lw_mark"], initializer=need, initargs=("lw_mark",))
    assert call([delayed(abs)(-1)] * 2) == [1, 1]


def need(name: str) -> None:
    if name not in sys.modules:
        raise LookupError(name)


def test_executors_take_it_too(project: Path) -> None:
    """Their workers are prepared in the same way."""
    with Executor(2, preload=["lw_mark"]) as executor:
        assert executor.submit(has_module, "lw_mark").result()
    with Executor(2, preload=["lw_broken"]) as executor:
        assert isinstance(executor.submit(has_module, "lw_mark").exception(), ValueError)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("numpy", r"preload='numpy': give a list of names"),
        (3, "preload=3: give a list"),
        ([3], "preload: 3 is not the full name of a module"),
        ([".part"], "preload: '.part' is not the full name"),
        (["lw_nothing"], "preload: there is no module 'lw_nothing'"),
        (["lw_package.nothing"], r"preload: there is no module 'lw_package\.nothing'"),
        (["lw_mark.part"], r"preload: there is no module 'lw_mark\.part'"),
    ],
)
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_no_module_is_refused(names: Any, message: str, backend: Any, project: Path) -> None:
    """Before anything runs, and without importing anything here."""
    sys.modules.pop("lw_package", None)
    with pytest.raises(InvalidOption, match=message):
        Parallel(2, backend, preload=names)
    assert "lw_package" not in sys.modules
