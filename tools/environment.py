"""Make or repair the virtual environment: ``python tools/environment.py FOLDER EXTRA [EXTRA ...]``.

The environment is good when its interpreter runs, is the one we were called with, and a stamp inside says
that the last installation of at least these extras from this ``pyproject.toml`` went well. Anything else
(half made, moved, made by another Python, out of date) is repaired; what cannot be repaired is made anew.
Needs nothing but the standard library.
"""

import compileall
import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def main(arguments: list[str]) -> int:
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:3]))
        return _fail(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {version}: make PYTHON=...")
    if len(arguments) < 2:
        return _fail("usage: python tools/environment.py FOLDER EXTRA [EXTRA ...]")
    folder, extras = Path(arguments[0]), set(arguments[1:])
    stamp = folder / "lightwork-stamp.json"
    have = _read_stamp(stamp) if _runs(folder) else {}
    if have.get("wanted") == _fingerprint() and extras <= set(have.get("extras", [])):
        return 0
    if not _runs(folder):
        _make(folder)
    if have.get("wanted") == _fingerprint():
        extras |= set(have["extras"])  # what is there already stays as current as the new
    stamp.unlink(missing_ok=True)
    if code := _install(folder, sorted(extras)):
        return code
    stamp.write_text(json.dumps({"wanted": _fingerprint(), "extras": sorted(extras)}))
    return 0


def _fail(message: str) -> int:
    print(f"environment: {message}", file=sys.stderr)
    return 2


def _python(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _fingerprint() -> str:
    """What an installation depends on: the declared dependencies and the interpreter."""
    content = (ROOT / "pyproject.toml").read_bytes() + sys.version.encode() + str(ROOT).encode()
    return hashlib.sha256(content).hexdigest()


def _read_stamp(stamp: Path) -> dict[str, object]:
    try:
        content = json.loads(stamp.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _runs(folder: Path) -> bool:
    """Whether the interpreter in `folder` starts, is of our version, lives where it thinks, and has pip."""
    check = "import sys, pip; print(sys.prefix); print(sys.version)"
    try:
        answer = subprocess.run([_python(folder), "-c", check], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    expected = f"{folder.resolve()}\n{sys.version}"
    return answer.returncode == 0 and answer.stdout.strip() == expected


def _make(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        print(f"environment: {folder} is half made or stale; making it anew", flush=True)
        shutil.rmtree(folder)
    print(f"environment: making {folder}", flush=True)
    venv.create(folder, with_pip=True)


def _install(folder: Path, extras: list[str]) -> int:
    requirement = f"{ROOT}[{','.join(extras)}]"
    print(f"environment: installing lightwork[{','.join(extras)}]", flush=True)
    command = [
        _python(folder),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--editable",
        requirement,
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode == 0:
        # Where Python is told to write no bytecode, each process of the tests would compile all of it anew.
        compileall.compile_dir(str(ROOT / "src"), quiet=1)
        return 0
    output = result.stdout + result.stderr
    sys.stderr.write(output)
    return _fail(f"pip could not install lightwork[{','.join(extras)}]: {_reason(output)}")


def _reason(output: str) -> str:
    """The line of pip's output that says most: its own last ERROR, or the last exception of a build."""
    lines = [line.strip() for line in output.splitlines()]
    own = [line for line in lines if line.startswith("ERROR: ")]
    raised = [
        line for line in lines if line.split(":")[0].endswith("Error") and " " not in line.split(":")[0]
    ]
    return (own or raised or ["see above"])[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
