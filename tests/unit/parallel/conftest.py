import os
from pathlib import Path

import pytest


@pytest.fixture
def gate(tmp_path: Path) -> str:
    """What `executor_tasks.through` waits at."""
    path = str(tmp_path / "gate")
    os.mkfifo(path)
    return path
