"""Run the tests of the sdist against the wheel: ``check_release.py [--python PATH] [--oldest] [TEST ...]``.

The tests are taken out of the sdist, without ``src``, so nothing but the wheel can be found. With
``--oldest`` every dependency has the oldest version that ``pyproject.toml`` admits, else the newest there is.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from check_wheel import ROOT, build, install_into, unpack

SOURCE_ONLY = ["tests/architecture", "tests/typing", "tests/versions"]
"""They look at the source tree, or at other interpreters: nothing about the wheel."""
EXTRA = "test"
WHERE_OLD = [
    "tests/bare",
    "tests/unit/arrays",
    "tests/unit/hashing/test_hashing_arrow.py",
    "tests/unit/memory",
    "tests/unit/parcel/test_parcel_codecs.py",
    "tests/unit/persistence/compressors",
    "tests/unit/stores",
]
"""With the oldest libraries: samples of the other tests are of types that these do not have yet."""


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="the interpreter; by default this one")
    parser.add_argument("--oldest", action="store_true", help="the oldest dependencies that are admitted")
    parser.add_argument("tests", nargs="*", help="paths in the source tree")
    options = parser.parse_args()
    place = ROOT / "build"
    place.mkdir(exist_ok=True)
    # Not where temporary files are: tests hide those, and look at what other accounts may do.
    with tempfile.TemporaryDirectory(prefix="release-", dir=place) as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        sdist, wheel = build(ROOT, folder / "dist")
        source = unpack(sdist, folder)
        shutil.rmtree(source / "src")
        python = environment(options.python, folder / "venv")
        constraints = None
        if options.oldest:
            constraints = folder / "oldest.txt"
            constraints.write_text("\n".join(oldest(source / "pyproject.toml")))
        install_into(python, [f"{wheel}[{EXTRA}]"], constraints)
        show(python)
        ignored = [f"--ignore={path}" for path in SOURCE_ONLY]
        command = [
            python,
            "-m",
            "pytest",
            "-q",
            *(options.tests or (WHERE_OLD if options.oldest else ["tests"])),
            *ignored,
        ]
        return subprocess.run(command, cwd=source).returncode


def environment(interpreter: str, folder: Path) -> Path:
    subprocess.run([interpreter, "-m", "venv", str(folder)], check=True)
    return folder / "bin" / "python"


def oldest(project: Path) -> list[str]:
    """``name==version`` for each ``name>=version`` that users may have; what only tests need is new."""
    declared = tomllib.loads(project.read_text())["project"]
    wanted = [*declared["dependencies"], *declared["optional-dependencies"]["all"]]
    wanted += [each for each in declared["optional-dependencies"][EXTRA] if not each.startswith(TOOLS)]
    found = (re.match(r"([\w.-]+)>=([\w.]+)", each) for each in wanted)
    return sorted({f"{match[1]}=={match[2]}" for match in found if match})


TOOLS = ("hypothesis", "ipykernel", "joblib", "jupyter_client", "pytest", "tzdata")


def show(python: Path) -> None:
    """What is tested, for the log."""
    listed = subprocess.run([python, "-m", "pip", "list", "--format=freeze"], capture_output=True, text=True)
    print(subprocess.run([python, "-V"], capture_output=True, text=True).stdout, listed.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
