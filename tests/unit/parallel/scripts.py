"""Scripts in processes of their own."""

import subprocess
import sys
import textwrap
from pathlib import Path

__all__ = ["run"]


def run(folder: Path, text: str, *, timeout: float = 50, **files: str) -> list[str]:
    """The lines that a script prints, which neither fails nor warns. `files` are modules beside it."""
    for name, content in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(content))
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()
