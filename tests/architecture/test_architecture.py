"""The rules of the house: floors, cycles, doors, sizes, names. They read source, they run nothing."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import lightwork
from tests.architecture.floors import (
    DOORS,
    FLOORS,
    PACKAGE,
    ROOT,
    STEPS,
    Import,
    imports,
    modules,
    own_target,
    package_of,
)

KNOWN = modules()
IMPORTS = [found for name, path in KNOWN.items() for found in imports(name, path)]

# Libraries that may be named in an import statement. All others come through system/optional.py.
REQUIRED = {"blake3", "xxhash"}
MAX_LINES = 500
MAX_FUNCTION_LINES = 60


def _own() -> Iterator[tuple[Import, str]]:
    for found in IMPORTS:
        target = own_target(found.target, KNOWN)
        if target is not None:
            yield found, target


def test_every_package_has_a_floor() -> None:
    """Nothing lies in the house that the table does not know."""
    assert {package_of(name) for name in KNOWN} <= set(FLOORS)


def test_imports_go_down_or_stay_at_home() -> None:
    """A module imports from lower floors or its own package, never from a neighbour or from above."""
    wrong = []
    for found, target in _own():
        upper, lower = package_of(found.source), package_of(target)
        if upper != lower and FLOORS[lower] >= FLOORS[upper] and (upper, lower) not in STEPS:
            wrong.append(f"{found.source}:{found.line} imports {found.target}")
    assert wrong == []


def test_no_import_cycles() -> None:
    """The imports between modules, without those of a package by its own parts, form no circle."""
    edges: dict[str, set[str]] = {name: set() for name in KNOWN}
    for found, target in _own():
        if target != found.source:
            edges[found.source].add(target)
    finished: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, "a cycle: " + " -> ".join((*trail[trail.index(name) :], name))
        if name not in finished:
            for target in sorted(edges[name]):
                visit(target, (*trail, name))
            finished.add(name)

    for name in KNOWN:
        visit(name, ())


def test_imports_inside_functions_only_at_the_doors() -> None:
    """Everything is imported at the top of a file, except where loading on demand is the purpose."""
    wrong = [
        f"{found.source}:{found.line}"
        for found in IMPORTS
        if found.nested and KNOWN[found.source].relative_to(PACKAGE).as_posix() not in DOORS
    ]
    assert wrong == []


FOR_TESTS = {name for name in KNOWN if package_of(name) == "testing"} | {"compat.joblib.testing"}
"""What is imported where pytest is."""


def test_foreign_libraries_come_through_one_door() -> None:
    """Only the standard library and what is required is imported by name."""
    allowed = sys.stdlib_module_names | REQUIRED | {"lightwork"}
    wrong = sorted(
        f"{found.source}:{found.line} imports {found.target}"
        for found in IMPORTS
        if found.target.split(".")[0] not in allowed and found.source not in FOR_TESTS
    )
    # zstd is in the standard library from 3.14 on and required as a backport before.
    assert [line for line in wrong if "backports" not in line and "compression" not in line] == []


def test_only_what_is_always_there_is_loaded_on_demand() -> None:
    """`on_demand` takes a literal name that needs no asking: no way round the floors and the doors."""
    names = [
        ast.unparse(node.args[0]).strip("'")
        for path in KNOWN.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "on_demand"
    ]
    assert names
    always = sys.stdlib_module_names | REQUIRED
    assert [name for name in names if name.split(".")[0] not in always] == []


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_file_is_short(name: str) -> None:
    """One idea per file: at most 500 lines, and no function longer than a screen."""
    text = KNOWN[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    long = [
        f"{node.name}: {lines} lines"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_nobody_reads_private_names_of_others() -> None:
    """``module._name`` is read only inside its own package, and ``from x import _name`` likewise."""
    wrong = [
        f"{found.source}:{found.line} imports {found.target}"
        for found, target in _own()
        if found.target.split(".")[-1].startswith("_")
        and not found.target.endswith(("__version__", "_version"))
        and package_of(target) != package_of(found.source)
    ]
    assert wrong == []


def test_only_forks_registers_fork_handlers() -> None:
    """`os.register_at_fork` is called in one module, so that the order in a child is one order."""
    users = {name for name, path in KNOWN.items() if "register_at_fork(" in path.read_text(encoding="utf-8")}
    assert users == {"system.forks"}


def test_blake3_is_never_given_all_threads() -> None:
    """``max_threads=AUTO`` hangs for ever in a forked child: nobody uses it."""
    users = [
        f"{name}:{node.lineno}"
        for name, path in KNOWN.items()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute | ast.Name) and ast.unparse(node).split(".")[-1] == "AUTO"
    ]
    assert users == []


def test_errors_name_extras_that_exist() -> None:
    """Who is told to ``pip install 'lightwork[x]'`` finds an extra of that name."""
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    named = {
        str(keyword.value.value)
        for path in KNOWN.values()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Constant)
    }
    assert named
    assert named <= extras


def test_the_library_prints_nothing() -> None:
    """No `print` but on the command line and where joblib prints: notices go through logging."""
    users = [
        f"{name}:{node.lineno}"
        for name, path in KNOWN.items()
        if package_of(name) not in ("cli", "compat")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert users == []


def test_public_names_are_a_list() -> None:
    """The surface is what is written here: adding a name is a decision, not an accident."""
    assert sorted(lightwork.__all__) == [
        "Executor",
        "Failure",
        "File",
        "MemorizedResult",
        "Memory",
        "Parallel",
        "Retry",
        "__version__",
        "cpu_count",
        "delayed",
        "dump",
        "dumps",
        "effective_n_jobs",
        "expires_after",
        "explain_hash",
        "hash",
        "inspect",
        "is_cancelled",
        "load",
        "loads",
        "parallel_backend",
        "parallel_config",
        "register_compressor",
        "register_context",
        "register_hash",
        "register_parallel_backend",
        "register_safe",
        "register_store_backend",
        "share",
        "task_rng",
        "worker_id",
        "wrap_non_picklable_objects",
    ]
    assert all(getattr(lightwork, name) is not None for name in lightwork.__all__)


_LIST_MODULES = (
    "import sys; before = set(sys.modules); {statement}; print(*sorted(set(sys.modules) - before))"
)


def _modules_after(statement: str) -> set[str]:
    command = [sys.executable, "-c", _LIST_MODULES.format(statement=statement)]
    return set(subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split())


def test_facade_is_nearly_free() -> None:
    """``import lightwork`` loads at most ten modules."""
    assert len(_modules_after("import lightwork")) <= 10


def test_main_names_stay_within_their_import_budget() -> None:
    """The six main names load at most a hundred modules, and no numpy."""
    loaded = _modules_after("from lightwork import Memory, Parallel, delayed, dump, load, hash")
    assert len(loaded) <= 100
    assert not {"numpy", "multiprocessing", "asyncio", "cloudpickle"} & loaded


def test_import_starts_nothing() -> None:
    """Importing every module starts no thread and no process, and opens no file that stays open."""
    code = (
        "import os, sys, threading, importlib\n"
        "before = set(os.listdir('/proc/self/fd'))\n"
        f"for name in {sorted(KNOWN)!r}:\n"
        "    if not name.startswith(('testing', '__init__')): importlib.import_module('lightwork.' + name)\n"
        "children = open(f'/proc/self/task/{os.getpid()}/children').read().split()\n"
        "assert threading.active_count() == 1, threading.enumerate()\n"
        "assert not children, children\n"
        "assert len(os.listdir('/proc/self/fd')) == len(before)\n"
    )
    if not Path("/proc/self/task").exists():
        pytest.skip("threads, children and open files are read from /proc")
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
