"""Functions of notebooks, in two Jupyter kernels.

The second is a restart of the first, or another notebook.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

SOURCE = str(Path(__file__).parents[2] / "src")
Kernel = Callable[..., str]

HELPER = "LIMIT = 10\ndef helper(x):\n    return x + LIMIT"
CELL = "@memory.cache\ndef f(x):\n    return helper(x) * 2"
ASK = "print(f.check_call_in_cache(1), f(1))"


def kernel(folder: Path) -> Iterator[Kernel]:
    environment = {
        **os.environ,
        "PYTHONPATH": SOURCE,
        "IPYTHONDIR": str(folder),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    manager, client = start_new_kernel(env=environment)

    def run(*cells: str) -> str:
        """What the last of the cells printed; none may warn or fail."""
        said: list[str] = []

        def hear(message: Any) -> None:
            said.append(message["content"].get("text", "") or message["content"].get("evalue", ""))

        for cell in cells:
            said.clear()
            answer = client.execute_interactive(cell, output_hook=hear, timeout=40)
            assert answer["content"]["status"] == "ok", (cell, said)
        return "".join(said).strip()

    try:
        yield run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    yield from kernel(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    yield from kernel(tmp_path_factory.mktemp("second"))


@pytest.fixture
def begin(tmp_path: Path) -> str:
    """The first cell of a notebook."""
    return (
        "import warnings; warnings.simplefilter('error')\n"
        f"from lightwork import Memory, Parallel, delayed\nmemory = Memory({str(tmp_path / 'cache')!r})"
    )


def test_a_restarted_kernel_finds_its_results(first: Kernel, second: Kernel, begin: str) -> None:
    """Edits of other cells, comments and docstrings are hits; edits of the body or of a helper are misses."""
    assert first(begin, HELPER, CELL, ASK) == "False 22"
    assert first(ASK) == "True 22"
    assert second(begin, HELPER, CELL, ASK) == "True 22"
    assert second("OTHER = 1", HELPER + "\n# comment", ASK) == "True 22"
    assert second(CELL.replace("    return", '    "doc"  # comment\n\n    return'), ASK) == "True 22"
    assert second(CELL + "\nmore = 1\ndef another(): return f", ASK) == "True 22"
    assert second(HELPER.replace("10", "20"), ASK) == "False 42"
    assert second(HELPER.replace("x + ", "x - "), ASK) == "False -18"
    assert second(HELPER, CELL.replace("* 2", "* 3"), ASK) == "False 33"
    assert second(CELL, ASK) == "True 22"
    assert first(ASK) == "True 22"


def test_two_notebooks_with_one_name_never_collide(first: Kernel, second: Kernel, begin: str) -> None:
    """Neither through the function nor through a helper; asked in turn, nothing is computed twice."""
    one, two = "@memory.cache\ndef f(x):\n    return 'one'", "@memory.cache\ndef f(x):\n    return 'two'"
    assert first(begin, one, ASK) == "False one"
    assert second(begin, two, ASK) == "False two"
    assert [first(one, ASK), second(two, ASK)] == ["True one", "True two"]
    same = "@memory.cache\ndef g(x):\n    return helper(x)\nprint(g.check_call_in_cache(1), g(1))"
    assert first("def helper(x):\n    return 'here'", same) == "False here"
    assert second("def helper(x):\n    return 'there'", same) == "False there"
    assert [first(same), second(same)] == ["True here", "True there"]


def test_cells_do_not_count_through_classes_of_one_name(first: Kernel, second: Kernel, begin: str) -> None:
    """An instance of a notebook's class brings the code of its class into the key."""
    cell = "@memory.cache\ndef h(thing):\n    return thing.value()\n"
    cell += "print(h.check_call_in_cache(Thing()), h(Thing()))"
    thing = "class Thing:\n    def value(self):\n        return {}"
    assert first(begin, thing.format(1), cell) == "False 1"
    assert second(begin, thing.format(2), cell) == "False 2"
    assert second(thing.format(1), cell) == "True 1"


def test_cached_functions_of_a_kernel_in_worker_processes(first: Kernel, second: Kernel, begin: str) -> None:
    """What workers computed is a hit in the kernel and after a restart, and the other way round."""
    loop = "print(Parallel(n_jobs=2)(delayed(f)(i) for i in range(4)))"
    ask = "print([f.check_call_in_cache(i) for i in range(5)])"
    assert first(begin, HELPER, CELL, loop) == "[20, 22, 24, 26]"
    assert first(ask) == "[True, True, True, True, False]"
    assert second(begin, HELPER, CELL, ask) == "[True, True, True, True, False]"
    count = "def helper(x):\n    raise RuntimeError('computed again')"
    assert second(loop) == "[20, 22, 24, 26]"
    assert second(count, HELPER, loop) == "[20, 22, 24, 26]"
    assert second(HELPER.replace("10", "30"), loop) == "[60, 62, 64, 66]"
