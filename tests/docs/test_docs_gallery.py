"""Every example of the gallery runs and finds what it says; each of them checks itself."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

from tests.docs.blocks import ROOT

EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.glob("*.py"))
LIBRARIES = {
    "dask_cluster.py": "distributed",
    "ray_cluster.py": "ray",
    "slurm.py": "distributed",
    "torch_batches.py": "torch",
}
"""What is not in the extra `test`, by the example that needs it."""
BY_MAKE = {"digits.py"}
"""Run by ``make demo``, in a folder beside it."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def _environment(home: Path) -> dict[str, str]:
    told = [os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    return os.environ | {"HOME": str(home), "PYTHONPATH": os.pathsep.join(told)}


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name not in BY_MAKE])
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    """In an empty folder, and in what it has left (but for slow starters); warnings are errors."""
    if name in LIBRARIES:
        pytest.importorskip(LIBRARIES[name], reason=f"{LIBRARIES[name]} is large, so not part of `test`")
    command = [sys.executable, "-W", "error", str(EXAMPLES / name)]
    for _ in range(1 if name in LIBRARIES else 2):
        result = subprocess.run(
            command, cwd=tmp_path, env=_environment(tmp_path), capture_output=True, text=True, timeout=140
        )
        assert result.returncode == 0, result.stdout + result.stderr
        assert result.stdout


def test_the_notebook_runs(tmp_path: Path) -> None:
    """Cell by cell, in a real kernel."""
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text())["cells"]
    environment = _environment(tmp_path) | {"IPYTHONDIR": str(tmp_path), "JUPYTER_PLATFORM_DIRS": "1"}
    manager, client = start_new_kernel(env=environment, cwd=str(tmp_path))
    try:
        shown: list[object] = []
        for cell in cells:
            if cell["cell_type"] == "code":
                answer = client.execute_interactive(
                    "".join(cell["source"]), output_hook=shown.append, timeout=100
                )
                assert answer["content"]["status"] == "ok", answer["content"]
        assert any("27 takes 111 steps" in str(message) for message in shown)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_the_gallery_shows_all_examples() -> None:
    """None is forgotten, none is named that is not there."""
    page = (ROOT / "docs" / "gallery.md").read_text()
    shown = re.findall(r"\.\./examples/([\w.]+)", page)
    assert sorted(shown) == sorted([*SCRIPTS, "notebook.ipynb"])
