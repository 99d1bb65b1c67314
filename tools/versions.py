"""Find other Pythons, give each what lightwork needs: ``python tools/versions.py FOLDER RUNNER``.

Writes ``FOLDER/versions.json``: the interpreters that can be used, each with the folder of its packages,
and those that cannot, with the reason. Looks into pyenv's folder and on ``PATH``, takes the newest patch
release of each minor one from 3.11 on, and adds one environment with numpy 1.26. ``RUNNER`` is a Python
that has pip. A stamp in each folder says what was installed, so that a second run takes no time. Needs
nothing but the standard library.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = 11, 16
OLD_NUMPY = ("numpy>=1.26,<2", (11, 12))  # and the minor versions of Python that it has wheels for


class Python(NamedTuple):
    """An interpreter that runs, and its version."""

    path: str
    version: tuple[int, int, int]

    @property
    def title(self) -> str:
        return ".".join(map(str, self.version))


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: python tools/versions.py FOLDER RUNNER", file=sys.stderr)
        return 2
    folder, runner = Path(arguments[0]), arguments[1]
    folder.mkdir(exist_ok=True)
    used, skipped = [], []
    plans = []
    own = sys.version_info[:2]
    for minor in range(OLDEST, NEWEST):
        python = newest(minor)
        if python is None:
            skipped.append(f"Python 3.{minor}: not found in pyenv's versions, nor as python3.{minor} on PATH")
            continue
        if python.version[:2] != own:
            plans.append((python, "numpy>=2"))
        if minor in OLD_NUMPY[1] and not any(numpy == OLD_NUMPY[0] for _, numpy in plans):
            plans.append((python, OLD_NUMPY[0]))
    with ThreadPoolExecutor(2) as threads:
        for (python, numpy), problem in zip(
            plans, threads.map(lambda plan: install(folder, runner, *plan), plans), strict=True
        ):
            if problem:
                skipped.append(f"Python {python.title} with {numpy}: {problem}")
            else:
                used.append({"python": python.path, "packages": str(place(folder, python, numpy).resolve())})
            print(f"versions: Python {python.title} with {numpy}: {problem or 'ready'}", flush=True)
    for line in skipped:
        print(f"versions: skipped {line}", flush=True)
    (folder / "versions.json").write_text(json.dumps({"used": used, "skipped": skipped}, indent=1))
    return 0


def newest(minor: int) -> Python | None:
    """The newest interpreter of ``3.minor`` that starts."""
    found = [python for python in map(probe, candidates(minor)) if python and python.version[1] == minor]
    return max(found, key=lambda python: python.version, default=None)


def candidates(minor: int) -> Iterator[str]:
    if sys.version_info[1] == minor:
        yield sys.executable
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for path in sorted((root / "versions").glob(f"3.{minor}.*/bin/python3")):
        yield str(path)
    on_path = shutil.which(f"python3.{minor}")
    if on_path:
        yield on_path


def probe(path: str) -> Python | None:
    """The version of an interpreter; ``None`` for one that does not start (a shim) or is no final release."""
    code = "import sys; print(*sys.version_info[:4])"
    try:
        answer = subprocess.run([path, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = answer.stdout.split()
    if answer.returncode or len(words) != 4 or words[3] != "final":
        return None
    return Python(path, (int(words[0]), int(words[1]), int(words[2])))


def place(folder: Path, python: Python, numpy: str) -> Path:
    title = "old" if numpy == OLD_NUMPY[0] else "new"
    # As it is called in any environment: code below a folder of this name is a library's.
    return folder / f"{python.title}-{title}-numpy" / "site-packages"


def install(folder: Path, runner: str, python: Python, numpy: str) -> str:
    """Install what is needed into a folder of its own; what went wrong, or nothing."""
    packages = place(folder, python, numpy)
    wanted = [*required(python), numpy, "tzdata"]
    stamp = packages / "lightwork-stamp.json"
    if stamp.exists() and json.loads(stamp.read_text()) == wanted:
        return ""
    shutil.rmtree(packages, ignore_errors=True)
    command = [
        runner,
        "-m",
        "pip",
        "--python",
        python.path,
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ]
    command += ["--only-binary", ":all:", "--target", str(packages), *wanted]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return ([line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"])[-1]
    stamp.write_text(json.dumps(wanted))
    return ""


def required(python: Python) -> list[str]:
    """What ``pyproject.toml`` says that this Python needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    plain = [each for each in project["dependencies"] if ";" not in each]
    marked = [each.partition(";") for each in project["dependencies"] if ";" in each]
    known = {"python_version < '3.14'": python.version < (3, 14)}
    return plain + [name for name, _, marker in marked if known[marker.strip()]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
