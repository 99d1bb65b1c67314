"""Bars, reports and figures of a cache in a real Jupyter kernel."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

SOURCE = str(Path(__file__).parents[3] / "src")

Message = dict[str, Any]  # Any: what the protocol of Jupyter says


class Kernel:
    def __init__(self, client: Any) -> None:
        self._client = client

    def run(self, cell: str) -> list[Message]:
        """What the cell showed: messages that are not about its state."""
        shown: list[Message] = []
        answer = self._client.execute_interactive(cell, output_hook=shown.append, timeout=40)
        assert answer["content"]["status"] == "ok", shown
        return [message for message in shown if message["msg_type"] not in ("status", "execute_input")]


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    environment = {
        **os.environ,
        "PYTHONPATH": SOURCE,
        "IPYTHONDIR": str(tmp_path_factory.mktemp("kernel")),
        "JUPYTER_PLATFORM_DIRS": "1",
    }
    manager, client = start_new_kernel(env=environment)
    try:
        kernel = Kernel(client)
        kernel.run(
            "import warnings; warnings.simplefilter('error')\nimport time\n"
            "from lightwork import Parallel, delayed"
        )
        yield kernel
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("return_as", ["list", "generator"])
def test_a_notebook_shows_one_bar_that_moves(kernel: Kernel, n_jobs: int, return_as: str) -> None:
    """One display below the cell, updated in its place, with the final state; nothing on the streams."""
    shown = kernel.run(
        f"results = Parallel({n_jobs}, return_as={return_as!r}, progress=True)"
        "(delayed(time.sleep)(0.02) for _ in range(30))\nassert list(results) == [None] * 30"
    )
    kinds = [message["msg_type"] for message in shown]
    assert kinds[0] == "display_data"
    assert set(kinds[1:]) == {"update_display_data"}
    identities = {message["content"]["transient"]["display_id"] for message in shown}
    assert len(identities) == 1
    last = shown[-1]["content"]["data"]
    assert "<progress" in last["text/html"]
    assert last["text/plain"].startswith("30")


def test_a_notebook_draws_the_report(kernel: Kernel) -> None:
    """As the value of a cell it is HTML with a bar of the phases; in a pipe it would be its text."""
    shown = kernel.run("parallel = Parallel(2)\nparallel([delayed(time.sleep)(0.01)] * 4)\nparallel.report()")
    (message,) = shown
    assert message["msg_type"] == "execute_result"
    shown_page = message["content"]["data"]["text/html"]
    assert "4 tasks in" in shown_page
    assert shown_page.count("<svg") == 2  # one lane per worker
    assert "<script" not in shown_page
    assert message["content"]["data"]["text/plain"].startswith("<Report: 4 tasks in")


def test_a_notebook_draws_the_figures_of_a_cache(kernel: Kernel, tmp_path: Path) -> None:
    """As the value of a cell: what was saved, and by which function; as a file, all of it over time."""
    shown = kernel.run(
        f"from lightwork import Memory\nmemory = Memory({str(tmp_path)!r})\n"
        "@memory.cache\ndef nap(seconds): time.sleep(seconds)\n"
        "nap(0.01); nap(0.01)\nmemory.stats()"
    )
    (message,) = shown
    page = message["content"]["data"]["text/html"]
    assert "1 result, " in page
    assert "nap</td>" in page
    assert "<script" not in page
    assert kernel.run(f"memory.stats().save({str(tmp_path / 'cache.html')!r})") == []
    assert "Size by function" in (tmp_path / "cache.html").read_text()
