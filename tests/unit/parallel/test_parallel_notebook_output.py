"""Output of tasks in a real Jupyter kernel: live, in the cell that made the call."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

SOURCE = str(Path(__file__).parents[3] / "src")


class Kernel:
    """Runs cells and keeps what they print, by the cell that it appeared under."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.gate: Path | None = None
        """Opened when something is printed: who prints may wait for it."""

    def run(self, cell: str) -> list[str]:
        said: list[str] = []

        def hear(message: Any) -> None:
            said.append(message["content"].get("text", "") or message["content"].get("evalue", ""))
            if self.gate is not None:
                os.close(os.open(self.gate, os.O_WRONLY))
                self.gate = None

        answer = self._client.execute_interactive(cell, output_hook=hear, timeout=40)
        assert answer["content"]["status"] == "ok", said
        return "".join(said).splitlines()


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    environment = {
        **os.environ,
        "PYTHONPATH": SOURCE,
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    manager, client = start_new_kernel(env=environment)
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


CALL = """
import contextvars, logging, sys
from lightwork import Parallel, delayed
setting = contextvars.ContextVar("setting", default="unset")
_ = setting.set("set")
def task(i):
    print("task", i, setting.get())
    return i
"""


@pytest.mark.parametrize(
    "options", ["n_jobs=1", "n_jobs=2", 'n_jobs=2, backend="threads"', 'n_jobs=2, return_as="generator"']
)
def test_lines_appear_in_the_cell(kernel: Kernel, options: str) -> None:
    """Behind the index of their task, and with the variables of the notebook."""
    kernel.run(CALL)
    lines = kernel.run(f"list(Parallel({options}, capture_output=True)(delayed(task)(i) for i in range(3)));")
    assert sorted(lines) == [f"[task {i}] task {i} set" for i in range(3)]


@pytest.mark.parametrize("capture", ["True", '"fd"'])
def test_lines_appear_while_the_task_runs(kernel: Kernel, tmp_path: Path, capture: str) -> None:
    """The task waits until somebody has seen its line."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    kernel.run(
        CALL + "import os\ndef wait(gate):\n    print('waiting')\n    os.close(os.open(gate, os.O_RDONLY))"
    )
    kernel.gate = gate
    lines = kernel.run(f"Parallel(n_jobs=2, capture_output={capture})([delayed(wait)({str(gate)!r})]);")
    assert lines == ["[task 0] waiting"]


def test_records_appear_in_the_cell(kernel: Kernel) -> None:
    """As the notebook has set them up."""
    kernel.run(
        CALL + "def log(i):\n    logging.getLogger('notebook').info('task')\n"
        "logging.basicConfig(level='INFO', stream=sys.stdout, format='%(levelname)s %(message)s', force=True)"
    )
    assert kernel.run("Parallel(n_jobs=2)(delayed(log)(i) for i in range(3));") == ["INFO task"] * 3
