"""Running the command ``lightwork`` as a real process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

SRC = Path(__file__).parents[3] / "src"


def run(
    *arguments: str | bytes, cwd: Path | None = None, **options: Any
) -> "subprocess.CompletedProcess[bytes]":
    """One run of the command. Any: options of `subprocess.run`."""
    environment = {**os.environ, "PYTHONPATH": str(SRC), **options.pop("env", {})}
    command = [sys.executable, "-W", "error", "-m", "lightwork", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, timeout=50, **options)


def refused(done: "subprocess.CompletedProcess[bytes]", code: int) -> str:
    """The one line of a refusal."""
    assert done.returncode == code, done.stderr
    assert done.stderr.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
    return done.stderr.decode()
