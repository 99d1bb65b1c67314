import subprocess
import sys
from pathlib import Path

import pytest

from lightwork.system.boot import boot_id


def test_the_boot_id_is_the_same_in_every_process() -> None:
    """It names the run of the machine, not of the process."""
    code = "from lightwork.system.boot import boot_id; print(boot_id())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert other.strip() == boot_id() != ""


def test_without_a_kernel_that_tells_it_comes_from_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elsewhere the time of the start stands for it."""
    monkeypatch.setattr("lightwork.system.boot.BOOT_ID", tmp_path / "none")
    boot_id.cache_clear()
    try:
        assert boot_id().startswith("start-")
    finally:
        boot_id.cache_clear()
