"""Every block of code on every page does what it shows."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks_of, pages

LIBRARIES = {"clusters.md": "distributed", "dask.md": "distributed", "ray.md": "ray"}
"""What is not in the extra `test`, by the page that needs it."""
PAGES = [page for page in pages() if any(blocks_of(page))]


@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_the_blocks_of_a_page_run(page: Path, tmp_path: Path) -> None:
    """In order, as one program, in an empty folder; warnings are errors."""
    if page.name in LIBRARIES:
        name = LIBRARIES[page.name]
        pytest.importorskip(name, reason=f"{name} is large, so not part of `test`")
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": os.pathsep.join([str(ROOT), *_path()])}
    command = [sys.executable, "-W", "error", "-m", "tests.docs.run_page", str(page)]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=170
    )
    assert result.returncode == 0, f"{page.name} fails\n{result.stdout}\n{result.stderr}"


def _path() -> list[str]:
    """Where this process finds modules, if it was told."""
    return [os.path.abspath(each) for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]


def test_a_block_in_an_unknown_language_is_found(tmp_path: Path) -> None:
    """A slip in the name of a language would leave the block untested."""
    page = tmp_path / "page.md"
    page.write_text("```pyton\nx = 1\n```\n")
    with pytest.raises(ValueError, match="'pyton' is not known"):
        list(blocks_of(page))


def test_a_reason_belongs_to_a_block(tmp_path: Path) -> None:
    """What is left out says why; a reason that stands alone is a slip."""
    page = tmp_path / "page.md"
    page.write_text("*Not run here: it needs a cluster.*\n\nmore text\n")
    with pytest.raises(ValueError, match="before no block"):
        list(blocks_of(page))


def test_setups_are_blocks_of_their_own(tmp_path: Path) -> None:
    """They run before what follows, under their own line numbers."""
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n<!-- setup\nx = 1\n-->\n\n*Not run here: no x.*\n```python\ny = x\n```\n")
    assert [(each.code, each.line, each.reason) for each in blocks_of(page)] == [
        ("x = 1", 4, ""),
        ("y = x", 9, "no x."),
    ]
